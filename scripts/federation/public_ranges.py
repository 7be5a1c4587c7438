"""Columns, their ranges and the classes from what is public, so that none of it is read off records with noise on.

Scaling statistics come from an un-noised sum otherwise, and which columns, categories and classes there are from the
records. With a privacy claim, all of it must come from what was public before: documentation, units, a device's
measuring range. A file of the user's own says so for a table:

    {"dose": [0, 6], "unit": ["mg", "ug"], "outcome": ["sick", "well"]}

Each column that is used has its lowest and highest value, or its categories; the label column has the classes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fl_core.bundle import write_atomic
from fl_core.canonical import parse_json
from fl_core.data import DeclaredColumns, Encoder, Schema, Statistics, Table, derive_schema
from fl_core.data.schema import MAX_CATEGORIES, CategoricalColumn, NumericColumn
from fl_core.errors import DataError, SpecError

DEVIATIONS = 6.0
"""A range counts as so many standard deviations wide; its middle as the mean."""

DRAFT = "_draft"
"""Entry of a file that was read off a table and that nobody has made their own yet."""


@dataclass(frozen=True)
class PublicRanges:
    """What is public about the columns of a table.

    Attributes:
        numeric: lowest and highest value by column.
        categorical: the values that have a slot of their own, by column.
        classes: the classes, at least two.
        source: where it is published.
    """

    numeric: Mapping[str, tuple[float, float]]
    categorical: Mapping[str, tuple[str, ...]]
    classes: tuple[str, ...]
    source: str

    @property
    def columns(self) -> DeclaredColumns:
        """What a table is to be read by."""
        return DeclaredColumns(tuple(self.numeric), tuple(self.categorical), self.classes, self.source)

    def encoder(self, table: Table) -> Encoder:
        """The encoder that follows from the ranges; values beyond a range count as its end, missing ones as its middle.

        Args:
            table: read by these columns and classes.
        """
        bounds = np.array([self.numeric[name] for name in table.numeric_names]).reshape(-1, 2)
        schema = Schema(
            numeric=tuple(
                NumericColumn(name, int(np.frexp(max(abs(low), abs(high)))[1]), has_missing=False)
                for name, (low, high) in zip(table.numeric_names, bounds.tolist(), strict=True)
            ),
            categorical=tuple(
                CategoricalColumn(name, self.categorical[name], has_missing=False)
                for name in table.categorical_names
            ),
            class_names=self.classes,
        )
        statistics = Statistics(
            count=np.zeros(len(bounds), dtype=np.int64),
            mean=bounds.mean(axis=1),
            std=(bounds[:, 1] - bounds[:, 0]) / DEVIATIONS,
        )
        return Encoder(schema, statistics, z_max=DEVIATIONS / 2)


def known_ranges(table: Table) -> PublicRanges | None:
    """The published ranges of a data set known by name, or None."""
    if table.name == "wdbc":
        return PublicRanges(_WDBC, {}, table.class_names, "the documentation of wdbc")
    if table.name == "har":  # "Features are normalized and bounded within [-1,1]", says its documentation
        bounds = dict.fromkeys(table.numeric_names, (-1.0, 1.0))
        return PublicRanges(bounds, {}, table.class_names, "the documentation of har")
    return None


def read_ranges(path: Path, label: str) -> PublicRanges:
    """What a user's JSON file declares of a table: column -> [lowest, highest], or its categories; label -> classes.

    Args:
        path: the file.
        label: the label column.

    Raises:
        DataError: the file is missing, malformed or a draft; the message names the column.
    """
    try:
        value = parse_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read ranges {path}: {error.strerror}") from error
    except SpecError as error:
        raise DataError(f"ranges {path}: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"ranges {path}: a JSON object is needed, column -> [lowest, highest]")
    if DRAFT in value:
        raise DataError(
            f"ranges {path} are a draft that was read off records: replace what it says by what is public, then remove "
            f"its entry {DRAFT!r}"
        )
    classes = value.pop(label, None)
    if not _are_names(classes) or len(set(classes)) != len(classes) or len(classes) < 2:
        raise DataError(
            f'ranges {path}: label column {label!r} needs the list of its classes, two or more, such as ["0", "1"]'
        )
    numeric: dict[str, tuple[float, float]] = {}
    categorical: dict[str, tuple[str, ...]] = {}
    for name, item in value.items():
        if _is_range(item):
            numeric[name] = (float(item[0]), float(item[1]))
        elif _are_names(item):
            categorical[name] = tuple(sorted(set(item)))
        else:
            raise DataError(
                f"ranges {path}: column {name!r} needs [lowest, highest] with lowest < highest, or a list of categories"
            )
    if not numeric and not categorical:
        raise DataError(
            f"ranges {path}: no column is declared beside the label: name those that are to be used"
        )
    return PublicRanges(numeric, categorical, tuple(classes), str(path))


def write_draft(path: Path, table: Table, label: str) -> None:
    """Write a draft of such a file from a table's own values, for somebody to replace by what is public.

    Ranges are rounded outwards to one digit. `read_ranges` refuses a draft.

    Raises:
        DataError: the file is there already.
        BundleError: the disk refuses.
    """
    if path.exists():
        raise DataError(f"{path} is there already: name another file for the draft, or remove it")
    schema = derive_schema(table, np.arange(len(table)))
    draft: dict[str, Any] = {
        DRAFT: f"Read off {table.source}. These must be public facts: replace what records say by what documentation, "
        f"units and measuring ranges say; leave out columns that are not to be used (at most {MAX_CATEGORIES} "
        "categories of a column are listed); then remove this entry."
    }
    for name, values in zip(table.numeric_names, table.numeric.T, strict=True):
        draft[name] = [_outwards(float(np.nanmin(values)), -1), _outwards(float(np.nanmax(values)), 1)]
        if draft[name][0] == draft[name][1]:
            draft[name][1] += 1
    for column in schema.categorical:
        draft[column.name] = list(column.categories)
    draft[label] = list(table.class_names)
    lines = (f"  {json.dumps(name)}: {json.dumps(item, ensure_ascii=False)}" for name, item in draft.items())
    write_atomic(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _outwards(value: float, direction: int) -> float:
    """The next number of one digit in a direction, -1 or 1; whole where it can be."""
    if value == 0:
        return 0
    step = 10.0 ** math.floor(math.log10(abs(value)))
    rounded = float(f"{direction * math.ceil(direction * value / step) * step:.1g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _are_names(item: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(item, list) and bool(item) and all(isinstance(each, str) for each in item)


def _is_range(item: Any) -> bool:  # noqa: ANN401 - any JSON value
    return (
        isinstance(item, list)
        and len(item) == 2
        and all(type(each) in (int, float) and math.isfinite(each) for each in item)
        and item[0] < item[1]
    )


_WDBC = {
    "mean radius": (6.981, 28.11),
    "mean texture": (9.71, 39.28),
    "mean perimeter": (43.79, 188.5),
    "mean area": (143.5, 2501.0),
    "mean smoothness": (0.053, 0.163),
    "mean compactness": (0.019, 0.345),
    "mean concavity": (0.0, 0.427),
    "mean concave points": (0.0, 0.201),
    "mean symmetry": (0.106, 0.304),
    "mean fractal dimension": (0.05, 0.097),
    "radius error": (0.112, 2.873),
    "texture error": (0.36, 4.885),
    "perimeter error": (0.757, 21.98),
    "area error": (6.802, 542.2),
    "smoothness error": (0.002, 0.031),
    "compactness error": (0.002, 0.135),
    "concavity error": (0.0, 0.396),
    "concave points error": (0.0, 0.053),
    "symmetry error": (0.008, 0.079),
    "fractal dimension error": (0.001, 0.03),
    "worst radius": (7.93, 36.04),
    "worst texture": (12.02, 49.54),
    "worst perimeter": (50.41, 251.2),
    "worst area": (185.2, 4254.0),
    "worst smoothness": (0.071, 0.223),
    "worst compactness": (0.027, 1.058),
    "worst concavity": (0.0, 1.252),
    "worst concave points": (0.0, 0.291),
    "worst symmetry": (0.156, 0.664),
    "worst fractal dimension": (0.055, 0.208),
}
"""Lowest and highest values as the data set's documentation lists them (Wolberg et al. 1995)."""
