"""Stochastic rounding to integers that keeps the L2 norm under a bound known beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.updates.clipping import SLACK
from fl_core.updates.stage import Bound, Float64Array, Given, IntArray, Stage, Words

MAX_FRACTION_BITS = 52
_REFUSED = math.exp(-0.5)  # at most this share of draws is longer than the bound, whatever the vector
_DRAWS = 128  # fails for a vector with probability below e^-64; then it is rounded towards zero
_SUM_SLACK = 1 + 1e-9  # squares are summed in float64


def rounded_norm(norm: float, length: int) -> float:
    """A length that stochastic rounding of a vector stays within often enough to redraw until it does.

    Let x have `length` entries k and |x| <= L, and let R round each x_j independently to a neighbouring integer with
    mean x_j. Claim: P(|R|^2 > B) <= beta with

        B = L^2 + min(k / 4, sqrt(k) L) + sqrt(2 log(1 / beta)) (L + sqrt(k) / 2).

    Proof. With n_j = floor(x_j) and p_j = x_j - n_j, E R_j^2 = x_j^2 + p_j (1 - p_j). Here p (1 - p) is at most 1/4 and
    at most the distance of x_j to the next integer, so at most |x_j|, and sum |x_j| <= sqrt(k) L. That bounds the mean.
    R_j^2 takes two values, |2 n_j + 1| <= 2 |x_j| + 1 apart, so by Hoeffding P(|R|^2 - E |R|^2 >= t) <=
    exp(-2 t^2 / S) with sqrt(S) <= 2 L + sqrt(k) by Minkowski; t as above gives beta. Besides |R| <= L + sqrt(k)
    always, since |R - x| <= sqrt(k). The bound is that of Kairouz, Liu and Steinke (ICML 2021, conditional randomised
    rounding) but for the minimum with sqrt(k) L, which matters where steps are coarse.

    Here beta = e^-0.5, so a draw is accepted with probability at least 0.39.

    Args:
        norm: L, in integer steps.
        length: k.
    """
    mean = norm**2 + min(length / 4, math.sqrt(length) * norm)
    spread = math.sqrt(2 * math.log(1 / _REFUSED)) * (norm + math.sqrt(length) / 2)
    return min(math.sqrt(mean + spread), norm + math.sqrt(length))


@dataclass(frozen=True, eq=False)
class Rounded:
    """x -> integers R with mean x 2^fraction_bits, redrawn until |R| <= `limit`; total -> total 2^-fraction_bits.

    Redrawing is the conditional rounding of Kairouz, Liu and Steinke (2021): the bound on R, and so the sensitivity,
    then holds for certain. The condition bends the mean a little for updates that were clipped; error feedback brings
    the difference back in a later round.

    Attributes:
        inner: the steps that follow.
        fraction_bits: an integer step is 2^-fraction_bits.
        norm: L2 norm that what enters does not exceed.
        length: entries, k.
    """

    inner: Stage
    fraction_bits: int
    norm: float
    length: int

    def __post_init__(self) -> None:
        """Check the width.

        Raises:
            SpecError: fraction bits out of range.
        """
        if not 0 <= self.fraction_bits <= MAX_FRACTION_BITS:
            raise SpecError(f"{self.fraction_bits} fraction bits: choose 0..{MAX_FRACTION_BITS}")

    @property
    def limit(self) -> float:
        """Largest L2 norm of the integers, in steps."""
        return rounded_norm(self.norm * SLACK * 2.0**self.fraction_bits, self.length)

    @property
    def wire_bytes(self) -> int:
        """Length of a device's packed vector."""
        return self.inner.wire_bytes

    def forward(self, values: Float64Array, given: Given) -> Words:
        """Values (n, k), rounded to int64 with each device's own generator."""
        scaled = values * 2.0**self.fraction_bits
        floor = np.floor(scaled)
        up = scaled - floor
        uniform = np.empty(scaled.shape)
        for row, generator in enumerate(given.rounding):
            generator.random(out=uniform[row])
        rounded = floor + (uniform < up)
        squared = np.einsum("ij,ij->i", rounded, rounded)
        for row in np.flatnonzero(squared > self.limit**2).tolist():
            rounded[row] = self._redrawn(scaled[row], floor[row], up[row], given.rounding[row])
        return self.inner.forward(rounded.astype(np.int64), given)

    def _redrawn(
        self, scaled: Float64Array, floor: Float64Array, up: Float64Array, generator: np.random.Generator
    ) -> Float64Array:
        for _ in range(_DRAWS - 1):
            rounded: Float64Array = floor + (generator.random(len(up)) < up)
            if np.einsum("j,j->", rounded, rounded) <= self.limit**2:
                return rounded
        return np.trunc(scaled)  # no longer than x

    def inverse(self, total: NDArray[np.integer], weight: float) -> Float64Array:
        """Integers as reals, float64 (k,)."""
        back: IntArray = self.inner.inverse(total, weight)
        return back.astype(np.float64) * 2.0**-self.fraction_bits

    def bound(self, given: Bound) -> Bound:
        """In integer steps. For integers |x_j| <= x_j^2, so the L1 norm is at most min(sqrt(k) L2, L2^2)."""
        l2 = self.limit * _SUM_SLACK
        largest = given.peak * 2.0**self.fraction_bits
        peak = math.floor(l2) if largest >= l2 else min(math.ceil(largest), math.floor(l2))
        return self.inner.bound(Bound(min(math.sqrt(self.length) * l2, l2**2), l2, peak))
