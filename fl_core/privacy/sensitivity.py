"""How far one device can move a sum of integer vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fl_core.errors import SpecError


@dataclass(frozen=True)
class Sensitivity:
    """Bounds of one device's integer vector, hence of what replacing it by zero changes.

    Attributes:
        l1: largest sum of magnitudes, in integer steps.
        l2: largest Euclidean length, in integer steps, whatever way values were rounded.
    """

    l1: float
    l2: float

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            SpecError: a bound is not positive and finite, or no vector of that length has so small an l1 norm.
        """
        if not all(math.isfinite(value) and value > 0 for value in (self.l1, self.l2)):
            raise SpecError(f"sensitivity (l1 {self.l1}, l2 {self.l2}): both must be positive and finite")
        if self.l1 < self.l2 * (1 - 1e-9):
            raise SpecError(f"sensitivity: l1 {self.l1} below l2 {self.l2}, which no vector has")

    def times(self, devices: int) -> Sensitivity:
        """Bounds for `devices` devices replaced together, by the triangle inequality (one person's, for example).

        Raises:
            SpecError: fewer than one device.
        """
        if devices < 1:
            raise SpecError(f"{devices} devices: at least 1 is needed")
        return Sensitivity(self.l1 * devices, self.l2 * devices)
