"""A data set in memory: numeric and categorical columns, labels, and whom each row belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ObjectArray = NDArray[np.object_]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one data set; arrays are read-only.

    Attributes:
        name: short name of the data set.
        source: where it came from, in words.
        numeric_names: names of the p numeric columns.
        numeric: float64 (n, p), NaN where missing.
        categorical_names: names of the q categorical columns.
        categorical: object (n, q), strings, None where missing.
        labels: int64 (n,), codes into `class_names`.
        class_names: at least two.
        groups: int64 (n,), codes into `group_names` (patients), or None: each row is a patient of its own.
        group_names: names of the groups, empty without groups.
        sites: int64 (n,), codes into `site_names` (the hospital that holds the row), or None.
        site_names: names of the sites, empty without sites.
        divisible_groups: whether a group is a person who may have several devices, all of one hospital; otherwise its
            rows stay on one device.
        held_out: bool (n,), rows of the groups that the source sets apart for testing, or None where it names none.
        notes: what the loader dropped or changed, one sentence each.
    """

    name: str
    source: str
    numeric_names: tuple[str, ...]
    numeric: FloatArray
    categorical_names: tuple[str, ...]
    categorical: ObjectArray
    labels: IntArray
    class_names: tuple[str, ...]
    groups: IntArray | None = None
    group_names: tuple[str, ...] = ()
    sites: IntArray | None = None
    site_names: tuple[str, ...] = ()
    divisible_groups: bool = False
    held_out: BoolArray | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.labels)
        shapes = {
            "numeric": (self.numeric.shape, (n, len(self.numeric_names))),
            "categorical": (self.categorical.shape, (n, len(self.categorical_names))),
        }
        for what, (found, expected) in shapes.items():
            if found != expected:
                raise DataError(f"{self.name}: {what} columns have shape {found}, expected {expected}")
        if not self.numeric_names and not self.categorical_names:
            raise DataError(f"{self.name}: no column is left to learn from")
        if len(self.class_names) < 2:
            raise DataError(f"{self.name}: {len(self.class_names)} class; at least 2 are needed")
        if np.isinf(self.numeric).any():
            column = self.numeric_names[int(np.isinf(self.numeric).any(axis=0).argmax())]
            raise DataError(f"{self.name}: column {column!r} holds infinite values; remove or correct them")
        _check_codes(self.name, "labels", self.labels, len(self.class_names))
        for what, codes, names in (
            ("groups", self.groups, self.group_names),
            ("sites", self.sites, self.site_names),
        ):
            if codes is not None:
                if len(codes) != n:
                    raise DataError(f"{self.name}: {len(codes)} {what} for {n} rows")
                _check_codes(self.name, what, codes, len(names))
        if self.divisible_groups and self.groups is None:
            raise DataError(f"{self.name}: its groups may be divided, but no group column is named")
        self._check_held_out()
        for array in (self.numeric, self.categorical, self.labels, self.groups, self.sites, self.held_out):
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.labels)

    def _check_held_out(self) -> None:
        if self.held_out is None:
            return
        if self.held_out.shape != (len(self),) or self.held_out.all() or not self.held_out.any():
            raise DataError(f"{self.name}: some rows are held out for testing, not none and not all")
        if self.groups is not None:
            inside, outside = self.groups[self.held_out], self.groups[~self.held_out]
            both = np.intersect1d(inside, outside)
            if len(both):
                raise DataError(f"{self.name}: group {self.group_names[both[0]]!r} is held out in part only")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all feature columns, numeric first."""
        return self.numeric_names + self.categorical_names

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def groups_as_sites(self) -> Table:
        """The same table with its groups read as the hospitals that hold the rows, and no patients named.

        Raises:
            DataError: the table has no groups.
        """
        if self.groups is None:
            raise DataError(f"{self.name}: no group column was named, so groups cannot stand for hospitals")
        return replace(
            self,
            sites=self.groups,
            site_names=self.group_names,
            groups=None,
            group_names=(),
            divisible_groups=False,
        )


def _check_codes(name: str, what: str, codes: IntArray, count: int) -> None:
    if len(codes) == 0:
        raise DataError(f"{name}: no rows")
    if codes.min() < 0 or codes.max() >= count:
        raise DataError(f"{name}: {what} hold codes outside 0..{count - 1}")
