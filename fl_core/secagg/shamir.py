"""Shamir's secret sharing (CACM 1979) over the prime field of 2^256 - 189 elements: any `threshold` shares give the
secret, fewer say nothing about it.

Several secrets are shared at once: their polynomials ride side by side in one Python integer, in lanes too wide to
overflow, so that evaluating them costs one multiplication a step whatever their number.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from fl_core.secagg.errors import SecAggError

PRIME = 2**256 - 189
ELEMENT_BYTES = 32


def random_element() -> int:
    """A uniform field element from the operating system."""
    return secrets.randbelow(PRIME)


def encode_element(value: int) -> bytes:
    """32 bytes, big-endian."""
    return value.to_bytes(ELEMENT_BYTES, "big")


def decode_element(data: bytes) -> int:
    """The field element that 32 bytes hold.

    Raises:
        SecAggError: wrong length, or not below the prime.
    """
    value = int.from_bytes(data, "big")
    if len(data) != ELEMENT_BYTES or value >= PRIME:
        raise SecAggError("not a field element: 32 bytes below 2^256 - 189 were expected")
    return value


def split(secret_values: Sequence[int], threshold: int, points: Sequence[int]) -> list[tuple[int, ...]]:
    """Share several secrets.

    Args:
        secret_values: field elements.
        threshold: shares that reconstruct.
        points: distinct, in 1..2^32-1, one a holder.

    Returns:
        For each point its share of each secret, in the order of `secret_values`.
    """
    if not 1 <= threshold <= len(points) or len(set(points)) != len(points) or min(points) < 1:
        raise SecAggError(f"cannot share {threshold} of {len(points)}: points must be distinct and positive")
    lane = PRIME.bit_length() + max(points).bit_length() * threshold + threshold.bit_length()
    coefficients = [_pack([random_element() for _ in secret_values], lane) for _ in range(threshold - 1)]
    coefficients.append(_pack(secret_values, lane))
    shares = []
    for point in points:
        value = 0
        for coefficient in coefficients:
            value = value * point + coefficient
        shares.append(_unpack(value, lane, len(secret_values)))
    return shares


class Interpolation:
    """Lagrange coefficients at zero for a fixed set of points, reused for every secret of a round."""

    def __init__(self, points: Sequence[int]) -> None:
        """Precompute.

        Args:
            points: of the shares that will be combined, distinct; exactly `threshold` many.
        """
        self._coefficients = []
        for point in points:
            numerator, denominator = 1, 1
            for other in points:
                if other != point:
                    numerator = numerator * other % PRIME
                    denominator = denominator * (other - point) % PRIME
            self._coefficients.append(numerator * pow(denominator, -1, PRIME) % PRIME)

    def secret(self, shares: Sequence[int]) -> int:
        """The secret, from one share a point in the order of the points."""
        terms = zip(self._coefficients, shares, strict=True)
        return sum(coefficient * share for coefficient, share in terms) % PRIME


def _pack(values: Sequence[int], lane: int) -> int:
    return sum(value << lane * position for position, value in enumerate(values))


def _unpack(packed: int, lane: int, count: int) -> tuple[int, ...]:
    mask = (1 << lane) - 1
    return tuple((packed >> lane * position & mask) % PRIME for position in range(count))
