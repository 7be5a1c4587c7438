"""A CSV file of the user's own as a table, or one line that says what is wrong with it."""

from __future__ import annotations

import csv
import difflib
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from fl_core.canonical import sha256
from fl_core.data.columns import Cells, class_codes, is_number, name_codes, sort_columns
from fl_core.data.declared import DeclaredColumns
from fl_core.data.tables import IntArray, Table
from fl_core.errors import DataError

MIN_ROWS = 10

_SEPARATORS = ",;\t|"
_MISSING = frozenset({"", "?", "na", "n/a", "<na>", "nan", "null"})
_LISTED = 12


def load_csv(
    path: str | Path,
    label: str,
    group: str | None = None,
    site: str | None = None,
    *,
    divisible_groups: bool = False,
    declared: DeclaredColumns | None = None,
) -> Table:
    """Read a CSV file: UTF-8, a first line of column names, separated by comma, semicolon, tab or bar.

    Columns whose present values are all numbers (or all true/false, read as 1/0) are numeric, all others
    categorical. Empty cells, "?", "NA", "N/A", "NaN" and "null" in any case are missing. Dropped, with a note
    in `Table.notes`: rows without a label, group or site; constant columns; columns that identify rows
    (strings that hardly repeat; whole numbers under a name such as "id" that never repeat).

    Args:
        path: the file.
        label: column with the class; 2 classes or more.
        group: column that names the patient, whose rows are never split over parts, nor over devices unless said.
        site: column that names the hospital which holds the row.
        divisible_groups: whether a patient may have several devices.
        declared: what the columns are and which classes there are; None reads both off the rows, as said above. With
            it no column is dropped but those that it does not name, and a row of another class is left out.

    Raises:
        DataError: the file cannot be read or is no CSV; the label, group or site column is absent; the label
            has one class or looks continuous; a column has no value at all, or infinite ones; column names
            repeat; too few rows.
    """
    file = Path(path)
    raw = _read(file)
    text = _decode(file, raw)
    names, separator = _check_shape(file, text)
    wanted = {"label": label, "group": group, "site": site}
    for what, name in wanted.items():
        if name is not None and name not in names:
            raise DataError(_absent(file, what, name, names))
    special = [name for name in wanted.values() if name is not None]
    if len(set(special)) != len(special):
        raise DataError(
            f"{file.name}: label, group and site must be different columns, got {', '.join(special)}"
        )
    frame = _parse(file, text, names, separator)
    notes = [] if separator == "," else [f"columns are separated by {separator!r}"]
    frame, dropped = _drop_unnamed_rows(file, frame, wanted)
    notes += dropped
    if declared is not None:
        declared.require_in(file.name, names, special)
        codes, known = declared.class_codes(frame[label])
        if not known.all():
            notes.append(
                f"{int((~known).sum())} rows of a class that {declared.source} does not declare were left out"
            )
        frame, codes = frame[known].reset_index(drop=True), codes[known]
    if len(frame) < MIN_ROWS:
        raise DataError(f"{file.name}: {len(frame)} usable rows; at least {MIN_ROWS} are needed")
    cells = {name: frame[name] for name in names if name not in special}
    if declared is None:
        labels, class_names = class_codes(file.name, label, frame[label])
        columns = sort_columns(file.name, cells)
    else:
        labels, class_names, columns = codes, declared.classes, declared.columns(cells)
    groups, group_names = _codes(frame, group)
    sites, site_names = _codes(frame, site)
    return Table(
        name=file.stem,
        source=f"{file.name}, SHA-256 {sha256(raw).hex()}",
        numeric_names=columns.numeric_names,
        numeric=columns.numeric,
        categorical_names=columns.categorical_names,
        categorical=columns.categorical,
        labels=labels,
        class_names=class_names,
        groups=groups,
        group_names=group_names,
        divisible_groups=divisible_groups,
        sites=sites,
        site_names=site_names,
        notes=(*notes, *columns.notes),
    )


def _read(file: Path) -> bytes:
    if not file.exists():
        raise DataError(f"{file}: no such file; check the path")
    if file.is_dir():
        raise DataError(f"{file}: is a directory; name the CSV file in it")
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); check its permissions") from error
    if not raw.strip():
        raise DataError(f"{file.name}: the file is empty")
    return raw


def _decode(file: Path, raw: bytes) -> str:
    if b"\x00" in raw:
        raise DataError(f"{file.name}: is binary, not CSV text; export it as CSV in UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.name}: is not UTF-8 text (byte {error.start}); export it as CSV in UTF-8"
        ) from error


def _check_shape(file: Path, text: str) -> tuple[list[str], str]:
    """Names of the columns and the separator, once every line has as many cells as the first."""
    first = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    names: list[str] = []
    rows = 0
    try:
        for cells in reader:
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            if not names:
                names = [cell.strip() for cell in cells]
            elif len(cells) != len(names):
                raise DataError(
                    f"{file.name}: line {reader.line_num} has {len(cells)} cells, "
                    f"the first line {len(names)}; correct the line"
                )
            else:
                rows += 1
    except csv.Error as error:
        raise DataError(f"{file.name}: line {reader.line_num} is not CSV ({error}); correct it") from error
    if rows == 0:
        raise DataError(f"{file.name}: has a line of column names but no rows")
    if len(names) < 2:
        raise DataError(f"{file.name}: has one column only; separate columns by comma, semicolon, tab or bar")
    return _checked_names(file, names), separator


def _checked_names(file: Path, names: list[str]) -> list[str]:
    named = [name or f"column {position}" for position, name in enumerate(names, start=1)]
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        if sum(is_number(name) for name in named) > len(named) / 2:
            raise DataError(f"{file.name}: the first line holds numbers; put the column names there")
        raise DataError(
            f"{file.name}: column names repeat: {', '.join(map(repr, repeated[:_LISTED]))}; rename them"
        )
    return named


def _absent(file: Path, what: str, name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6) or [
        other for other in names if other.casefold() == name.casefold()
    ]
    if close:
        hint = f"did you mean {' or '.join(map(repr, close))}?"
    elif all(is_number(other) for other in names):
        hint = "the first line holds numbers; put the column names there"
    else:
        more = ", ..." if len(names) > _LISTED else ""
        hint = f"it has {', '.join(map(repr, names[:_LISTED]))}{more}"
    return f"{file.name}: no {what} column {name!r}; {hint}"


def _parse(file: Path, text: str, names: list[str], separator: str) -> pd.DataFrame:
    """All cells as stripped strings, None where missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                header=0,
                names=names,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                na_values=[],
                skipinitialspace=True,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{file.name}: cannot be parsed as CSV ({reason})") from error
    columns = {}
    for name in names:
        cells = frame[name].astype(object).str.strip()
        doubtful = cells[pd.to_numeric(cells, errors="coerce").isna()]
        cells[doubtful.index[doubtful.str.casefold().isin(_MISSING)]] = None
        columns[name] = cells
    return pd.DataFrame(columns)


def _drop_unnamed_rows(
    file: Path, frame: pd.DataFrame, wanted: dict[str, str | None]
) -> tuple[pd.DataFrame, list[str]]:
    notes = []
    for what, name in wanted.items():
        if name is None:
            continue
        missing = frame[name].isna()
        count = int(missing.sum())
        if count == len(frame):
            raise DataError(f"{file.name}: the {what} column {name!r} has no value in any row")
        if count:
            frame = frame[~missing].reset_index(drop=True)
            notes.append(f"{count} rows without {what} ({name!r}) were dropped")
    return frame, notes


def _codes(frame: pd.DataFrame, name: str | None) -> tuple[IntArray | None, tuple[str, ...]]:
    if name is None:
        return None, ()
    cells: Cells = frame[name]
    codes, names = name_codes(cells)
    return np.asarray(codes, dtype=np.int64), names
