"""Rényi accounting never claims less than the numeric privacy loss, and not much more."""

import math
from functools import lru_cache

import pytest
from dp_accounting.pld import privacy_loss_distribution as pld

from fl_core.privacy import Sensitivity
from fl_core.privacy.numeric_loss import gaussian_epsilon, skellam_epsilon
from fl_core.privacy.renyi import composed, epsilon_of, skellam_rdp

DELTA = 1e-5
CASES = [
    (0.5, (1,), 1),
    (4.0, (1,), 1),
    (100.0, (5,), 5),
    (400.0, (1, 1, 2, 3), 10),
    (1e4, (100,), 1),
    (1e4, (30,), 30),
    (1e5, (100, 50, 20), 10),
]


numeric_epsilon = lru_cache(skellam_epsilon)


def renyi_epsilon(variance, shifts, rounds):
    sensitivity = Sensitivity(sum(shifts), math.hypot(*shifts))
    return epsilon_of(composed([(skellam_rdp(variance, sensitivity), rounds)]), DELTA)


@pytest.mark.parametrize(("variance", "shifts", "rounds"), CASES)
def test_renyi_epsilon_is_above_the_numeric_one(variance, shifts, rounds):
    assert renyi_epsilon(variance, shifts, rounds) >= numeric_epsilon(variance, shifts, rounds, DELTA)


@pytest.mark.parametrize(("variance", "shifts", "rounds"), CASES[2:])
def test_renyi_epsilon_is_within_15_percent_of_the_numeric_one(variance, shifts, rounds):
    numeric = numeric_epsilon(variance, shifts, rounds, DELTA) - 1e-4 * rounds * len(shifts)  # at most: grid
    assert renyi_epsilon(variance, shifts, rounds) < 1.15 * numeric


@pytest.mark.parametrize(("variance", "shifts", "rounds"), CASES[4:])
def test_wide_skellam_noise_loses_what_gaussian_noise_does(variance, shifts, rounds):
    numeric = numeric_epsilon(variance, shifts, rounds, DELTA)
    mu = math.hypot(*shifts) * math.sqrt(rounds / variance)
    assert numeric == pytest.approx(gaussian_epsilon(mu, DELTA), rel=3e-3)


def test_gaussian_epsilon_is_dp_accountings():
    for mu in (0.2, 1.0, 3.0):
        library = pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=1e-3)
        assert gaussian_epsilon(mu, DELTA) == pytest.approx(library.get_epsilon_for_delta(DELTA), rel=5e-3)


def test_bounds_from_both_sides_enclose_each_other():
    low, high = (skellam_epsilon(50.0, (4,), 3, DELTA, pessimistic=side) for side in (False, True))
    assert low <= high <= low + 1e-2
    assert skellam_epsilon(50.0, (), 3, DELTA) == 0.0
