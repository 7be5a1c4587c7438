"""What earlier rounds foretell: each device's effect, and how far cohorts of its hospital lie apart.

Both are fixed before the draw, and the spread is taken within the hospital: what other hospitals' cohorts are worth in
the round that is judged touches neither. Power depends on how good the forecast is, and little else does.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from incentives.decoding import DecoderSettings, DeviceEffect, RoundEvidence, effects
from incentives.suspicion import FORECAST_UNIT

_LARGEST: Final = 1 << 53  # no utility is that large; told ones may be integers of any size
_RECENT: Final = (
    8  # rounds whose spread stands for the next one's: two cohorts a round still give 8 differences
)


def forecast(
    history: Sequence[RoundEvidence], settings: DecoderSettings | None = None
) -> Mapping[bytes, int]:
    """Effect of each device on a sum that is its own alone, thousandths of its hospital's spread.

    Args:
        history: a hospital's evidence of the rounds before.
        settings: the decoder's; the defaults without them.

    Raises:
        IncentivesError: if the rounds are not in order.
    """
    return in_spreads(effects(history, settings), history, settings)


def in_spreads(
    found: Mapping[bytes, DeviceEffect],
    history: Sequence[RoundEvidence],
    settings: DecoderSettings | None = None,
) -> Mapping[bytes, int]:
    """What the decoder found, as a forecast of the next round: see :func:`forecast`.

    The decoder's effects are in scales of all hospitals' cohorts, averaged with weights of scale times forgetting; with
    the same weights these are brought to the spread within the hospital. A round whose scale others have blown up
    counts in both averages alike.

    Args:
        found: what :func:`incentives.decoding.effects` says after the history.
        history: the same history.
        settings: the decoder's; the defaults without them.
    """
    chosen = settings or DecoderSettings()
    compared = [item for item in history if len(item.cohorts) > 1]
    if not found or not compared:
        return {}
    cohorts = [cohort for item in history for cohort in item.cohorts]
    sizes = [_effective_size(cohort.weights or (1,) * len(cohort.members)) for cohort in cohorts]
    variance = chosen.device_variance * sum(sizes) / len(sizes)
    last = compared[-1].round
    weights = [chosen.forgetting ** (last - item.round) for item in compared]
    scales = math.fsum(weight * item.scale for weight, item in zip(weights, compared, strict=True))
    spreads = math.fsum(
        weight * _unbiased_spread(item) for weight, item in zip(weights, compared, strict=True)
    )
    unit = math.sqrt(variance) * scales / max(spreads, 1.0) * FORECAST_UNIT
    return {device: round(effect.mean * unit) for device, effect in found.items()}


def spread_of(history: Sequence[RoundEvidence], floor: int) -> int | None:
    """How far a hospital's cohorts lay apart in its last rounds, in units of utility: a standard deviation.

    The mean square about each round's mean has a divisor of one less than the cohorts, so that K cohorts that share out
    a pool of devices are expected to show what means of as many independent devices would (simple random sampling:
    Cochran, Sampling Techniques, 3rd ed., theorem 2.2).

    Args:
        history: the hospital's evidence of the rounds before, ascending.
        floor: the least spread.

    Returns:
        The spread, at least the floor; None where no round had two cohorts to compare.
    """
    recent = [item for item in history if len(item.cohorts) > 1][-_RECENT:]
    if not recent:
        return None
    squares = math.fsum(_square(item) for item in recent)
    return max(floor, round(math.sqrt(squares / sum(len(item.cohorts) - 1 for item in recent))))


def _square(item: RoundEvidence) -> float:
    """Sum of squares of a round's cohorts about their mean."""
    utilities = [min(max(cohort.utility, -_LARGEST), _LARGEST) for cohort in item.cohorts]
    count = len(utilities)
    return (count * sum(u * u for u in utilities) - sum(utilities) ** 2) / count


def _unbiased_spread(item: RoundEvidence) -> float:
    """Spread of a round's cohorts; a sample's deviation is short by a factor (c4), known for a normal."""
    free = len(item.cohorts) - 1
    short = math.sqrt(2 / free) * math.exp(math.lgamma((free + 1) / 2) - math.lgamma(free / 2))
    return math.sqrt(_square(item) / free) / short


def _effective_size(weights: Sequence[int]) -> float:
    return sum(weights) ** 2 / sum(weight**2 for weight in weights)
