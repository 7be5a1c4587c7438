"""The decoder that came before, for comparison: one utility, standardised round by round, and a Student's t prior.

Each validator's gains of a round are taken as (u - m) / s, with m their lower median and s their robust spread, and of
these views the lower median counts. With z_c the standardised gain of cohort c and a_i the weight of device i in it,
z_c = level + sum_i a_i d_i + noise; each d_i has a prior variance of its own, re-estimated as in sparse Bayesian
learning (Tipping, JMLR 2001).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.valuation_truth import FloatArray
from benchmarks.valuation_world import IntArray
from incentives import DECODE_FLOOR, MICRO, CohortKey, SpreadFloor, lower_median, standing
from incentives.scoring import MIN_VIEWS, STANDARD_LIMIT

_DEVICE_VARIANCE, _NOISE_VARIANCE, _TAIL, _SWEEPS, _FORGETTING, _LEVEL_VARIANCE = (
    0.15,
    0.33,
    2.0,
    10,
    0.99,
    100.0,
)


def former_effects(
    rounds: Sequence[Sequence[tuple[IntArray, float]]], weights: FloatArray, devices: IntArray
) -> FloatArray:
    """Effects of one hospital's devices.

    Args:
        rounds: of each round, members (indices of devices) and standardised gain of the hospital's cohorts.
        weights: of all devices.
        devices: the hospital's, sorted.
    """
    cohorts = [(age, *cohort) for age, found in enumerate(reversed(rounds)) for cohort in found]
    design = np.zeros((len(cohorts), len(devices) + 1))
    design[:, -1] = 1.0
    for row, (_, members, _) in enumerate(cohorts):
        design[row, np.searchsorted(devices, members)] = weights[members] / weights[members].sum()
    concentration = np.sum(design[:, :-1] ** 2, axis=1)
    size = float(np.mean(1 / concentration))
    discount = np.array([_FORGETTING**age for age, _, _ in cohorts])
    precisions = discount / (_NOISE_VARIANCE * size * concentration)
    values = np.array([value for _, _, value in cohorts])
    gram, moment = (design.T * precisions) @ design, (design.T * precisions) @ values
    prior = _DEVICE_VARIANCE * size
    own = np.full(len(devices), prior)
    mean = np.zeros(len(devices))
    for _ in range(_SWEEPS + 1):
        covariance = np.linalg.inv(gram + np.diag(1 / np.append(own, _LEVEL_VARIANCE)))
        mean, variance = (covariance @ moment)[:-1], np.diag(covariance)[:-1]
        own = (_TAIL * prior + mean**2 + variance) / (_TAIL + 1)
    return mean


def standardise(
    utilities: Mapping[CohortKey, int], *, validator: int, floor: SpreadFloor = DECODE_FLOOR
) -> dict[CohortKey, int]:
    """One validator's utilities of a round as (u - m) / s in millionths, clipped to four spreads.

    Args:
        utilities: what the validator valued in the round; its own cohorts, if present, are left out.
        validator: the validating hospital's id.
        floor: the least spread.
    """
    others = {key: utility for key, utility in utilities.items() if key.hospital != validator}
    if not others:
        return {}
    typical = standing(others.values(), floor)
    return {
        key: min(max((utility - typical.median) * MICRO // typical.spread, -STANDARD_LIMIT), STANDARD_LIMIT)
        for key, utility in sorted(others.items())
    }


def combine(
    views: Mapping[int, Mapping[CohortKey, int]],
    *,
    floor: SpreadFloor = DECODE_FLOOR,
    min_views: int = MIN_VIEWS,
) -> dict[CohortKey, int]:
    """What the validators together say of each cohort of a round: the lower median of their standardised views.

    Args:
        views: utilities of the round by validator.
        floor: the least spread of each view.
        min_views: cohorts valued by fewer validators, their own hospital not counted, are left out.

    Returns:
        Standardised utilities in millionths, by cohort.
    """
    gathered: dict[CohortKey, list[int]] = {}
    for validator, utilities in sorted(views.items()):
        for key, value in standardise(utilities, validator=validator, floor=floor).items():
            gathered.setdefault(key, []).append(value)
    return {key: lower_median(values) for key, values in sorted(gathered.items()) if len(values) >= min_views}
