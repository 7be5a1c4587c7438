"""The geometric median: least sum of distances (RFA, Pillutla, Kakade and Harchaoui, IEEE TSP 2022, algorithm 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fl_core.robust.geometry import (
    Float64Array,
    IntArray,
    check_means,
    combination,
    gram,
    root_of,
    shares_of,
)

_SMOOTHING = 1e-6  # of the median length: closer than that, a point pulls no harder
_STEPS = 200
_SETTLED = 1e-10


def geometric_median(means: Float64Array, votes: IntArray) -> Float64Array:
    """The weighted geometric median by smoothed Weiszfeld steps, float64 (d,).

    Steps stay within combinations of the means, so that all of them are done on inner products, which `gram` gives to
    the bit. They end when the sum of distances falls by less than 1e-10 of itself, or after 200. Breakdown point: half
    of the votes; weights are sound, since each vote pulls with the same unit force.

    Args:
        means: float64 (k, d).
        votes: int64 (k,), weights above 0.

    Raises:
        SpecError: see `check_means`.
    """
    check_means(means, votes)
    products, weights = gram(means), shares_of(votes)
    lengths = sorted(root_of(float(square)) for square in np.diagonal(products))
    smoothing = _SMOOTHING * lengths[len(lengths) // 2] or _SMOOTHING
    mixture, before = weights, math.inf
    for _ in range(_STEPS):
        distances = _distances(products, mixture)
        objective = math.fsum(w * distance for w, distance in zip(weights, distances, strict=True))
        if before - objective <= _SETTLED * objective:
            break
        pulls = [w / max(distance, smoothing) for w, distance in zip(weights, distances, strict=True)]
        total, before = math.fsum(pulls), objective
        mixture = [pull / total for pull in pulls]
    return combination(means, mixture)


def _distances(products: Float64Array, mixture: Sequence[float]) -> list[float]:
    """How far each vector is from the mixture of all."""
    shares = np.array(mixture)
    with_each = [math.fsum(row) for row in (products * shares).tolist()]
    own = math.fsum((np.array(with_each) * shares).tolist())
    return [
        root_of(math.fsum((own, -2 * product, float(square))))
        for product, square in zip(with_each, np.diagonal(products), strict=True)
    ]
