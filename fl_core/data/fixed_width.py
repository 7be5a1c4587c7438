"""Numbers printed in one fixed form, as in `  2.8858451e-001`: read by arithmetic on columns of digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl_core.data.tables import FloatArray
from fl_core.errors import DataError

_CELL = 16
_CHUNK_ROWS = 256
_MANTISSA = (2, *range(4, 11))  # the digits of d.ddddddd
_EXPONENT = (13, 14, 15)
_POWERS = np.array([10.0**k for k in range(23)])  # each exact in float64
_ZERO, _MINUS, _PLUS, _POINT, _E, _SPACE = b"0-+.e "


def parse_fixed_width(name: str, text: bytes, columns: int) -> FloatArray:
    """Read lines of `columns` cells of 16 characters, ` sd.ddddddde+ddd`, ending in LF or CR LF.

    Equal to Python's `float` in every bit: an integer below 10^8 over a power of ten up to 10^22 rounds once. Cells
    outside that range go through `float` itself.

    Args:
        name: of the file, for errors.
        text: the file.
        columns: cells a line.

    Returns:
        float64 (lines, columns).

    Raises:
        DataError: lines of another length, or a cell of another form.
    """
    raw = np.frombuffer(text, dtype=np.uint8)
    length = text.find(b"\n") + 1
    width = columns * _CELL
    if length - width not in (1, 2) or len(raw) % length:
        raise DataError(
            f"{name}: lines of {max(length - 1, 0)} characters, expected {columns} numbers of {_CELL} characters"
        )
    lines = raw.reshape(-1, length)
    if (lines[:, -1] != ord("\n")).any():
        raise DataError(f"{name}: lines differ in length; the file is damaged")
    values = np.empty((len(lines), columns))
    for start in range(0, len(lines), _CHUNK_ROWS):
        part = np.ascontiguousarray(lines[start : start + _CHUNK_ROWS, :width])
        values[start : start + len(part)] = _cells(name, part.reshape(-1, _CELL)).reshape(len(part), columns)
    return values


def _cells(name: str, cells: NDArray[np.uint8]) -> FloatArray:
    digits = cells - np.uint8(_ZERO)  # wraps below "0", so that one comparison finds what is no digit
    right = (
        (digits[:, (*_MANTISSA, *_EXPONENT)] <= 9).all(axis=1)
        & (cells[:, 0] == _SPACE)
        & ((cells[:, 1] == _SPACE) | (cells[:, 1] == _MINUS))
        & (cells[:, 3] == _POINT)
        & (cells[:, 11] == _E)
        & ((cells[:, 12] == _PLUS) | (cells[:, 12] == _MINUS))
    )
    if not right.all():
        cell = bytes(cells[int(right.argmin())])
        raise DataError(
            f"{name}: {cell!r} is not a number of the form ' -1.2345678e-001'; the file is damaged"
        )
    mantissa = _number(digits, _MANTISSA)
    exponent = _number(digits, _EXPONENT)
    shift = len(_MANTISSA) - 1 - np.where(cells[:, 12] == _MINUS, -exponent, exponent)
    values: FloatArray = mantissa / _POWERS[np.clip(shift, 0, len(_POWERS) - 1)]
    values = np.where(cells[:, 1] == _MINUS, -values, values)
    for row in np.flatnonzero((shift < 0) | (shift >= len(_POWERS))):
        values[row] = float(bytes(cells[row]))
    return values


def _number(digits: NDArray[np.uint8], places: tuple[int, ...]) -> NDArray[np.int64]:
    number = digits[:, places[0]].astype(np.int64)
    for place in places[1:]:
        number *= 10
        number += digits[:, place]
    return number
