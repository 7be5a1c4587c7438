"""Scaling statistics from sums of integer vectors, so that secure aggregation can compute them.

A device maps each value x of a column with declared magnitude M = 2^e to the integer q = round(2^40 x / M),
|q| <= 2^40, and sends four entries a column: the count, the sum of q, and the sum of q^2 cut into a low and a
high limb of 40 bits. Limbs keep the sum of squares exact, so the variance of a column with a large mean does
not cancel away. No entry of the total over N rows exceeds N * 2^40 in absolute value; N * 2^40 < 2^(bits - 1)
therefore proves that nothing wraps.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fl_core.data.schema import Schema, Statistics
from fl_core.data.tables import FloatArray
from fl_core.errors import DataError, SpecError

__all__ = [
    "FRACTION_BITS",
    "MAX_ROWS",
    "Statistics",
    "decode_statistics",
    "encode_statistics",
    "pooled_statistics",
    "statistics_length",
]

FRACTION_BITS = 40
ENTRIES_PER_COLUMN = 4
MAX_ROWS = 1 << 22

_LIMB_MASK = (1 << FRACTION_BITS) - 1
_HALF = FRACTION_BITS // 2
_HALF_MASK = (1 << _HALF) - 1


def statistics_length(schema: Schema) -> int:
    """Entries of the vector that `encode_statistics` returns."""
    return ENTRIES_PER_COLUMN * len(schema.numeric)


def encode_statistics(
    values: FloatArray, schema: Schema, *, bits: int = 64, max_rows: int = MAX_ROWS
) -> NDArray[np.uint64]:
    """One device's addend, to be summed modulo 2^bits over all devices.

    Args:
        values: float64 (n, p), the device's training rows of the schema's numeric columns, NaN where missing.
        schema: declares each column's magnitude.
        bits: width of the ring, at most 64.
        max_rows: bound of the rows of *all* devices together.

    Returns:
        uint64 (4 p,), each below 2^bits: column by column count, sum, low and high limb of the squares.

    Raises:
        SpecError: sums over `max_rows` rows could wrap in `bits` bits.
        DataError: a value reaches beyond the declared magnitude, or there are more rows than `max_rows`.
    """
    _check_fits(bits, max_rows)
    if values.ndim != 2 or values.shape[1] != len(schema.numeric):
        raise DataError(
            f"values of shape {values.shape} for a schema with {len(schema.numeric)} numeric columns"
        )
    if len(values) > max_rows:
        raise DataError(f"{len(values)} rows on one device, but the specification allows {max_rows} in all")
    present = ~np.isnan(values)
    exponents = np.array([column.exponent for column in schema.numeric], dtype=np.int64)
    scaled = np.ldexp(np.where(present, values, 0.0), FRACTION_BITS - exponents)
    beyond = np.abs(scaled) > float(1 << FRACTION_BITS)
    if beyond.any():
        column = schema.numeric[int(beyond.any(axis=0).argmax())]
        raise DataError(
            f"column {column.name!r} holds a value beyond its declared magnitude 2^{column.exponent}; "
            "correct the value, or declare a larger magnitude in the schema"
        )
    q = np.rint(scaled).astype(np.int64)
    low, high = _square_limbs(q)
    entries = np.stack([present.sum(axis=0), q.sum(axis=0), low.sum(axis=0), high.sum(axis=0)], axis=1)
    ring = np.ascontiguousarray(entries.reshape(-1).astype(np.int64)).view(np.uint64)
    return ring & np.uint64((1 << bits) - 1)


def decode_statistics(
    total: NDArray[np.uint64], schema: Schema, *, bits: int = 64, max_rows: int = MAX_ROWS
) -> Statistics:
    """Statistics from the sum of all devices' vectors modulo 2^bits.

    Raises:
        DataError: wrong length, or sums that no set of values has (a wrong or tampered total).
    """
    _check_fits(bits, max_rows)
    if total.shape != (statistics_length(schema),):
        raise DataError(f"statistics of shape {total.shape}, expected ({statistics_length(schema)},)")
    columns = len(schema.numeric)
    count = np.zeros(columns, dtype=np.int64)
    mean, std = np.zeros(columns), np.zeros(columns)
    for j, column in enumerate(schema.numeric):
        n, q_sum, low, high = (
            _signed(int(x), bits) for x in total[ENTRIES_PER_COLUMN * j : ENTRIES_PER_COLUMN * (j + 1)]
        )
        squares = (high << FRACTION_BITS) + low
        spread = n * squares - q_sum * q_sum  # n^2 times the variance, exact
        if not 0 <= n <= max_rows or spread < 0 or (n == 0 and (q_sum or squares)):
            raise DataError(
                f"column {column.name!r}: the summed statistics belong to no values; sum them again"
            )
        if n == 0:
            continue
        count[j] = n
        mean[j] = math.ldexp(q_sum / n, column.exponent - FRACTION_BITS)
        std[j] = math.ldexp(math.sqrt(spread) / n, column.exponent - FRACTION_BITS)
    return Statistics(count, mean, std)


def pooled_statistics(values: FloatArray, schema: Schema) -> Statistics:
    """The statistics that the secure sum over any split of these rows gives, computed in one place."""
    return decode_statistics(encode_statistics(values, schema), schema)


def _check_fits(bits: int, max_rows: int) -> None:
    if not 1 <= bits <= 64:
        raise SpecError(f"{bits} bits: the ring of the statistics has 1 to 64")
    if max_rows < 1:
        raise SpecError(f"max_rows {max_rows}: at least one row is needed")
    if max_rows << FRACTION_BITS >= 1 << (bits - 1):
        fit = ((1 << (bits - 1)) - 1) >> FRACTION_BITS if bits > 1 else 0
        raise SpecError(f"sums over {max_rows} rows can wrap in {bits} bits; at most {fit} rows fit")


def _square_limbs(q: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """q^2 = high * 2^40 + low for |q| <= 2^40, without leaving int64."""
    magnitude = np.abs(q)
    top, bottom = magnitude >> _HALF, magnitude & _HALF_MASK
    cross = 2 * top * bottom
    rest = ((cross & _HALF_MASK) << _HALF) + bottom * bottom
    return rest & _LIMB_MASK, top * top + (cross >> _HALF) + (rest >> FRACTION_BITS)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
