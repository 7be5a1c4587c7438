"""The linear steps of the chain: weights and the choice of coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.updates.stage import Bound, Float64Array, Given, IntArray, Stage, Words


@dataclass(frozen=True, eq=False)
class Weighted:
    """x -> w x on a device, total -> total / sum of w on the server: the weighted mean.

    Attributes:
        inner: the steps that follow.
    """

    inner: Stage

    @property
    def wire_bytes(self) -> int:
        """Length of a device's packed vector."""
        return self.inner.wire_bytes

    def forward(self, values: NDArray[np.floating], given: Given) -> Words:
        """Values (n, d) times the weights (n,), in the precision of the values."""
        factors = given.weights.astype(values.dtype)[:, np.newaxis]
        with np.errstate(over="ignore"):  # the clip refuses what is not finite
            weighted = values * factors
        return self.inner.forward(weighted, given)

    def inverse(self, total: NDArray[np.integer], weight: float) -> Float64Array:
        """The weighted mean, float64 (d,).

        Raises:
            SpecError: nobody's weight is in the sum.
        """
        if not weight > 0:
            raise SpecError(f"a sum of weight {weight} has no mean: leave it out")
        return self.inner.inverse(total, weight) / weight

    def bound(self, given: Bound) -> Bound:
        """Weights are not bounded here, so nothing is certain before the clip."""
        return self.inner.bound(given)


@dataclass(frozen=True, eq=False)
class Selected:
    """x -> x[coordinates] on a device; on the server the others stay 0.

    Attributes:
        inner: the steps that follow.
        coordinates: int64 (k,), distinct, in the order in which they are sent; None for all.
        dim: entries of an update, d.
    """

    inner: Stage
    coordinates: IntArray | None
    dim: int

    def __post_init__(self) -> None:
        """Check the coordinates.

        Raises:
            SpecError: none, or one that is out of range or there twice.
        """
        if self.coordinates is None:
            return
        there = np.zeros(self.dim, dtype=np.bool_)
        if not self.coordinates.size or not 0 <= self.coordinates.min() <= self.coordinates.max() < self.dim:
            raise SpecError(f"coordinates of a mask: at least one, all in 0..{self.dim - 1}")
        there[self.coordinates] = True
        if there.sum() != self.coordinates.size:
            raise SpecError("coordinates of a mask: one is there twice")

    @property
    def wire_bytes(self) -> int:
        """Length of a device's packed vector."""
        return self.inner.wire_bytes

    def forward(self, values: NDArray[np.floating], given: Given) -> Words:
        """Values (n, d) at the coordinates, (n, k)."""
        chosen = values if self.coordinates is None else values.take(self.coordinates, axis=1)
        return self.inner.forward(chosen, given)

    def inverse(self, total: NDArray[np.integer], weight: float) -> Float64Array:
        """Float64 (d,), 0 outside the mask."""
        back = self.inner.inverse(total, weight)
        if self.coordinates is None:
            return back
        dense = np.zeros(self.dim)
        dense[self.coordinates] = back
        return dense

    def bound(self, given: Bound) -> Bound:
        """A selection is not longer than the whole."""
        return self.inner.bound(given)
