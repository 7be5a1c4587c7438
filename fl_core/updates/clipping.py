"""The clip: what makes one device's part in a sum bounded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError, TrainingError
from fl_core.updates.stage import Bound, Float64Array, Given, Stage, Words

SLACK = 1 + 1e-12  # scaling to the clip norm may end some units in the last place above it


@dataclass(frozen=True, eq=False)
class Clipped:
    """x -> y min(1, norm / |y|), y = x cut to [-peak, peak] in each coordinate. Nothing to undo on the server.

    Cutting single coordinates first leaves more length to the others, and a sum of peaks is what the ring must hold.

    Attributes:
        inner: the steps that follow.
        norm: largest L2 norm, in units of the weighted update.
        peak: largest magnitude of a coordinate; not below `norm` where only the norm counts.
    """

    inner: Stage
    norm: float
    peak: float

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            SpecError: one is not a positive finite number.
        """
        for name, value in (("clip norm", self.norm), ("peak", self.peak)):
            if not (math.isfinite(value) and value > 0):
                raise SpecError(f"{name} {value}: choose a positive finite number")

    @property
    def wire_bytes(self) -> int:
        """Length of a device's packed vector."""
        return self.inner.wire_bytes

    def forward(self, values: NDArray[np.floating], given: Given) -> Words:
        """Values (n, k), clipped as float64.

        Raises:
            TrainingError: an update's length is not finite, so that no direction is left to scale.
        """
        clipped: Float64Array = np.asarray(values, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
            finite = np.isfinite(np.einsum("ij,ij->i", clipped, clipped))
            if not finite.all():
                raise TrainingError(
                    f"update {int(np.argmin(finite))} has no finite length: lower the learning rate or check the data"
                )
            if self.peak < self.norm:
                clipped = np.clip(clipped, -self.peak, self.peak)
            lengths = np.sqrt(np.einsum("ij,ij->i", clipped, clipped))
        long = lengths > self.norm
        if long.any():
            clipped = clipped * np.where(long, self.norm / np.maximum(lengths, self.norm), 1.0)[:, np.newaxis]
        return self.inner.forward(clipped, given)

    def inverse(self, total: NDArray[np.integer], weight: float) -> Float64Array:
        """What comes from the steps that follow."""
        back: Float64Array = self.inner.inverse(total, weight)
        return back

    def bound(self, given: Bound) -> Bound:
        """L2 norm and peak as set, with the slack of floating point; the L1 norm follows from both further on."""
        l2 = min(given.l2, self.norm * SLACK)
        return self.inner.bound(Bound(given.l1, l2, min(given.peak, self.peak * SLACK, l2)))
