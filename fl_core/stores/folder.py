"""A run's files in a folder of its own: `rounds/000001/`, `transcripts/<sha256>`, documents beside them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fl_core.bundle import MANIFEST, read_bundle, write_atomic, write_bundle
from fl_core.canonical import sha256
from fl_core.durable import reason
from fl_core.errors import BundleError
from fl_core.plain_files import (
    MAX_BUNDLE_BYTES,
    MAX_DOCUMENT_BYTES,
    MAX_TRANSCRIPT_BYTES,
    read_plain,
    require_own_folder,
)

ROUNDS, TRANSCRIPTS = "rounds", "transcripts"
UNFINISHED = ".tmp"
"""How the names end of what a killed writer leaves beside what it was to become."""

_DIGEST_DIGITS = 64


@dataclass(frozen=True)
class FolderStore:
    """A `RunStore` in the file system; what it writes is synced before it can be seen.

    What it reads are regular files of bounded size in its own folder: somebody else may have laid it out, so that no
    link in it is followed, and no pipe or device opened to wait or read without end.
    """

    folder: Path

    def bundle_folder(self, number: int) -> Path:
        """Where a round's bundle is."""
        return self.folder / ROUNDS / f"{number:06d}"

    def write_bundle(self, number: int, files: Mapping[str, bytes]) -> bytes:
        """See `RunStore`."""
        return write_bundle(self.bundle_folder(number), files)

    def read_bundle(self, number: int, digest: bytes | None = None) -> dict[str, bytes]:
        """See `RunStore`."""
        require_own_folder(self.folder / ROUNDS)
        return read_bundle(self.bundle_folder(number), digest)

    def as_found(self, number: int) -> dict[str, bytes]:
        """See `RunStore`."""
        require_own_folder(self.folder / ROUNDS)
        bundle = self.bundle_folder(number)
        require_own_folder(bundle)
        files, left = {}, MAX_BUNDLE_BYTES
        for path in _listed(bundle):
            if path.name != MANIFEST and path.is_file() and not path.is_symlink():
                files[path.name] = _read(path, left)
                left -= len(files[path.name])
        return files

    def bundles(self) -> list[int]:
        """See `RunStore`."""
        return sorted(int(path.name) for path in _listed(self.folder / ROUNDS) if is_round(path.name))

    def strangers(self) -> list[str]:
        """See `RunStore`."""
        names = (path.name for path in _listed(self.folder / ROUNDS))
        return [name for name in names if not (is_round(name) or name.startswith("."))]

    def sweep(self, keep: Collection[int], transcripts: Collection[bytes] | None = None) -> list[int]:
        """See `RunStore`."""
        rounds = _listed(self.folder / ROUNDS)
        left = [path for path in rounds if not (is_round(path.name) and int(path.name) in keep)]
        unfinished = [path for path in _listed(self.folder / TRANSCRIPTS) if path.name.endswith(UNFINISHED)]
        for path in (*left, *unfinished):
            _remove(path)
        if transcripts is not None:
            for digest in set(self.transcripts()).difference(transcripts):
                self.remove_transcript(digest)
        return sorted(int(path.name) for path in left if is_round(path.name))

    def keep_transcript(self, sealed: bytes) -> None:
        """See `RunStore`."""
        path = self._transcript(sha256(sealed))
        if not path.is_file() or path.stat().st_size != len(sealed):
            write_atomic(path, sealed)

    def transcript(self, digest: bytes) -> bytes:
        """See `RunStore`."""
        require_own_folder(self.folder / TRANSCRIPTS)
        path = self._transcript(digest)
        data = _read(path, MAX_TRANSCRIPT_BYTES)
        if sha256(data) != digest:
            raise BundleError(f"transcript {path} was altered")
        return data

    def transcripts(self) -> list[bytes]:
        """See `RunStore`."""
        names = (path.name for path in _listed(self.folder / TRANSCRIPTS))
        return sorted(bytes.fromhex(name) for name in names if is_digest(name))

    def remove_transcript(self, digest: bytes) -> None:
        """See `RunStore`."""
        _remove(self._transcript(digest))

    def write_document(self, name: str, data: bytes) -> None:
        """See `RunStore`."""
        write_atomic(self.folder / name, data)

    def document(self, name: str) -> bytes | None:
        """See `RunStore`."""
        path = self.folder / name
        return _read(path, MAX_DOCUMENT_BYTES) if os.path.lexists(path) else None

    def _transcript(self, digest: bytes) -> Path:
        return self.folder / TRANSCRIPTS / digest.hex()


def is_digest(name: str) -> bool:
    """Whether a file's name is a SHA-256 in lower-case hexadecimal digits."""
    return len(name) == _DIGEST_DIGITS and set(name) <= set("0123456789abcdef")


def is_round(name: str) -> bool:
    """Whether a name is that of a round's bundle: its number in six decimal digits, more only where it takes more."""
    return name.isascii() and name.isdecimal() and name == f"{int(name):06d}"


def _remove(path: Path) -> None:
    """Remove whatever is at a path; nothing there is no error."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise BundleError(f"cannot remove {path}: {reason(error)}") from error


def _listed(folder: Path) -> list[Path]:
    require_own_folder(folder)
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise BundleError(f"cannot list {folder}: {reason(error)}") from error


def _read(path: Path, limit: int) -> bytes:
    try:
        return read_plain(path, limit)
    except OSError as error:
        raise BundleError(f"{path}: {reason(error)}") from error
