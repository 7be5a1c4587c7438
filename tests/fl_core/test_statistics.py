import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.data import Table, derive_schema, load
from fl_core.data.schema import NumericColumn, Schema
from fl_core.errors import DataError, SpecError
from fl_core.statistics import (
    FRACTION_BITS,
    MAX_ROWS,
    decode_statistics,
    encode_statistics,
    pooled_statistics,
    statistics_length,
)


def schema_of(values):
    n, p = values.shape
    table = Table(
        name="made",
        source="made here",
        numeric_names=tuple(f"c{j}" for j in range(p)),
        numeric=values.copy(),
        categorical_names=(),
        categorical=np.empty((n, 0), dtype=np.object_),
        labels=np.arange(n, dtype=np.int64) % 2,
        class_names=("no", "yes"),
    )
    return derive_schema(table, np.arange(n))


def summed(values, schema, parts, bits=64, **options):
    """Statistics from what the parts send, summed in the ring."""
    ring = np.zeros(statistics_length(schema), dtype=np.uint64)
    for rows in parts:
        ring = ring + encode_statistics(values[rows], schema, bits=bits, **options)
    return decode_statistics(ring & np.uint64((1 << bits) - 1), schema, bits=bits, **options)


def test_sums_over_devices_equal_numpy_at_any_scale():
    rng = np.random.default_rng(0)
    scales = np.array([1e-12, 1e-3, 1.0, 1e6, 1e12, 1e100, 1e-100])
    values = rng.normal(size=(500, 7)) * scales + np.array([0, 1, -5, 1e6, 0, 0, 0]) * scales
    values[rng.random(values.shape) < 0.1] = np.nan
    schema = schema_of(values)
    found = summed(values, schema, np.array_split(np.arange(500), 64))
    np.testing.assert_array_equal(found.count, (~np.isnan(values)).sum(axis=0))
    np.testing.assert_allclose(found.std, np.nanstd(values, axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.mean, np.nanmean(values, axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.variance[:5], np.nanvar(values[:, :5], axis=0), rtol=1e-6)


def test_wdbc_statistics_equal_numpy():
    values = load("wdbc").numeric
    found = summed(values, schema_of(values), np.array_split(np.arange(569), 64))
    np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.std, values.std(axis=0), rtol=1e-9)


def test_a_small_spread_on_a_large_mean_does_not_cancel_away():
    values = (1e6 + np.random.default_rng(0).normal(size=(400, 1))).astype(np.float64)
    found = pooled_statistics(values, schema_of(values))
    np.testing.assert_allclose(found.std, values.std(axis=0), rtol=1e-6)


@given(st.integers(0, 2**32), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_how_rows_are_split_over_devices_does_not_matter(seed, devices):
    rng = np.random.default_rng(seed)
    values = rng.standard_cauchy(size=(60, 3))
    schema = schema_of(values)
    found = summed(values, schema, np.array_split(rng.permutation(60), devices))
    pooled = pooled_statistics(values, schema)
    assert np.array_equal(found.mean, pooled.mean)
    assert np.array_equal(found.std, pooled.std)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e9])
def test_a_constant_column_has_exactly_no_variance(value):
    values = np.full((37, 1), value)
    found = pooled_statistics(values, schema_of(values))
    assert found.std[0] == 0
    assert found.mean[0] == pytest.approx(value, rel=1e-9)


def test_a_column_without_values_counts_nothing():
    values = np.array([[1.0, np.nan], [2.0, np.nan]])
    found = pooled_statistics(values, schema_of(values))
    assert (found.count[1], found.mean[1], found.std[1]) == (0, 0, 0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_largest_sums_that_are_allowed_do_not_wrap(sign):
    bits, max_rows = 46, 31  # 31 * 2^40 < 2^45
    schema = Schema((NumericColumn("x", 0, False),), (), ("no", "yes"))
    values = np.full((max_rows, 1), sign)
    found = summed(values, schema, np.arange(max_rows).reshape(-1, 1), bits=bits, max_rows=max_rows)
    assert (found.count[0], found.mean[0], found.std[0]) == (max_rows, sign, 0)
    with pytest.raises(SpecError, match="sums over 32 rows can wrap in 46 bits; at most 31 rows fit"):
        encode_statistics(values, schema, bits=bits, max_rows=32)


def test_the_default_fits_and_twice_as_many_rows_would_too_but_not_four_times():
    schema = Schema((NumericColumn("x", 0, False),), (), ("no", "yes"))
    assert MAX_ROWS << FRACTION_BITS < 1 << 63
    with pytest.raises(SpecError, match="can wrap in 64 bits"):
        encode_statistics(np.zeros((1, 1)), schema, max_rows=2 * MAX_ROWS)
    for bits in (0, 65):
        with pytest.raises(SpecError, match=f"{bits} bits"):
            encode_statistics(np.zeros((1, 1)), schema, bits=bits)
    with pytest.raises(SpecError, match="at least one row"):
        encode_statistics(np.zeros((1, 1)), schema, max_rows=0)


def test_values_beyond_the_declaration_are_refused_not_clipped():
    schema = Schema((NumericColumn("pressure", 7, False),), (), ("no", "yes"))
    with pytest.raises(DataError, match=r"'pressure' holds a value beyond its declared magnitude 2\^7"):
        encode_statistics(np.array([[129.0]]), schema)
    with pytest.raises(DataError, match="beyond its declared magnitude"):
        encode_statistics(np.array([[np.inf]]), schema)
    with pytest.raises(DataError, match="2 rows on one device, but the specification allows 1"):
        encode_statistics(np.zeros((2, 1)), schema, max_rows=1)
    with pytest.raises(DataError, match="schema with 1 numeric columns"):
        encode_statistics(np.zeros((2, 3)), schema)


def test_a_total_that_no_values_have_is_refused():
    values = load("wdbc").numeric[:50]
    schema = schema_of(values)
    total = encode_statistics(values, schema)
    for entry, change in ((0, 1 << 60), (1, 1 << 50), (3, -int(total[3]))):
        wrong = total.copy()
        wrong[entry] = np.uint64((int(total[entry]) + change) % (1 << 64))
        with pytest.raises(DataError, match="belong to no values"):
            decode_statistics(wrong, schema)
    with pytest.raises(DataError, match="statistics of shape"):
        decode_statistics(total[:-1], schema)


def test_the_limbs_hold_every_square_exactly():
    edge = 1 << FRACTION_BITS
    for q in (0, 1, -1, edge, -edge, edge - 1, 123456789012, (1 << 20) - 1, 1 << 20):
        schema = Schema((NumericColumn("x", 0, False),), (), ("no", "yes"))
        _, _, low, high = encode_statistics(np.array([[q / edge]]), schema).tolist()
        assert (high << FRACTION_BITS) + low == q * q
        assert low < edge
