"""A bounded reader and small writers: explicit lengths, nothing read past the end, no byte left over.

Sets of members travel as bitmaps over a parent set that both sides know. A bitmap cannot name a stranger, name
somebody twice or be out of order, so those attacks have no encoding; its unused bits must be zero.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

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
        return tuple(member for position, member in enumerate(parent) if bitmap >> position & 1)

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
    """The bitmap of `subset` over `parent`."""
    chosen = set(subset)
    bitmap = sum(1 << position for position, member in enumerate(parent) if member in chosen)
    return bitmap.to_bytes(bitmap_bytes(len(parent)), "little")
