"""Merkle trees as in RFC 6962, section 2.1: leaf prefix 0, node prefix 1, the largest power of two to the left."""

from __future__ import annotations

from collections.abc import Sequence

from fl_core.canonical import sha256
from fl_core.secagg.errors import SecAggError

NODE_BYTES = 32


def leaf_hash(content: bytes) -> bytes:
    """Hash of a leaf, 32 bytes."""
    return sha256(b"\x00" + content)


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes, 32 bytes; `leaves` is not empty."""
    return _levels(leaves)[-1][0]


class Tree:
    """A tree that gives a path for each of its leaves.

    The levels are computed bottom-up, an odd last node moving up unchanged, which is the same tree.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """Build from leaf hashes, not empty."""
        self._levels = _levels(leaves)

    @property
    def root(self) -> bytes:
        """Hash of the root, 32 bytes."""
        return self._levels[-1][0]

    def path(self, position: int) -> tuple[bytes, ...]:
        """Siblings of a leaf from the bottom up."""
        siblings = []
        for level in self._levels[:-1]:
            if position ^ 1 < len(level):
                siblings.append(level[position ^ 1])
            position >>= 1
        return tuple(siblings)


def path_length(position: int, size: int) -> int:
    """Number of siblings of a leaf in a tree of `size` leaves."""
    length = 0
    while size > 1:
        length += position ^ 1 < size
        position, size = position >> 1, (size + 1) >> 1
    return length


def root_of_path(leaf: bytes, position: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf and its siblings lead to, 32 bytes.

    Raises:
        SecAggError: the path is too long or too short for the position.
    """
    if not 0 <= position < size or len(path) != path_length(position, size):
        raise SecAggError(f"path of {len(path)} nodes for leaf {position} of {size}")
    node, siblings = leaf, iter(path)
    while size > 1:
        if position ^ 1 < size:
            sibling = next(siblings)
            node = _node(sibling, node) if position & 1 else _node(node, sibling)
        position, size = position >> 1, (size + 1) >> 1
    return node


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [_node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels
