"""Real vectors as integers of a ring Z_{2^bits}: the form in which a device's update can be masked and summed.

A value x becomes round(x * 2^fraction_bits), rounded stochastically so that the rounding error has mean zero, and
negative values become their two's complement. The ring is sized so that the sum over a cohort never wraps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError, TrainingError

MIN_BITS, MAX_BITS = 8, 64
_SLACK = 1 + 1e-12  # scaling to the clip norm may end a unit in the last place above it


@dataclass(frozen=True)
class FixedPoint:
    """An encoding of reals in [-bound, bound] into Z_{2^bits}.

    Attributes:
        bits: width of a ring element, 8..64.
        fraction_bits: an integer step is 2^-fraction_bits.
        bound: largest magnitude of one value; a larger one is refused, never saturated.
    """

    bits: int
    fraction_bits: int
    bound: float

    def __post_init__(self) -> None:
        """Check the widths.

        Raises:
            SpecError: a width is out of range, or not even one value fits.
        """
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise SpecError(f"ring of {self.bits} bits: choose {MIN_BITS}..{MAX_BITS}")
        if not 0 <= self.fraction_bits <= 52:
            raise SpecError(f"{self.fraction_bits} fraction bits: choose 0..52")
        if not (np.isfinite(self.bound) and self.bound > 0):
            raise SpecError(f"bound {self.bound}: choose a positive finite number")
        if self.bound >= 2.0**MAX_BITS or self.capacity < 1:
            raise SpecError(
                f"a value of {self.bound} with {self.fraction_bits} fraction bits does not fit {self.bits} bits: "
                "take more bits or fewer fraction bits"
            )

    @property
    def largest(self) -> int:
        """Largest integer magnitude of one encoded value, rounding up and the slack of `encode` included."""
        return math.ceil(self.bound * _SLACK * 2.0**self.fraction_bits)

    @property
    def capacity(self) -> int:
        """How many vectors can be summed with no coordinate wrapping."""
        return ((1 << (self.bits - 1)) - 1) // self.largest

    def require_capacity(self, members: int) -> None:
        """Refuse a cohort whose sum could wrap.

        Raises:
            SpecError: more members than `capacity`.
        """
        if members > self.capacity:
            raise SpecError(
                f"a sum of {members} updates can wrap a ring of {self.bits} bits (at most {self.capacity} fit): "
                "take more bits, fewer fraction bits or a smaller clip norm"
            )

    def encode(self, values: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.uint64]:
        """Encode float values (d,) as uint64 ring elements (d,) < 2^bits with stochastic rounding.

        Raises:
            TrainingError: a value is not finite or exceeds the bound.
        """
        exact = np.asarray(values, dtype=np.float64)
        if not np.isfinite(exact).all():
            raise TrainingError(
                "update has a value that is not finite: lower the learning rate or check the data"
            )
        magnitude = float(np.abs(exact).max(initial=0.0))
        if magnitude > self.bound * _SLACK:
            raise TrainingError(
                f"update has a value of magnitude {magnitude:.4g} beyond the bound {self.bound:.4g}"
            )
        scaled = exact * 2.0**self.fraction_bits
        floor = np.floor(scaled)
        rounded = floor + (rng.random(exact.shape) < (scaled - floor))
        return rounded.astype(np.int64).view(np.uint64) & self._mask

    def decode(self, total: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Decode a sum of encoded vectors (d,) to float64 (d,)."""
        return self.signed(total).astype(np.float64) * 2.0**-self.fraction_bits

    def signed(self, total: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Ring elements (d,) as signed integers (d,), two's complement."""
        shift = np.uint64(MAX_BITS - self.bits)
        return (np.asarray(total, dtype=np.uint64) << shift).view(np.int64) >> np.int64(shift)

    @property
    def _mask(self) -> np.uint64:
        return np.uint64((1 << self.bits) - 1)


def clip_l2(vector: NDArray[np.floating], clip_norm: float) -> NDArray[np.float64]:
    """Scale `vector` (d,) down to L2 norm `clip_norm` where it is longer, up to the last bits of a float64.

    Raises:
        TrainingError: its length is not finite, so that no direction is left to scale.
    """
    exact = np.asarray(vector, dtype=np.float64)
    with np.errstate(over="ignore"):  # what overflows is refused below
        norm = float(np.linalg.norm(exact))
    if not math.isfinite(norm):
        raise TrainingError("update has no finite length: lower the learning rate or check the data")
    return exact if norm <= clip_norm else exact * (clip_norm / norm)
