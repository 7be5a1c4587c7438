"""Where a device's blocks wait until its input is complete: a sum takes whole inputs only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fl_core.secagg.errors import SecAggError


class Spool(Protocol):
    """Keeps the blocks of unfinished inputs, by the index of who sent them."""

    def append(self, member: int, packed: bytes) -> None:
        """Keep a member's next block."""

    def blocks(self, member: int) -> Iterator[bytes]:
        """A member's blocks in order, one at a time."""

    def discard(self, member: int) -> None:
        """Forget a member's blocks, if there are any."""


class MemorySpool:
    """Keeps blocks in memory: right where a device's blocks come one after the other."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[bytes]] = {}

    def append(self, member: int, packed: bytes) -> None:
        """Keep a member's next block."""
        self._blocks.setdefault(member, []).append(packed)

    def blocks(self, member: int) -> Iterator[bytes]:
        """A member's blocks in order, one at a time."""
        return iter(self._blocks.get(member, ()))

    def discard(self, member: int) -> None:
        """Forget a member's blocks, if there are any."""
        self._blocks.pop(member, None)


class FileSpool:
    """Keeps blocks in a file a member: right where many devices send long vectors at the same time."""

    def __init__(self, folder: Path) -> None:
        """Use an empty folder of its own, which is made if it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lengths: dict[int, list[int]] = {}

    def append(self, member: int, packed: bytes) -> None:
        """Keep a member's next block.

        Raises:
            SecAggError: the disk refuses; the block is not kept, the ones before it are.
        """
        lengths = self._lengths.setdefault(member, [])
        try:
            with self._path(member).open("r+b" if lengths else "wb") as file:
                file.seek(sum(lengths))  # over what a refused block may have left
                file.write(packed)
        except OSError as error:
            raise SecAggError(
                f"a block of member {member} cannot be kept in {self._folder}: {error.strerror or error}"
            ) from error
        lengths.append(len(packed))

    def blocks(self, member: int) -> Iterator[bytes]:
        """A member's blocks in order, one at a time."""
        lengths = self._lengths.get(member, ())
        if lengths:
            with self._path(member).open("rb") as file:
                for length in lengths:
                    yield file.read(length)

    def discard(self, member: int) -> None:
        """Forget a member's blocks, if there are any."""
        if self._lengths.pop(member, None) is not None:
            self._path(member).unlink(missing_ok=True)

    def _path(self, member: int) -> Path:
        return self._folder / f"member-{member}.blocks"
