"""The decoder that came before, for comparison: one utility, standardised round by round, and a Student's t prior.

With z_c the standardised gain of cohort c and a_i the weight of device i in it, z_c = level + sum_i a_i d_i + noise;
each d_i has a prior variance of its own, re-estimated as in sparse Bayesian learning (Tipping, JMLR 2001).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.valuation_truth import FloatArray
from benchmarks.valuation_world import IntArray

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
