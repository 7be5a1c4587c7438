"""Calibrated noise meets its targets in the worst case, and hardly more than that."""

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.errors import SpecError
from fl_core.privacy import RoundExposure, Sensitivity, calibrate, composed_loss, privacy_loss
from fl_core.privacy.calibration import smallest_variance

SETTING = {
    "profile": "hospital",
    "epsilon": 2.0,
    "delta": 1e-5,
    "rounds": 30,
    "sensitivity": Sensitivity(l1=20_000.0, l2=500.0),
    "honest_in_cohort": 15,
    "honest_at_release": 60,
    "entries": 5000,
}


def with_loss(**changes):
    wanted = {**SETTING, **changes}
    noise = calibrate(**wanted)
    names = ("profile", "honest_in_cohort", "honest_at_release", "hospitals_at_release", "entries")
    counts = {name: wanted[name] for name in names if name in wanted}
    return noise, privacy_loss(noise, wanted["sensitivity"], wanted["rounds"], **counts)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.fixed_dictionaries(
        {
            "profile": st.sampled_from(["accountable", "hospital", "private"]),
            "epsilon": st.floats(0.05, 12.0),
            "edge_epsilon": st.none() | st.floats(0.05, 12.0),
            "rounds": st.integers(1, 200),
            "honest_in_cohort": st.integers(1, 30),
            "honest_at_release": st.integers(30, 300),
            "hospitals_at_release": st.integers(3, 20),
            "corrupted_hospitals": st.integers(0, 2),
            "sensitivity": st.floats(2.0, 100.0).map(lambda l2: Sensitivity(3 * l2, l2)),
        }
    )
)
def test_targets_are_met_whatever_they_are(wanted):
    noise, found = with_loss(**wanted)
    assert found.release <= wanted["epsilon"]
    assert found.release <= found.edge
    assert wanted["edge_epsilon"] is None or found.edge <= wanted["edge_epsilon"]
    assert all(getattr(noise, name) == wanted[name] for name in ("epsilon", "rounds", "corrupted_hospitals"))


@pytest.mark.parametrize("profile", ["accountable", "hospital"])
def test_no_more_noise_than_the_release_needs(profile):
    _, found = with_loss(profile=profile, epsilon=1.0)
    assert 0.999 < found.release <= 1.0
    assert 7.99 < found.edge <= 8.0


def test_where_release_needs_little_the_edge_gets_no_more():
    noise, found = with_loss(epsilon=8.0)
    assert noise.global_variance == 0
    assert 7.99 < found.release <= 8.0
    assert found.edge > 8.0


def test_local_noise_is_sized_for_honest_survivors_not_for_members():
    few, many = (with_loss(edge_epsilon=4.0, honest_in_cohort=n)[0] for n in (10, 20))
    assert few.local_variance == pytest.approx(2 * many.local_variance, rel=1e-3)


def test_local_and_global_noise_fill_up_the_variance_of_release():
    noise, _ = with_loss(epsilon=1.0)
    needed = smallest_variance(1.0, 1e-5, 30, SETTING["sensitivity"])
    assert 60 * noise.local_variance + noise.global_variance == pytest.approx(needed, rel=1e-4)


def test_shares_of_the_global_noise_are_sized_for_honest_hospitals():
    private = {"profile": "private", "epsilon": 0.5, "hospitals_at_release": 10}
    trusting, _ = with_loss(**private)
    wary, found = with_loss(**private, corrupted_hospitals=5)
    assert wary.global_variance == pytest.approx(2 * trusting.global_variance, rel=1e-3)
    assert found.release <= 0.5


def test_a_strict_edge_makes_release_stricter_too():
    noise, found = with_loss(epsilon=8.0, edge_epsilon=1.0)
    assert noise.global_variance == 0
    assert found.edge <= 1.0
    assert found.release < 0.6


def test_variances_are_plain_numbers():
    noise = calibrate(**SETTING)
    for variance in (noise.local_variance, noise.global_variance):
        numerator, denominator = variance.as_integer_ratio()
        assert denominator & (denominator - 1) == 0
        assert (numerator // (numerator & -numerator)).bit_length() <= 16


def test_smallest_variance_is_the_smallest():
    sensitivity = SETTING["sensitivity"]
    found = smallest_variance(2.0, 1e-5, 30, sensitivity)
    for factor, within in ((1.0, True), (0.99999, False)):
        exposure = RoundExposure(sensitivity, 0.0, 0.0, found * factor, 0.0)
        assert (composed_loss([(exposure, 30)], 1e-5).release <= 2.0) is within


@pytest.mark.parametrize("change", [{"epsilon": 0.0}, {"edge_epsilon": -1.0}, {"delta": 0.0}, {"rounds": 0}])
def test_targets_that_cannot_be_are_refused(change):
    with pytest.raises(SpecError):
        calibrate(**{**SETTING, **change})


def test_unreachable_targets_are_refused():
    with pytest.raises(SpecError, match="fewer rounds"):
        calibrate(**{**SETTING, "sensitivity": Sensitivity(1e12, 1e12)})


def test_noise_too_wide_for_its_steps_is_refused():
    with pytest.raises(SpecError, match="fewer fraction bits"):
        calibrate(**{**SETTING, "epsilon": 0.05, "rounds": 200, "sensitivity": Sensitivity(6000.0, 2000.0)})


def test_noise_travels_with_a_spec():
    from fl_core.json_fields import from_fields
    from fl_core.privacy import NoiseSpec

    noise = calibrate(**SETTING)
    assert from_fields(NoiseSpec, dataclasses.asdict(noise)) == noise
    assert math.isfinite(noise.local_variance)
