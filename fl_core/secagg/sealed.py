"""Sealed boxes: bytes that only the holder of a channel key can open (ephemeral X25519, HKDF, AES-256-GCM).

A fresh ephemeral key makes the AES key unique to the box, so its nonce can be constant. The box hides and protects
its content, bound to a context; it does not say who sealed it.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fl_core.secagg.advertisement import PUBLIC_KEY_BYTES, check_public_key
from fl_core.secagg.codec import Reader
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.kdf import extract

VERSION = b"\x01"
TAG_BYTES = 16
OVERHEAD_BYTES = len(VERSION) + PUBLIC_KEY_BYTES + TAG_BYTES
_NONCE = bytes(12)


def seal(channel_public: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Encrypt to a channel key.

    Args:
        channel_public: the recipient's X25519 key, 32 bytes.
        plaintext: any length.
        context: what the box is for; opening needs the same.

    Returns:
        Version (1), ephemeral key (32), ciphertext with its tag: 49 bytes more than the plaintext.

    Raises:
        SecAggError: the key is malformed or of low order.
    """
    if len(channel_public) != PUBLIC_KEY_BYTES:
        raise SecAggError(f"channel key of {len(channel_public)} bytes: expected {PUBLIC_KEY_BYTES}")
    check_public_key(channel_public)
    ephemeral = X25519PrivateKey.generate()
    ephemeral_public = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(channel_public))
    cipher = _cipher(shared, ephemeral_public, channel_public, context)
    return VERSION + ephemeral_public + cipher.encrypt(_NONCE, plaintext, None)


def open_sealed(channel_private: X25519PrivateKey, sealed: bytes, context: bytes) -> bytes:
    """Decrypt what was sealed to this key under this context.

    Raises:
        SecAggError: malformed, sealed to another key or context, or altered.
    """
    if len(sealed) < OVERHEAD_BYTES:
        raise SecAggError(f"sealed box of {len(sealed)} bytes: at least {OVERHEAD_BYTES} are needed")
    reader = Reader(sealed)
    if reader.take(len(VERSION)) != VERSION:
        raise SecAggError(f"sealed box of version {sealed[0]}: this code reads version {VERSION[0]}")
    ephemeral_public = reader.take(PUBLIC_KEY_BYTES)
    check_public_key(ephemeral_public)
    shared = channel_private.exchange(X25519PublicKey.from_public_bytes(ephemeral_public))
    cipher = _cipher(shared, ephemeral_public, channel_private.public_key().public_bytes_raw(), context)
    try:
        return cipher.decrypt(_NONCE, reader.take(reader.remaining), None)
    except InvalidTag:
        raise SecAggError("sealed box does not open: altered, or meant for another key or context") from None


def _cipher(shared: bytes, ephemeral_public: bytes, channel_public: bytes, context: bytes) -> AESGCM:
    return AESGCM(extract(shared, b"sealed", ephemeral_public, channel_public, context))
