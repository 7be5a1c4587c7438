"""Attacks on the real mechanism stay below the claim, come near it, and catch mechanisms that are broken."""

import dataclasses
import math

import numpy as np
import pytest

from fl_core.errors import SpecError
from fl_core.privacy import Sensitivity, calibrate, privacy_loss
from fl_core.privacy.canary import CohortMechanism, attack_cohort, canary_attack, clopper_pearson
from fl_core.privacy.skellam import sample_skellam
from fl_core.updates import UpdateCodec

DELTA = 1e-5
ALTERNATING = np.array([[1.0], [-1.0]])  # two rounds of one entry, at the clip norm
CODEC = UpdateCodec(dim=1, clip_norm=1.0, bits=32, fraction_bits=10)
MEMBERS, THRESHOLD, CORRUPTED = 24, 17, 2
HONEST = THRESHOLD - CORRUPTED


def noise_for(epsilon, *, codec=CODEC, honest=HONEST, rounds=2, edge_epsilon=None):
    return calibrate(
        profile="accountable",
        epsilon=epsilon,
        delta=DELTA,
        rounds=rounds,
        sensitivity=Sensitivity(*codec.sensitivity),
        honest_in_cohort=honest,
        honest_at_release=honest,
        edge_epsilon=epsilon if edge_epsilon is None else edge_epsilon,
    )


def mechanism_for(
    epsilon, kind=CohortMechanism, *, codec=CODEC, honest=HONEST, calibrated_for=None, rounds=2
):
    noise = noise_for(epsilon, codec=codec, honest=calibrated_for or honest, rounds=rounds)
    return kind(
        dataclasses.replace(codec, noise_variance=noise.local_variance), noise.global_variance, honest
    )


def attack(mechanism, epsilon, runs=100_000, canary=ALTERNATING, seed=7):
    return canary_attack(mechanism, canary, claimed=epsilon, delta=DELTA, runs=runs, seed=seed)


@pytest.mark.parametrize("epsilon", [1.0, 2.0, 4.0])
def test_empirical_epsilon_stays_below_the_claim_and_reaches_half_of_it(epsilon):
    report = attack(mechanism_for(epsilon, honest=3), epsilon, runs=200_000)
    assert not report.refuted
    assert report.high < epsilon
    assert report.gaussian_high < epsilon
    assert report.low >= 0.5 * epsilon
    assert report.gaussian_low >= 0.8 * epsilon
    assert report.low <= report.estimate <= report.high


def test_what_is_released_hides_more_than_what_the_edge_sees():
    noise = noise_for(1.0, honest=3, edge_epsilon=4.0)
    edge, release = (
        attack_cohort(
            noise,
            clip_norm=1.0,
            bits=32,
            fraction_bits=10,
            honest=3,
            rounds=2,
            claimed=4.0,
            runs=50_000,
            seed=3,
            released=released,
        )
        for released in (False, True)
    )
    assert release.high < 1.0 < edge.low < edge.high < 4.0


@pytest.mark.parametrize("divisor", [2, 4])
def test_noise_that_is_divided_is_caught(divisor):
    sound = mechanism_for(1.0, honest=3)
    codec = dataclasses.replace(sound.codec, noise_variance=sound.codec.noise_variance / divisor**2)
    report = attack(dataclasses.replace(sound, codec=codec), 1.0)
    assert report.refuted
    assert report.low > 1.0  # without taking the noise to be near Gaussian


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_noise_that_counts_on_every_member_is_caught(epsilon):
    assert attack(mechanism_for(epsilon, calibrated_for=MEMBERS), epsilon, runs=50_000).refuted
    assert not attack(mechanism_for(epsilon), epsilon, runs=50_000).refuted


class ReusedNoise(CohortMechanism):
    """Broken: each round of a run repeats the noise of its first."""

    def noise(self, shape, source):
        rows, entries = shape
        first = sample_skellam(self.codec.noise_variance, rows // 2 * entries, source)
        return np.repeat(first.reshape(-1, entries), 2, axis=0)


def test_noise_that_repeats_from_round_to_round_is_caught():
    report = attack(mechanism_for(1.0, ReusedNoise, honest=3), 1.0, runs=20_000)
    assert report.refuted
    assert report.low > 4.0  # the canary's sign alternates, so that repeated noise cancels


class UnclippedUpdates(CohortMechanism):
    """Broken: what is encoded may be three times as long as the clip norm."""

    def __call__(self, updates, runs, source, rng):
        codec = dataclasses.replace(self.codec, clip_norm=3 * self.codec.clip_norm)
        return CohortMechanism(codec, self.global_variance, self.honest)(updates, runs, source, rng)


def test_a_skipped_clip_is_caught():
    broken, sound = (mechanism_for(1.0, kind, honest=3) for kind in (UnclippedUpdates, CohortMechanism))
    assert attack(broken, 1.0, runs=50_000, canary=3 * ALTERNATING).low > 1.0
    assert not attack(sound, 1.0, runs=50_000, canary=3 * ALTERNATING).refuted


class ForgottenNoise(CohortMechanism):
    """Broken: no device adds any noise."""

    def noise(self, shape, source):
        return np.zeros(shape, dtype=np.int64)


def test_noise_forgotten_altogether_is_caught():
    report = attack(mechanism_for(4.0, ForgottenNoise, honest=3), 4.0, runs=20_000)
    assert report.low > 4.0
    assert report.high == math.inf


def test_a_report_can_be_had_again():
    mechanism = mechanism_for(2.0, honest=3)
    assert attack(mechanism, 2.0, runs=5_000) == attack(mechanism, 2.0, runs=5_000)
    assert attack(mechanism, 2.0, runs=5_000, seed=8) != attack(mechanism, 2.0, runs=5_000)
    assert attack(mechanism, 2.0, runs=5_000).to_json()["refuted"] is False


def test_intervals_of_rates_are_clopper_and_pearsons():
    low, high = clopper_pearson(0, 100, 0.025)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 100))
    low, high = clopper_pearson(100, 100, 0.025)
    assert low == pytest.approx(0.025 ** (1 / 100))
    assert high == 1.0
    low, high = clopper_pearson(10, 100, 0.025)  # tabulated: 4.90% to 17.62%
    assert (low, high) == (pytest.approx(0.0490, abs=1e-4), pytest.approx(0.1762, abs=1e-4))


@pytest.mark.parametrize(
    ("canary", "runs", "message"),
    [
        (ALTERNATING, 999, "999 runs"),
        (np.zeros((2, 1)), 1000, "canary"),
        (np.array([1.0]), 1000, "canary"),
        (np.array([[math.inf]]), 1000, "canary"),
    ],
)
def test_attacks_that_say_nothing_are_refused(canary, runs, message):
    with pytest.raises(SpecError, match=message):
        attack(CohortMechanism(CODEC, 1.0, 1), 1.0, runs=runs, canary=canary)


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_half_a_million_attacks_on_a_whole_cohort_stay_below_the_claim(epsilon):
    codec = UpdateCodec(dim=4, clip_norm=1.0, bits=24, fraction_bits=8)
    noise = noise_for(epsilon, codec=codec, rounds=3)
    counts = {"profile": "accountable", "honest_in_cohort": HONEST, "honest_at_release": HONEST}
    claimed = privacy_loss(noise, Sensitivity(*codec.sensitivity), 3, **counts).release
    canary = np.array([[1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, -1.0, -1.0], [1.0, 1.0, 1.0, 1.0]]) / 2
    mechanism = CohortMechanism(
        dataclasses.replace(codec, noise_variance=noise.local_variance), noise.global_variance, HONEST
    )
    report = attack(mechanism, claimed, runs=500_000, canary=canary)
    assert not report.refuted
    assert report.gaussian_high < claimed
    assert report.low >= 0.5 * epsilon


@pytest.mark.slow
def test_noise_that_counts_on_every_member_is_caught_without_any_assumption():
    # cohorts of 5: 4 survive for certain, 2 of them honest
    report = attack(mechanism_for(4.0, honest=2, calibrated_for=5), 4.0, runs=500_000)
    assert report.low > 4.0
