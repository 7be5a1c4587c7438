"""A run's files in a folder of its own: `rounds/000001/`, `transcripts/<sha256>`, documents beside them."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fl_core.bundle import MANIFEST, read_bundle, write_atomic, write_bundle
from fl_core.canonical import sha256
from fl_core.durable import reason
from fl_core.errors import BundleError

ROUNDS, TRANSCRIPTS = "rounds", "transcripts"
_DIGEST_DIGITS = 64


@dataclass(frozen=True)
class FolderStore:
    """A `RunStore` in the file system; what it writes is synced before it can be seen."""

    folder: Path

    def bundle_folder(self, number: int) -> Path:
        """Where a round's bundle is."""
        return self.folder / ROUNDS / f"{number:06d}"

    def write_bundle(self, number: int, files: Mapping[str, bytes]) -> bytes:
        """See `RunStore`."""
        return write_bundle(self.bundle_folder(number), files)

    def read_bundle(self, number: int, digest: bytes | None = None) -> dict[str, bytes]:
        """See `RunStore`."""
        return read_bundle(self.bundle_folder(number), digest)

    def as_found(self, number: int) -> dict[str, bytes]:
        """See `RunStore`."""
        bundle = self.bundle_folder(number)
        if not bundle.is_dir():
            return {}
        files = (path for path in bundle.iterdir() if path.is_file() and path.name != MANIFEST)
        return {path.name: _read(path) for path in files}

    def bundles(self) -> list[int]:
        """See `RunStore`."""
        return sorted(int(path.name) for path in _listed(self.folder / ROUNDS) if path.name.isdecimal())

    def sweep(self, keep: Collection[int], transcripts: Collection[bytes] | None = None) -> list[int]:
        """See `RunStore`."""
        left = [
            path
            for path in _listed(self.folder / ROUNDS)
            if not (path.name.isdecimal() and int(path.name) in keep)
        ]
        for path in left:
            try:
                shutil.rmtree(path)
            except OSError as error:
                raise BundleError(f"cannot remove {path}: {reason(error)}") from error
        if transcripts is not None:
            for digest in set(self.transcripts()).difference(transcripts):
                self.remove_transcript(digest)
        return sorted(int(path.name) for path in left if path.name.isdecimal())

    def keep_transcript(self, sealed: bytes) -> None:
        """See `RunStore`."""
        path = self._transcript(sha256(sealed))
        if not path.is_file() or path.stat().st_size != len(sealed):
            write_atomic(path, sealed)

    def transcript(self, digest: bytes) -> bytes:
        """See `RunStore`."""
        path = self._transcript(digest)
        data = _read(path)
        if sha256(data) != digest:
            raise BundleError(f"transcript {path} was altered")
        return data

    def transcripts(self) -> list[bytes]:
        """See `RunStore`."""
        names = (path.name for path in _listed(self.folder / TRANSCRIPTS))
        return sorted(bytes.fromhex(name) for name in names if is_digest(name))

    def remove_transcript(self, digest: bytes) -> None:
        """See `RunStore`."""
        path = self._transcript(digest)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise BundleError(f"cannot remove {path}: {reason(error)}") from error

    def write_document(self, name: str, data: bytes) -> None:
        """See `RunStore`."""
        write_atomic(self.folder / name, data)

    def document(self, name: str) -> bytes | None:
        """See `RunStore`."""
        path = self.folder / name
        return _read(path) if path.is_file() else None

    def _transcript(self, digest: bytes) -> Path:
        return self.folder / TRANSCRIPTS / digest.hex()


def is_digest(name: str) -> bool:
    """Whether a file's name is a SHA-256 in lower-case hexadecimal digits."""
    return len(name) == _DIGEST_DIGITS and set(name) <= set("0123456789abcdef")


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise BundleError(f"cannot list {folder}: {reason(error)}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {reason(error)}") from error
