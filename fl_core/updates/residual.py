"""What error feedback keeps on a device between rounds, in two bytes an entry.

A residual corrects later updates; rounding it costs at most 2^-8 of the correction. So it is
kept as bfloat16, the upper half of a float32, rounded to the nearest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.workers import shared_array

Float32Array = NDArray[np.float32]
_HALF = np.uint32(1 << 15)
_LOWER = np.uint32(16)


class Residual:
    """A residual in memory of its own, which processes forked later write to as well."""

    def __init__(self, dim: int) -> None:
        """Zeros.

        Args:
            dim: entries of an update, d.
        """
        self._upper: NDArray[np.uint16] = shared_array(dim, np.uint16)

    def read(self) -> Float32Array:
        """A copy, float32 (d,)."""
        bits = self._upper.astype(np.uint32)
        bits <<= _LOWER
        return bits.view(np.float32)

    def write(self, values: Float32Array) -> None:
        """Keep finite values, float32 (d,), rounded to bfloat16.

        Raises:
            SpecError: another shape or type.
        """
        if values.dtype != np.float32 or values.shape != self._upper.shape:
            raise SpecError(
                f"residual of {values.dtype} {values.shape}: expected float32 {self._upper.shape}"
            )
        bits = values.view(np.uint32) + _HALF
        bits >>= _LOWER
        self._upper[:] = bits
