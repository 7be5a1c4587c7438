"""What the steps from an update to ring elements have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Bound:
    """What is certain about one device's vector at some point of the chain.

    Attributes:
        l1: largest L1 norm.
        l2: largest L2 norm.
        peak: largest magnitude of an entry.
    """

    l1: float
    l2: float
    peak: float


UNBOUNDED = Bound(math.inf, math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Given:
    """What n devices bring to the chain beside their updates.

    Attributes:
        weights: float64 (n,), each device's public weight.
        rounding: a generator for each device, which its rounding draws from.
        noise: int64 (n, k), each device's share of the noise; None where the spec has none.
    """

    weights: Float64Array
    rounding: Sequence[np.random.Generator]
    noise: IntArray | None


class Stage(Protocol):
    """One step, around the steps that follow it: forward on the devices, inverse on the server."""

    @property
    def wire_bytes(self) -> int:
        """Length of a device's packed vector."""

    def forward(self, values: NDArray[Any], given: Given) -> Words:
        """Take the values of n devices, (n, entries), through this step and those after it, to uint64 (n, k)."""

    def inverse(self, total: NDArray[Any], weight: float) -> NDArray[Any]:
        """Take a sum of ring elements or of integers, (k,), back through the steps after this one and this one.

        Args:
            total: uint64 ring elements, or int64 where sums were added up already.
            weight: sum of the devices' weights.
        """

    def bound(self, given: Bound) -> Bound:
        """What is certain about a device's integers before noise, if `given` is about the values that enter here."""
