"""A bounded reader and small writers: explicit lengths, nothing read past the end, no byte left over.

Sets of members travel as bitmaps over a parent set that both sides know. A bitmap cannot name a stranger, name
somebody twice or be out of order, so those attacks have no encoding; its unused bits must be zero.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import compress

from fl_core.secagg.errors import SecAggError


class Reader:
    """Takes fields off the front of a message.

    Raises:
        SecAggError: from every method, when the message is shorter or longer than its fields.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self._offset + length
        if end > len(self._data):
            raise SecAggError(f"message of {len(self._data)} bytes ends inside a field that needs {end}")
        part = self._data[self._offset : end]
        self._offset = end
        return part

    def unsigned(self, length: int) -> int:
        """The next `length` bytes as a big-endian unsigned integer."""
        return int.from_bytes(self.take(length), "big")

    def chunks(self, count: int, length: int) -> tuple[bytes, ...]:
        """The next `count` fields of `length` bytes each."""
        block = self.take(count * length)
        return tuple(block[start : start + length] for start in range(0, count * length, length))

    def subset(self, parent: Sequence[int]) -> tuple[int, ...]:
        """A bitmap over `parent`: the members whose bit is set, in the parent's order."""
        bitmap = int.from_bytes(self.take(bitmap_bytes(len(parent))), "little")
        if bitmap >> len(parent):
            raise SecAggError(f"bitmap has bits beyond its {len(parent)} members")
        if bitmap.bit_count() == len(parent):
            return tuple(parent)
        return tuple(compress(parent, map(int, reversed(f"{bitmap:b}"))))

    @property
    def remaining(self) -> int:
        """Bytes not taken yet."""
        return len(self._data) - self._offset

    def finish(self) -> None:
        """Refuse trailing bytes."""
        if self.remaining:
            raise SecAggError(f"message has {self.remaining} bytes after its last field")


def bitmap_bytes(members: int) -> int:
    """Bytes of a bitmap over a set of this size."""
    return (members + 7) // 8


def write_subset(subset: Collection[int], parent: Sequence[int]) -> bytes:
    """The bitmap over `parent` of `subset`, which has distinct members of it."""
    if not subset:
        return bytes(bitmap_bytes(len(parent)))
    if len(subset) == len(parent):
        return ((1 << len(parent)) - 1).to_bytes(bitmap_bytes(len(parent)), "little")
    chosen = subset if isinstance(subset, set | frozenset) else set(subset)
    digits = "".join(["1" if member in chosen else "0" for member in reversed(parent)])
    return int(digits or "0", 2).to_bytes(bitmap_bytes(len(parent)), "little")
