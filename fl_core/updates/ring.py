"""The last steps before masking: integer noise, and residues modulo 2^bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.secagg.packing import packed_bytes
from fl_core.updates.stage import Bound, Given, IntArray, Words

MIN_BITS, MAX_BITS = 8, 64


@dataclass(frozen=True, eq=False)
class Noised:
    """x -> x + noise. The noise has mean zero, so that the server has nothing to undo.

    Attributes:
        inner: the steps that follow.
        variance: of the noise that one device adds to each entry, in squared steps; 0 for none.
    """

    inner: Ring
    variance: float

    @property
    def wire_bytes(self) -> int:
        """Length of a device's packed vector."""
        return self.inner.wire_bytes

    def forward(self, values: IntArray, given: Given) -> Words:
        """Integers (n, k) plus the devices' noise.

        Raises:
            SpecError: noise is missing, or there although the spec has none, or of another shape.
        """
        if (given.noise is not None) != (self.variance > 0):
            raise SpecError(
                "noise is missing from an update" if self.variance > 0 else "noise that the spec has not"
            )
        if given.noise is None:
            return self.inner.forward(values)
        if given.noise.shape != values.shape or given.noise.dtype != np.int64:
            raise SpecError(
                f"noise of {given.noise.dtype} {given.noise.shape} for integers of shape {values.shape}"
            )
        return self.inner.forward(values + given.noise)

    def inverse(self, total: NDArray[np.integer], weight: float) -> IntArray:
        """What comes from the ring."""
        return self.inner.inverse(total)

    def bound(self, given: Bound) -> Bound:
        """Of the integers before noise."""
        return given


@dataclass(frozen=True)
class Ring:
    """x -> x mod 2^bits, negative integers as their two's complement; back to the smallest magnitude on the server.

    Attributes:
        bits: width of an element, 8..64.
        length: entries, k.
    """

    bits: int
    length: int

    def __post_init__(self) -> None:
        """Check the width.

        Raises:
            SpecError: out of range.
        """
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise SpecError(f"ring of {self.bits} bits: choose {MIN_BITS}..{MAX_BITS}")

    @property
    def largest(self) -> int:
        """Largest magnitude that is read back with its sign."""
        return (1 << (self.bits - 1)) - 1

    @property
    def wire_bytes(self) -> int:
        """Length of a packed vector, exactly `bits` bits an element."""
        return packed_bytes(self.length, self.bits)

    def forward(self, values: IntArray) -> Words:
        """Integers as ring elements, uint64 of the same shape."""
        return values.view(np.uint64) & np.uint64((1 << self.bits) - 1)

    def inverse(self, total: NDArray[Any]) -> IntArray:
        """Ring elements uint64 (..., k) as signed int64; a sum of signed integers stays as it is.

        Raises:
            SpecError: another length or type.
        """
        if total.shape[-1:] != (self.length,) or total.dtype not in (np.uint64, np.int64):
            raise SpecError(
                f"a sum of {total.dtype} {total.shape}: expected {self.length} integers of 64 bits"
            )
        if total.dtype == np.int64:
            return total
        shift = MAX_BITS - self.bits
        return (total << np.uint64(shift)).view(np.int64) >> np.int64(shift)
