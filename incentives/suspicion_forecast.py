"""What earlier rounds foretell of each device's effect: how the test of one device discounts its companions.

A forecast is fixed before the draw, so power depends on how good it is, and little else does.
"""

import math
from collections.abc import Mapping, Sequence

from incentives.decoding import DecoderSettings, DeviceEffect, RoundEvidence, effects
from incentives.suspicion import FORECAST_UNIT


def forecast(
    history: Sequence[RoundEvidence], settings: DecoderSettings | None = None
) -> Mapping[bytes, int]:
    """Effect of each device on a sum that is its own alone, thousandths of a spread of utilities.

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

    Args:
        found: what :func:`incentives.decoding.effects` says after the history.
        history: the same history.
        settings: the decoder's; the defaults without them.
    """
    if not found:
        return {}
    cohorts = [cohort for item in history for cohort in item.cohorts]
    sizes = [_effective_size(cohort.weights or (1,) * len(cohort.members)) for cohort in cohorts]
    variance = (settings or DecoderSettings()).device_variance * sum(sizes) / len(sizes)
    return {
        device: round(effect.mean * math.sqrt(variance) * FORECAST_UNIT) for device, effect in found.items()
    }


def _effective_size(weights: Sequence[int]) -> float:
    return sum(weights) ** 2 / sum(weight**2 for weight in weights)
