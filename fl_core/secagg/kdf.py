"""Hashes and key derivation: every use has a label of its own, every variable part is length-prefixed.

HKDF-SHA256 is RFC 5869 (Krawczyk, CRYPTO 2010), from `cryptography`; keys that are already uniform take its
expand step alone.
"""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

HASH_BYTES = 32
_PREFIX = b"FedIoMT.SecAgg.v1/"
_SHA256 = SHA256()


def digest(label: bytes, *parts: bytes) -> bytes:
    """SHA-256 of a label and of length-prefixed parts, 32 bytes: distinct inputs have distinct encodings."""
    state = hashlib.sha256(_label(label))
    for part in parts:
        state.update(_frame(part))
    return state.digest()


def extract(shared: bytes, label: bytes, *info: bytes, length: int = HASH_BYTES) -> bytes:
    """HKDF-SHA256 (extract and expand) of a Diffie-Hellman result."""
    return HKDF(_SHA256, length, salt=None, info=_info(label, info)).derive(shared)


def expand(key: bytes, label: bytes, *info: bytes, length: int = HASH_BYTES) -> bytes:
    """HKDF-SHA256 expand step of a uniform 32-byte key."""
    return HKDFExpand(_SHA256, length, _info(label, info)).derive(key)


def _frame(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


@cache
def _label(label: bytes) -> bytes:
    return _PREFIX + _frame(label)


def _info(label: bytes, info: tuple[bytes, ...]) -> bytes:
    return b"".join((_label(label), *map(_frame, info)))
