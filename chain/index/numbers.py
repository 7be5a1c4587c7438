"""Unsigned integers of any width in SQL, exactly: NUMERIC in PostgreSQL, and in SQLite an INTEGER or text.

SQLite has no number beyond 63 bits. There, what fits is an INTEGER and anything larger is text, padded with
zeros to the 78 digits of a uint256. Each value has one form and SQLite sorts integers before text, so
equality and order are those of the numbers. Sums are taken by the aggregate `exact_sum`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import NUMERIC, Dialect, TypeDecorator
from sqlalchemy.types import TypeEngine, UserDefinedType

_DIGITS = 78
_INTEGER_LIMIT = 1 << 63


class _Untyped(UserDefinedType[Any]):
    """A SQLite column that keeps what it is given: declared BLOB, it has no affinity."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
        return "BLOB"


class Uint(TypeDecorator[int]):
    """A uint of up to 256 bits, as a Python int."""

    impl = NUMERIC
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type: untyped in SQLite, NUMERIC(78, 0) elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_Untyped())
        return dialect.type_descriptor(NUMERIC(_DIGITS, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:  # noqa: ANN401
        """The form in which a value is kept.

        Raises:
            ValueError: the value is negative or wider than 256 bits.
        """
        if value is None:
            return None
        if not 0 <= value < 1 << 256:
            raise ValueError(f"{value} is no uint256")
        return sqlite_form(value) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], int | None]:
        """What makes a number from the form in which it is kept; histories have thousands of them."""
        return _number


def _number(value: Any) -> int | None:  # noqa: ANN401 - what a driver gives
    return value if value.__class__ is int or value is None else int(value)


def sqlite_form(value: int) -> int | str:
    """How a number is kept in SQLite."""
    return value if value < _INTEGER_LIMIT else str(value).zfill(_DIGITS)


class ExactSum:
    """SQLite's `exact_sum`: adds numbers of any width; the sum has the same form as they."""

    def __init__(self) -> None:
        self._total = 0

    def step(self, value: int | str | None) -> None:
        """Add one."""
        self._total += 0 if value is None else int(value)

    def finalize(self) -> int | str:
        """The sum."""
        return sqlite_form(self._total)


def register_exact_sum(connection: sqlite3.Connection) -> None:
    """Make `exact_sum` known to a connection."""
    connection.create_aggregate("exact_sum", 1, ExactSum)  # type: ignore[arg-type]
