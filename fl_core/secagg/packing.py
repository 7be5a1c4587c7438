"""Vectors of b-bit values in exactly b bits a value: bit k of value i is bit i b + k of the little-endian bit string.

Neighbours are joined into values of twice the width while that fits 64 bits; then 64 / gcd(width, 64) values fill a
whole number of 64-bit words, so that few shifts over whole columns do the rest, for any length and width.
"""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

from fl_core.secagg.errors import SecAggError
from fl_core.secagg.masking import Words, word_dtype

BLOCK_MULTIPLE = 64
"""So many values fill whole bytes at any width: vectors cut at multiples of it pack to the same bytes as whole ones."""

_WORD = 64
_CHUNK = 1 << 17  # values shifted at once


def packed_bytes(dim: int, bits: int) -> int:
    """Length of the packed form of `dim` values."""
    return (dim * bits + 7) // 8


def pack(words: Words, bits: int) -> bytes:
    """Pack values.

    Args:
        words: (dim,) of `word_dtype(bits)`, every value below 2^bits.
        bits: 8..64.
    """
    if words.dtype.itemsize * 8 == bits:
        return words.tobytes()
    return b"".join(_pack(words[start : start + _CHUNK], bits) for start in range(0, words.size, _CHUNK))


def _pack(words: Words, bits: int) -> bytes:
    groups = -(-words.size // BLOCK_MULTIPLE)
    values = np.zeros(groups * BLOCK_MULTIPLE, dtype="<u8")
    values[: words.size] = words
    width = bits
    while 2 * width <= _WORD:
        values = values[0::2] | values[1::2] << np.uint64(width)
        width *= 2
    per_row = _WORD // gcd(width, _WORD)
    columns = values.reshape(-1, per_row).T.copy()
    packed = np.zeros((width * per_row // _WORD, columns.shape[1]), dtype="<u8")
    for column in range(per_row):
        word, shift = divmod(column * width, _WORD)
        packed[word] |= columns[column] << np.uint64(shift)
        if shift + width > _WORD:
            packed[word + 1] |= columns[column] >> np.uint64(_WORD - shift)
    return packed.T.tobytes()[: packed_bytes(words.size, bits)]


def unpack(data: bytes, dim: int, bits: int) -> Words:
    """Unpack values, (dim,) of `word_dtype(bits)`.

    Raises:
        SecAggError: wrong length, or padding bits that are not zero.
    """
    if len(data) != packed_bytes(dim, bits):
        raise SecAggError(
            f"{len(data)} packed bytes for {dim} values of {bits} bits: expected {packed_bytes(dim, bits)}"
        )
    dtype = word_dtype(bits)
    if dtype.itemsize * 8 == bits:
        return np.frombuffer(data, dtype=dtype)
    padding = len(data) * 8 - dim * bits
    if data[-1] >> (8 - padding):
        raise SecAggError("padding bits after the last packed value are not zero")
    values, step = np.empty(dim, dtype=dtype), packed_bytes(_CHUNK, bits)
    for block, start in enumerate(range(0, dim, _CHUNK)):
        part = values[start : start + _CHUNK]
        part[:] = _unpack(data[block * step : (block + 1) * step], part.size, bits)
    values &= dtype.type((1 << bits) - 1)
    return values


def _unpack(data: bytes, dim: int, bits: int) -> NDArray[np.uint64]:
    """Values with whatever lies above them in their words."""
    width = bits
    while 2 * width <= _WORD:
        width *= 2
    per_row, groups = _WORD // gcd(width, _WORD), -(-dim // BLOCK_MULTIPLE)
    packed: NDArray[np.uint64] = np.frombuffer(data.ljust(groups * bits * 8, b"\0"), dtype="<u8")
    words = packed.reshape(-1, width * per_row // _WORD).T.copy()
    columns = np.empty((per_row, words.shape[1]), dtype="<u8")
    for column in range(per_row):
        word, shift = divmod(column * width, _WORD)
        np.right_shift(words[word], np.uint64(shift), out=columns[column])
        if shift + width > _WORD:
            columns[column] |= words[word + 1] << np.uint64(_WORD - shift)
    joined = columns.T.reshape(-1)
    while width > bits:
        width //= 2
        halves = np.empty((joined.size, 2), dtype="<u8")
        halves[:, 0] = joined
        np.right_shift(joined, np.uint64(width), out=halves[:, 1])
        joined = halves.reshape(-1)
    return joined[:dim]
