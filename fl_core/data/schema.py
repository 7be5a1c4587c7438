"""What the consortium agrees on in public before training: the columns, and their scaling statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fl_core.data.projection import Projection
from fl_core.data.tables import FloatArray, IntArray, Table
from fl_core.errors import DataError, SpecError

MAX_CATEGORIES = 32


@dataclass(frozen=True)
class NumericColumn:
    """A numeric column as declared.

    Attributes:
        name: column name.
        exponent: every training value x has |x| < 2^exponent, its declared magnitude.
        has_missing: a training row lacks the value, so the encoder adds an indicator.
    """

    name: str
    exponent: int
    has_missing: bool


@dataclass(frozen=True)
class CategoricalColumn:
    """A categorical column as declared.

    Attributes:
        name: column name.
        categories: values that have a slot of their own, sorted; all others share the slot "other".
        has_missing: a training row lacks the value, so that missing has a slot of its own too.
    """

    name: str
    categories: tuple[str, ...]
    has_missing: bool


@dataclass(frozen=True)
class Schema:
    """Public description of the columns and classes; part of what a round's specification fixes.

    Attributes:
        numeric: the numeric columns.
        categorical: the categorical columns.
        class_names: the classes.
        projection: public linear projection of the encoded columns, or None where they are the features themselves.
    """

    numeric: tuple[NumericColumn, ...]
    categorical: tuple[CategoricalColumn, ...]
    class_names: tuple[str, ...]
    projection: Projection | None = None

    def __post_init__(self) -> None:
        """Check that the projection is one of these columns.

        Raises:
            SpecError: it takes another number of features.
        """
        if self.projection is not None and self.projection.inputs != self.encoded_columns:
            raise SpecError(
                f"schema: its columns encode to {self.encoded_columns} values, its projection takes "
                f"{self.projection.inputs}"
            )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        if self.projection is not None:
            return tuple(f"direction {k + 1}" for k in range(self.projection.outputs))
        names = [column.name for column in self.numeric]
        names += [f"{column.name} is missing" for column in self.numeric if column.has_missing]
        for column in self.categorical:
            names += [f"{column.name} = {category}" for category in column.categories]
            names.append(f"{column.name} is another value")
            if column.has_missing:
                names.append(f"{column.name} is missing")
        return tuple(names)

    @property
    def features(self) -> int:
        """Number d of features."""
        return self.encoded_columns if self.projection is None else self.projection.outputs

    @property
    def encoded_columns(self) -> int:
        """Number of values that the columns of a row encode to."""
        indicators = sum(column.has_missing for column in self.numeric)
        slots = sum(len(column.categories) + 1 + column.has_missing for column in self.categorical)
        return len(self.numeric) + indicators + slots

    def to_json(self) -> dict[str, Any]:
        """A JSON object (no floats) from which `from_json` restores the schema."""
        projected = {} if self.projection is None else {"projection": self.projection.to_json()}
        return {
            **projected,
            "numeric": [
                {"name": c.name, "exponent": c.exponent, "has_missing": c.has_missing} for c in self.numeric
            ],
            "categorical": [
                {"name": c.name, "categories": list(c.categories), "has_missing": c.has_missing}
                for c in self.categorical
            ],
            "class_names": list(self.class_names),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Schema:
        """Restore a schema.

        Raises:
            SpecError: a field is absent or of the wrong kind.
        """
        try:
            return cls(
                numeric=tuple(
                    NumericColumn(str(c["name"]), int(c["exponent"]), bool(c["has_missing"]))
                    for c in value["numeric"]
                ),
                categorical=tuple(
                    CategoricalColumn(
                        str(c["name"]), tuple(str(x) for x in c["categories"]), bool(c["has_missing"])
                    )
                    for c in value["categorical"]
                ),
                class_names=tuple(str(x) for x in value["class_names"]),
                projection=Projection.from_json(value["projection"]) if "projection" in value else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SpecError(f"not a schema: {error!r}; write it with Schema.to_json") from error


@dataclass(frozen=True, eq=False)
class Statistics:
    """Scaling statistics of the p numeric columns over the training rows, missing values left out.

    Attributes:
        count: int64 (p,), values present.
        mean: float64 (p,), 0 where count is 0.
        std: float64 (p,), population standard deviation; 0 where the column is constant or count is 0.
    """

    count: IntArray
    mean: FloatArray
    std: FloatArray

    @classmethod
    def unscaled(cls, schema: Schema) -> Statistics:
        """Mean 0 and deviation 1: for columns that come normalised, so that no sum over devices is needed."""
        width = len(schema.numeric)
        return cls(
            count=np.zeros(width, dtype=np.int64),
            mean=np.zeros(width),
            std=np.ones(width),
        )

    @property
    def variance(self) -> FloatArray:
        """Population variance, float64 (p,)."""
        return np.square(self.std)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `from_json` restores the statistics exactly."""
        return {
            "count": [int(x) for x in self.count],
            "mean": [float(x) for x in self.mean],
            "std": [float(x) for x in self.std],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Statistics:
        """Restore statistics.

        Raises:
            SpecError: a field is absent, of the wrong kind or of another length than the others.
        """
        try:
            restored = cls(
                count=np.array(value["count"], dtype=np.int64).reshape(-1),
                mean=np.array(value["mean"], dtype=np.float64).reshape(-1),
                std=np.array(value["std"], dtype=np.float64).reshape(-1),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SpecError(f"not statistics: {error!r}; write them with Statistics.to_json") from error
        if not len(restored.count) == len(restored.mean) == len(restored.std):
            raise SpecError("not statistics: count, mean and std differ in length")
        return restored


def derive_schema(table: Table, training_rows: IntArray, *, max_categories: int = MAX_CATEGORIES) -> Schema:
    """Describe the columns from the training rows alone; validation and test rows are not looked at.

    A categorical column keeps its `max_categories` most frequent values (ties: in order of name).

    Raises:
        DataError: no training rows.
    """
    if len(training_rows) == 0:
        raise DataError(f"{table.name}: no training rows to describe the columns from")
    values = table.numeric[training_rows]
    numeric = tuple(
        NumericColumn(name, magnitude_exponent(values[:, j]), bool(np.isnan(values[:, j]).any()))
        for j, name in enumerate(table.numeric_names)
    )
    categorical = []
    for j, name in enumerate(table.categorical_names):
        cells = table.categorical[training_rows, j].tolist()
        counts = Counter(cell for cell in cells if cell is not None)
        frequent = sorted(counts, key=lambda value: (-counts[value], value))[:max_categories]
        categorical.append(CategoricalColumn(name, tuple(sorted(frequent)), None in cells))
    return Schema(numeric, tuple(categorical), table.class_names)


def magnitude_exponent(values: FloatArray) -> int:
    """Smallest e with |x| < 2^e for every x that is not NaN; 0 if there is none, or all are zero."""
    present = np.abs(values[~np.isnan(values)])
    largest = float(present.max()) if present.size else 0.0
    return int(np.frexp(largest)[1])
