"""From a seed to a mask: AES-128-CTR keystream, cut into words of the smallest width that holds the ring.

A seed yields, through HKDF, the AES key, the initial counter block and a check value. The check value can be published:
whoever later claims to hold the seed is held to it, and it tells nothing about the keystream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from fl_core.secagg.kdf import expand

CHECK_BYTES = 16
_KEY_BYTES = 16
_COUNTER_BYTES = 16
_BLOCK_BYTES = 1 << 18  # keystream made and added at once: stays within the second-level cache

Words = NDArray[np.unsignedinteger]


@dataclass(frozen=True, repr=False)
class MaskKey:
    """What a seed expands to.

    Attributes:
        key: AES-128 key.
        counter: initial counter block.
        check: 16 bytes that commit to the seed.
    """

    key: bytes
    counter: bytes
    check: bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> MaskKey:
        """Expand a uniform 32-byte seed."""
        material = expand(seed, b"mask", length=_KEY_BYTES + _COUNTER_BYTES + CHECK_BYTES)
        split = _KEY_BYTES + _COUNTER_BYTES
        return cls(material[:_KEY_BYTES], material[_KEY_BYTES:split], material[split:])


def word_dtype(bits: int) -> np.dtype[np.unsignedinteger]:
    """The narrowest unsigned little-endian word that holds `bits` bits."""
    width = next(width for width in (8, 16, 32, 64) if width >= bits)
    return np.dtype(f"<u{width // 8}")


def ring_mask(bits: int) -> np.unsignedinteger:
    """2^bits - 1 as a word of `word_dtype(bits)`: what reduces a word to the ring."""
    return word_dtype(bits).type((1 << bits) - 1)


def apply_masks(words: Words, masks: Iterable[tuple[MaskKey, int]]) -> None:
    """Add masks to a vector in place, modulo 2^(width of its words).

    Args:
        words: contiguous vector (dim,) of `word_dtype`.
        masks: keys with +1 (add) or -1 (subtract).
    """
    streams = [
        (Cipher(AES128(mask.key), CTR(mask.counter)).encryptor(), np.add if sign > 0 else np.subtract)
        for mask, sign in masks
    ]
    per_block = _BLOCK_BYTES // words.itemsize
    length = min(words.size, per_block)
    zeros, stream = memoryview(bytes(length * words.itemsize)), memoryview(bytearray(length * words.itemsize))
    keystream = np.frombuffer(stream, dtype=words.dtype)
    for start in range(0, words.size, per_block):
        block = words[start : start + per_block]
        source, target, mask = zeros[: block.nbytes], stream[: block.nbytes], keystream[: block.size]
        for encryptor, combine in streams:
            encryptor.update_into(source, target)
            combine(block, mask, out=block)
