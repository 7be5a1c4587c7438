"""Gaussian noise from a cryptographic keystream: AES-128-CTR and the transform of Box and Muller (1958).

Two samples take 12 bytes. The radius comes from 63 bits, in float64, so that samples reach 9.3 standard deviations;
the angle comes from 32 bits. A radius of 63 zero bits, once in 2^63, gives an infinity, which training refuses. Samples
are float32, as everything that they are added to: like any Gaussian in floating point, they are not safe from an
observer who exploits how floats round (Mironov, CCS 2012).
"""

from __future__ import annotations

import math
import secrets
from typing import Protocol

import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from fl_core.errors import SpecError

_PAIRS = 1 << 15
"""Pairs of samples a block: its buffers stay within a core's cache."""
_LARGEST_SQUARE = 2 * 63 * math.log(2.0) + 1e-13
"""-2 log of the least u but for 0; what is added covers rounding, so that no square is negative."""
_RADIUS_BYTES, _ANGLE_BYTES = 8, 4


class StandardNormal(Protocol):
    """A source of independent samples of N(0, 1)."""

    def fill(self, out: torch.Tensor) -> None:
        """Overwrite a contiguous float32 tensor on the CPU."""


class GaussianSource:
    """Samples of N(0, 1) from a key; one object serves one thread."""

    def __init__(self, key: bytes) -> None:
        """Start the keystream.

        Args:
            key: 32 bytes, AES key and first counter. Never use one twice: the same noise would be taken off again.

        Raises:
            SpecError: a key of another length.
        """
        if len(key) != 32:
            raise SpecError(f"a noise key of {len(key)} bytes: 32 are needed")
        self._stream = Cipher(algorithms.AES(key[:16]), modes.CTR(key[16:])).encryptor()
        size = _PAIRS * (_RADIUS_BYTES + _ANGLE_BYTES)
        self._zeros, self._words = bytes(size), bytearray(size)
        self._radius_bits = torch.frombuffer(self._words, dtype=torch.int64, count=_PAIRS)
        self._angle_bits = torch.frombuffer(self._words, dtype=torch.int32, offset=_PAIRS * _RADIUS_BYTES)
        self._wide = torch.empty(_PAIRS, dtype=torch.float64)
        self._largest = torch.tensor(_LARGEST_SQUARE, dtype=torch.float64)
        self._radius, self._angle = torch.empty(_PAIRS), torch.empty(_PAIRS)
        self._block = torch.empty(2 * _PAIRS)
        self._spare = self._block[:0]  # what the last fill left of the block

    @classmethod
    def from_os(cls) -> GaussianSource:
        """A source that nobody can repeat, keyed by the operating system."""
        return cls(secrets.token_bytes(32))

    def fill(self, out: torch.Tensor) -> None:
        """Overwrite a contiguous float32 tensor on the CPU with the next samples.

        Raises:
            SpecError: another type, place or layout.
        """
        if out.dtype != torch.float32 or out.device.type != "cpu" or not out.is_contiguous():
            raise SpecError(
                f"noise fills contiguous float32 tensors on the CPU, not {out.dtype} on {out.device}"
            )
        rest = out.view(-1)
        taken = min(len(rest), len(self._spare))
        rest[:taken].copy_(self._spare[:taken])
        self._spare, rest = self._spare[taken:], rest[taken:]
        for part in torch.split(rest, 2 * _PAIRS):
            if len(part) == 2 * _PAIRS:
                self._fill_block(part)
            elif len(part):
                self._fill_block(self._block)
                part.copy_(self._block[: len(part)])
                self._spare = self._block[len(part) :]

    def _fill_block(self, out: torch.Tensor) -> None:
        self._stream.update_into(self._zeros, self._words)
        wide, radius, angle = self._wide, self._radius, self._angle
        wide.copy_(self._radius_bits).abs_().log_()  # |integer| = 2^63 u with u in [0, 1]
        torch.add(self._largest, wide, alpha=-2.0, out=wide)
        radius.copy_(wide).sqrt_()
        torch.mul(self._angle_bits, math.pi * 2.0**-31, out=angle)
        torch.cos(angle, out=out[:_PAIRS]).mul_(radius)
        torch.sin(angle, out=out[_PAIRS:]).mul_(radius)
