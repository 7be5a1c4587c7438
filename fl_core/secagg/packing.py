"""Vectors of b-bit values in exactly b bits a value: bit k of value i is bit i b + k of the little-endian bit string.

64 values fill b words of 64 bits, so packing is at most 128 shifts over whole columns, for any length and width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl_core.secagg.errors import SecAggError
from fl_core.secagg.masking import Words, word_dtype

_GROUP = 64


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
    groups = -(-words.size // _GROUP)
    values = np.zeros(groups * _GROUP, dtype=np.uint64)
    values[: words.size] = words
    columns = np.ascontiguousarray(values.reshape(groups, _GROUP).T)
    packed = np.zeros((bits, groups), dtype="<u8")
    for column in range(_GROUP):
        word, shift = divmod(column * bits, _GROUP)
        packed[word] |= columns[column] << np.uint64(shift)
        if shift + bits > _GROUP:
            packed[word + 1] |= columns[column] >> np.uint64(_GROUP - shift)
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
    groups = -(-dim // _GROUP)
    packed: NDArray[np.uint64] = np.frombuffer(data.ljust(groups * bits * 8, b"\0"), dtype="<u8")
    columns = np.ascontiguousarray(packed.reshape(groups, bits).T)
    values = np.empty((_GROUP, groups), dtype=dtype)
    mask = np.uint64((1 << bits) - 1)
    for column in range(_GROUP):
        word, shift = divmod(column * bits, _GROUP)
        value = columns[word] >> np.uint64(shift)
        if shift + bits > _GROUP:
            value |= columns[word + 1] << np.uint64(_GROUP - shift)
        values[column] = value & mask
    return np.ascontiguousarray(values.T).reshape(-1)[:dim]
