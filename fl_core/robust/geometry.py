"""Lengths and angles between vectors that come out the same, to the last bit, on any machine with IEEE arithmetic.

A sum over many products depends on its order, and that on the machine. So vectors are rounded to integers so small that
every sum of their products is exact in float64, whatever its order, fused or not: the matrix product may then come
from any library. Each vector has a scale of its own, a power of two, so that a huge one takes nothing from the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

LARGEST = 1e150
"""Values beyond it have no square that float64 holds, summed over a model's parameters."""


def check_means(means: Float64Array, votes: IntArray) -> None:
    """Refuse what no rule can combine.

    Args:
        means: float64 (k, d).
        votes: int64 (k,), weights above 0.

    Raises:
        SpecError: no means, other shapes or types, values that are not finite or beyond 1e150, or a vote below 1.
    """
    if means.dtype != np.float64 or means.ndim != 2 or 0 in means.shape:
        raise SpecError(f"means of {means.dtype} {means.shape}: float64 (k, d) are needed, at least one")
    if votes.dtype != np.int64 or votes.shape != means.shape[:1] or votes.min() < 1:
        raise SpecError(
            f"votes of {votes.dtype} {votes.shape} for {len(means)} means: int64, each at least 1"
        )
    if not np.isfinite(means).all():
        odd = int(np.argmin(np.isfinite(means).all(axis=1)))
        raise SpecError(f"mean {odd} is not finite: it cannot be combined with others")
    largest = np.abs(means).max(axis=1)
    if largest.max() > LARGEST:
        odd = int(np.argmax(largest))
        raise SpecError(
            f"mean {odd} holds a value of magnitude {largest[odd]:.1e}: squares beyond that of {LARGEST:.0e} overflow, "
            "so that no length can be compared; check weights and step size of whoever sent it"
        )


def gram(vectors: Float64Array) -> Float64Array:
    """Inner products of vectors, float64 (k, k), reproducible to the bit.

    Entries are off by at most 2^-p of the product of two vectors' largest entries and d, p = (52 - log2 d) // 2: 20
    bits for 4,000 parameters, 17 for 200,000.

    Args:
        vectors: float64 (k, d), finite.
    """
    bits = (52 - (vectors.shape[1] - 1).bit_length()) // 2
    _, exponents = np.frexp(np.abs(vectors).max(axis=1))
    whole = np.rint(np.ldexp(vectors, (bits - exponents)[:, np.newaxis]))
    products = whole @ whole.T
    inner: Float64Array = np.ldexp(products, exponents[:, np.newaxis] + exponents[np.newaxis, :] - 2 * bits)
    return inner


def squared_distances(products: Float64Array) -> Float64Array:
    """Squared distances of the vectors whose inner products are given, float64 (k, k), none below 0."""
    lengths = np.diagonal(products)
    return np.maximum(lengths[:, np.newaxis] + lengths[np.newaxis, :] - 2 * products, 0.0)


def combination(vectors: Float64Array, coefficients: Sequence[float]) -> Float64Array:
    """The sum of coefficients times vectors, float64 (d,), added in order."""
    total = np.zeros(vectors.shape[1])
    for vector, coefficient in zip(vectors, coefficients, strict=True):
        if coefficient:
            total += vector * coefficient
    return total


def shares_of(votes: IntArray) -> list[float]:
    """Votes as shares of all."""
    everyone = int(votes.sum())
    return [int(vote) / everyone for vote in votes]


def root_of(square: float) -> float:
    """The square root; what rounding left below 0 counts as 0."""
    return math.sqrt(max(square, 0.0))
