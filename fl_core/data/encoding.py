"""Rows to features: impute, standardise, clip, one-hot, project."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import digest_json
from fl_core.data.schema import CategoricalColumn, Schema, Statistics
from fl_core.data.tables import IntArray, Table
from fl_core.errors import DataError, SpecError

Z_MAX = 10.0


@dataclass(frozen=True)
class Encoder:
    """Turns rows of a table into float32 features, the same way on every device.

    A missing number becomes the training mean (0 after standardising) and sets its indicator where the schema
    has one; standardised values are clipped to +-z_max, so no reading explodes; a column without variance
    encodes to 0; a category that no training row had goes to the slot "another value". Where the schema declares a
    public projection, it comes last.

    Attributes:
        schema: public description of the columns.
        statistics: scaling statistics of its numeric columns.
        z_max: bound of a standardised value.
    """

    schema: Schema
    statistics: Statistics
    z_max: float = Z_MAX

    def __post_init__(self) -> None:
        if len(self.statistics.mean) != len(self.schema.numeric):
            columns = len(self.schema.numeric)
            raise SpecError(f"statistics of {len(self.statistics.mean)} columns for a schema with {columns}")
        if not (np.isfinite(self.statistics.mean).all() and np.isfinite(self.statistics.std).all()):
            raise SpecError("scaling statistics are not finite: do not train on them")
        if (self.statistics.std < 0).any():
            raise SpecError("scaling statistics hold a negative standard deviation: do not train on them")
        if not 0 < self.z_max < np.inf:
            raise SpecError(f"z_max {self.z_max} must be positive and finite")

    @property
    def features(self) -> int:
        """Number d of features."""
        return self.schema.features

    @cached_property
    def scaling_digest(self) -> str:
        """SHA-256 (hex) of the scaling, as a spec names it: the statistics and the bound of what they standardise."""
        return digest_json({"statistics": self.statistics.to_json(), "z_max": self.z_max}).hex()

    def encode(self, table: Table, rows: IntArray | None = None) -> NDArray[np.float32]:
        """Features of the given rows (all rows by default), float32 (n, d), contiguous.

        Raises:
            DataError: the table's columns are not those of the schema.
        """
        expected = tuple(c.name for c in self.schema.numeric), tuple(c.name for c in self.schema.categorical)
        if (table.numeric_names, table.categorical_names) != expected:
            raise DataError(
                f"{table.name}: its columns are not those that the schema declares, in that order"
            )
        pick = np.arange(len(table)) if rows is None else rows
        parts = [*self._numeric(table.numeric[pick])]
        for j, column in enumerate(self.schema.categorical):
            parts.append(_one_hot(column, table.categorical[pick, j].tolist()))
        encoded = np.concatenate(parts, axis=1, dtype=np.float32)
        projection = self.schema.projection
        return np.ascontiguousarray(encoded if projection is None else projection.apply(encoded))

    def _numeric(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        missing = np.isnan(values)
        spread = self.statistics.std > 0
        scale = np.where(spread, self.statistics.std, 1.0)
        with np.errstate(over="ignore"):
            z = np.clip((values - self.statistics.mean) / scale, -self.z_max, self.z_max)
        z = np.where(missing | ~spread, 0.0, z)
        indicated = [j for j, column in enumerate(self.schema.numeric) if column.has_missing]
        return z, missing[:, indicated].astype(np.float64)


def _one_hot(column: CategoricalColumn, cells: list[str | None]) -> NDArray[np.float64]:
    slots = {category: slot for slot, category in enumerate(column.categories)}
    other = len(slots)
    missing = other + 1 if column.has_missing else other
    width = other + 1 + column.has_missing
    encoded = np.zeros((len(cells), width))
    chosen = [missing if cell is None else slots.get(cell, other) for cell in cells]
    encoded[np.arange(len(cells)), chosen] = 1.0
    return encoded
