"""Bundles: the content-addressed files of a round, written whole or not at all, verified when read.

A bundle is a folder with a `manifest.json` (canonical JSON: file name -> SHA-256). Its digest is the SHA-256 of the
manifest; that digest is what hospitals attest on chain.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fl_core.canonical import canonical_json, parse_json, sha256
from fl_core.durable import reason, sync_folder
from fl_core.errors import BundleError, SpecError
from fl_core.plain_files import MAX_BUNDLE_BYTES, MAX_MANIFEST_BYTES, read_plain, require_own_folder

MANIFEST = "manifest.json"
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_STAGING = re.compile(r"[a-z0-9_]{8}")  # what tempfile makes a name of
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def bundle_manifest(files: Mapping[str, bytes]) -> bytes:
    """The canonical manifest of a bundle's files.

    Raises:
        BundleError: a name that is no plain file name, or that of the manifest itself; or more than is ever read.
    """
    for name in files:
        if not _is_file_name(name):
            raise BundleError(f"bundle file name {name!r}: use letters, digits, dot, dash, underscore")
    manifest = canonical_json({name: sha256(data).hex() for name, data in files.items()})
    size = sum(map(len, files.values()))
    if size > MAX_BUNDLE_BYTES or len(manifest) > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"a bundle of {len(files)} files and {size:,} bytes is more than is read: a bundle has at most "
            f"{MAX_BUNDLE_BYTES:,} bytes, its manifest {MAX_MANIFEST_BYTES:,}"
        )
    return manifest


def bundle_digest(files: Mapping[str, bytes]) -> bytes:
    """The digest that addresses a bundle, 32 bytes.

    Raises:
        BundleError: a name that no bundle holds.
    """
    return sha256(bundle_manifest(files))


def write_bundle(folder: Path, files: Mapping[str, bytes]) -> bytes:
    """Write a bundle as `folder` and return its digest (32 bytes).

    The files are written and synced beside `folder` and renamed into place: a crash leaves the folder absent or whole.
    What a killed writer left beside it is swept by the next that succeeds. Writing the same bundle again is a no-op.

    Raises:
        BundleError: a name that is no plain file name, another bundle is already there, or the disk refuses.
    """
    manifest = bundle_manifest(files)
    digest = sha256(manifest)
    try:
        if folder.exists():
            read_bundle(folder, digest)
            return digest
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, data in {**files, MANIFEST: manifest}.items():
                _write_synced(staging / name, data)
            staging.chmod(0o755)
            sync_folder(staging)
            staging.rename(folder)
            sync_folder(folder.parent)
            _sweep(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise BundleError(f"cannot write bundle {folder}: {reason(error)}") from error
    return digest


def read_bundle(folder: Path, digest: bytes | None = None) -> dict[str, bytes]:
    """Read a bundle's files, each checked against the manifest, and the manifest against `digest` where given.

    Raises:
        BundleError: something is missing, unknown, altered, too large or no regular file; the message names the file.
    """
    path = folder / MANIFEST
    require_own_folder(folder)
    try:
        manifest = read_plain(path, MAX_MANIFEST_BYTES)
        present = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise BundleError(f"no bundle at {folder}: {reason(error)}") from error
    if digest is not None and sha256(manifest) != digest:
        raise BundleError(f"{path} has digest {sha256(manifest).hex()}, expected {digest.hex()}")
    entries = read_manifest(path, manifest)
    unknown = sorted(present - entries.keys() - {MANIFEST})
    if unknown:
        raise BundleError(f"{folder / unknown[0]} is not of this bundle: its manifest does not name it")
    files, left = {}, MAX_BUNDLE_BYTES
    for name, expected in entries.items():
        files[name] = _read_checked(folder / name, expected, left)
        left -= len(files[name])
    return files


def read_manifest(where: Path | str, data: bytes) -> dict[str, str]:
    """A manifest's entries: SHA-256 (hex) by file name.

    Args:
        where: how errors call it.
        data: the manifest.

    Raises:
        BundleError: it is malformed, not canonical, or names what no bundle holds.
    """
    try:
        manifest = parse_json(data)
    except SpecError as error:
        raise BundleError(f"{where} is malformed: {error}") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{where} is malformed: a JSON object was expected")
    for name, value in manifest.items():
        if not _is_file_name(name):
            raise BundleError(f"{where} names {name!r}, which is no file of a bundle")
        if not isinstance(value, str) or not _HEX_DIGEST.match(value):
            raise BundleError(f"{where} is malformed: {name} has no SHA-256")
    if canonical_json(manifest) != data:
        raise BundleError(f"{where} is not canonical JSON: a bundle has one digest")
    return manifest


def write_atomic(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write one file whole or not at all.

    Args:
        path: the file.
        data: what it holds then.
        private: whether it is its owner's alone, at no moment for others to read.

    Raises:
        BundleError: the disk refuses.
    """
    staging = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_synced(staging, data, private=private)
            staging.replace(path)
            sync_folder(path.parent)
        finally:
            staging.unlink(missing_ok=True)
    except OSError as error:
        raise BundleError(f"cannot write {path}: {reason(error)}") from error


def _is_file_name(name: str) -> bool:
    return _SAFE_NAME.match(name) is not None and name != MANIFEST


def _read_checked(path: Path, expected: str, limit: int) -> bytes:
    try:
        data = read_plain(path, limit)
    except OSError as error:
        raise BundleError(f"{path}: {reason(error)}") from error
    if sha256(data).hex() != expected:
        raise BundleError(f"{path} was altered: digest {sha256(data).hex()}, manifest {expected}")
    return data


def _sweep(folder: Path) -> None:
    """Remove the staging folders that killed writers of this bundle left."""
    prefix = f".{folder.name}."
    for entry in folder.parent.iterdir():
        if entry.name.startswith(prefix) and _STAGING.fullmatch(entry.name[len(prefix) :]):
            shutil.rmtree(entry, ignore_errors=True)


def _write_synced(path: Path, data: bytes, *, private: bool = False) -> None:
    mode = 0o600 if private else 0o666
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        if private:
            os.fchmod(descriptor, mode)  # one that a killed writer left may be wider
        file.write(data)
        file.flush()
        os.fsync(descriptor)
