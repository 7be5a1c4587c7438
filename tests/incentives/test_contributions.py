import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentives import (
    DEFAULT_CAPS,
    DEFAULT_RULE,
    DeviceClass,
    IncentivesError,
    bucket_rows,
    compute_points,
    volume_points,
)

rows = st.integers(1, 2**40)


@given(rows)
def test_a_bucket_stands_for_what_lies_around_it(count):
    bucket = bucket_rows(count)
    assert bucket_rows(bucket) == bucket
    assert count * 2**-0.25 - 0.5 <= bucket <= count * 2**0.25 + 0.5


@given(rows, rows)
def test_more_rows_never_lie_in_a_smaller_bucket(one, other):
    assert (bucket_rows(one) <= bucket_rows(other)) or one > other


def test_buckets_are_coarse_and_small_counts_are_themselves():
    counts = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100)
    assert [bucket_rows(count) for count in counts] == [1, 2, 3, 4, 6, 6, 8, 8, 8, 11, 11, 91]
    assert len({bucket_rows(count) for count in range(1, 2**20)}) == 40


@given(rows, st.integers(0, 10_000))
def test_volume_follows_the_stated_formula_up_to_the_cap(count, cap):
    assert volume_points(count, cap) == min(cap, round(500 * math.log2(1 + count)))


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.integers(0, 10_000))
def test_compute_grows_with_work_and_stops_at_the_cap(one, other, cap):
    low, high = sorted((one, other))
    assert 0 <= compute_points(low, cap) <= compute_points(high, cap) <= cap


def test_a_fraction_of_a_megaflop_still_counts():
    assert compute_points(0.2, 10_000) == 132
    assert compute_points(0, 10_000) == 0


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf])
def test_impossible_work_is_refused(amount):
    with pytest.raises(IncentivesError, match="training work"):
        compute_points(amount, 10_000)


def test_no_rows_have_no_bucket_and_negative_ones_no_score():
    with pytest.raises(IncentivesError, match="0 rows"):
        bucket_rows(0)
    with pytest.raises(IncentivesError, match="row count -1"):
        volume_points(-1, 10_000)


def test_the_default_rule_caps_each_class_as_the_table_does():
    for device_class in DeviceClass:
        assert DEFAULT_RULE.volume_cap[device_class] == DEFAULT_CAPS[device_class].volume
        assert DEFAULT_RULE.compute_cap[device_class] == DEFAULT_CAPS[device_class].compute
