"""The page of figures: machine, versions, command, figures; a part of it is kept as a JSON file of its own."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.tables import FigureTable
from fl_core.bundle import write_atomic

_VERSIONS = ("torch", "numpy", "cryptography")


def this_machine() -> str:
    """Cores, architecture and versions that figures depend on."""
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; "
        f"Python {platform.python_version()}, {versions}"
    )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        command: the command that prints the figures again.
        tables: what it printed.
        figures: the same as JSON, with everything that a table leaves out.
        picture: name of a picture beside the page, or None.
        machine: where it was measured.
        date: when, an ISO date.
    """

    command: str
    tables: tuple[FigureTable, ...]
    figures: Any = None
    picture: str | None = None
    machine: str = field(default_factory=this_machine)
    date: str = field(default_factory=_today)

    def save(self, path: Path) -> None:
        """Write the part as JSON.

        Raises:
            BundleError: the disk refuses.
        """
        write_atomic(path, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> Section:
        """Read what `save` wrote."""
        value = json.loads(path.read_text())
        tables = tuple(
            FigureTable(
                table["title"],
                tuple(table["columns"]),
                tuple(tuple(row) for row in table["rows"]),
                tuple(table["notes"]),
            )
            for table in value.pop("tables")
        )
        return cls(tables=tables, **value)


def benchmarks_page(sections: Sequence[Section]) -> str:
    """`docs/benchmarks.md` as measured."""
    lines = [
        "# Benchmarks",
        "",
        "Each figure names the command that prints it again, and where it was measured; `make bench` measures all and "
        "writes this page from the JSON files in `benchmarks/results`.",
    ]
    for section in sections:
        for index, table in enumerate(section.tables):
            lines += ["", f"## {table.title[0].upper()}{table.title[1:]}", ""]
            if index == 0:
                lines += [f"`{section.command}`, {section.date}: {section.machine}.", ""]
            lines.append(table.markdown())
        if section.picture is not None:
            lines += ["", f"![{section.tables[-1].title}]({section.picture})"]
    return "\n".join(lines) + "\n"
