"""From a seed to a mask: AES-128-CTR keystream, cut into words of the smallest width that holds the ring.

A seed is an AES key and an initial counter block. Its check value, a hash, can be published: whoever later claims to
hold the seed is held to it, and it tells nothing about the keystream.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from fl_core.secagg.kdf import digest

CHECK_BYTES = 16
_KEY_BYTES = 16
_BLOCK_BYTES = 1 << 18  # keystream made and added at once: stays within the second-level cache
_STREAMS = 1 << 9  # ciphers open at once

Words = NDArray[np.unsignedinteger]


class MaskKey:
    """What a seed expands to.

    Attributes:
        key: AES-128 key.
        counter: initial counter block.
        check: 16 bytes that commit to the seed.
    """

    __slots__ = ("check", "counter", "key")

    def __init__(self, key: bytes, counter: bytes, check: bytes) -> None:
        self.key, self.counter, self.check = key, counter, check

    @classmethod
    def from_seed(cls, seed: bytes) -> MaskKey:
        """Take apart a uniform 32-byte seed."""
        return cls(seed[:_KEY_BYTES], seed[_KEY_BYTES:], seed_check(seed))

    @property
    def seed(self) -> bytes:
        """What it was made from, 32 bytes."""
        return self.key + self.counter


def seed_check(seed: bytes) -> bytes:
    """The check value of a seed, 16 bytes."""
    return digest(b"mask", seed)[:CHECK_BYTES]


def word_dtype(bits: int) -> np.dtype[np.unsignedinteger]:
    """The narrowest unsigned little-endian word that holds `bits` bits."""
    width = next(width for width in (8, 16, 32, 64) if width >= bits)
    return np.dtype(f"<u{width // 8}")


def ring_mask(bits: int) -> np.unsignedinteger:
    """2^bits - 1 as a word of `word_dtype(bits)`: what reduces a word to the ring."""
    return word_dtype(bits).type((1 << bits) - 1)


class MaskStream:
    """Masks that go over a vector from front to back, block by block, each continuing where it stopped."""

    def __init__(self, masks: Iterable[tuple[MaskKey, int]]) -> None:
        """Open the keystreams.

        Args:
            masks: keys with +1 (add) or -1 (subtract).
        """
        self._streams = [
            (Cipher(AES128(mask.key), CTR(mask.counter)).encryptor().update_into, sign > 0)
            for mask, sign in masks
        ]

    def apply(self, words: Words) -> None:
        """Add the next part of each mask in place, modulo 2^(width of the words).

        Args:
            words: contiguous vector of `word_dtype`.
        """
        per_block = _BLOCK_BYTES // words.itemsize
        length = min(words.size, per_block)
        zeros, stream = bytes(length * words.itemsize), bytearray(length * words.itemsize)
        for start in range(0, words.size, per_block):
            block = words[start : start + per_block]
            source, target = zeros, memoryview(stream)
            if block.size != length:
                source, target = zeros[: block.nbytes], target[: block.nbytes]
            mask = np.frombuffer(target, dtype=words.dtype)
            for update_into, added in self._streams:
                update_into(source, target)
                (np.add if added else np.subtract)(block, mask, block)


def apply_masks(words: Words, masks: Iterable[tuple[MaskKey, int]]) -> None:
    """Add whole masks to a vector in place, modulo 2^(width of its words).

    Args:
        words: contiguous vector (dim,) of `word_dtype`.
        masks: keys with +1 (add) or -1 (subtract).
    """
    pending = iter(masks)
    while some := list(islice(pending, _STREAMS)):
        MaskStream(some).apply(words)
