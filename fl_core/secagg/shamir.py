"""Shamir's secret sharing (CACM 1979) over the prime field of 2^256 - 189 elements: any `threshold` shares give the
secret, fewer say nothing about it.

The holders of a secret stand at points 1, 2, 3..., so that the powers of the points are the same for every dealer. They
are kept as 16-bit limbs, and all shares of a dealer come out of one matrix product in float64, which is exact: a sum of
at most 1,025 * 16 products of two limbs stays below 2^47.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fl_core.secagg.errors import SecAggError

PRIME = 2**256 - 189
ELEMENT_BYTES = 32
MAX_HOLDERS = 1025
_PRIME_BYTES = PRIME.to_bytes(ELEMENT_BYTES, "big")
_LIMB_BITS = 16
_LIMBS = 8 * ELEMENT_BYTES // _LIMB_BITS
_PRODUCT_LIMBS = 2 * _LIMBS
_ONE_THREAD = 1 << 18  # multiplications of a matrix product up to which OpenBLAS stays on one thread


def random_element() -> int:
    """A uniform field element from the operating system."""
    return secrets.randbelow(PRIME)


def encode_element(value: int) -> bytes:
    """32 bytes, big-endian."""
    return value.to_bytes(ELEMENT_BYTES, "big")


def check_elements(elements: Iterable[bytes]) -> None:
    """Refuse encodings of 32 bytes that are not below the prime.

    Raises:
        SecAggError: one of them.
    """
    if max(elements, default=b"") >= _PRIME_BYTES:
        raise SecAggError("not a field element: 32 bytes below 2^256 - 189 were expected")


def decode_element(data: bytes) -> int:
    """The field element that 32 bytes hold.

    Raises:
        SecAggError: wrong length, or not below the prime.
    """
    if len(data) != ELEMENT_BYTES:
        raise SecAggError(f"not a field element: {len(data)} bytes where 32 were expected")
    check_elements((data,))
    return int.from_bytes(data, "big")


def split(secret_values: Sequence[int], threshold: int, points: Sequence[int]) -> list[bytes]:
    """Share several secrets.

    Args:
        secret_values: field elements.
        threshold: shares that reconstruct.
        points: distinct, in 1..1025, one a holder.

    Returns:
        For each point its share of each secret, 32 bytes each, in the order of `secret_values`.

    Raises:
        SecAggError: points or threshold are not possible.
    """
    if (
        not 1 <= threshold <= len(points)
        or len(set(points)) != len(points)
        or not 1 <= min(points) <= max(points) <= MAX_HOLDERS
    ):
        raise SecAggError(
            f"cannot share {threshold} of {len(points)}: points must be distinct, 1..{MAX_HOLDERS}"
        )
    count = len(secret_values)
    powers = _powers(max(points), threshold)
    if len(points) != powers.shape[0]:
        powers = powers[np.asarray(points) - 1]
    products = _product(powers.reshape(-1, threshold), _coefficients(secret_values, threshold))
    limbs = _by_weight(products.reshape(len(points), _LIMBS, count, _LIMBS).swapaxes(1, 2))
    shares = [encode_element(value % PRIME) for value in _integers(limbs)]
    return [b"".join(shares[start : start + count]) for start in range(0, len(shares), count)]


class Interpolation:
    """Lagrange coefficients at zero for a fixed set of points, reused for every secret of a round."""

    def __init__(self, points: Sequence[int]) -> None:
        """Precompute.

        Args:
            points: of the shares that will be combined, distinct; exactly `threshold` many.
        """
        numerators, denominators = [], []
        for point in points:
            numerator, denominator = 1, 1
            for other in points:
                if other != point:
                    numerator *= other
                    denominator *= other - point
            numerators.append(numerator)
            denominators.append(denominator % PRIME)
        inverses = _inverses(denominators)
        self._coefficients = [n * i % PRIME for n, i in zip(numerators, inverses, strict=True)]

    def secret(self, shares: Sequence[int]) -> int:
        """The secret, from one share a point in the order of the points."""
        terms = zip(self._coefficients, shares, strict=True)
        return sum(coefficient * share for coefficient, share in terms) % PRIME


@lru_cache(maxsize=4)
def _powers(holders: int, threshold: int) -> NDArray[np.float64]:
    """Powers 0..threshold-1 of the points 1..holders as limbs, (holders, limbs, threshold)."""
    encoded, row = bytearray(), [1] * holders
    for _ in range(threshold):
        encoded += b"".join(value.to_bytes(ELEMENT_BYTES, "little") for value in row)
        row = [value * point % PRIME for point, value in enumerate(row, start=1)]
    limbs = np.frombuffer(encoded, dtype="<u2").reshape(threshold, holders, _LIMBS)
    return np.ascontiguousarray(limbs.transpose(1, 2, 0), dtype=np.float64)


def _coefficients(secret_values: Sequence[int], threshold: int) -> NDArray[np.float64]:
    """The secrets, and random coefficients above them, (threshold, secrets * limbs). 256 random bits are uniform in the
    field but for a statistical distance of 2^-248.
    """
    drawn = secrets.token_bytes((threshold - 1) * len(secret_values) * ELEMENT_BYTES)
    constant = b"".join(value.to_bytes(ELEMENT_BYTES, "little") for value in secret_values)
    return np.frombuffer(constant + drawn, dtype="<u2").reshape(threshold, -1).astype(np.float64)


def _product(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix product, in pieces that BLAS does not start threads for: they would wait longer than they work."""
    found = np.empty((left.shape[0], right.shape[1]))
    rows = max(1, _ONE_THREAD // right.size)
    for start in range(0, len(left), rows):
        np.matmul(left[start : start + rows], right, out=found[start : start + rows])
    return found


def _by_weight(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of limb products of equal weight, (..., limbs, limbs) -> (..., 2 limbs).

    Rows are written one cell longer than they are read back, which shifts each row by one more.
    """
    *leading, rows, _ = products.shape
    skewed = np.zeros((*leading, rows, _PRODUCT_LIMBS + 1))
    skewed[..., :_LIMBS] = products
    read_back = skewed.reshape(*leading, -1)[..., : rows * _PRODUCT_LIMBS]
    return read_back.reshape(*leading, rows, _PRODUCT_LIMBS).sum(axis=-2)  # type: ignore[no-any-return]


def _integers(limbs: NDArray[np.float64]) -> list[int]:
    """Integers from sums of limb products below 2^47, least significant limb first, (..., an even number of limbs)."""
    sums, row = limbs.astype(np.uint64), 2 * limbs.shape[-1]
    pairs = sums[..., 0::2] + (sums[..., 1::2] << np.uint64(_LIMB_BITS))
    low, high = (
        half.astype("<u4").tobytes() for half in (pairs & np.uint64(0xFFFFFFFF), pairs >> np.uint64(32))
    )
    return [
        int.from_bytes(low[at : at + row], "little") + (int.from_bytes(high[at : at + row], "little") << 32)
        for at in range(0, len(low), row)
    ]


def _inverses(values: Sequence[int]) -> list[int]:
    """Inverses of all values with one inversion (Montgomery 1987)."""
    prefixes = [1]
    for value in values:
        prefixes.append(prefixes[-1] * value % PRIME)
    inverse, found = pow(prefixes[-1], -1, PRIME), []
    for prefix, value in zip(prefixes[-2::-1], reversed(values), strict=True):
        found.append(inverse * prefix % PRIME)
        inverse = inverse * value % PRIME
    return found[::-1]
