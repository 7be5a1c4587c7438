"""Random words for noise, from a cryptographic keystream."""

from __future__ import annotations

import hashlib
import secrets

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from fl_core.errors import SpecError

SEED_BYTES = 32
_WORDS_TAG = b"FedIoMT.NoiseWords.v1"
_EXTENSION_TAG = b"FedIoMT.NoiseExtension.v1"
_ZEROS = bytes(1 << 18)


class NoiseSource:
    """Two AES-256-CTR keystreams of one seed: 32-bit words, and the 64-bit words that rare ties take.

    Noise is as good as AES-CTR is as a pseudo-random generator. Streams only move forward: no word is used twice.
    """

    def __init__(self, seed: bytes) -> None:
        """Use `from_os` or `from_seed`."""
        self._words = _keystream(_WORDS_TAG, seed)
        self._extension = _keystream(_EXTENSION_TAG, seed)

    @classmethod
    def from_os(cls) -> NoiseSource:
        """A source seeded by the operating system: what a device uses for its own noise."""
        return cls(secrets.token_bytes(SEED_BYTES))

    @classmethod
    def from_seed(cls, seed: bytes) -> NoiseSource:
        """A reproducible source: for noise that others recompute, simulations and tests.

        Raises:
            SpecError: the seed is not of 32 bytes.
        """
        if len(seed) != SEED_BYTES:
            raise SpecError(f"noise seed of {len(seed)} bytes: {SEED_BYTES} are needed")
        return cls(bytes(seed))

    def words(self, out: NDArray[np.uint8]) -> None:
        """Fill a contiguous uint8 buffer of at most 256 KiB with the next keystream bytes."""
        self._words.update_into(memoryview(_ZEROS)[: out.size], out.data)

    def extension(self, count: int) -> NDArray[np.uint64]:
        """The next `count` 64-bit words of the second keystream, uint64 (count,)."""
        return np.frombuffer(self._extension.update(bytes(8 * count)), dtype="<u8").astype(np.uint64)


def _keystream(tag: bytes, seed: bytes) -> CipherContext:
    key = hashlib.sha256(tag + seed).digest()
    return Cipher(AES(key), CTR(bytes(16))).encryptor()
