"""Columns and classes as somebody declared them, so that which there are is not read off the records.

What a table is typed by its own cells, one record can change: a cell that is no number makes a column of categories,
a class of one row gives the model another output. Read by a declaration, a record has no say in that: a cell that does
not fit is missing, a category that is not declared is "another value", and a row of a class that is not declared is
left out by whoever holds it. Nothing fails for one device's rows, since a failure would be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fl_core.data.columns import Cells, TypedColumns, is_number, numbers_of, stack_objects
from fl_core.data.tables import BoolArray, FloatArray, IntArray
from fl_core.errors import DataError


@dataclass(frozen=True)
class DeclaredColumns:
    """The columns of a table that are used, and its classes.

    Attributes:
        numeric: names of the numeric columns.
        categorical: names of the categorical columns.
        classes: at least two.
        source: where it is declared, in words.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    classes: tuple[str, ...]
    source: str

    def require_in(self, table: str, names: list[str], special: list[str]) -> None:
        """Hold the declaration against the table's column names, which all who take part agree on.

        Raises:
            DataError: a declared column is not there, or names labels, groups or sites.
        """
        for name in (*self.numeric, *self.categorical):
            if name not in names:
                raise DataError(f"{table}: has no column {name!r}, which {self.source} declares")
            if name in special:
                raise DataError(
                    f"{table}: column {name!r} names groups or sites, but {self.source} declares it: leave it out there"
                )

    def columns(self, cells: Mapping[str, Cells]) -> TypedColumns:
        """The declared columns, in the declared order; notes are for whoever holds the table.

        Args:
            cells: by name, all of one length.
        """
        notes: list[str] = []
        rows = max((len(found) for found in cells.values()), default=0)
        numeric: list[FloatArray] = []
        for name in self.numeric:
            values = numbers_of(cells[name])
            values[~np.isfinite(values)] = np.nan
            strange = int(np.isnan(values).sum()) - int(cells[name].isna().sum())
            if strange:
                notes.append(f"column {name!r}: {strange} cells are no finite numbers and count as missing")
            numeric.append(values)
        unused = sorted(cells.keys() - {*self.numeric, *self.categorical})
        if unused:
            notes.append(f"not used, since {self.source} does not declare them: {', '.join(unused)}")
        return TypedColumns(
            self.numeric,
            np.stack(numeric, axis=1) if numeric else np.empty((rows, 0)),
            self.categorical,
            stack_objects([cells[name] for name in self.categorical], rows),
            tuple(notes),
        )

    def class_codes(self, cells: Cells) -> tuple[IntArray, BoolArray]:
        """Codes int64 (n,) of the rows' classes, and which rows have a declared one, bool (n,).

        Numbers are classes by value: "1" and "1.0" are one.
        """
        by_name = {name: code for code, name in enumerate(self.classes)}
        by_value = {float(name): code for name, code in by_name.items() if is_number(name)}
        found = cells.map(by_name)
        values = pd.to_numeric(cells, errors="coerce").map(by_value)
        codes = found.fillna(values).fillna(-1).to_numpy(dtype=np.int64)
        return np.maximum(codes, 0), codes >= 0
