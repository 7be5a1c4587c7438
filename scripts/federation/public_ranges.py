"""Scaling from public ranges of the columns, so that no statistics of the records are needed where noise is on.

Scaling statistics come from an un-noised sum otherwise, and even which categories a column has is read off the records.
With a privacy claim, both must come from what was public before: documentation, units, a device's measuring range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fl_core.canonical import parse_json
from fl_core.data import Encoder, Schema, Statistics, Table
from fl_core.data.schema import CategoricalColumn, NumericColumn
from fl_core.errors import DataError, SpecError

DEVIATIONS = 6.0
"""A range counts as so many standard deviations wide; its middle as the mean."""


@dataclass(frozen=True)
class PublicRanges:
    """What is public about the columns of a table.

    Attributes:
        numeric: lowest and highest value by column.
        categorical: the values that have a slot of their own, by column.
        source: where it is published.
    """

    numeric: Mapping[str, tuple[float, float]]
    categorical: Mapping[str, tuple[str, ...]]
    source: str

    def encoder(self, table: Table) -> Encoder:
        """The encoder that follows from the ranges; values beyond a range count as its end, missing ones as its middle.

        Raises:
            DataError: a column of the table is not there.
        """
        missing = sorted({*table.numeric_names} - self.numeric.keys()) + sorted(
            {*table.categorical_names} - self.categorical.keys()
        )
        if missing:
            raise DataError(f"{self.source} says nothing of column {missing[0]!r}: add its range")
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
            class_names=table.class_names,
        )
        statistics = Statistics(
            count=np.zeros(len(bounds), dtype=np.int64),
            mean=bounds.mean(axis=1),
            std=(bounds[:, 1] - bounds[:, 0]) / DEVIATIONS,
        )
        return Encoder(schema, statistics, z_max=DEVIATIONS / 2)


def known_ranges(table: Table) -> PublicRanges:
    """The published ranges of a data set known by name.

    Raises:
        SpecError: none are known.
    """
    if table.name == "wdbc":
        return PublicRanges(_WDBC, {}, "the documentation of wdbc")
    if table.name == "har":  # "Features are normalized and bounded within [-1,1]", says its documentation
        return PublicRanges(dict.fromkeys(table.numeric_names, (-1.0, 1.0)), {}, "the documentation of har")
    raise SpecError(
        f"with noise, the scaling of {table.name} must come from public ranges: name them with --ranges FILE (JSON, "
        "column -> [lowest, highest]), or turn noise off with --epsilon inf"
    )


def read_ranges(path: Path) -> PublicRanges:
    """Ranges from a JSON file: column -> [lowest, highest], or the list of its categories.

    Raises:
        DataError: the file is missing or malformed; the message names the column.
    """
    try:
        value = parse_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read ranges {path}: {error.strerror}") from error
    except SpecError as error:
        raise DataError(f"ranges {path}: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"ranges {path}: a JSON object is needed, column -> [lowest, highest]")
    numeric: dict[str, tuple[float, float]] = {}
    categorical: dict[str, tuple[str, ...]] = {}
    for name, item in value.items():
        if _is_range(item):
            numeric[name] = (float(item[0]), float(item[1]))
        elif isinstance(item, list) and item and all(isinstance(each, str) for each in item):
            categorical[name] = tuple(sorted(set(item)))
        else:
            raise DataError(
                f"ranges {path}: column {name!r} needs [lowest, highest] with lowest < highest, or a list of categories"
            )
    return PublicRanges(numeric, categorical, str(path))


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
