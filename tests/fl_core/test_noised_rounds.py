"""Rounds with noise: on every device's vector, on everything released, charged before it is sent."""

from dataclasses import replace

import numpy as np
import pytest
from small_run import Schedule, SmallRun, spec_of

from fl_core.data import Encoder
from fl_core.errors import SpecError
from fl_core.privacy import NoiseSpec, PrivacyBudgetError, Sensitivity, calibrate, global_noise
from fl_core.simulation.faults import Death
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers import Device
from fl_core.updates import CompressionSpec, update_bound

COARSE = {"clip_norm": 1.0, "fraction_bits": 8, "bits": 20}


def noise_for(profile, *, rounds=3, epsilon=8.0, hospitals=1, corrupted=1):
    bound = update_bound(None, dim=spec_of(8).dim, clip_norm=1.0, fraction_bits=8)
    honest, wicked = 3 - corrupted, int(profile is Profile.PRIVATE)
    return calibrate(
        profile=profile.value,
        epsilon=epsilon,
        delta=1e-5,
        rounds=rounds,
        sensitivity=Sensitivity(bound.l1, bound.l2),
        honest_in_cohort=honest,
        honest_at_release=honest * (hospitals - wicked),
        hospitals_at_release=hospitals,
        corrupted=corrupted,
        entries=spec_of(8).dim,
        corrupted_hospitals=wicked,
        edge_epsilon=30.0,  # so that there is global noise too
    )


def started(profile=Profile.ACCOUNTABLE, *, rounds=3, **options):
    hospitals = 3 if profile is Profile.PRIVATE else 2
    needed = 3 if profile is Profile.PRIVATE else 1
    return SmallRun.ready_to_train(
        hospitals=hospitals,
        profile=profile,
        min_hospitals=needed,
        noise=noise_for(profile, rounds=rounds, hospitals=needed),
        **{**COARSE, **options},
    )


def without_noise(run, plan, survivors):
    """The plain sum of the survivors' vectors, each without its own noise."""
    quiet = replace(plan, spec=replace(plan.spec, noise=None))
    return np.array(run.plain_sum(quiet, survivors))


def seeded_global(run, hospital, release):
    return global_noise(
        run.hospitals[hospital - 1].edge.keys.noise_seed,
        run.beacon(1),
        round_number=1,
        hospital=hospital,
        cohort=release.cohort,
        variance=run.spec.noise.global_variance,
        size=run.spec.dim,
    )


@pytest.mark.parametrize("profile", [Profile.ACCOUNTABLE, Profile.HOSPITAL])
def test_what_is_released_is_the_sum_of_noisy_vectors_plus_the_hospitals_noise(profile):
    run = started(profile)
    plan, outcome = run.carry_round()
    assert outcome.releases
    for release in outcome.releases:
        survivors = [
            address
            for cohort in outcome.cohorts
            if cohort.hospital == release.hospital and release.cohort in (None, cohort.cohort)
            for address in cohort.survivors
        ]
        noisy = np.array(run.plain_sum(plan, survivors)) + seeded_global(run, release.hospital, release)
        assert release.total.tolist() == noisy.tolist()
        assert np.abs(noisy - without_noise(run, plan, survivors)).max() > 100


def test_in_profile_private_each_hospital_adds_its_share_before_masking():
    run = started(Profile.PRIVATE)
    plan, outcome = run.carry_round()
    (release,) = outcome.releases
    survivors = [address for cohort in outcome.cohorts for address in cohort.survivors]
    expected = np.array(run.plain_sum(plan, survivors))
    expected += sum(seeded_global(run, h, release) for h in (1, 2, 3))
    assert release.total.tolist() == expected.tolist()


def test_the_noise_has_the_variance_that_the_claim_takes():
    run = started(rounds=3, seeded=False)
    plan = run.cloud.plan()
    device = run.device(1, 0)
    quiet = replace(plan, spec=replace(plan.spec, noise=None))
    wrap = 1 << run.spec.bits
    drawn = np.concatenate(
        [
            (
                run.update(plan, device).astype(np.int64)
                - run.update(quiet, device).astype(np.int64)
                + wrap // 2
            )
            % wrap
            - wrap // 2
            for _ in range(300)
        ]
    )
    expected = run.spec.noise.local_variance
    assert abs(drawn.var() / expected - 1) < 0.1
    assert abs(drawn.mean()) < 5 * (expected / len(drawn)) ** 0.5


def test_noise_is_fresh_from_the_operating_system_unless_a_test_says_otherwise():
    run = started(seeded=False)
    plan, device = run.cloud.plan(), run.device(1, 0)
    assert run.update(plan, device).tolist() != run.update(plan, device).tolist()


def test_with_seeded_noise_the_same_seed_gives_the_same_model():
    models = []
    for _ in range(2):
        run = started(Profile.PRIVATE)
        for _ in range(2):
            run.carry_round()
        models.append(run.cloud.model.tobytes())
    assert models[0] == models[1]


def test_every_device_that_takes_part_is_charged_and_none_else():
    run = started()
    run.engine.faults = Schedule({(1, 1, 0): Death.BEFORE_DRAW, (1, 2, 5): Death.BEFORE_MASKED_INPUT})
    run.carry_round()
    assert run.device(1, 0).accountant is None
    charged = [d for h in run.hospitals for d in h.devices if d.accountant is not None]
    assert len(charged) == 15, "a device that failed on the way is charged as well"
    for device in charged:
        (charge,) = device.accountant.charges
        assert (charge.round_number, charge.attempt, charge.purpose) == (1, 0, "update")
        assert charge.exposure == run.spec.exposure


def test_the_charges_add_up_to_the_claim_and_no_further():
    run = started(rounds=3)
    for _ in range(3):
        run.carry_round()
    loss = run.device(1, 0).accountant.loss()
    assert loss == run.spec.loss(3)
    assert 7.9 < loss.release <= 8.0 < loss.edge < loss.unmasked


def test_a_round_that_would_overspend_is_refused_before_any_device_trains(monkeypatch):
    run = started(rounds=2)
    for _ in range(2):
        run.carry_round()
    trained = []
    monkeypatch.setattr(Device, "join", lambda *_: trained.append(1))
    model = run.cloud.model.tobytes()
    with pytest.raises(PrivacyBudgetError, match="taken part in its 2 rounds"):
        run.carry_round()
    assert trained == []
    assert run.cloud.model.tobytes() == model
    assert len(run.device(1, 0).accountant.charges) == 2


def test_one_device_at_its_limit_stops_the_round():
    run = started(rounds=2)
    run.carry_round()
    run.engine.faults = Schedule(
        {(2, h, i): Death.BEFORE_DRAW for h in (1, 2) for i in range(8) if (h, i) != (1, 0)}
    )
    device = run.device(1, 0)
    account = device.accountant
    account.charge(replace(account.charges[0], round_number=2))
    run.engine.faults = Schedule()
    with pytest.raises(PrivacyBudgetError):
        run.carry_round()


def test_a_hospitals_noise_follows_from_its_committed_seed_and_the_beacon():
    one, two = started(), started()
    first = one.carry(one.cloud.plan()).releases
    again = two.carry(two.cloud.plan()).releases
    assert [r.total.tolist() for r in first] == [r.total.tolist() for r in again]
    other = started()
    for hospital in other.hospitals:
        hospital.edge._draw_seed = lambda: bytes(32)
    other.begin_epoch(0)
    changed = other.carry(other.cloud.plan()).releases
    assert all(a.total.tolist() != b.total.tolist() for a, b in zip(first, changed, strict=True))


def test_a_spec_with_noise_reads_back_and_declares_rho():
    spec = started().spec
    back = RoundSpec.from_json(spec.to_json())
    assert back == spec
    assert back.digest == spec.digest
    assert spec.rho_micro == pytest.approx(1e6 * spec.bound.l2**2 / (2 * spec.exposure.release), rel=0.05)
    assert replace(spec, noise=None).rho_micro == 0
    assert replace(spec, noise=None).loss(1).release == np.inf


def test_noise_that_keeps_another_claim_than_the_profiles_is_refused():
    hospital = noise_for(Profile.PRIVATE, hospitals=3)
    with pytest.raises(SpecError, match="does not keep epsilon 8"):
        spec_of(8, **COARSE, noise=hospital)


def test_scaling_needs_no_statistics_where_ranges_are_public():
    run = SmallRun.of(**COARSE, noise=noise_for(Profile.ACCOUNTABLE))
    run.begin_epoch(0)
    statistics = SmallRun.ready_to_train().statistics
    for hospital in run.hospitals:
        for device in hospital.devices:
            device.fit(Encoder(run.schema, statistics))
    _, outcome = run.carry_round()
    assert all(cohort.summed for cohort in outcome.cohorts)


def test_where_slow_links_send_a_prefix_only_the_own_cohorts_noise_counts():
    """Later entries of the sum over hospitals may be sent by the cohorts of one of them."""
    spec = replace(started(Profile.PRIVATE).spec, noise=None)
    apart = replace(spec, compression=CompressionSpec(0.5, prefixes=(1.0, 0.5)))
    whole = replace(spec, compression=CompressionSpec(0.5))
    noise = NoiseSpec(8.0, 1e-5, 1, 1e7, 1e7, corrupted=1, corrupted_hospitals=1)
    apart, whole = replace(apart, noise=noise), replace(whole, noise=noise)
    assert whole.exposure.release - apart.exposure.release == 2 * 1e7
    assert apart.exposure.edge == whole.exposure.edge
    assert apart.loss(1).release > whole.loss(1).release


def test_local_noise_may_be_left_to_the_edge_alone():
    """No local noise: nothing is claimed at the edge."""
    bound = update_bound(None, dim=spec_of(8).dim, clip_norm=1.0, fraction_bits=8)
    variance = float(np.ceil(30 * bound.l2**2))
    run = SmallRun.ready_to_train(**COARSE, noise=NoiseSpec(8.0, 1e-5, 3, 0.0, variance, corrupted=1))
    plan, outcome = run.carry_round()
    assert run.spec.loss(1).edge == np.inf
    release, cohort = outcome.releases[0], outcome.cohorts[0]
    quiet = without_noise(run, plan, cohort.survivors)
    assert (release.total - quiet).tolist() == seeded_global(run, 1, release).tolist()
