"""The page of figures: machine, versions, command, figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from benchmarks.tables import FigureTable


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        command: the command that prints the figures again.
        tables: what it printed.
        picture: path of a picture beside the page, or None.
    """

    command: str
    tables: tuple[FigureTable, ...]
    picture: str | None = None


def benchmarks_page(sections: Sequence[Section]) -> str:
    """`docs/benchmarks.md` as measured on this machine."""
    lines = [
        "# Benchmarks",
        "",
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; Python {platform.python_version()}, "
        f"torch {version('torch')}, numpy {version('numpy')}, cryptography {version('cryptography')}. Each figure "
        "names the command that prints it again; `make bench` writes this page.",
    ]
    for section in sections:
        for table in section.tables:
            title = table.title[0].upper() + table.title[1:]
            lines += ["", f"## {title}", "", f"`{section.command}`", "", table.markdown()]
        if section.picture is not None:
            lines += ["", f"![{section.tables[-1].title}]({section.picture})"]
    return "\n".join(lines) + "\n"
