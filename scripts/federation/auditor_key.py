"""The auditor's key pair: X25519 in PEM files, the private one for its owner's eyes, encrypted where asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from fl_core.errors import BundleError
from fl_core.stores import RunStore
from fl_core.tiers import OpenedTranscript, TranscriptPlace
from scripts.console.errors import CommandError


def create_key(path: Path, password: str | None) -> Path:
    """Draw a key pair: the private key at `path`, the public one beside it, `.pub` appended.

    Args:
        path: a file that is not there yet.
        password: what the private key is encrypted with, or None to leave it to the file's permissions.

    Returns:
        The public key's file.

    Raises:
        CommandError: the path names no file, a file is there already, or the disk refuses.
    """
    if not path.name:
        raise CommandError(f"{path} names no file for the auditor's key: name one that is not there yet")
    key, public = X25519PrivateKey.generate(), path.with_name(path.name + ".pub")
    encryption: KeySerializationEncryption = (
        NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    _write_new(path, private, 0o600)
    try:
        shown = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write_new(public, shown, 0o644)
    except CommandError:
        path.unlink()
        raise
    return public


def read_public_key(path: Path) -> str:
    """The public key that transcripts are sealed to, as a spec names it: 64 hexadecimal digits.

    Raises:
        CommandError: the file is missing or holds no such key.
    """
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CommandError(
            f"{path} is no auditor's public key: name the .pub file that `fediomt audit --new-key FILE` wrote"
        ) from error
    if not isinstance(key, X25519PublicKey):
        raise CommandError(f"{path} holds another kind of key: an X25519 key is needed")
    return key.public_bytes_raw().hex()


def read_private_key(path: Path, password: Callable[[], str | None]) -> X25519PrivateKey:
    """The auditor's private key.

    Args:
        path: its file.
        password: asked for where the file is encrypted.

    Raises:
        CommandError: the file is missing, holds no such key, or the password is missing or wrong.
    """
    data = _read(path)
    try:
        try:
            key = load_pem_private_key(data, None)
        except TypeError:  # it is encrypted
            given = password()
            if given is None:
                raise CommandError(
                    f"{path} is encrypted: give its password by --password-file or FEDIOMT_PASSWORD"
                ) from None
            key = load_pem_private_key(data, given.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CommandError(f"{path} is no auditor's key, or its password is another one") from error
    if not isinstance(key, X25519PrivateKey):
        raise CommandError(f"{path} holds another kind of key: an X25519 key is needed")
    return key


@dataclass(frozen=True)
class SealedTranscripts:
    """Transcripts in a run's store, opened with the auditor's key.

    Attributes:
        store: where they are.
        key: the auditor's.
        deleted: rounds of which a transcript may be missing: deleted after they could not be disputed any more.
    """

    store: RunStore
    key: X25519PrivateKey
    deleted: frozenset[int] = frozenset()

    def there(self) -> list[bytes]:
        """SHA-256 of every transcript that is there.

        Raises:
            BundleError: the store does not answer.
        """
        return self.store.transcripts()

    def open(self, digest: bytes, place: TranscriptPlace) -> OpenedTranscript:
        """The transcript whose sealed bytes have this SHA-256.

        Raises:
            BundleError: none was recorded, or it is missing or altered.
            SecAggError: it is sealed to another key, or of another sum.
        """
        if not digest:
            raise BundleError("no transcript was recorded, though the spec names an auditor")
        return OpenedTranscript.open(self.key, self.store.transcript(digest), place)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
    except FileExistsError as error:
        raise CommandError(f"{path} is there already: name another file") from error
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
