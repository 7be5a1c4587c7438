"""SQL columns from ABI parameters: what an event or a view carries, flattened into a row and put together again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Text
from sqlalchemy.types import TypeEngine

from chain.abi import Parameter
from chain.index.numbers import Uint

_INTEGER = re.compile(r"u?int(\d+)")
_BIGINT_BITS = 56


@dataclass(frozen=True)
class Field:
    """One column: where its value is in a structure, its name, and the parameter that it holds."""

    path: tuple[str, ...]
    name: str
    parameter: Parameter

    def column(self) -> Column[Any]:
        """The SQL column; nothing is ever null."""
        return Column(self.name, sql_type(self.parameter), nullable=False)


def fields_of(parameters: Sequence[Parameter], prefix: tuple[str, ...] = ()) -> tuple[Field, ...]:
    """The columns of parameters: a struct's members one by one, an array as JSON in one column."""
    fields: list[Field] = []
    for position, parameter in enumerate(parameters):
        path = (*prefix, parameter.name or f"value{position}")
        if parameter.components and not parameter.type.endswith("]"):
            fields += fields_of(parameter.components, path)
        else:
            fields.append(Field(path, "_".join(path), parameter))
    return tuple(fields)


def sql_type(parameter: Parameter) -> TypeEngine[Any]:
    """The SQL type of one parameter that is no struct."""
    kind = parameter.type
    if parameter.indexed and (kind.endswith("]") or kind in {"string", "bytes"}):
        return LargeBinary()  # the log has its hash only
    if kind.endswith("]") or kind == "string":
        return Text()
    if kind == "address":
        return String(42)
    if kind == "bool":
        return Boolean()
    integer = _INTEGER.fullmatch(kind)
    if integer is None:
        return LargeBinary()
    return BigInteger() if int(integer[1]) <= _BIGINT_BITS or not kind.startswith("u") else Uint()


def to_row(fields: Sequence[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """A structure (dictionaries by snake_case name) as a row."""
    row = {}
    for field in fields:
        value: Any = values
        for step in field.path:
            value = value[step]
        if field.parameter.type.endswith("]") and not isinstance(value, bytes):
            value = json.dumps(_plain(value), separators=(",", ":"))
        row[field.name] = value
    return row


def from_row(fields: Sequence[Field], row: Sequence[Any]) -> dict[str, Any]:
    """The structure that `to_row` flattened, from its values in the order of the fields."""
    values: dict[str, Any] = {}
    for field, value in zip(fields, row, strict=True):
        place = values
        for step in field.path[:-1]:
            place = place.setdefault(step, {})
        place[field.path[-1]] = (
            _restored(field.parameter, json.loads(value))
            if isinstance(value, str) and field.parameter.type.endswith("]")
            else value
        )
    return values


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON: integers as text, since readers of JSON round them
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, bool | str) else str(value)


def _restored(parameter: Parameter, value: Any) -> Any:  # noqa: ANN401 - what the ABI says
    if parameter.type.endswith("]"):
        element = replace(parameter, type=parameter.type[: parameter.type.rindex("[")])
        return tuple(_restored(element, item) for item in value)
    if parameter.components:
        return {item.name: _restored(item, value[item.name]) for item in parameter.components}
    if _INTEGER.fullmatch(parameter.type):
        return int(value)
    return bytes.fromhex(value) if parameter.type.startswith("bytes") else value
