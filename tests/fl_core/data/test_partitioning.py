import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.data import (
    Federation,
    Table,
    load,
    partition_by_group,
    partition_dirichlet,
    partition_within_groups,
    split,
)
from fl_core.errors import DataError


def grouped_table(groups, rows_each, sites=0):
    n = groups * rows_each
    owner = np.repeat(np.arange(groups), rows_each)
    return Table(
        name="made",
        source="made here",
        numeric_names=("x",),
        numeric=np.arange(n, dtype=np.float64).reshape(n, 1),
        categorical_names=(),
        categorical=np.empty((n, 0), dtype=np.object_),
        labels=np.arange(n, dtype=np.int64) % 2,
        class_names=("no", "yes"),
        groups=owner,
        group_names=tuple(f"p{g}" for g in range(groups)),
        sites=owner % sites if sites else None,
        site_names=tuple(f"s{s}" for s in range(sites)),
    )


@pytest.fixture(scope="module")
def wdbc():
    return load("wdbc")


def federation_of(table, seed=0, hospitals=4, devices=16, **options):
    rng = np.random.default_rng(seed)
    parts = split(table, hospitals=hospitals, rng=rng)
    return parts, partition_dirichlet(table, parts, devices=devices, rng=rng, **options)


def sizes(federation):
    return np.array([len(rows) for hospital in federation.devices for rows in hospital])


def class_spread(table, holders):
    """Standard deviation over the holders of the share of class 1."""
    return np.std([table.labels[rows].mean() for rows in holders])


@given(
    st.sampled_from([0.05, 0.3, 1.0, 10.0, math.inf]), st.sampled_from([0.1, math.inf]), st.integers(0, 2**32)
)
@settings(max_examples=40, deadline=None)
def test_every_training_row_has_one_holder_and_every_device_a_row(alpha, hospital_alpha, seed):
    parts, federation = federation_of(load("wdbc"), seed, alpha=alpha, hospital_alpha=hospital_alpha)
    assert np.array_equal(federation.training_rows, np.sort(np.concatenate(parts.train)))
    assert (federation.hospitals, federation.device_count) == (4, 64)
    assert sizes(federation).min() >= 1
    assert np.array_equal(federation.test, parts.test)


def test_skew_grows_as_alpha_falls_and_sizes_differ(wdbc):
    spread = {}
    for alpha in (0.1, 1.0, math.inf):
        _, federation = federation_of(wdbc, alpha=alpha)
        spread[alpha] = class_spread(wdbc, [rows for hospital in federation.devices for rows in hospital])
        assert len(set(sizes(federation).tolist())) > 4
    assert spread[0.1] > spread[1.0] > spread[math.inf]


def test_hospitals_are_even_unless_they_are_skewed_too(wdbc):
    _, even = federation_of(wdbc)
    _, skewed = federation_of(wdbc, hospital_alpha=0.3)
    totals = [sum(map(len, hospital)) for hospital in even.devices]
    assert max(totals) - min(totals) <= 1
    rows_even = [np.concatenate(hospital) for hospital in even.devices]
    rows_skewed = [np.concatenate(hospital) for hospital in skewed.devices]
    assert class_spread(wdbc, rows_skewed) > 5 * class_spread(wdbc, rows_even)


def test_the_same_seed_gives_the_same_federation(wdbc):
    (_, first), (_, again) = federation_of(wdbc, alpha=1.0), federation_of(wdbc, alpha=1.0)
    for one, other in zip(first.devices, again.devices, strict=True):
        assert all(map(np.array_equal, one, other))


def test_hospitals_may_have_different_numbers_of_devices(wdbc):
    _, federation = federation_of(wdbc, devices=[1, 5, 20, 60])
    assert [len(hospital) for hospital in federation.devices] == [1, 5, 20, 60]


def test_as_many_devices_as_rows_is_the_limit(wdbc):
    rng = np.random.default_rng(0)
    parts = split(wdbc, hospitals=1, rng=rng)
    rows = len(parts.train[0])
    federation = partition_dirichlet(wdbc, parts, devices=rows, rng=rng, alpha=0.1)
    assert set(sizes(federation).tolist()) == {1}
    with pytest.raises(
        DataError, match=f"wdbc: {rows + 1} devices, but only {rows} training rows; use fewer"
    ):
        partition_dirichlet(wdbc, parts, devices=rows + 1, rng=rng)


@pytest.mark.parametrize("sites", [0, 3])
@pytest.mark.parametrize("deal", [partition_by_group, partition_dirichlet])
def test_a_group_is_never_split_over_devices(deal, sites):
    table = grouped_table(60, 5, sites)
    rng = np.random.default_rng(0)
    parts = split(table, hospitals=3, rng=rng)
    federation = deal(table, parts, devices=4, rng=rng)
    owners = [set(table.groups[rows].tolist()) for hospital in federation.devices for rows in hospital]
    assert sum(map(len, owners)) == len(set().union(*owners))
    if sites:
        for site, hospital in enumerate(federation.devices):
            assert set(table.sites[np.concatenate(hospital)].tolist()) == {site}
        assert federation.hospital_names == ("s0", "s1", "s2")


def test_by_group_can_give_each_device_one_patient():
    table = grouped_table(40, 6)
    rng = np.random.default_rng(0)
    parts = split(table, hospitals=2, rng=rng)
    patients = len(np.unique(table.groups[parts.train[0]]))
    federation = partition_by_group(table, parts, devices=patients // 2, rng=rng)
    assert set(sizes(federation).tolist()) == {6}


def test_groups_standing_for_hospitals_share_their_rows_over_devices():
    table = grouped_table(4, 50).groups_as_sites()
    rng = np.random.default_rng(0)
    federation = partition_by_group(table, split(table, hospitals=4, rng=rng), devices=3, rng=rng)
    assert federation.hospital_names == ("p0", "p1", "p2", "p3")
    assert sizes(federation).tolist() == [10] * 12


def test_more_devices_than_groups_names_both_numbers():
    table = grouped_table(20, 5)
    rng = np.random.default_rng(0)
    parts = split(table, hospitals=2, rng=rng)
    with pytest.raises(DataError, match=r"40 devices, but only \d+ groups with training rows; use fewer"):
        partition_by_group(table, parts, devices=20, rng=rng)
    table = grouped_table(20, 5, sites=2)
    parts = split(table, hospitals=2, rng=rng)
    with pytest.raises(DataError, match=r"20 devices at s0, but only \d+ groups with training rows there"):
        partition_by_group(table, parts, devices=20, rng=rng)


def test_impossible_requests_are_refused(wdbc):
    rng = np.random.default_rng(0)
    parts = split(wdbc, hospitals=4, rng=rng)
    with pytest.raises(DataError, match="no group column is known"):
        partition_by_group(wdbc, parts, devices=4, rng=rng)
    with pytest.raises(DataError, match=r"alpha 0\.0: it must be above 0"):
        partition_dirichlet(wdbc, parts, devices=4, rng=rng, alpha=0.0)
    with pytest.raises(DataError, match="hospital_alpha nan"):
        partition_dirichlet(wdbc, parts, devices=4, rng=rng, hospital_alpha=math.nan)
    with pytest.raises(DataError, match="device counts for 3 hospitals, but there are 4"):
        partition_dirichlet(wdbc, parts, devices=[1, 2, 3], rng=rng)
    with pytest.raises(DataError, match="0 devices at a hospital"):
        partition_dirichlet(wdbc, parts, devices=0, rng=rng)


def test_a_federation_that_shares_a_row_is_refused():
    one, two = np.array([0, 1]), np.array([1, 2])
    with pytest.raises(DataError, match="holds a row twice"):
        Federation(((one,),), (two,), np.array([5]), ("h",))
    with pytest.raises(DataError, match="without rows"):
        Federation(((one,),), (np.array([], dtype=np.int64),), np.array([5]), ("h",))


@pytest.mark.parametrize("sites", [0, 3])
def test_devices_within_groups_hold_one_group_and_hospitals_whole_groups(sites):
    table = grouped_table(30, 21, sites)
    rng = np.random.default_rng(0)
    parts = split(table, hospitals=3, rng=rng)
    federation = partition_within_groups(table, parts, devices=[20, 24, 30], rng=rng)
    assert [len(hospital) for hospital in federation.devices] == [20, 24, 30]
    assert np.array_equal(federation.training_rows, np.sort(np.concatenate(parts.train)))
    for hospital in federation.devices:
        assert all(len(set(table.groups[rows])) == 1 for rows in hospital)
        held = [len(rows) for rows in hospital]
        assert max(held) <= 2 * min(held)
    homes = [set(table.groups[np.concatenate(hospital)].tolist()) for hospital in federation.devices]
    assert sum(map(len, homes)) == len(set().union(*homes))


def owners(table, federation):
    """For each group with training rows, the (hospital, device) that hold rows of it."""
    found = {}
    for h, hospital in enumerate(federation.devices):
        for i, rows in enumerate(hospital):
            for group in set(table.groups[rows].tolist()):
                found.setdefault(group, []).append((h, i))
    return found


@pytest.mark.parametrize("sites", [0, 3])
def test_a_person_with_several_devices_is_at_one_hospital_and_in_no_other_part(sites):
    table = replace(grouped_table(30, 21, sites), divisible_groups=True)
    rng = np.random.default_rng(0)
    parts = split(table, hospitals=3, rng=rng)
    federation = partition_by_group(table, parts, devices=16, rng=rng)
    found = owners(table, federation)
    assert max(map(len, found.values())) > 1
    assert all(len({hospital for hospital, _ in held}) == 1 for held in found.values())
    elsewhere = np.concatenate([federation.test, *federation.validation])
    assert not found.keys() & set(table.groups[elsewhere].tolist())
    assert np.array_equal(federation.training_rows, np.sort(np.concatenate(parts.train)))


def test_groups_stay_whole_where_there_are_enough_of_them_though_they_may_be_divided():
    whole = grouped_table(30, 21)
    for table in (whole, replace(whole, divisible_groups=True)):
        rng = np.random.default_rng(0)
        federation = partition_by_group(table, split(table, hospitals=3, rng=rng), devices=5, rng=rng)
        assert all(len(held) == 1 for held in owners(table, federation).values())


def test_a_hospital_with_fewer_devices_than_groups_keeps_them_whole_beside_one_that_divides():
    table = replace(grouped_table(30, 21, 2), divisible_groups=True)
    rng = np.random.default_rng(0)
    federation = partition_by_group(table, split(table, hospitals=2, rng=rng), devices=[3, 40], rng=rng)
    held = owners(table, federation)
    assert {len(found) for found in held.values() if found[0][0] == 0} == {1}
    assert max(len(found) for found in held.values() if found[0][0] == 1) > 1


def test_more_devices_than_groups_names_the_way_out():
    table = grouped_table(20, 5)
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="--split-patients"):
        partition_by_group(table, split(table, hospitals=2, rng=rng), devices=20, rng=rng)


def test_devices_within_groups_need_groups_and_enough_of_both():
    rng = np.random.default_rng(0)
    table = load("wdbc")
    with pytest.raises(DataError, match="no group column is known"):
        partition_within_groups(table, split(table, hospitals=2, rng=rng), devices=4, rng=rng)
    table = grouped_table(20, 5)
    parts = split(table, hospitals=2, rng=rng)
    with pytest.raises(DataError, match=r"60 devices at hospital 1 for .* each device a row"):
        partition_within_groups(table, parts, devices=60, rng=rng)
    few = grouped_table(6, 30)
    few = replace(few, held_out=few.groups >= 3)
    with pytest.raises(DataError, match="at hospital 4 for 0 groups"):
        partition_within_groups(few, split(few, hospitals=4, rng=rng), devices=4, rng=rng)
