"""Bundles: the content-addressed files of a round, written whole or not at all, verified when read.

A bundle is a folder with a `manifest.json` (canonical JSON: file name -> SHA-256). Its digest is the SHA-256 of the
manifest; that digest is what hospitals attest on chain.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fl_core.canonical import canonical_json, sha256
from fl_core.errors import BundleError

MANIFEST = "manifest.json"
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


def bundle_manifest(files: Mapping[str, bytes]) -> bytes:
    """The canonical manifest of a bundle's files."""
    return canonical_json({name: sha256(data).hex() for name, data in files.items()})


def bundle_digest(files: Mapping[str, bytes]) -> bytes:
    """The digest that addresses a bundle, 32 bytes."""
    return sha256(bundle_manifest(files))


def write_bundle(folder: Path, files: Mapping[str, bytes]) -> bytes:
    """Write a bundle as `folder` and return its digest (32 bytes).

    The files are written and synced beside `folder` and renamed into place: a crash leaves the folder absent or whole.
    Writing the same bundle again is a no-op.

    Raises:
        BundleError: a name that is no plain file name, another bundle is already there, or the disk refuses.
    """
    for name in files:
        if not _SAFE_NAME.match(name) or name == MANIFEST:
            raise BundleError(f"bundle file name {name!r}: use letters, digits, dot, dash, underscore")
    manifest = bundle_manifest(files)
    digest = sha256(manifest)
    if folder.exists():
        read_bundle(folder, digest)
        return digest
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BundleError(f"cannot write bundle {folder}: {error.strerror}") from error
    try:
        for name, data in {**files, MANIFEST: manifest}.items():
            _write_synced(staging / name, data)
        staging.chmod(0o755)
        staging.rename(folder)
        _sync_folder(folder.parent)
    except OSError as error:
        raise BundleError(f"cannot write bundle {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return digest


def read_bundle(folder: Path, digest: bytes | None = None) -> dict[str, bytes]:
    """Read a bundle's files, each checked against the manifest, and the manifest against `digest` where given.

    Raises:
        BundleError: something is missing, unknown or altered; the message names the file.
    """
    try:
        manifest_bytes = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"no bundle at {folder}: {error.strerror}") from error
    if digest is not None and sha256(manifest_bytes) != digest:
        raise BundleError(
            f"{folder / MANIFEST} has digest {sha256(manifest_bytes).hex()}, expected {digest.hex()}"
        )
    try:
        manifest = json.loads(manifest_bytes)
        entries = {str(name): bytes.fromhex(value) for name, value in manifest.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise BundleError(f"{folder / MANIFEST} is malformed: {error}") from error
    if any(not _SAFE_NAME.match(name) for name in entries):
        raise BundleError(f"{folder / MANIFEST} names a file outside the bundle")
    files = {}
    for name, expected in entries.items():
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            raise BundleError(f"{folder / name}: {error.strerror}") from error
        if sha256(data) != expected:
            raise BundleError(
                f"{folder / name} was altered: digest {sha256(data).hex()}, manifest {expected.hex()}"
            )
        files[name] = data
    return files


def write_atomic(path: Path, data: bytes) -> None:
    """Write one file whole or not at all.

    Raises:
        BundleError: the disk refuses.
    """
    staging = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(staging, data)
        staging.replace(path)
    except OSError as error:
        raise BundleError(f"cannot write {path}: {error.strerror}") from error
    finally:
        staging.unlink(missing_ok=True)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
