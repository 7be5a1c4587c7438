"""Output of commands: tables to read, or one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_UNIT = 10**18


def console(*, quiet: bool = False) -> Console:
    """The console that commands print on; with JSON asked for, progress goes to standard error."""
    return Console(stderr=quiet, highlight=False)


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; numbers are aligned right."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        widest = max((len(cell(row[index])) for row in rows), default=0) if numeric else None
        table.add_column(column, justify="right" if numeric else "left", no_wrap=numeric, min_width=widest)
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    console().print(table)


def cell(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        digits = 2 if abs(value) >= 100 else 3
        return f"{value:,.{digits}f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def tokens(amount: int) -> float:
    """Smallest units (18 decimals) as tokens, for reading; exact amounts stay integers."""
    return amount / _UNIT
