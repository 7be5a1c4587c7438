"""Rules that look at one coordinate at a time (Yin et al., ICML 2018).

Values of a coordinate are sorted, votes are whole numbers, and what remains is added in that order: the result is the
same to the bit on any machine with IEEE arithmetic.
"""

from __future__ import annotations

import math

import numpy as np

from fl_core.robust.geometry import Float64Array, IntArray, check_means


def median(means: Float64Array, votes: IntArray) -> Float64Array:
    """The weighted median of each coordinate, float64 (d,).

    The value up to which half of the votes lie; the middle of two where they split evenly. Breakdown point: half of the
    votes. Weights are sound here, since a coordinate's majority is one of votes.

    Args:
        means: float64 (k, d).
        votes: int64 (k,), weights above 0.

    Raises:
        SpecError: see `check_means`.
    """
    check_means(means, votes)
    values, reached = _sorted(means, votes)
    everyone = int(votes.sum())
    lower = np.argmax(2 * reached >= everyone, axis=0)
    upper = np.argmax(2 * reached > everyone, axis=0)
    columns = np.arange(means.shape[1])
    middle: Float64Array = (values[lower, columns] + values[upper, columns]) / 2
    return middle


def trimmed_mean(means: Float64Array, votes: IntArray, share: float) -> Float64Array:
    """The weighted mean of each coordinate without the lowest and the highest `share` of the votes, float64 (d,).

    A value at the edge counts with what of its vote is left. With equal votes this is the trimmed mean of Yin et al.
    Breakdown point: `share` of the votes.

    Args:
        means: float64 (k, d).
        votes: int64 (k,), weights above 0.
        share: cut off at each end, above 0 and below 0.5.

    Raises:
        SpecError: see `check_means`.
    """
    check_means(means, votes)
    values, reached = _sorted(means, votes)
    everyone = int(votes.sum())
    low = math.floor(share * everyone)
    high = everyone - low
    inside = np.clip(reached, low, high)
    total, before = np.zeros(means.shape[1]), np.full(means.shape[1], low)
    for value, until in zip(values, inside, strict=True):
        total += value * (until - before)
        before = until
    return total / (high - low)


def _sorted(means: Float64Array, votes: IntArray) -> tuple[Float64Array, IntArray]:
    """Each coordinate's values in rising order, and the votes up to each of them."""
    order = np.argsort(means, axis=0, kind="stable")
    return np.take_along_axis(means, order, axis=0), np.cumsum(votes[order], axis=0)
