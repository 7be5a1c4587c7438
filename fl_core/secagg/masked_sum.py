"""The sum of masked inputs while it grows: a whole input is added at once, and blocks wait in a spool until then."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fl_core.secagg.errors import SecAggAbort, SecAggError
from fl_core.secagg.masking import apply_masks, ring_mask, word_dtype
from fl_core.secagg.packing import unpack
from fl_core.secagg.plan import CohortPlan
from fl_core.secagg.spool import Spool
from fl_core.secagg.unmasking import Mask


class MaskedSum:
    """The edge's only vector in an attempt."""

    def __init__(self, plan: CohortPlan, spool: Spool) -> None:
        """Start at zero.

        Args:
            plan: of the attempt.
            spool: where blocks of inputs wait that are not complete.
        """
        self._plan, self._spool = plan, spool
        self._words: NDArray[np.unsignedinteger] = np.zeros(0, dtype=word_dtype(plan.bits))
        self._unfinished: dict[int, _Unfinished] = {}

    @property
    def unfinished(self) -> tuple[int, ...]:
        """Indices of members of which some blocks have come, but not the last one."""
        return tuple(self._unfinished)

    def open(self) -> None:
        """Make room for the vector; masked inputs are due."""
        self._words = np.zeros(self._plan.dim, dtype=word_dtype(self._plan.bits))

    def due(self, index: int) -> int:
        """The number of the block that a member sends next."""
        return self._unfinished.get(index, _Unfinished()).blocks

    def keep(self, index: int, packed: bytes) -> None:
        """Keep a member's next block, which is not its last.

        Raises:
            SecAggError: the spool refuses it; nothing has changed then.
        """
        self._spool.append(index, packed)
        so_far = self._unfinished.setdefault(index, _Unfinished())
        if self._plan.signed:
            so_far.hash.update(packed)
        so_far.blocks += 1

    def hash_with(self, index: int, last: bytes) -> bytes:
        """SHA-256 over a member's masked vector, given its last block; in a plan that signs nothing, over no bytes."""
        running = self._unfinished.get(index, _Unfinished()).hash.copy()
        if self._plan.signed:
            running.update(last)
        return running.digest()

    def add(self, index: int, last: bytes) -> None:
        """Add a member's input: the blocks that were kept, and the last one.

        Raises:
            SecAggError: the last block is malformed or the first cannot be read; nothing has changed then.
            SecAggAbort: a later one cannot be read: a part of the input is in the sum, which is of no use any more.
        """
        plan, added = self._plan, 0
        start, stop = plan.block_range(plan.blocks - 1)
        words = unpack(last, stop - start, plan.bits)
        try:
            for block, packed in enumerate(self._spool.blocks(index) if plan.blocks > 1 else ()):
                first, end = plan.block_range(block)
                self._words[first:end] += unpack(packed, end - first, plan.bits)
                added += 1
            if added != plan.blocks - 1:
                raise SecAggError(f"{added} blocks of member {index} were kept, {plan.blocks - 1} were taken")
            self._words[start:stop] += words
        except Exception as error:
            if not added:
                raise
            raise SecAggAbort(
                f"the input of member {index} is in the sum in part only, and the attempt over: {error}"
            ) from error
        self.forget((index,))

    def forget(self, members: Sequence[int]) -> None:
        """Drop what is kept of members' inputs. What a broken disk does not let go of stays there, masked."""
        for index in members:
            if self._unfinished.pop(index, None) is not None:
                with suppress(SecAggError):
                    self._spool.discard(index)

    def unmasked(self, masks: Sequence[Mask]) -> NDArray[np.uint64]:
        """The sum without masks, uint64 (dim,).

        Args:
            masks: those that are left on it, with the sign that takes each off.
        """
        apply_masks(self._words, masks)
        self._words &= ring_mask(self._plan.bits)
        return self._words.astype(np.uint64)

    def erase(self) -> None:
        """Drop the sum and everything unfinished."""
        self._words = np.zeros(0, dtype=self._words.dtype)
        self.forget(self.unfinished)


@dataclass
class _Unfinished:
    """A masked input of which some blocks have come: how many, and the running hash over them."""

    blocks: int = 0
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)
