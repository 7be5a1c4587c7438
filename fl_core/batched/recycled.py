"""Memory that is used again once nobody holds it: fresh pages cost more than what is computed in them."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

_ALIGNMENT = 64  # bytes: a cache line
_HELD_HERE = 3  # references of a block that nobody else holds: list, loop variable, argument of getrefcount


class Recycled:
    """Blocks of float32 on the CPU. A block is given out again only when no array or tensor over it is left.

    That is seen from the references of the array that owns it, which every view of it holds one of.
    """

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.float32]] = []
        self._lock = Lock()

    def empty(self, shapes: Sequence[tuple[int, ...]]) -> list[torch.Tensor]:
        """Tensors of these shapes side by side in one block, not filled, each at a multiple of a cache line."""
        line = _ALIGNMENT // 4
        sizes = [-(-math.prod(shape) // line) * line for shape in shapes]
        block, tensors = self._take(sum(sizes) + line), []
        start = -block.ctypes.data % _ALIGNMENT // 4
        for shape, size in zip(shapes, sizes, strict=True):
            tensors.append(torch.from_numpy(block[start : start + math.prod(shape)]).view(shape))
            start += size
        return tensors

    def _take(self, length: int) -> NDArray[np.float32]:
        with self._lock:
            for block in self._blocks:
                if len(block) >= length and sys.getrefcount(block) == _HELD_HERE:
                    return block[:length]
            block = np.empty(length, dtype=np.float32)
            self._blocks.append(block)
            return block[:]
