"""Where a device's blocks wait until its input is complete: a sum takes whole inputs only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fl_core.secagg.errors import SecAggError


class Spool(Protocol):
    """Keeps the blocks of unfinished inputs, by the index of who sent them. What the disk refuses is a SecAggError."""

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
        """Use an empty folder of its own, which is made if it is missing.

        Raises:
            SecAggError: it cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(f"folder {folder} for blocks cannot be made", error) from error
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
            raise _refused(f"a block of member {member} cannot be kept in {self._folder}", error) from error
        lengths.append(len(packed))

    def blocks(self, member: int) -> Iterator[bytes]:
        """A member's blocks in order, one at a time.

        Raises:
            SecAggError: the disk does not give them as they were.
        """
        lengths = self._lengths.get(member, ())
        if not lengths:
            return
        try:
            with self._path(member).open("rb") as file:
                for number, length in enumerate(lengths):
                    block = file.read(length)
                    if len(block) != length:
                        raise SecAggError(
                            f"block {number} of member {member} was cut short in {self._folder}"
                        )
                    yield block
        except OSError as error:
            raise _refused(f"blocks of member {member} cannot be read from {self._folder}", error) from error

    def discard(self, member: int) -> None:
        """Forget a member's blocks, if there are any.

        Raises:
            SecAggError: the disk keeps them.
        """
        if self._lengths.pop(member, None) is not None:
            try:
                self._path(member).unlink(missing_ok=True)
            except OSError as error:
                raise _refused(f"the blocks of member {member} cannot be deleted", error) from error

    def _path(self, member: int) -> Path:
        return self._folder / f"member-{member}.blocks"


def _refused(what: str, error: OSError) -> SecAggError:
    return SecAggError(f"{what}: {error.strerror or error}. Look after the disk, or use another folder")
