"""Exact tables of the symmetric Skellam distribution, built in integer arithmetic only.

Skellam(v) is the difference of two Poisson variables of mean v/2 each; its variance is v and P(k) = e^-v I_k(v) with
the modified Bessel function I_k. Global noise is recomputed by others on other machines, so a table must come out the
same everywhere: no floating-point function is called. From the recurrence

    I_{k-1}(v) = I_{k+1}(v) + (2 k / v) I_k(v)                                      (DLMF 10.29.1)

every term is positive, so running it downwards in integers keeps relative errors at their initial size. It starts at
the K beyond which the distribution is cut, with the ratio I_{K+1} / I_K enclosed by its continued fraction
(DLMF 10.33.1). What is left is an alias table (Walker 1977, in the form of Vose 1991) with exact integer thresholds.

Statistical distance to the true distribution, per sample, is below `SAMPLE_DISTANCE` = 2^-205:

- tail: log E e^{tX} = v (cosh t - 1) <= (v t^2 / 2) / (1 - t / 3), so by Bernstein's inequality P(|X| > K) <=
  2 exp(-K^2 / (2 (v + K / 3))) <= 2 e^-150 < 2^-215 for the K of `_reach`;
- weights are multiples of 2^-223, and at most 2^17 of them are rounded down: less than 2^-206;
- relative errors: 2^-223 of the ratio, 2^17 steps of at most 2^-320 each of the recurrence: below 2^-222.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 32
EXTENSION_WORDS = 3
EXTENSION_BITS = 64 * EXTENSION_WORDS
WEIGHT_BITS = WORD_BITS - 1 + EXTENSION_BITS
SAMPLE_DISTANCE = 2.0**-205
MAX_TABLE_VARIANCE = 2.0**24

_TAIL_NATS = 150
_RATIO_BITS = 224
_GUARD_BITS = 320
_WORD_MASK = (1 << 64) - 1


@dataclass(frozen=True, eq=False)
class SkellamTable:
    """Alias table of the magnitude |X| of a symmetric Skellam variable X.

    A column is picked by the top `index_bits` bits of a 32-bit word; the bits between those and the lowest one (the
    sign), extended by 192 more bits where they do not decide, are compared with the column's threshold.

    Attributes:
        index_bits: log2 of the number of columns.
        packed: uint64 (columns,): a column's threshold as a 32-bit word (lowest bit set) above its alias.
        extension: uint64 (columns, 3): the 192 further bits of each threshold, high words first.
    """

    index_bits: int
    packed: NDArray[np.uint64]
    extension: NDArray[np.uint64]


@lru_cache(maxsize=16)
def skellam_table(variance: float) -> SkellamTable:
    """The table for a variance in (0, MAX_TABLE_VARIANCE]; a pure function of it, equal on all machines."""
    assert 0 < variance <= MAX_TABLE_VARIANCE
    return _alias_table(magnitude_weights(variance))


def magnitude_weights(variance: float) -> list[int]:
    """P(|X| = m) for m = 0, 1, ..., in units of 2^-223, summing to 2^223 exactly."""
    numerator, denominator = variance.as_integer_ratio()
    reach = _reach(numerator, denominator)
    scale = _GUARD_BITS + max(0, denominator.bit_length() - numerator.bit_length())
    above, here = _ratio(numerator, denominator, reach, scale), 1 << scale
    values = [here]
    twice = 2 * denominator
    for k in range(reach, 0, -1):
        above, here = here, above + (k * twice * here) // numerator
        values.append(here)
    values.reverse()
    total = 2 * sum(values) - values[0]
    weights = [(value << (WEIGHT_BITS + 1)) // total for value in values]
    weights[0] = (1 << WEIGHT_BITS) - sum(weights[1:])
    return weights


def _reach(numerator: int, denominator: int) -> int:
    """A K with K^2 >= 2 L (v + K / 3): L / 3 + sqrt(L^2 / 9 + 2 L v), rounded up."""
    variance = -(-numerator // denominator)
    return _TAIL_NATS // 3 + 1 + math.isqrt(_TAIL_NATS**2 // 9 + 1 + 2 * _TAIL_NATS * variance) + 1


def _ratio(numerator: int, denominator: int, k: int, scale: int) -> int:
    """I_{k+1}(v) / I_k(v) in units of 2^-scale, to a relative error of 2^-224 and a unit.

    r_{j-1} = 1 / (2 j / v + r_j) maps an enclosure of r_j to one of r_{j-1}; far enough out, [0, 1] is one.
    """
    one = 1 << scale
    steps = 64 + 4 * math.isqrt(-(-numerator // denominator))
    while True:
        low, high = 0, one
        for j in range(k + steps, k, -1):
            slope = 2 * j * denominator
            low, high = (
                (one * one * numerator) // (slope * one + numerator * high + numerator),
                -((-one * one * numerator) // (slope * one + numerator * low)),
            )
        if (high - low) << _RATIO_BITS <= low:
            return low
        steps *= 2


def _alias_table(weights: list[int]) -> SkellamTable:
    index_bits = (len(weights) - 1).bit_length()
    columns = 1 << index_bits
    capacity = 1 << (WEIGHT_BITS - index_bits)
    left = weights + [0] * (columns - len(weights))
    cut, alias = [0] * columns, list(range(columns))
    small = [j for j in range(columns) if left[j] < capacity]
    large = [j for j in range(columns) if left[j] >= capacity]
    while small and large:
        j, donor = small.pop(), large[-1]
        cut[j], alias[j] = left[j], donor
        left[donor] -= capacity - left[j]
        if left[donor] < capacity:
            small.append(large.pop())
    # Weights are exact, so what remains fills its column: threshold 0 with the column as its own alias says just that.
    assert all(left[j] == capacity for j in small + large)
    shift = WORD_BITS - index_bits
    words = ((j << shift | (cut[j] >> EXTENSION_BITS) << 1 | 1) << 32 | alias[j] for j in range(columns))
    packed = np.fromiter(words, dtype=np.uint64, count=columns)
    extension = np.array(
        [[item >> 64 * j & _WORD_MASK for j in reversed(range(EXTENSION_WORDS))] for item in cut],
        dtype=np.uint64,
    )
    packed.flags.writeable = extension.flags.writeable = False
    return SkellamTable(index_bits, packed, extension)
