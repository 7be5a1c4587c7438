"""Which rows are for test, which validate at which hospital, which train: by patient, stratified by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fl_core.data.tables import IntArray, Table
from fl_core.errors import DataError

MAX_HOSPITALS = 64


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint row indices, each sorted; a group lies in one part only.

    Attributes:
        test: rows that no hospital and no device sees.
        validation: a hospital's own rows for valuing others' updates; never trained on.
        train: rows for training; one pool, or one part a hospital where sites say which hospital holds a row.
        hospital_names: one a hospital.
    """

    test: IntArray
    validation: tuple[IntArray, ...]
    train: tuple[IntArray, ...]
    hospital_names: tuple[str, ...]

    @property
    def hospitals(self) -> int:
        """Number of hospitals."""
        return len(self.validation)

    @property
    def by_site(self) -> bool:
        """True where `train` has one part a hospital."""
        return len(self.train) == len(self.validation) and len(self.train) > 1


@dataclass(frozen=True, eq=False)
class Units:
    """What is dealt as a whole: the groups among some rows, or single rows where a table has no groups.

    Attributes:
        rows: the row indices of each unit.
        labels: int64 (u,), the most frequent class of each unit (ties: the lower code).
        sizes: int64 (u,), rows of each unit.
    """

    rows: tuple[IntArray, ...]
    labels: IntArray
    sizes: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def gather(self, chosen: IntArray) -> IntArray:
        """Sorted row indices of the chosen units."""
        if len(chosen) == 0:
            return np.zeros(0, dtype=np.int64)
        return np.sort(np.concatenate([self.rows[i] for i in chosen]))


def units_of(table: Table, rows: IntArray) -> Units:
    """The units among `rows`, in order of group code (or of row)."""
    if table.groups is None:
        return Units(
            tuple(rows[i : i + 1] for i in range(len(rows))),
            table.labels[rows],
            np.ones(len(rows), dtype=np.int64),
        )
    order = np.argsort(table.groups[rows], kind="stable")
    ordered = rows[order]
    cuts = np.flatnonzero(np.diff(table.groups[ordered])) + 1
    members = np.split(ordered, cuts)
    labels = [int(np.bincount(table.labels[part]).argmax()) for part in members]
    return Units(
        tuple(members),
        np.array(labels, dtype=np.int64),
        np.array([len(part) for part in members], dtype=np.int64),
    )


def split(
    table: Table,
    *,
    hospitals: int,
    rng: np.random.Generator,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.2,
) -> Split:
    """Split a table into test, validation and training rows.

    Groups are never divided. Each class gives its share to test and validation as nearly as whole groups
    allow, and keeps at least one group for training. Where the table names sites, each site is a hospital and
    gives its own rows; else validation rows are dealt evenly to the hospitals.

    Where the table holds rows out for testing, those alone are shared between test and validation, group by group in
    the proportion of the fractions, and all others are for training. The rows of a validating group are dealt to all
    hospitals: nobody trains on them.

    Args:
        table: the data.
        hospitals: number of hospitals, 1..64; with sites, the number of sites.
        rng: source of the draw.
        test_fraction: share of all rows for test, in (0, 1).
        validation_fraction: share of all rows for validation, over all hospitals together, in (0, 1).

    Raises:
        DataError: fractions or numbers that leave a part empty, another number of sites, a group at two
            sites, sites together with rows held out.
    """
    if not 1 <= hospitals <= MAX_HOSPITALS:
        raise DataError(f"{hospitals} hospitals: choose 1 to {MAX_HOSPITALS}")
    if not (
        0 < test_fraction < 1 and 0 < validation_fraction < 1 and test_fraction + validation_fraction < 1
    ):
        raise DataError(
            f"test {test_fraction} and validation {validation_fraction}: "
            "both must be above 0 and leave something to train on"
        )
    if table.held_out is not None:
        return _split_held_out(
            table, hospitals, validation_fraction / (test_fraction + validation_fraction), rng
        )
    if table.sites is None:
        pools = [units_of(table, np.arange(len(table), dtype=np.int64))]
        names = tuple(f"hospital {h + 1}" for h in range(hospitals))
        shares = hospitals
    else:
        pools, names, shares = _site_pools(table, hospitals), table.site_names, 1
    test: list[IntArray] = []
    validation: list[IntArray] = []
    train: list[IntArray] = []
    for units in pools:
        at_test, rest = _take(units, np.arange(len(units), dtype=np.int64), test_fraction, rng)
        at_validation, at_train = _take(units, rest, validation_fraction / (1 - test_fraction), rng)
        test.append(units.gather(at_test))
        validation += [units.gather(part) for part in _deal(units, at_validation, shares, rng)]
        train.append(units.gather(at_train))
    result = Split(np.sort(np.concatenate(test)), tuple(validation), tuple(train), names)
    _require_rows(table, result, sum(map(len, pools)))
    return result


def _split_held_out(table: Table, hospitals: int, share: float, rng: np.random.Generator) -> Split:
    """`share` of what is held out validates, drawn by whole groups; the rest is for test."""
    assert table.held_out is not None
    if table.sites is not None:
        raise DataError(
            f"{table.name}: rows held out for testing and hospitals named by site do not go together"
        )
    units = units_of(table, np.flatnonzero(table.held_out))
    alike = replace(units, labels=np.zeros(len(units), dtype=np.int64))  # whole groups have no class
    at_validation, at_test = _take(alike, np.arange(len(units), dtype=np.int64), share, rng)
    rows = units.gather(at_validation)
    single = Units(
        tuple(rows[i : i + 1] for i in range(len(rows))),
        table.labels[rows],
        np.ones(len(rows), dtype=np.int64),
    )
    dealt = _deal(single, np.arange(len(rows), dtype=np.int64), hospitals, rng)
    result = Split(
        units.gather(at_test),
        tuple(single.gather(part) for part in dealt),
        (np.flatnonzero(~table.held_out),),
        tuple(f"hospital {h + 1}" for h in range(hospitals)),
    )
    _require_rows(table, result, len(units))
    return result


def _require_rows(table: Table, parts: Split, units: int) -> None:
    if min(len(part) for part in (parts.test, *parts.validation, *parts.train)) == 0:
        what = "rows" if table.groups is None else "groups"
        raise DataError(
            f"{table.name}: {units} {what} are too few for test, training and validation "
            f"at {parts.hospitals} hospitals; use fewer hospitals or other fractions"
        )


def _site_pools(table: Table, hospitals: int) -> list[Units]:
    assert table.sites is not None
    count = len(table.site_names)
    if count != hospitals:
        listed = ", ".join(table.site_names[:8]) + (", ..." if count > 8 else "")
        raise DataError(f"{table.name}: {hospitals} hospitals asked, but the data name {count} ({listed})")
    if table.groups is not None:
        pairs = np.unique(np.stack([table.groups, table.sites], axis=1), axis=0)
        twice = np.flatnonzero(np.bincount(pairs[:, 0]) > 1)
        if len(twice):
            raise DataError(
                f"{table.name}: group {table.group_names[twice[0]]!r} has rows at two sites; "
                "give it to one, or name the patients by site"
            )
    return [units_of(table, np.flatnonzero(table.sites == site)) for site in range(count)]


def _take(
    units: Units, candidates: IntArray, fraction: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw about `fraction` of the candidates' rows, class by class: (drawn, left), both unit indices."""
    drawn: list[IntArray] = []
    left: list[IntArray] = []
    carry = 0.0  # what rounding owed in the classes before, so that the whole comes out right
    for label in np.unique(units.labels[candidates]):
        members = rng.permutation(candidates[units.labels[candidates] == label])
        sizes = units.sizes[members].astype(np.float64)
        target = fraction * float(sizes.sum()) + carry
        taken = np.zeros(len(members), dtype=np.bool_)
        reached, count = 0.0, 0
        for i, size in enumerate(sizes.tolist()):
            if reached + size / 2 < target and count < len(members) - 1:
                taken[i] = True
                reached, count = reached + size, count + 1
        carry = target - reached
        drawn.append(members[taken])
        left.append(members[~taken])
    return np.concatenate(drawn), np.concatenate(left)


def _deal(units: Units, chosen: IntArray, hands: int, rng: np.random.Generator) -> list[IntArray]:
    """Deal units to `hands` evenly: class by class, largest first, each to whom has fewest rows."""
    dealt: list[list[int]] = [[] for _ in range(hands)]
    total = np.zeros(hands, dtype=np.int64)
    for label in np.unique(units.labels[chosen]):
        members = rng.permutation(chosen[units.labels[chosen] == label])
        members = members[np.argsort(-units.sizes[members], kind="stable")]
        of_class = np.zeros(hands, dtype=np.int64)
        for unit in members:
            hand = _fewest(hands, lambda h: (int(of_class[h]), int(total[h])))  # noqa: B023 - called at once
            dealt[hand].append(int(unit))
            of_class[hand] += units.sizes[unit]
            total[hand] += units.sizes[unit]
    return [np.array(part, dtype=np.int64) for part in dealt]


def _fewest(hands: int, key: Callable[[int], tuple[int, int]]) -> int:
    return min(range(hands), key=key)
