"""Scores of volume and compute: logarithmic, and capped by device class.

Both are capped and auditable, not verified: they come from a public bucket of the row count and from the
plan's training work, as the edge observes them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from incentives.errors import IncentivesError

POINTS_PER_DOUBLING: Final = 500


class DeviceClass(IntEnum):
    """Kinds of devices, as leaves and rules number them."""

    WEARABLE = 0
    BEDSIDE = 1
    IMAGING = 2
    SERVER = 3


@dataclass(frozen=True, slots=True)
class ClassCaps:
    """Largest scores (0..10,000) that a device of a class may claim."""

    volume: int
    compute: int


DEFAULT_CAPS: Final[Mapping[DeviceClass, ClassCaps]] = MappingProxyType(
    {
        DeviceClass.WEARABLE: ClassCaps(volume=5_000, compute=5_000),  # 1,023 rows, 1 GFLOP a round
        DeviceClass.BEDSIDE: ClassCaps(volume=6_500, compute=6_500),  # 8,191 rows, 8 GFLOP
        DeviceClass.IMAGING: ClassCaps(volume=7_500, compute=8_500),  # 32,767 rows, 131 GFLOP
        DeviceClass.SERVER: ClassCaps(volume=10_000, compute=10_000),  # a million rows, 1 TFLOP
    }
)
"""Caps by class; the comments say what reaches them."""


def bucket_rows(rows: int) -> int:
    """The public stand-in for a row count: the nearest power of the square root of two, rounded.

    Within a factor 2**0.25 of ``rows`` (up to rounding to a whole number), and its own bucket. Exact in
    integers.

    Raises:
        IncentivesError: if there are no rows.
    """
    if rows < 1:
        raise IncentivesError(f"a device with {rows} rows has no bucket: leave it out of the round")
    half_powers = (rows**4).bit_length() // 2  # 2 * log2(rows), rounded
    return (math.isqrt(1 << (half_powers + 2)) + 1) // 2


def volume_points(rows: int, cap: int) -> int:
    """Volume score (0..cap) of a bucketed row count: 500 for each doubling of 1 + rows.

    Raises:
        IncentivesError: if ``rows`` is negative.
    """
    return _points("row count", rows, cap)


def compute_points(mflops: float, cap: int) -> int:
    """Compute score (0..cap) of a round's completed training work in MFLOPs: 500 for each doubling of 1 +
    work.

    Raises:
        IncentivesError: if ``mflops`` is negative or not finite.
    """
    return _points("training work", mflops, cap)


def _points(what: str, amount: float, cap: int) -> int:
    if not 0 <= amount < math.inf:
        raise IncentivesError(f"{what} {amount} cannot be scored: it must be finite and not negative")
    return min(cap, round(POINTS_PER_DOUBLING * math.log2(1 + amount)))
