"""Training rows to devices: with label skew (Dirichlet), group by group, or several devices a group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.data.splitting import Split, Units, units_of
from fl_core.data.tables import IntArray, Table
from fl_core.errors import DataError


@dataclass(frozen=True, eq=False)
class Federation:
    """Who holds which rows; all parts disjoint, row indices sorted and read-only.

    Attributes:
        devices: per hospital, per device, its training rows (at least one).
        validation: per hospital, its own validation rows.
        test: rows that nobody holds.
        hospital_names: one a hospital.
    """

    devices: tuple[tuple[IntArray, ...], ...]
    validation: tuple[IntArray, ...]
    test: IntArray
    hospital_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.devices) == len(self.validation) == len(self.hospital_names) > 0:
            raise DataError("a federation needs devices, validation rows and a name for each hospital")
        parts = [part for hospital in self.devices for part in hospital] + [*self.validation, self.test]
        if any(len(part) == 0 for part in parts):
            raise DataError("a federation has a device, a validation set or a test set without rows")
        together = np.concatenate(parts)
        if len(np.unique(together)) != len(together):
            raise DataError("a federation holds a row twice: test, validation and training must be disjoint")
        for part in parts:
            part.setflags(write=False)

    @property
    def hospitals(self) -> int:
        """Number of hospitals."""
        return len(self.devices)

    @property
    def device_count(self) -> int:
        """Devices of all hospitals together."""
        return sum(len(hospital) for hospital in self.devices)

    @property
    def training_rows(self) -> IntArray:
        """Sorted rows of all devices."""
        return np.sort(np.concatenate([part for hospital in self.devices for part in hospital]))


def partition_dirichlet(
    table: Table,
    parts: Split,
    *,
    devices: int | Sequence[int],
    rng: np.random.Generator,
    alpha: float = math.inf,
    hospital_alpha: float = math.inf,
) -> Federation:
    """Deal the training rows with label skew: for each class a Dirichlet draw says how it spreads.

    Each class k draws p_k ~ Dirichlet(alpha, ..., alpha) over the bins, and every unit of the class falls
    into bin j with probability p_kj (Yurochkin et al., ICML 2019; Li et al., ICDE 2022), so that sizes differ
    as well. Groups stay whole. A bin left short takes units from the one with most to spare.

    Args:
        table: the data.
        parts: from `split`.
        devices: devices a hospital, one number for all or one a hospital.
        rng: source of the draw.
        alpha: skew over the devices of a hospital; small is skewed, `math.inf` deals every unit alike.
        hospital_alpha: skew over hospitals; `math.inf` deals each class evenly. Named sites go before it.

    Raises:
        DataError: alpha not positive, or more devices than rows (groups) to train on.
    """
    counts = _device_counts(devices, parts.hospitals)
    for name, value in (("alpha", alpha), ("hospital_alpha", hospital_alpha)):
        if not value > 0:
            raise DataError(f"{name} {value}: it must be above 0 (inf for no skew)")
    pools = _hospital_pools(table, parts, counts, hospital_alpha, rng)
    held = []
    for units, count in zip(pools, counts, strict=True):
        where = _fill_short_bins(_scatter(units.labels, count, alpha, rng), [1] * count, rng)
        held.append(_gather(units, where, count))
    return Federation(tuple(held), parts.validation, parts.test, parts.hospital_names)


def partition_by_group(
    table: Table, parts: Split, *, devices: int | Sequence[int], rng: np.random.Generator
) -> Federation:
    """Deal whole groups to devices, as evenly as whole groups allow: one patient's rows, one device.

    Where the table names sites, a hospital's devices share the groups of its site (single rows, if the table
    has sites but no groups: see `Table.groups_as_sites`). Where there are more devices than groups, and the table says
    that those may be divided, `partition_within_groups` deals.

    Raises:
        DataError: neither groups nor sites are known, or more devices than groups to train on.
    """
    if table.groups is None and table.sites is None:
        raise DataError(f"{table.name}: no group column is known; name one, or use a Dirichlet partition")
    counts = _device_counts(devices, parts.hospitals)
    if table.divisible_groups and not _enough_groups(table, parts, counts):
        return partition_within_groups(table, parts, devices=counts, rng=rng)
    pools = _hospital_pools(table, parts, counts, math.inf, rng)
    held = []
    for units, count in zip(pools, counts, strict=True):
        held.append(_gather(units, _lightest_first(units, count, rng), count))
    return Federation(tuple(held), parts.validation, parts.test, parts.hospital_names)


def partition_within_groups(
    table: Table, parts: Split, *, devices: int | Sequence[int], rng: np.random.Generator
) -> Federation:
    """Deal the rows of each group evenly over devices of its own: one subject's recordings, many small devices.

    No group is at two hospitals. Where no sites are named, groups go to hospitals so that those hold about equally many
    rows. A hospital's devices are shared among its groups in proportion to their rows, and no device has rows of two
    groups; where a hospital has fewer devices than groups, whole groups go to devices.

    Raises:
        DataError: no groups are known, fewer groups than hospitals, or a hospital with more devices than rows.
    """
    if table.groups is None:
        raise DataError(f"{table.name}: no group column is known; name one, or use a Dirichlet partition")
    counts = _device_counts(devices, parts.hospitals)
    if parts.by_site:
        pools = [units_of(table, rows) for rows in parts.train]
    else:
        units = units_of(table, np.sort(np.concatenate(parts.train)))
        where = _lightest_first(units, parts.hospitals, rng)
        pools = [_subset(units, np.flatnonzero(where == h)) for h in range(parts.hospitals)]
    held = []
    for units, count, name in zip(pools, counts, parts.hospital_names, strict=True):
        if not len(units) or count > units.sizes.sum():
            raise DataError(
                f"{table.name}: {count} devices at {name} for {len(units)} groups with {int(units.sizes.sum())} "
                "training rows: each hospital needs a group and each device a row"
            )
        if count < len(units):
            held.append(_gather(units, _lightest_first(units, count, rng), count))
            continue
        shares = _apportion(units.sizes, count)
        held.append(
            tuple(
                np.sort(part)
                for rows, share in zip(units.rows, shares, strict=True)
                for part in np.array_split(rng.permutation(rows), share)
            )
        )
    return Federation(tuple(held), parts.validation, parts.test, parts.hospital_names)


def _enough_groups(table: Table, parts: Split, counts: Sequence[int]) -> bool:
    """Whether each device can have a whole group of its own."""
    assert table.groups is not None
    groups = [len(np.unique(table.groups[rows])) for rows in parts.train]
    if parts.by_site:
        return all(count <= found for count, found in zip(counts, groups, strict=True))
    return sum(counts) <= sum(groups)


def _lightest_first(units: Units, bins: int, rng: np.random.Generator) -> IntArray:
    """Units by falling size (ties at random), each to the bin with fewest rows."""
    order = rng.permutation(len(units))
    order = order[np.argsort(-units.sizes[order], kind="stable")]
    where = np.zeros(len(units), dtype=np.int64)
    load = np.zeros(bins, dtype=np.int64)
    for unit in order:
        where[unit] = int(load.argmin())
        load[where[unit]] += units.sizes[unit]
    return where


def _apportion(sizes: IntArray, seats: int) -> IntArray:
    """Seats in proportion to sizes, at least one and at most `size` each: the next goes to whom it leaves with most."""
    shares = np.ones(len(sizes), dtype=np.int64)
    for _ in range(seats - len(sizes)):
        each = np.where(shares < sizes, sizes / shares, 0.0)
        shares[int(each.argmax())] += 1
    return shares


def _device_counts(devices: int | Sequence[int], hospitals: int) -> list[int]:
    counts = [devices] * hospitals if isinstance(devices, int) else list(devices)
    if len(counts) != hospitals:
        raise DataError(f"device counts for {len(counts)} hospitals, but there are {hospitals}")
    if min(counts) < 1:
        raise DataError(f"{min(counts)} devices at a hospital: each needs at least 1")
    return counts


def _hospital_pools(
    table: Table, parts: Split, counts: list[int], alpha: float, rng: np.random.Generator
) -> list[Units]:
    """The units that each hospital has to deal, enough for one a device."""
    what, instead = "training rows", "use fewer devices"
    if table.groups is not None:
        what, instead = (
            "groups with training rows",
            f"{instead}, or let a patient have several (--split-patients)",
        )
    if parts.by_site:
        pools = [units_of(table, rows) for rows in parts.train]
        for pool, count, name in zip(pools, counts, parts.hospital_names, strict=True):
            if count > len(pool):
                raise DataError(
                    f"{table.name}: {count} devices at {name}, but only {len(pool)} {what} there; {instead}"
                )
        return pools
    units = units_of(table, np.sort(np.concatenate(parts.train)))
    if sum(counts) > len(units):
        raise DataError(f"{table.name}: {sum(counts)} devices, but only {len(units)} {what}; {instead}")
    hospitals = len(counts)
    where = (
        _deal_evenly(units, hospitals, rng)
        if math.isinf(alpha)
        else _scatter(units.labels, hospitals, alpha, rng)
    )
    where = _fill_short_bins(where, counts, rng)
    return [_subset(units, np.flatnonzero(where == h)) for h in range(hospitals)]


def _deal_evenly(units: Units, bins: int, rng: np.random.Generator) -> IntArray:
    """Class by class, round robin over shuffled units, each class starting where the last one stopped."""
    where = np.zeros(len(units), dtype=np.int64)
    start = 0
    for label in np.unique(units.labels):
        members = rng.permutation(np.flatnonzero(units.labels == label))
        where[members] = (start + np.arange(len(members))) % bins
        start = (start + len(members)) % bins
    return where


def _scatter(labels: IntArray, bins: int, alpha: float, rng: np.random.Generator) -> IntArray:
    where = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        where[members] = rng.choice(bins, size=len(members), p=_proportions(bins, alpha, rng))
    return where


def _proportions(bins: int, alpha: float, rng: np.random.Generator) -> NDArray[np.float64]:
    if math.isinf(alpha):
        return np.full(bins, 1.0 / bins)
    return rng.dirichlet(np.full(bins, alpha))


def _fill_short_bins(where: IntArray, minimum: Sequence[int], rng: np.random.Generator) -> IntArray:
    """Move single units, drawn at random, from the bin with most to spare to bins below their minimum."""
    filled = where.copy()
    needed = np.array(minimum, dtype=np.int64)
    spare = np.bincount(filled, minlength=len(needed)) - needed
    while spare.min() < 0:
        short, rich = int(spare.argmin()), int(spare.argmax())
        filled[rng.choice(np.flatnonzero(filled == rich))] = short
        spare[short] += 1
        spare[rich] -= 1
    return filled


def _subset(units: Units, chosen: IntArray) -> Units:
    return Units(tuple(units.rows[i] for i in chosen), units.labels[chosen], units.sizes[chosen])


def _gather(units: Units, where: IntArray, bins: int) -> tuple[IntArray, ...]:
    return tuple(units.gather(np.flatnonzero(where == j)) for j in range(bins))
