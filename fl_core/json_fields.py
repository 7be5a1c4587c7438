"""Dataclasses from JSON objects of strangers: every field there, none unknown, each of its declared type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from fl_core.errors import SpecError

T = TypeVar("T")


def from_fields(kind: type[T], value: object) -> T:
    """The dataclass that a JSON object holds.

    Fields may be int, float, bool, str, an enumeration (by value), a literal, a tuple of one of these, or a dataclass
    of such fields; each may be optional (`X | None`). Nothing is coerced, except that a whole number stands for the
    float of that value.

    Raises:
        SpecError: a field is missing, unknown or of another type, or the dataclass refuses its value.
    """
    assert is_dataclass(kind)
    if not isinstance(value, Mapping):
        raise SpecError(f"{kind.__name__}: a JSON object is needed, not {_shown(value)}")
    hints = _hints(kind)
    names = [field.name for field in fields(kind)]
    if set(names) != set(value):
        odd = ", ".join(sorted(map(str, set(names) ^ set(value))))
        raise SpecError(f"{kind.__name__}: fields missing or unknown: {_shown(odd)}")
    return kind(**{name: _read(hints[name], value[name], f"{kind.__name__}.{name}") for name in names})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(hint: Any, value: object, name: str) -> Any:  # noqa: ANN401 - types and values of any field
    if get_origin(hint) is UnionType and value is not None:
        (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_read(get_args(hint)[0], item, name) for item in value)
    if (origin is Literal and isinstance(value, str) and value in get_args(hint)) or (
        value is None and NoneType in get_args(hint)
    ):
        return value
    if isinstance(hint, type):
        if is_dataclass(hint):
            return from_fields(hint, value)
        if issubclass(hint, Enum) and any(value == member.value for member in hint):
            return hint(value)
        if hint is float and type(value) is int:
            return _as_float(value, name)
        if type(value) is hint:
            return value
    raise SpecError(f"{name}: {_shown(value)} is no {getattr(hint, '__name__', hint)}")


def _as_float(value: int, name: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise SpecError(f"{name}: {_shown(value)} is too large") from error


def _shown(value: object) -> str:
    text = type(value).__name__ if isinstance(value, list | tuple | Mapping) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
