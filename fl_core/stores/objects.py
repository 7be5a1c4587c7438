"""A run's files in an object store that fsspec knows, such as S3.

    <root>/objects/<sha256>     every file of every bundle, by its digest
    <root>/rounds/000001.json   a round's manifest, which names them; written last, so that what it names is there
    <root>/transcripts/<sha256> sealed transcripts
    <root>/<name>               documents

There is no renaming of folders in such a store. A writer that dies, or whose store is full, leaves objects that nothing
names, and the next one writes over them; a round is there when its manifest is. Where a put is not atomic a manifest
may be torn: reading it is refused, since it is no manifest, and the next writer of that round writes over it.

One writer a run. These stores have no put that fails where something is there, so that of two that write other bundles
of a round at once the last one stays. Each reads its manifest back, which tells the one that came first only if the
other is through by then; nothing tells it later but the digest that hospitals attest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fl_core.bundle import bundle_manifest, read_manifest
from fl_core.canonical import sha256
from fl_core.errors import BundleError
from fl_core.stores.folder import ROUNDS, TRANSCRIPTS, UNFINISHED, is_digest, is_round

T = TypeVar("T")

OBJECTS = "objects"
WHOLE_PUTS = frozenset(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"))
"""Protocols of stores in which an object is seen whole or not at all; elsewhere it is put aside and moved."""


@dataclass(frozen=True)
class ObjectStore:
    """A `RunStore` behind an fsspec file system.

    Attributes:
        files: the file system.
        root: the run's place in it, without a slash at its end.
        name: how errors call it.
    """

    files: Any
    root: str
    name: str

    def write_bundle(self, number: int, files: Mapping[str, bytes]) -> bytes:
        """See `RunStore`."""
        manifest = bundle_manifest(files)
        digest = sha256(manifest)
        if number in self.bundles() and self._entries(number) is not None:
            self.read_bundle(number, digest)
            return digest
        for data in files.values():
            self._keep(f"{OBJECTS}/{sha256(data).hex()}", data)
        self._put(_manifest_name(number), manifest)
        if self._read(_manifest_name(number)) != manifest:
            raise BundleError(
                f"{self.name}/{_manifest_name(number)} is another writer's by now: let one process write a run"
            )
        return digest

    def read_bundle(self, number: int, digest: bytes | None = None) -> dict[str, bytes]:
        """See `RunStore`."""
        where = f"{self.name}/{_manifest_name(number)}"
        manifest = self._read(_manifest_name(number))
        if digest is not None and sha256(manifest) != digest:
            raise BundleError(f"{where} has digest {sha256(manifest).hex()}, expected {digest.hex()}")
        return {name: self._object(name, found) for name, found in read_manifest(where, manifest).items()}

    def as_found(self, number: int) -> dict[str, bytes]:
        """See `RunStore`."""
        if number not in self.bundles():
            return {}
        name = _manifest_name(number)
        entries = read_manifest(f"{self.name}/{name}", self._read(name))
        return {name: self._read(f"{OBJECTS}/{found}") for name, found in entries.items()}

    def bundles(self) -> list[int]:
        """See `RunStore`."""
        names = (name.removesuffix(".json") for name in self._listed(ROUNDS) if name.endswith(".json"))
        return sorted(int(name) for name in names if is_round(name))

    def strangers(self) -> list[str]:
        """See `RunStore`."""
        known = {_manifest_name(number).rsplit("/", 1)[-1] for number in self.bundles()}
        return [name for name in self._listed(ROUNDS) if not (name in known or name.endswith(UNFINISHED))]

    def sweep(self, keep: Collection[int], transcripts: Collection[bytes] | None = None) -> list[int]:
        """See `RunStore`. What only the rounds removed name goes with them.

        Where a manifest that stays is torn, nobody can tell which objects it was to name: all of them stay.
        """
        left = [number for number in self.bundles() if number not in keep]
        for number in left:
            self._remove(_manifest_name(number))
        for folder in (ROUNDS, OBJECTS, TRANSCRIPTS):
            for name in self._listed(folder):
                if name.endswith(UNFINISHED):
                    self._remove(f"{folder}/{name}")
        entries = [self._entries(number) for number in self.bundles()]
        named = {digest for found in entries if found is not None for digest in found.values()}
        for name in self._listed(OBJECTS) if None not in entries else ():
            if name not in named:
                self._remove(f"{OBJECTS}/{name}")
        if transcripts is not None:
            for digest in set(self.transcripts()).difference(transcripts):
                self._remove(f"{TRANSCRIPTS}/{digest.hex()}")
        return left

    def keep_transcript(self, sealed: bytes) -> None:
        """See `RunStore`."""
        self._keep(f"{TRANSCRIPTS}/{sha256(sealed).hex()}", sealed)

    def transcript(self, digest: bytes) -> bytes:
        """See `RunStore`."""
        data = self._read(f"{TRANSCRIPTS}/{digest.hex()}")
        if sha256(data) != digest:
            raise BundleError(f"transcript {digest.hex()} in {self.name} was altered")
        return data

    def transcripts(self) -> list[bytes]:
        """See `RunStore`."""
        return sorted(bytes.fromhex(name) for name in self._listed(TRANSCRIPTS) if is_digest(name))

    def remove_transcript(self, digest: bytes) -> None:
        """See `RunStore`."""
        if digest in self.transcripts():
            self._remove(f"{TRANSCRIPTS}/{digest.hex()}")

    def write_document(self, name: str, data: bytes) -> None:
        """See `RunStore`."""
        self._put(name, data)

    def document(self, name: str) -> bytes | None:
        """See `RunStore`."""
        there = self._asked(f"look for {name}", lambda: bool(self.files.exists(self._path(name))))
        return self._read(name) if there else None

    def _entries(self, number: int) -> dict[str, str] | None:
        """A round's manifest; None where it is torn, as a writer that dies may leave it where puts are not atomic."""
        data = self._read(_manifest_name(number))
        try:
            return read_manifest(self.name, data)
        except BundleError:
            return None

    def _object(self, name: str, digest: str) -> bytes:
        data = self._read(f"{OBJECTS}/{digest}")
        if sha256(data).hex() != digest:
            raise BundleError(
                f"{name} ({self.name}/{OBJECTS}/{digest}) was altered: digest {sha256(data).hex()}"
            )
        return data

    def _keep(self, name: str, data: bytes) -> None:
        """Put something that is named by its digest, unless just that is there."""

        def there() -> bool:
            path = self._path(name)
            return bool(self.files.exists(path)) and self.files.cat_file(path) == data

        if not self._asked(f"look for {name}", there):
            self._put(name, data)

    def _put(self, name: str, data: bytes) -> None:
        path = self._path(name)

        def put() -> None:
            if not _puts_whole(
                self.files
            ):  # nor are there folders in the others: asked for one, s3 makes a bucket
                self.files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
                aside = f"{path}.{secrets.token_hex(4)}{UNFINISHED}"
                self.files.pipe_file(aside, data)
                self.files.mv(aside, path)
                return
            self.files.pipe_file(path, data)

        self._asked(f"write {name}", put)

    def _read(self, name: str) -> bytes:
        return self._asked(f"read {name}", lambda: bytes(self.files.cat_file(self._path(name))))

    def _remove(self, name: str) -> None:
        self._asked(f"remove {name}", lambda: self.files.rm_file(self._path(name)))

    def _listed(self, folder: str) -> list[str]:
        """Names of the files in a folder; none where there is no such folder."""
        path = self._path(folder)

        def listed() -> list[str]:
            self.files.invalidate_cache()
            if not self.files.exists(path):
                return []
            return [str(item).rsplit("/", 1)[-1] for item in self.files.ls(path, detail=False)]

        return sorted(self._asked(f"list {folder}", listed))

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _asked(self, what: str, ask: Callable[[], T]) -> T:
        """Ask the store; whatever its client raises becomes one line."""
        try:
            return ask()
        except Exception as error:  # clients of stores raise errors of their own, with no base in common
            said = str(error).splitlines() or [type(error).__name__]
            kind = "no such object" if isinstance(error, FileNotFoundError) else said[0]
            raise BundleError(f"store {self.name}: cannot {what}: {kind}") from error


def _puts_whole(files: Any) -> bool:  # noqa: ANN401 - an fsspec file system, which has no types
    protocol = files.protocol
    return bool(WHOLE_PUTS & set((protocol,) if isinstance(protocol, str) else protocol))


def _manifest_name(number: int) -> str:
    return f"{ROUNDS}/{number:06d}.json"
