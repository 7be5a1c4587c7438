"""Text cells to typed columns: which are numbers, which categories, and which are of no use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from fl_core.data.schema import MAX_CATEGORIES
from fl_core.data.tables import FloatArray, IntArray, ObjectArray
from fl_core.errors import DataError

Cells: TypeAlias = Any  # a pandas Series of stripped strings, None where missing; pandas carries no types

MAX_CLASSES = 50
MAX_NUMERIC_CLASSES = 20
MAX_FRACTIONAL_CLASSES = 10

_ID_NAME = re.compile(r"(?i:id|uuid|guid|index|key|.*[ _-]id|id[ _-].*|column 1)|.*[a-z]I[dD]")
_TRUTH = {"true": 1.0, "false": 0.0}
_MOSTLY = 0.8


@dataclass(frozen=True, eq=False)
class TypedColumns:
    """Feature columns of a table, with what was noted while reading them."""

    numeric_names: tuple[str, ...]
    numeric: FloatArray
    categorical_names: tuple[str, ...]
    categorical: ObjectArray
    notes: tuple[str, ...]


def is_number(text: str) -> bool:
    """True if the text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def sort_columns(table: str, columns: Mapping[str, Cells]) -> TypedColumns:
    """Type each column, and drop with a note those that are constant or identify rows.

    Raises:
        DataError: a column without any value or with infinite ones, or no column left.
    """
    numeric: dict[str, FloatArray] = {}
    categorical: dict[str, Cells] = {}
    notes: list[str] = []
    rows = max((len(cells) for cells in columns.values()), default=0)
    for name, cells in columns.items():
        present = cells.dropna()
        if len(present) == 0:
            raise DataError(f"{table}: column {name!r} has no value in any row; remove it")
        distinct = present.nunique()
        if distinct == 1 and len(present) == rows:
            notes.append(f"column {name!r} was dropped: it is constant")
            continue
        values = _as_numbers(cells, present)
        if values is not None:
            if np.isinf(values).any():
                cell = cells.iloc[int(np.isinf(values).argmax())]
                raise DataError(
                    f"{table}: column {name!r} holds an infinite value ({cell!r}); "
                    "correct it or leave it empty"
                )
            if distinct == rows and _ID_NAME.fullmatch(name) and (values == np.rint(values)).all():
                notes.append(f"column {name!r} was dropped: it numbers the rows")
            else:
                numeric[name] = values
        elif distinct == len(present) or distinct > max(MAX_CATEGORIES, len(present) // 2):
            notes.append(f"column {name!r} was dropped: its {distinct} different strings identify rows")
        else:
            categorical[name] = cells
            notes += _category_notes(name, present, distinct)
    if not numeric and not categorical:
        raise DataError(f"{table}: no column is left to learn from ({'; '.join(notes) or 'only named ones'})")
    return TypedColumns(
        tuple(numeric),
        np.stack(list(numeric.values()), axis=1) if numeric else np.empty((rows, 0)),
        tuple(categorical),
        stack_objects(list(categorical.values()), rows),
        tuple(notes),
    )


def class_codes(table: str, name: str, cells: Cells) -> tuple[IntArray, tuple[str, ...]]:
    """Codes and names of the classes: numbers by value ("1" and "1.0" are one class), strings by name.

    Raises:
        DataError: one class, or so many that the label looks continuous.
    """
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    if np.isfinite(numbers).all():
        values, codes = np.unique(numbers, return_inverse=True)
        names = tuple(str(int(v)) if v == int(v) else repr(float(v)) for v in values)
        fractional = bool((values != np.rint(values)).any())
        limit = MAX_FRACTIONAL_CLASSES if fractional else MAX_NUMERIC_CLASSES
        hint = "it looks continuous: cut it into classes first"
    else:
        codes, names = name_codes(cells)
        limit, hint = MAX_CLASSES, "name a column with classes"
    if len(names) == 1:
        raise DataError(f"{table}: label {name!r} has the single class {names[0]!r}; at least 2 are needed")
    if len(names) > limit:
        raise DataError(f"{table}: label {name!r} has {len(names)} different values; {hint}")
    return codes.astype(np.int64), names


def name_codes(cells: Cells) -> tuple[IntArray, tuple[str, ...]]:
    """Codes int64 (n,) into the sorted different strings; no cell may be missing."""
    names, codes = np.unique(np.array(cells.tolist(), dtype=np.str_), return_inverse=True)
    return codes.astype(np.int64), tuple(str(name) for name in names)


def _as_numbers(cells: Cells, present: Cells) -> FloatArray | None:
    """The column as float64 (NaN where missing), or None if a present value is no number."""
    folded = present.str.casefold()
    if folded.isin(_TRUTH).all():
        return np.array(cells.str.casefold().map(_TRUTH), dtype=np.float64)
    if pd.to_numeric(present, errors="coerce").isna().any():
        return None
    return np.array(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)


def numbers_of(cells: Cells) -> FloatArray:
    """Cells of a column declared as numbers, float64 (n,): true and false are 1 and 0, what is no number NaN."""
    numbers = np.array(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)
    truths = np.array(cells.str.casefold().map(_TRUTH), dtype=np.float64)
    return np.where(np.isnan(truths), numbers, truths)


def _category_notes(name: str, present: Cells, distinct: int) -> list[str]:
    notes = []
    strange = present[pd.to_numeric(present, errors="coerce").isna()]
    if len(strange) <= (1 - _MOSTLY) * len(present):
        notes.append(f"column {name!r} is read as categories: {strange.iloc[0]!r} is not a number")
    if distinct > MAX_CATEGORIES:
        notes.append(
            f"column {name!r} has {distinct} categories: "
            f"all but the {MAX_CATEGORIES} most frequent share one feature"
        )
    return notes


def stack_objects(columns: list[Cells], rows: int) -> ObjectArray:
    """Cells of several columns side by side, object (rows, columns): strings, None where missing."""
    stacked = np.empty((rows, len(columns)), dtype=np.object_)
    for j, cells in enumerate(columns):
        stacked[:, j] = [None if pd.isna(cell) else str(cell) for cell in cells]
    return stacked
