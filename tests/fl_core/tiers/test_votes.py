"""Votes of releases: every hospital has as many, in whole numbers that split exactly where they can."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.robust import median
from fl_core.tiers.votes import votes_of

FEDERATION = st.lists(st.lists(st.integers(1, 50_000), min_size=1, max_size=12), min_size=1, max_size=64)


def flat(federation):
    hospitals = [number for number, cohorts in enumerate(federation, start=1) for _ in cohorts]
    return hospitals, [devices for cohorts in federation for devices in cohorts]


def by_hospital(hospitals, votes):
    sums = {}
    for hospital, vote in zip(hospitals, votes.tolist(), strict=True):
        sums[hospital] = sums.get(hospital, 0) + vote
    return sums


def devices_of(whole):
    """Three cohorts that are as equal as can be."""
    return (whole // 3, whole // 3, whole - 2 * (whole // 3))


@given(FEDERATION)
def test_votes_of_every_hospital_add_up_to_the_same_number(federation):
    hospitals, devices = flat(federation)
    votes = votes_of(hospitals, devices)
    assert votes.dtype == np.int64
    assert votes.min() >= 1
    assert len(set(by_hospital(hospitals, votes).values())) == 1
    assert sum(votes.tolist()) <= 1 << 53  # no sum of them overflows, and float64 holds each


@given(FEDERATION)
def test_a_releases_vote_is_its_share_of_the_hospitals_devices(federation):
    hospitals, devices = flat(federation)
    votes = votes_of(hospitals, devices)
    whole = by_hospital(hospitals, votes)[1]
    totals = by_hospital(hospitals, np.array(devices))
    off = [
        abs(Fraction(vote, whole) - Fraction(count, totals[hospital]))
        for hospital, count, vote in zip(hospitals, devices, votes.tolist(), strict=True)
    ]
    assert max(off) < Fraction(1, 1 << 40)


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=8))
def test_shares_with_a_small_common_denominator_are_split_exactly(federation):
    hospitals, devices = flat(federation)
    votes = votes_of(hospitals, devices)
    whole = by_hospital(hospitals, votes)[1]
    totals = by_hospital(hospitals, np.array(devices))
    shares = [Fraction(count, totals[h]) for h, count in zip(hospitals, devices, strict=True)]
    assert [Fraction(vote, whole) for vote in votes.tolist()] == shares


def test_three_equal_cohorts_weigh_as_much_as_one_cohort_of_another_hospital():
    votes = votes_of([1, 1, 1, 2], [16, 16, 16, 16])
    assert votes.tolist() == [1, 1, 1, 3]
    means = np.array([[0.0], [0.0], [0.0], [8.0]])
    assert median(means, votes).tolist() == [4.0]  # an exact tie


def test_where_no_common_denominator_is_small_hospitals_still_have_equal_votes():
    primes = [10_007, 10_009, 10_037, 10_039, 10_061, 10_067]
    hospitals = [h for h, _ in enumerate(primes) for _ in range(3)]
    devices = [count for prime in primes for count in devices_of(prime)]
    votes = votes_of(hospitals, devices)
    assert set(by_hospital(hospitals, votes).values()) == {1 << 40}
    of_each = [Fraction((1 << 40) * count, prime) for prime in primes for count in devices_of(prime)]
    assert all(abs(vote - share) < 1 for vote, share in zip(votes.tolist(), of_each, strict=True))


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1]])
def test_votes_do_not_depend_on_the_order_of_releases(order):
    hospitals, devices = [1, 1, 2, 2, 2], [10, 20, 7, 9, 14]
    votes = votes_of(hospitals, devices)
    shuffled = votes_of([hospitals[i] for i in order], [devices[i] for i in order])
    assert shuffled.tolist() == [int(votes[i]) for i in order]
