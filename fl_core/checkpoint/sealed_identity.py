"""A device's keys on its own disk: sealed under a key that the caller gives, and bound to the device's journal.

The journal is the authority on what a device has done; an image of its keys is older than that whenever the device
died between a claim and the next image. Reading an image therefore erases the pair keys of every round that the journal
has claimed: an old image opens no round a second time. An image of before the roster was met holds the key that all
pair keys come from; once the journal has a claim of its epoch or a later one, it refuses to open. So does any image
whose journal knows less than it does: that one was set back, and with it the device's memory of what it did.

The cipher is AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits: a key seals at most 2^32 images.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fl_core.checkpoint.errors import CheckpointError
from fl_core.secagg import EpochIdentity, Journal, SecAggError
from fl_core.signing import Domain

KEY_BYTES = 32
_MAGIC = b"FedIoMT.SealedIdentity\x01"
_NONCE_BYTES = 12
_CLAIM_BYTES = 9  # whether there is a claim, and its round


def seal_identity(identity: EpochIdentity, *, key: bytes, journal: Journal, session: bytes) -> bytes:
    """Seal a device's keys for its disk. Do it after each round; what it replaces must be deleted.

    Args:
        identity: the keys of the epoch.
        key: 32 bytes that only the device has, from a key store or secure element.
        journal: the device's journal.
        session: 32 bytes that name the run.

    Raises:
        CheckpointError: the key has another length.
    """
    nonce = os.urandom(_NONCE_BYTES)
    plain = _claim(journal, session) + identity.to_bytes()
    return _MAGIC + nonce + _cipher(key).encrypt(nonce, plain, _MAGIC + session)


def open_identity(
    sealed: bytes, *, key: bytes, domain: Domain, journal: Journal, session: bytes
) -> EpochIdentity:
    """Open what `seal_identity` sealed, without the pair keys of rounds that the journal has claimed.

    Args:
        sealed: the image.
        key: the key that it was sealed under.
        domain: EIP-712 domain of the run.
        journal: the device's journal.
        session: 32 bytes that name the run.

    Raises:
        CheckpointError: altered, sealed under another key or for another run, malformed, of before the roster was met
            though the journal has claims of that epoch or later, or the journal knows less than the image.
    """
    if not sealed.startswith(_MAGIC):
        raise CheckpointError("not a sealed image of a device's keys that this version reads")
    nonce, box = sealed[len(_MAGIC) :][:_NONCE_BYTES], sealed[len(_MAGIC) + _NONCE_BYTES :]
    try:
        plain = _cipher(key).decrypt(nonce, box, _MAGIC + session)
    except (InvalidTag, ValueError):
        raise CheckpointError(
            "the image of the device's keys does not open: it was altered, or is of another device or run"
        ) from None
    if plain[:_CLAIM_BYTES] > _claim(journal, session):
        raise CheckpointError(
            f"the journal knows no round after {journal.last_round(session)}, the keys were used later: the journal "
            "was set back. Take part again with the keys of a new epoch"
        )
    try:
        identity = EpochIdentity.from_bytes(plain[_CLAIM_BYTES:], domain)
        claimed = journal.last_round(session)
        if claimed is not None:
            identity.pass_rounds(claimed)
    except SecAggError as error:
        raise CheckpointError(f"the image of the device's keys cannot be used: {error}") from error
    return identity


def _claim(journal: Journal, session: bytes) -> bytes:
    """The last round claimed, so that later claims compare as larger."""
    last = journal.last_round(session)
    return bytes(_CLAIM_BYTES) if last is None else b"\x01" + last.to_bytes(_CLAIM_BYTES - 1, "big")


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise CheckpointError(f"key of {len(key)} bytes for a device's keys: {KEY_BYTES} are needed")
    return AESGCM(key)
