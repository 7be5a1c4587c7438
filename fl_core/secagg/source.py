"""The vector that a device masks, as words of the ring, whole or block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.secagg.masking import Words, word_dtype
from fl_core.secagg.plan import CohortPlan

_PIECE = 1 << 14  # entries that are checked and narrowed while they are in a cache

VectorBlocks = Callable[[int, int], NDArray[np.uint64]]
"""(start, stop) -> uint64 (stop - start,): entries of the vector."""


class RingSource:
    """Gives the words of each block once. An array that is one block is copied when it is handed over."""

    def __init__(self, vector: NDArray[np.uint64] | VectorBlocks, plan: CohortPlan) -> None:
        """Check an array whole, in blocks; what a function gives is checked as it comes.

        Raises:
            SpecError: another type or shape, or an entry of 2^bits or more.
        """
        self._plan = plan
        self._words: Words | None = None
        self._read: VectorBlocks | None = None
        if callable(vector):
            self._read = vector
        elif plan.blocks == 1:
            self._words = _words(vector, plan.dim, plan.bits)
        else:
            self._read = _checked(vector, plan)

    def block(self, block: int) -> Words:
        """A block's words, which the caller may change.

        Raises:
            SpecError: the function gives another type or shape, or an entry of 2^bits or more.
        """
        if self._words is not None:
            words, self._words = self._words, None
            return words
        assert self._read is not None
        start, stop = self._plan.block_range(block)
        return _words(self._read(start, stop), stop - start, self._plan.bits)


def _checked(vector: Any, plan: CohortPlan) -> VectorBlocks:  # noqa: ANN401 - what a caller hands over
    array = _typed(vector, plan.dim)
    for block in range(plan.blocks):
        start, stop = plan.block_range(block)
        _in_ring(array[start:stop], plan.bits)
    return lambda start, stop: array[start:stop]


def _typed(vector: Any, length: int) -> NDArray[np.uint64]:  # noqa: ANN401 - what a caller hands over
    if not isinstance(vector, np.ndarray) or vector.dtype != np.uint64 or vector.shape != (length,):
        raise SpecError(f"vector must be uint64 of shape ({length},)")
    return vector


def _in_ring(values: NDArray[np.uint64], bits: int) -> None:
    if int(values.max()) >> bits:
        raise SpecError(f"vector has an entry outside the ring of {bits} bits: reduce it, or plan more bits")


def _words(vector: Any, length: int, bits: int) -> Words:  # noqa: ANN401 - what a caller hands over
    values = _typed(vector, length)
    words = np.empty(length, dtype=word_dtype(bits))
    for start in range(0, length, _PIECE):
        piece = values[start : start + _PIECE]
        _in_ring(piece, bits)
        words[start : start + _PIECE] = piece
    return words
