"""Scores from utilities, in integers only, so that every machine recomputes the same.

A utility is what a cohort's mean update gains on a validator's rows, quantised by whoever computed it (1e-6
of a loss a unit by convention). From one validator's view of a round, m is the lower median and s a robust
spread of all utilities that it gave; a cohort scores 10,000 * clip(1 + (u - m) / (3 s), 0, 1). Typical is
full marks; only falling behind costs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from incentives.errors import IncentivesError
from incentives.reward_rule import BPS, FULL_SCORE, lower_median

MICRO: Final = 1_000_000
"""One, in the fixed-point numbers of standardised utilities."""

STANDARD_LIMIT: Final = 4 * MICRO
"""Standardised utilities are clipped here: a spread estimated from a few cohorts is now and then far too small."""

MIN_VIEWS: Final = 2
"""Validators that must have valued a cohort before its utility counts."""

_MAD_TO_SIGMA_E4: Final = (
    14_826  # a normal's standard deviation over its median absolute deviation, times 1e4
)
_MEAN_TO_SIGMA_E4: Final = 12_533  # and over its mean absolute deviation


@dataclass(frozen=True, slots=True, order=True)
class CohortKey:
    """A cohort of one round: its hospital's id and its index there, from 0."""

    hospital: int
    cohort: int


@dataclass(frozen=True, slots=True)
class SpreadFloor:
    """The least spread that is believed.

    Attributes:
        absolute: in units of utility, at least 1.
        relative_bps: in basis points of the median utility's magnitude: differences that are small beside
            what a typical cohort gained are not held against anyone.

    Raises:
        IncentivesError: if a part is out of range.
    """

    absolute: int
    relative_bps: int = 0

    def __post_init__(self) -> None:
        if self.absolute < 1 or self.relative_bps < 0:
            raise IncentivesError(f"{self} is no floor: absolute must be at least 1, relative_bps at least 0")


SCORE_FLOOR: Final = SpreadFloor(absolute=500, relative_bps=2_500)
"""Default floor for the scores of hospitals."""

DECODE_FLOOR: Final = SpreadFloor(absolute=500, relative_bps=500)
"""Default floor for what is decoded, which averages over rounds and so may look closer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is typical: a median and a spread (at least 1), both in units of utility."""

    median: int
    spread: int


def standing(utilities: Collection[int], floor: SpreadFloor) -> Standing:
    """Lower median and floored robust spread of some utilities.

    The spread is 1.4826 times the high median (element n//2) of the absolute deviations: with the half dozen cohorts
    that a validator may see, the lower one would understate it.

    Raises:
        IncentivesError: if there are none.
    """
    values = list(utilities)
    median = lower_median(values)
    deviations = sorted(abs(value - median) for value in values)
    spread = deviations[len(deviations) // 2] * _MAD_TO_SIGMA_E4 // 10_000
    return Standing(median, max(spread, floor.absolute, abs(median) * floor.relative_bps // BPS))


def score(utility: int, typical: Standing) -> int:
    """Score 0..10,000: full at the median or above, nothing at three spreads below it."""
    behind = typical.median - utility
    reach = 3 * typical.spread
    if behind <= 0:
        return FULL_SCORE
    return max(0, FULL_SCORE * (reach - behind) // reach)


def hospital_scores(
    utilities: Mapping[CohortKey, int], *, validator: int, floor: SpreadFloor = SCORE_FLOOR
) -> dict[int, int]:
    """The scores (0..10,000) that a validator gives the other hospitals: the floored mean over their cohorts.

    Args:
        utilities: what the validator valued in the round; its own cohorts, if present, are left out.
        validator: the validating hospital's id.
        floor: the least spread.
    """
    others = _without(utilities, validator)
    if not others:
        return {}
    typical = standing(others.values(), floor)
    by_hospital: dict[int, list[int]] = {}
    for key, utility in sorted(others.items()):
        by_hospital.setdefault(key.hospital, []).append(score(utility, typical))
    return {hospital: sum(scores) // len(scores) for hospital, scores in by_hospital.items()}


@dataclass(frozen=True, slots=True)
class AgreedWorths:
    """What the validators together say of a round's cohorts, in units of utility.

    Attributes:
        utilities: what each cohort was worth beyond the typical one.
        scale: how far cohorts lie apart; at least 1.
    """

    utilities: Mapping[CohortKey, int]
    scale: int


def agree(
    views: Mapping[int, Mapping[CohortKey, int]],
    *,
    floor: SpreadFloor = DECODE_FLOOR,
    min_views: int = MIN_VIEWS,
) -> AgreedWorths:
    """What the validators together say of each cohort of a round: the lower median of their views, each from its own
    median.

    Worths keep the utilities' own unit: what is at stake differs from round to round, and between validators only their
    level does. A lying minority moves a cohort no further than an honest view. The scale is the
    mean absolute deviation times 1.2533, a normal's standard deviation over its mean absolute deviation: with a dozen
    cohorts it is much surer than the median's, and a cohort's utility is bounded by the clip of its rows.

    Args:
        views: utilities of the round by validator.
        floor: the least scale, its relative part of what the typical cohort is worth.
        min_views: cohorts valued by fewer validators, their own hospital not counted, are left out.

    Returns:
        Worths and scale; none, and a scale of the floor, where no cohort has enough views.
    """
    gathered: dict[CohortKey, list[int]] = {}
    levels = []
    for validator, utilities in sorted(views.items()):
        others = _without(utilities, validator)
        if not others:
            continue
        level = lower_median(list(others.values()))
        levels.append(level)
        for key, value in others.items():
            gathered.setdefault(key, []).append(value - level)
    worths = {key: lower_median(found) for key, found in sorted(gathered.items()) if len(found) >= min_views}
    if not worths:
        return AgreedWorths({}, floor.absolute)
    typical = lower_median(list(worths.values()))
    relative = {key: value - typical for key, value in worths.items()}
    spread = sum(map(abs, relative.values())) * _MEAN_TO_SIGMA_E4 // (10_000 * len(relative))
    stake = abs(lower_median(levels)) * floor.relative_bps // BPS
    return AgreedWorths(relative, max(spread, floor.absolute, stake))


def _without(utilities: Mapping[CohortKey, int], hospital: int) -> dict[CohortKey, int]:
    return {key: utility for key, utility in utilities.items() if key.hospital != hospital}
