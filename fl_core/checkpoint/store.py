"""Where a run keeps its checkpoints: one file each, whole or not at all, the last two kept.

The folder is the owner's alone (0700, files 0600). A file is written beside its place, synchronised, renamed and the
folder synchronised; only then is an older one removed. Whoever dies on the way leaves the last checkpoint as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from fl_core.checkpoint.errors import CheckpointError
from fl_core.checkpoint.image import Checkpoint, decode, encode
from fl_core.durable import reason, sync_folder

KEPT = 2
_NAME = re.compile(r"(\d{8})\.checkpoint\Z")
_UNFINISHED = re.compile(r"\.\d{8}\.checkpoint\.tmp\Z")
_LOCK = "lock"


@dataclass(frozen=True)
class Found:
    """The newest checkpoint that can be used.

    Attributes:
        checkpoint: the checkpoint.
        refused: newer ones that cannot be used, and why, newest first.
    """

    checkpoint: Checkpoint
    refused: tuple[str, ...]


class CheckpointStore:
    """The checkpoints of one run; one process at a time. Close it, or use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        """Open or create the folder.

        Raises:
            CheckpointError: another process works on this run, or the disk refuses.
        """
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CheckpointError(f"checkpoints cannot be kept in {folder}: {reason(error)}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise CheckpointError(f"another process works on the run in {folder.parent}") from error

    def __enter__(self) -> CheckpointStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another process work on the run."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def write(self, checkpoint: Checkpoint) -> int:
        """Make a checkpoint durable, then remove all but the last two; returns its size in bytes.

        Raises:
            CheckpointError: something cannot be written down, or the disk refuses; the last checkpoint stays.
        """
        pieces, entries = encode(checkpoint), self._entries()
        path = self._folder / f"{max(entries, default=0) + 1:08d}.checkpoint"
        staging = path.with_name(f".{path.name}.tmp")
        try:
            try:
                self._sweep()
                _write_synced(staging, pieces)
                staging.rename(path)
                sync_folder(self._folder)
            finally:
                staging.unlink(missing_ok=True)
            for number in sorted(entries)[: 1 - KEPT]:
                entries[number].unlink()
        except OSError as error:
            raise CheckpointError(
                f"checkpoint {path} cannot be written: {reason(error)}; the one before it stays"
            ) from error
        return sum(map(len, pieces))

    def latest(self) -> Found:
        """The newest checkpoint that can be used.

        Raises:
            CheckpointError: there is none; the message says what is wrong with those that are there.
        """
        refused: list[str] = []
        for _, path in sorted(self._entries().items(), reverse=True):
            try:
                return Found(decode(path.read_bytes()), tuple(refused))
            except CheckpointError as error:
                refused.append(f"{path}: {error}")
            except OSError as error:
                refused.append(f"{path}: {reason(error)}")
        if refused:
            raise CheckpointError(f"no checkpoint can be used: {'; '.join(refused)}")
        raise CheckpointError(f"there is no checkpoint in {self._folder}")

    def clear(self) -> None:
        """Remove all checkpoints, once the run needs none: they hold secrets.

        Raises:
            CheckpointError: the disk refuses.
        """
        try:
            self._sweep()
            for path in self._entries().values():
                path.unlink()
        except OSError as error:
            raise CheckpointError(f"checkpoints in {self._folder} stay: {reason(error)}") from error

    def _entries(self) -> dict[int, Path]:
        try:
            found = [(_NAME.match(path.name), path) for path in self._folder.iterdir()]
        except OSError as error:
            raise CheckpointError(f"{self._folder}: {reason(error)}") from error
        return {int(match[1]): path for match, path in found if match is not None}

    def _sweep(self) -> None:
        """Remove what killed writers left unfinished."""
        for path in self._folder.iterdir():
            if _UNFINISHED.match(path.name):
                path.unlink()


def _write_synced(path: Path, pieces: list[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with contextlib.closing(os.fdopen(descriptor, "wb", buffering=0)) as file:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
