"""Three figures: the fewer the eyes, the more the noise, the smaller the loss."""

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.errors import SpecError
from fl_core.privacy import (
    NoiseSpec,
    PrivacyLoss,
    RoundExposure,
    Sensitivity,
    composed_loss,
    composed_person_loss,
    default_delta,
    privacy_loss,
    rho_per_round,
    round_exposure,
)
from fl_core.privacy.numeric_loss import skellam_epsilon
from fl_core.privacy.renyi import ORDERS, skellam_rdp

NOISE = NoiseSpec(epsilon=8.0, delta=1e-5, rounds=30, local_variance=2000.0, global_variance=30_000.0)
SENSITIVITY = Sensitivity(l1=200.0, l2=50.0)
HONEST = {"honest_in_cohort": 15, "honest_at_release": 60, "entries": 1000}


def loss(noise=NOISE, sensitivity=SENSITIVITY, rounds=10, profile="hospital", **changes):
    return privacy_loss(noise, sensitivity, rounds, profile=profile, **{**HONEST, **changes})


variances = st.floats(0.01, 1e9)


@settings(deadline=None, derandomize=True)
@given(
    st.builds(NoiseSpec, st.just(1.0), st.just(1e-5), st.just(300), variances, st.just(0.0) | variances),
    st.floats(1.0, 1e4),
    st.integers(0, 300),
    st.fixed_dictionaries(
        {
            "profile": st.sampled_from(["accountable", "hospital", "private"]),
            "honest_in_cohort": st.integers(1, 50),
            "honest_at_release": st.integers(50, 500),
            "hospitals_at_release": st.integers(1, 30),
        }
    ),
)
def test_edge_never_loses_less_than_release_nor_more_than_without_masks(noise, l2, rounds, counts):
    found = privacy_loss(noise, Sensitivity(3 * l2, l2), rounds, **counts, entries=1000)
    assert 0 <= found.release <= found.edge <= found.unmasked


@settings(deadline=None, derandomize=True)
@given(rounds=st.integers(0, 200), more=st.integers(1, 50))
def test_loss_grows_with_rounds(rounds, more):
    fewer, longer = loss(rounds=rounds), loss(rounds=rounds + more)
    assert fewer.release < longer.release
    assert fewer.edge <= longer.edge


def test_no_round_taken_nothing_lost():
    assert loss(rounds=0) == PrivacyLoss(0.0, 0.0, 0.0)


def test_noise_counted_is_the_honest_survivors():
    exposure = round_exposure(NOISE, SENSITIVITY, profile="hospital", **HONEST)
    assert exposure.unmasked == 2000.0
    assert exposure.edge == 15 * 2000.0
    assert exposure.release == 60 * 2000.0 + 30_000.0


def test_private_counts_the_shares_of_honest_hospitals_only():
    noise = dataclasses.replace(NOISE, corrupted_hospitals=3)
    exposure = round_exposure(noise, SENSITIVITY, profile="private", hospitals_at_release=10, **HONEST)
    assert exposure.release == 60 * 2000.0 + 7 * 30_000.0


def test_what_a_hospital_releases_has_its_own_noise_whoever_else_is_corrupted():
    noise = dataclasses.replace(NOISE, corrupted_hospitals=3)
    assert loss(noise, profile="hospital") == loss(profile="hospital")


def test_without_global_noise_a_cohorts_release_is_what_the_edge_sees():
    noise = dataclasses.replace(NOISE, global_variance=0.0)
    found = loss(noise, profile="accountable", honest_at_release=15)
    assert found.edge == found.release


def test_figures_of_no_local_noise_claim_nothing():
    found = loss(dataclasses.replace(NOISE, local_variance=0.0))
    assert found.edge == found.unmasked == math.inf
    assert found.to_json() == {"edge": None, "release": found.release, "unmasked": None}


def test_different_rounds_compose():
    one = round_exposure(NOISE, SENSITIVITY, profile="hospital", **HONEST)
    other = round_exposure(NOISE, Sensitivity(90.0, 30.0), profile="hospital", **HONEST)
    both = composed_loss([(one, 5), (other, 7)], 1e-5)
    assert (
        max(composed_loss([(one, 5)], 1e-5).release, composed_loss([(other, 7)], 1e-5).release) < both.release
    )
    assert both.release < composed_loss([(one, 12)], 1e-5).release


def person(devices, rounds=10, exposure=None):
    exposure = exposure or round_exposure(NOISE, SENSITIVITY, profile="hospital", **HONEST)
    return composed_person_loss([(exposure, devices, rounds)], 1e-5)


def test_a_persons_devices_are_lost_together():
    assert person(1) == loss()
    three = person(3)
    assert three.release > 3 * loss().release
    # three times the sensitivity against the same noise is the sensitivity against a ninth of it, where noise is wide
    exposure = round_exposure(NOISE, SENSITIVITY, profile="hospital", **HONEST)
    ninth = RoundExposure(
        SENSITIVITY, *(v / 9 for v in (exposure.unmasked, exposure.edge, exposure.release)), 0.0
    )
    assert three.release == pytest.approx(composed_loss([(ninth, 10)], 1e-5).release, rel=1e-2)


def test_without_masks_a_persons_devices_are_so_many_mechanisms_side_by_side():
    assert person(3, rounds=10).unmasked == pytest.approx(person(1, rounds=30).unmasked, rel=1e-12)


def test_a_sum_of_a_persons_devices_tells_no_more_than_their_vectors_would():
    many = person(40)  # more than the 15 honest survivors that the edge's figure counts on
    assert many.release <= many.edge == many.unmasked
    assert person(2).edge < person(2).unmasked


@settings(deadline=None, derandomize=True)
@given(variances, st.floats(1.0, 1e4), st.integers(1, 20), st.integers(1, 20))
def test_devices_in_several_sums_never_tell_more_than_all_in_one(variance, l2, some, others):
    apart = sum(skellam_rdp(variance, Sensitivity(3 * l2, l2).times(count)) for count in (some, others))
    together = skellam_rdp(variance, Sensitivity(3 * l2, l2).times(some + others))
    assert (apart <= together * (1 + 1e-9)).all()


def test_a_persons_loss_is_not_below_what_a_numeric_distribution_finds_for_two_devices_in_one_sum():
    exposure = RoundExposure(Sensitivity(6.0, 6.0), 100.0, 900.0, 900.0, 0.0)  # nine devices in a sum
    found = composed_person_loss([(exposure, 2, 4)], 1e-5).release
    true = skellam_epsilon(900.0, [12], 4, 1e-5)
    assert true <= found <= 1.2 * true


def test_fewer_than_one_device_is_no_person():
    with pytest.raises(SpecError, match="0 devices"):
        person(0)


def test_declared_rho_bounds_the_release_curve_in_millionths():
    exposure = round_exposure(NOISE, SENSITIVITY, profile="hospital", **HONEST)
    micro = rho_per_round(exposure)
    rdp = skellam_rdp(exposure.release, SENSITIVITY).tolist()
    curve = [d / a for a, d in zip(ORDERS, rdp, strict=True) if a == int(a)]
    assert max(curve) * 1e6 <= micro < max(curve) * 1e6 + 1.01
    assert micro == pytest.approx(50**2 / (2 * 150_000.0) * 1e6, rel=1e-3)


def test_rho_that_no_chain_can_hold_is_refused():
    with pytest.raises(SpecError, match="64 bits"):
        rho_per_round(RoundExposure(SENSITIVITY, 0.0, 0.0, 0.0, 0.0))


def test_delta_defaults_to_a_hundred_thousandth_or_less_in_large_federations():
    assert default_delta(10) == 1e-5
    assert default_delta(1000) == 1e-6
    with pytest.raises(SpecError, match="0 devices"):
        default_delta(0)


def test_exposures_travel_as_json():
    exposure = round_exposure(NOISE, SENSITIVITY, profile="hospital", **HONEST)
    assert RoundExposure.from_json(exposure.to_json()) == exposure
    with pytest.raises(SpecError):
        RoundExposure.from_json({**exposure.to_json(), "edge": -1.0})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"profile": "open"}, "profile"),
        ({"honest_in_cohort": 0}, "0 honest devices"),
        ({"honest_at_release": 14}, "whole cohort"),
        ({"profile": "private", "hospitals_at_release": 0}, "honest hospitals"),
        ({"entries": 0}, "0 entries"),
        ({"rounds": -1}, "-1 rounds"),
    ],
)
def test_counts_that_cannot_be_are_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        loss(**changes)


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": 0.0},
        {"epsilon": -1.0},
        {"epsilon": math.nan},
        {"delta": 0.0},
        {"delta": 1.0},
        {"rounds": 0},
        {"local_variance": -1.0},
        {"local_variance": 0.0, "global_variance": 0.0},
        {"corrupted": -1},
        {"corrupted_hospitals": -1},
    ],
)
def test_noise_that_cannot_be_is_refused(change):
    with pytest.raises(SpecError):
        dataclasses.replace(NOISE, **change)
