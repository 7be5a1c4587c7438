"""Hashes and key derivation: every use has a label of its own, every variable part is length-prefixed.

HKDF-SHA256 is RFC 5869 (Krawczyk, CRYPTO 2010): both of its steps for Diffie-Hellman results, the expand step alone
for keys that are already uniform. HMAC (RFC 2104) is written out over `hashlib`, since a device derives several keys a
peer and round, and a library's objects cost more than the hashing; tests hold it to `cryptography`'s.
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache

HASH_BYTES = 32
_PREFIX = b"FedIoMT.SecAgg.v1/"
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_NO_SALT = bytes(_BLOCK_BYTES)


def digest(label: bytes, *parts: bytes) -> bytes:
    """SHA-256 of a label and of length-prefixed parts, 32 bytes: distinct inputs have distinct encodings."""
    return hashlib.sha256(framed(label, *parts)).digest()


def framed(label: bytes, *parts: bytes) -> bytes:
    """What `digest` hashes: for whoever has to show it."""
    return b"".join((_label(label), *map(_frame, parts)))


def extract(shared: bytes, label: bytes, *info: bytes, length: int = HASH_BYTES) -> bytes:
    """HKDF-SHA256 (extract and expand) of a Diffie-Hellman result."""
    inner, outer = _NO_SALT.translate(_INNER), _NO_SALT.translate(_OUTER)
    key = hashlib.sha256(outer + hashlib.sha256(inner + shared).digest()).digest()
    return expand(key, label, *info, length=length)


def expand(key: bytes, label: bytes, *info: bytes, length: int = HASH_BYTES) -> bytes:
    """HKDF-SHA256 expand step of a uniform key of at most 64 bytes; `info` must be public, since it is kept."""
    padded, framed, sha256 = key.ljust(_BLOCK_BYTES, b"\0"), _info(label, info), hashlib.sha256
    inner, outer = padded.translate(_INNER), padded.translate(_OUTER)
    block = material = sha256(outer + sha256(inner + framed + b"\x01").digest()).digest()
    for counter in range(2, -(-length // HASH_BYTES) + 1):
        block = sha256(outer + sha256(inner + block + framed + bytes((counter,))).digest()).digest()
        material += block
    return material[:length]


def _frame(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


@cache
def _label(label: bytes) -> bytes:
    return _PREFIX + _frame(label)


@lru_cache(maxsize=64)
def _info(label: bytes, info: tuple[bytes, ...]) -> bytes:
    return b"".join((_label(label), *map(_frame, info)))
