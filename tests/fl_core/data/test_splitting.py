from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.data import Table, load, split
from fl_core.data.splitting import units_of
from fl_core.errors import DataError


def table_of(labels, groups=None, sites=None):
    n = len(labels)
    return Table(
        name="made",
        source="made here",
        numeric_names=("x",),
        numeric=np.arange(n, dtype=np.float64).reshape(n, 1),
        categorical_names=(),
        categorical=np.empty((n, 0), dtype=np.object_),
        labels=np.asarray(labels, dtype=np.int64),
        class_names=tuple(str(k) for k in range(max(labels) + 1)),
        groups=None if groups is None else np.asarray(groups, dtype=np.int64),
        group_names=() if groups is None else tuple(f"p{g}" for g in range(max(groups) + 1)),
        sites=None if sites is None else np.asarray(sites, dtype=np.int64),
        site_names=() if sites is None else tuple(f"s{s}" for s in range(max(sites) + 1)),
    )


def parts_of(result):
    return [result.test, *result.validation, *result.train]


def test_wdbc_is_split_in_the_asked_shares_and_stratified():
    table = load("wdbc")
    result = split(table, hospitals=4, rng=np.random.default_rng(0))
    assert len(result.test) == 114
    assert [len(rows) for rows in result.validation] == [29, 29, 28, 28]
    assert sum(map(len, parts_of(result))) == 569
    for rows in parts_of(result):
        assert table.labels[rows].mean() == pytest.approx(table.labels.mean(), abs=0.03)


def test_the_same_seed_gives_the_same_split():
    table = load("wdbc")
    first, again, other = (split(table, hospitals=4, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.test, again.test)
    assert all(map(np.array_equal, first.validation, again.validation))
    assert not np.array_equal(first.test, other.test)


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 2)), min_size=20, max_size=40),
    st.integers(1, 3),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_parts_are_disjoint_whole_and_never_share_a_group(groups, hospitals, seed):
    groups = [*groups, *[(2, 0), (2, 1)] * 6]
    labels = [(label + i // 4) % 3 for size, label in groups for i in range(size)]
    owners = [number for number, (size, _) in enumerate(groups) for _ in range(size)]
    table = table_of([*labels, 2], [*owners, len(groups)])
    result = split(table, hospitals=hospitals, rng=np.random.default_rng(seed))
    parts = parts_of(result)
    assert sorted(np.concatenate(parts)) == list(range(len(table)))
    owners = [set(table.groups[part].tolist()) for part in parts]
    assert sum(map(len, owners)) == len(set().union(*owners))
    assert all(len(part) for part in parts)
    assert len(result.test) == pytest.approx(0.2 * len(table), abs=8)


def test_a_rare_class_stays_in_training():
    table = table_of([0] * 50 + [1] * 49 + [2])
    for seed in range(10):
        result = split(table, hospitals=2, rng=np.random.default_rng(seed))
        assert 99 in result.train[0]


def test_sites_hold_their_own_validation_and_training_rows():
    sites = [0] * 40 + [1] * 60 + [2] * 30
    table = table_of([i % 2 for i in range(130)], groups=[i // 2 for i in range(130)], sites=sites)
    result = split(table, hospitals=3, rng=np.random.default_rng(0))
    assert result.by_site
    assert result.hospital_names == ("s0", "s1", "s2")
    for site in range(3):
        assert set(table.sites[result.validation[site]]) == {site}
        assert set(table.sites[result.train[site]]) == {site}
    assert set(table.sites[result.test]) == {0, 1, 2}


def test_units_are_groups_with_their_commonest_class():
    table = table_of([0, 1, 1, 0, 1, 0], groups=[1, 0, 1, 2, 1, 2])
    units = units_of(table, np.array([0, 2, 3, 4, 5]))
    assert [rows.tolist() for rows in units.rows] == [[0, 2, 4], [3, 5]]
    assert units.labels.tolist() == [1, 0]
    assert units.sizes.tolist() == [3, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hospitals": 0}, "0 hospitals: choose 1 to 64"),
        ({"hospitals": 65}, "65 hospitals: choose 1 to 64"),
        ({"hospitals": 2, "test_fraction": 0.0}, "must be above 0"),
        ({"hospitals": 2, "test_fraction": 0.7, "validation_fraction": 0.3}, "leave something to train on"),
        ({"hospitals": 8}, "20 rows are too few for test, training and validation at 8 hospitals"),
    ],
)
def test_a_split_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        split(table_of([0, 1] * 10), rng=np.random.default_rng(0), **arguments)


def test_sites_that_do_not_fit_are_refused():
    table = table_of([0, 1] * 10, groups=[0, 0] * 10, sites=[0] * 10 + [1] * 10)
    with pytest.raises(DataError, match=r"3 hospitals asked, but the data name 2 \(s0, s1\)"):
        split(table, hospitals=3, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="group 'p0' has rows at two sites"):
        split(table, hospitals=2, rng=np.random.default_rng(0))


def held_out_table(groups, held, rows_each=12):
    owners = np.repeat(np.arange(groups), rows_each)
    table = table_of(np.arange(len(owners)) % 3, owners.tolist())
    return replace(table, held_out=np.isin(owners, held))


def test_only_what_is_held_out_is_tested_and_validated_on():
    held = [1, 4, 5, 7, 8, 9]
    table = held_out_table(12, held)
    result = split(
        table, hospitals=5, rng=np.random.default_rng(0), test_fraction=0.2, validation_fraction=0.1
    )
    validating, testing = (
        set(table.groups[rows].tolist()) for rows in (np.concatenate(result.validation), result.test)
    )
    assert len(validating) == 2
    assert len(testing) == 4
    assert validating | testing == set(held)
    assert np.array_equal(result.train[0], np.flatnonzero(~table.held_out))
    assert sorted(map(len, result.validation)) == [4, 5, 5, 5, 5]


def test_held_out_rows_must_be_whole_groups_and_no_sites():
    table = held_out_table(4, [1, 2])
    with pytest.raises(DataError, match="group 'p0' is held out in part only"):
        replace(table, held_out=np.arange(len(table)) < 5)
    with pytest.raises(DataError, match="not none and not all"):
        replace(table, held_out=np.ones(len(table), dtype=np.bool_))
    sited = replace(table, sites=table.groups % 2, site_names=("a", "b"))
    with pytest.raises(DataError, match="do not go together"):
        split(sited, hospitals=2, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="1 groups are too few"):
        split(held_out_table(4, [1]), hospitals=2, rng=np.random.default_rng(0))
