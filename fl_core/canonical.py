"""One encoding for what is hashed: canonical JSON (RFC 8785) and SHA-256."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from typing import Any

import rfc8785

from fl_core.errors import SpecError

MAX_NESTING = 64
_EXACT = 2.0**53
_STRINGS = re.compile(rb'(?s)"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)')  # an unended one too: no second look at it
_BRACKETS = re.compile(rb"[\[\]{}]")


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Encode a JSON value canonically (RFC 8785): equal values give equal bytes.

    Raises:
        SpecError: the value has something JSON cannot hold exactly (NaN, integers beyond 2^53, bytes).
    """
    if _is_plain(value):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return text.encode("ascii")
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:  # ValueError: rfc8785's own errors, and lone surrogates
        raise SpecError(
            f"not canonical JSON: {error}; use strings for bytes and for large integers"
        ) from error


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether Python's own encoder writes the canonical form: printable ASCII, whole numbers below 2^53, no floats.

    Bundles are of such values but for their specs, and it is thirty times as fast.
    """
    if type(value) is str:
        return _is_plain_text(value)
    if type(value) is int:
        return -_EXACT < value < _EXACT
    if isinstance(value, dict | list | tuple):
        if depth > MAX_NESTING:
            return False
        inner = value.values() if isinstance(value, dict) else value
        return _are_plain(inner, depth) and (inner is value or all(map(_is_name, value)))
    return value is None or type(value) is bool


def _are_plain(values: Iterable[object], depth: int) -> bool:
    for value in values:
        if type(value) is str:  # most of them, so without a call
            if not (value.isascii() and value.isprintable()):
                return False
        elif not _is_plain(value, depth + 1):
            return False
    return True


def _is_name(name: object) -> bool:
    return type(name) is str and _is_plain_text(name)


def _is_plain_text(text: str) -> bool:
    return text.isascii() and text.isprintable()


def parse_json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON that came from outside.

    Whoever needs the bytes to be canonical encodes what was read again and compares. A whole number beyond 2^53 - 1 is
    read as the float it stands for: canonical JSON has no other.

    Raises:
        SpecError: not UTF-8, not JSON (NaN, infinities and what no double holds are not), or nested more than 64 deep.
    """
    # Counted beforehand: libraries raise the recursion limit so far that a decoder would overrun the stack.
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_NESTING:
            raise SpecError(f"not JSON that is read here: nested more than {MAX_NESTING} deep")
    try:
        return json.loads(
            data.decode("utf-8"),
            parse_int=_whole_number,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
    except ValueError as error:
        raise SpecError(f"not JSON: {error}") from error


def _whole_number(digits: str) -> int | float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"a number of {len(digits)} digits is out of range")
    return int(digits) if abs(value) < _EXACT else value


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:40]} is out of range")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def sha256(data: bytes) -> bytes:
    """SHA-256 of `data`, 32 bytes."""
    return hashlib.sha256(data).digest()


def digest_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """SHA-256 of the canonical JSON of `value`, 32 bytes."""
    return sha256(canonical_json(value))
