"""What a device owns: rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

from fl_core.data import Table
from fl_core.data.tables import IntArray


@dataclass(frozen=True)
class Records:
    """The rows of a table that one device holds.

    Attributes:
        table: the data.
        rows: int64 (n,), indices of the device's own rows.
    """

    table: Table
    rows: IntArray
