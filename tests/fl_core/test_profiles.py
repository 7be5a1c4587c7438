"""What each profile lets be seen: cohort sums, hospital sums, or one sum of all hospitals."""

import numpy as np
import pytest
from small_run import Schedule, SmallRun

from fl_core.errors import SpecError
from fl_core.secagg import SecAggClient, SecAggServer
from fl_core.simulation.faults import Death
from fl_core.spec import Profile
from fl_core.tiers import federated_average, joint_plan, mean_update


def started(profile, **options):
    if profile is Profile.PRIVATE:
        options = {"min_hospitals": 3, **options}
    return SmallRun.ready_to_train(profile=profile, **options)


def summed(run, plan, cohorts):
    return run.plain_sum(plan, [address for cohort in cohorts for address in cohort.survivors])


def test_the_model_of_a_round_is_the_same_in_every_profile():
    """Without noise the same updates are summed, only what is seen of them differs."""
    models = set()
    for profile in Profile:
        run = started(profile, hospitals=3)
        run.carry_round()
        models.add(run.cloud.model.tobytes())
    assert len(models) == 1


def test_profile_hospital_releases_one_sum_a_hospital():
    run = started(Profile.HOSPITAL)
    plan, outcome = run.carry_round()
    assert [(r.hospital, r.cohort) for r in outcome.releases] == [(1, None), (2, None)]
    assert outcome.joint is None
    for release in outcome.releases:
        cohorts = [c for c in outcome.cohorts if c.hospital == release.hospital]
        assert len(cohorts) == 2
        assert release.total.tolist() == summed(run, plan, cohorts)
        assert release.devices == (8,)
        assert release.rows == (sum(c.rows for c in cohorts),)


def test_profile_hospital_sums_the_cohorts_that_gave_a_sum():
    run = started(Profile.HOSPITAL)
    members = run.calls(run.cloud.plan(), 1)[1].members
    places = {device.address: index for index, device in enumerate(run.hospitals[0].devices)}
    run.engine.faults = Schedule({(1, 1, places[a]): Death.BEFORE_AGREE for a in members[:2]})
    plan, outcome = run.carry_round()
    assert [c.summed for c in outcome.cohorts] == [True, False, True, True]
    first, second = outcome.releases
    assert first.total.tolist() == summed(run, plan, outcome.cohorts[:1])
    assert (first.devices, second.devices) == ((4,), (8,))
    run.engine.faults = Schedule({(2, 1, index): Death.BEFORE_AGREE for index in range(8)})
    _, outcome = run.carry_round()
    assert [release.hospital for release in outcome.releases] == [2]


def test_profile_private_releases_the_sum_of_all_hospitals_and_nothing_else():
    run = started(Profile.PRIVATE, hospitals=3)
    plan, outcome = run.carry_round()
    (release,) = outcome.releases
    assert (release.hospital, release.cohort, release.devices) == (0, None, (24,))
    assert release.total.tolist() == summed(run, plan, outcome.cohorts)
    assert outcome.joint.survivors == tuple(sorted(h.edge.account for h in run.hospitals))
    assert outcome.joint.rows == sum(c.rows for c in outcome.cohorts)
    assert run.cloud.model.tobytes() == federated_average(plan, [release], run.beacon(1)).tobytes()


def test_profile_private_masks_the_hospitals_sums_towards_the_cloud(monkeypatch):
    run = started(Profile.PRIVATE, hospitals=3)
    vectors, received = {}, []
    real_client, real_receive = SecAggClient.__init__, SecAggServer.receive

    def client(self, identity, plan, roster, vector, *rest):
        if plan.hospital == 0:
            vectors[identity.address] = vector.copy()
        real_client(self, identity, plan, roster, vector, *rest)

    def receive(self, sender, message):
        if sender in {h.edge.account for h in run.hospitals}:
            received.append(message)
        real_receive(self, sender, message)

    monkeypatch.setattr(SecAggClient, "__init__", client)
    monkeypatch.setattr(SecAggServer, "receive", receive)
    run.carry_round()
    assert len(vectors) == 3
    assert len(received) == 15
    for vector in vectors.values():
        assert not any(vector.tobytes()[:32] in message for message in received)


@pytest.mark.parametrize("stage", [d for d in Death if Death.BEFORE_DRAW < d < Death.NEVER])
def test_a_hospital_that_fails_drops_out_of_the_sum_over_hospitals(stage):
    run = started(Profile.PRIVATE, hospitals=4)
    run.engine.faults = Schedule({(1, 0, 2): stage})
    plan, outcome = run.carry_round()
    counted = {1, 3, 4} if stage <= Death.BEFORE_MASKED_INPUT else {1, 2, 3, 4}
    (release,) = outcome.releases
    cohorts = [c for c in outcome.cohorts if c.hospital in counted]
    assert release.total.tolist() == summed(run, plan, cohorts)
    assert release.rows == (sum(c.rows for c in cohorts),)
    assert len(outcome.joint.survivors) == len(counted)
    assert len(outcome.joint.members) == 4


def test_a_hospital_without_a_sum_of_its_own_is_absent_from_the_sum_over_hospitals():
    run = started(Profile.PRIVATE, hospitals=4)
    run.engine.faults = Schedule({(1, 2, index): Death.BEFORE_DEPOSIT for index in range(8)})
    _, outcome = run.carry_round()
    (release,) = outcome.releases
    assert release.devices == (24,)
    assert run.hospitals[1].edge.account not in outcome.joint.survivors


def test_too_few_hospitals_in_the_end_release_nothing_and_the_model_stays():
    run = started(Profile.PRIVATE, hospitals=4)
    run.engine.faults = Schedule({(1, 0, h): Death.BEFORE_MASKED_INPUT for h in (1, 2)})
    plan, outcome = run.carry_round()
    assert outcome.releases == ()
    assert not outcome.joint.summed
    assert "2 members remain, 3 are needed" in outcome.joint.failure
    assert run.cloud.model.tobytes() == plan.model.tobytes()
    run.engine.faults = Schedule()
    _, outcome = run.carry_round()
    assert outcome.joint.summed


@pytest.mark.parametrize("hospitals", [1, 2])
def test_profile_private_needs_three_hospitals(hospitals):
    run = started(Profile.PRIVATE, hospitals=hospitals)
    with pytest.raises(SpecError, match=f"{hospitals} hospitals are too few, take at least 3"):
        run.carry(run.cloud.plan())


def test_the_hospitals_are_summed_about_this_rounds_spec_and_model():
    run = started(Profile.PRIVATE, hospitals=3)
    subjects = {run.public(run.cloud.plan()).subject}
    run.carry_round()
    subjects.add(run.public(run.cloud.plan()).subject)
    plans = {
        joint_plan(1, bytes(32), run.engine.joint.roster, run.spec, subject).context_hash
        for subject in subjects
    }
    assert len(plans) == 2


def test_hospitals_draw_fresh_keys_and_noise_seeds_each_epoch():
    run = SmallRun.of(hospitals=3, seeded=False)
    seen = set()
    for epoch in (0, 1):
        run.begin_epoch(epoch)
        for hospital in run.hospitals:
            keys = hospital.edge.keys
            assert keys.advertisement.address == hospital.edge.account
            seen |= {keys.noise_seed, keys.advertisement.mask_public, keys.seed_digest, keys.commitment}
    assert len(seen) == 2 * 3 * 4
    assert all(len(item) == 32 for item in seen)


def test_the_mean_of_a_hospitals_sum_is_that_of_its_devices():
    run = started(Profile.HOSPITAL)
    plan, outcome = run.carry_round()
    again = started(Profile.ACCOUNTABLE)
    _, apart = again.carry_round()
    for release in outcome.releases:
        parts = [r for r in apart.releases if r.hospital == release.hospital]
        weights = np.array([part.rows[0] for part in parts]) / release.rows[0]
        means = [mean_update(plan, part, run.beacon(1)) for part in parts]
        whole = mean_update(plan, release, run.beacon(1))
        assert np.allclose(whole, sum(w * m for w, m in zip(weights, means, strict=True)), atol=1e-9)
