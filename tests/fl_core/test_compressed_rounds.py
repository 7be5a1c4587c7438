"""Rounds in which devices send some coordinates only: the same for all, chosen from what is public."""

from dataclasses import replace

import numpy as np
import pytest
from small_run import Schedule, SmallRun

from fl_core.errors import SpecError
from fl_core.models import ModelSpec
from fl_core.round_plan import RoundPlan
from fl_core.simulation.behaviours import Behaviour
from fl_core.simulation.faults import Death
from fl_core.spec import Profile
from fl_core.tiers import federated_average, mean_update
from fl_core.updates import CompressionSpec

HALF = CompressionSpec(0.5, public_top=0.5, prefixes=(1.0, 0.5))
MODEL = ModelSpec("mlp", 8, 2, (6,))  # 68 parameters


def started(compression=HALF, *, slow=(), **options):
    return SmallRun.ready_to_train(
        compression=compression, model=MODEL, link_classes=dict.fromkeys(slow, 1), **options
    )


SLOW = [(h, i) for h in (1, 2) for i in range(4)]


def test_only_the_rounds_coordinates_of_the_model_move():
    run = started()
    plan, outcome = run.carry_round()
    chosen = plan.coordinates(run.beacon(1))
    assert len(chosen) == len(outcome.releases[0].total) == 34
    moved = np.flatnonzero(run.cloud.model != plan.model)
    assert set(moved) <= set(chosen.tolist())
    assert len(moved) > 30


def test_coordinates_change_from_round_to_round_and_follow_the_last_update():
    run = started()
    first, _ = run.carry_round()
    second, _ = run.carry_round()
    a, b = first.coordinates(run.beacon(1)), second.coordinates(run.beacon(2))
    assert set(a.tolist()) != set(b.tolist())
    assert first.previous is None
    update = np.abs(second.model - second.previous)
    top = np.argsort(-update, kind="stable")[:17]
    assert set(top.tolist()) <= set(b.tolist())


def test_everybody_derives_the_coordinates_from_the_plan_as_sent():
    run = started()
    run.carry_round()
    plan = run.cloud.plan()
    back = RoundPlan.decode(plan.encode())
    assert back.coordinates(run.beacon(2)).tolist() == plan.coordinates(run.beacon(2)).tolist()
    assert len(plan.encode()) < len(replace(plan, previous=None).encode()) + 8 * 34 + 1


def test_slow_links_send_a_prefix_in_cohorts_of_their_own():
    run = started(slow=SLOW)
    _, outcome = run.carry_round()
    lengths = {(r.hospital, r.cohort): len(r.total) for r in outcome.releases}
    for cohort in outcome.cohorts:
        assert lengths[cohort.hospital, cohort.cohort] == (17 if cohort.link_class else 34)
    assert {cohort.link_class for cohort in outcome.cohorts} == {0, 1}


def plain_mean(run, plan, outcome):
    """Coordinate by coordinate over those who sent it, in Python."""
    spec, chosen = plan.spec, plan.coordinates(run.beacon(plan.number))
    totals, rows = np.zeros(spec.dim), np.zeros(spec.dim)
    for cohort in outcome.cohorts:
        prefix = chosen[: spec.terms.lengths[cohort.link_class]]
        release = next(
            r for r in outcome.releases if (r.hospital, r.cohort) == (cohort.hospital, cohort.cohort)
        )
        totals[prefix] += release.total * 2.0**-spec.fraction_bits
        rows[prefix] += cohort.rows / spec.reference_rows
    return np.divide(totals, rows, out=np.zeros(spec.dim), where=rows > 0)


def test_each_coordinate_is_averaged_over_those_who_sent_it():
    run = started(slow=SLOW)
    plan, outcome = run.carry_round()
    mean = plain_mean(run, plan, outcome)
    assert np.allclose(run.cloud.model, plan.model + mean, atol=1e-6)
    only_slow = [r for r in outcome.releases if r.rows[0] == 0]
    chosen = plan.coordinates(run.beacon(1))
    assert not mean_update(plan, only_slow[0], run.beacon(1))[chosen[17:]].any()


def test_the_profile_changes_nothing_about_strata():
    models = []
    for profile in Profile:
        needed = 3 if profile is Profile.PRIVATE else 1
        run = started(
            hospitals=3,
            slow=[(h, i) for h in (1, 2, 3) for i in range(4)],
            profile=profile,
            min_hospitals=needed,
        )
        plan, outcome = run.carry_round()
        if profile is not Profile.ACCOUNTABLE:
            assert all(len(release.total) == 34 for release in outcome.releases)
            assert all(min(release.devices) > 0 for release in outcome.releases)
        assert federated_average(plan, outcome.releases, run.beacon(1)).tobytes() == run.cloud.model.tobytes()
        models.append(run.cloud.model.tobytes())
    assert len(set(models)) == 1


def test_what_was_not_sent_is_kept_and_sent_later():
    run = started()
    device = run.device(1, 0)
    plan, _ = run.carry_round()
    chosen = plan.coordinates(run.beacon(1))
    rest = np.setdiff1d(np.arange(68), chosen)
    step = 2.0**-plan.spec.fraction_bits / plan.spec.weight(device.declared_rows, device.device_class)
    assert np.abs(device.residual[chosen]).max() <= step
    assert np.abs(device.residual[rest]).max() > 100 * step
    kept = device.residual
    plan = run.cloud.plan()
    with_residual = run.update(plan, device)
    device._outgoing.keep(np.zeros_like(kept))
    assert run.update(plan, device).tolist() != with_residual.tolist()
    device._outgoing.keep(kept)
    run.carry(plan)
    assert device.residual.tolist() != kept.tolist()


@pytest.mark.parametrize("stage", [Death.BEFORE_DEPOSIT, Death.BEFORE_UNMASK])
def test_a_device_that_does_not_get_to_the_end_counts_its_input_as_lost(stage):
    run = started()
    run.engine.faults = Schedule({(1, 1, 0): stage})
    run.carry_round()
    other = started()
    plan = other.cloud.plan()
    task = other.device(1, 0)
    other.carry_round()
    chosen = plan.coordinates(run.beacon(1))
    assert np.abs(run.device(1, 0).residual[chosen]).max() > 1e-3
    assert np.abs(task.residual[chosen]).max() < 1e-5


def test_a_device_that_was_absent_keeps_what_it_had():
    run = started()
    run.carry_round()
    kept = run.device(2, 3).residual.copy()
    run.engine.faults = Schedule({(2, 2, 3): Death.BEFORE_DRAW})
    run.carry_round()
    assert run.device(2, 3).residual.tolist() == kept.tolist()


def test_the_residual_of_a_free_rider_stays_empty():
    run = started(behaviours={(1, 0): Behaviour.FREE_RIDER})
    run.carry_round()
    assert not run.device(1, 0).residual.any()


def test_sending_a_tenth_costs_about_a_tenth():
    whole = SmallRun.ready_to_train(model=ModelSpec("mlp", 8, 2, (200,)))
    tenth = SmallRun.ready_to_train(
        model=ModelSpec("mlp", 8, 2, (200,)), compression=CompressionSpec(0.1, 0.5)
    )
    up = [run.carry(run.cloud.plan()).wire.up for run in (whole, tenth)]
    overhead = 16 * 700
    assert (up[1] - overhead) < 0.2 * up[0]


def test_a_run_learns_with_a_quarter_of_the_coordinates():
    run = started(CompressionSpec(0.25, 0.5))
    before = [hospital.edge.score(run.spec, run.cloud.model) for hospital in run.hospitals]
    for _ in range(12):
        run.carry_round()
    after = [hospital.edge.score(run.spec, run.cloud.model) for hospital in run.hospitals]
    assert min(after) > max(7_500, *before)


def test_a_ring_too_narrow_for_the_peak_is_refused():
    with pytest.raises(SpecError, match="can wrap a ring of 12 bits"):
        started(bits=12)
    peaked = CompressionSpec(0.5, peak=2.0)
    assert started(peaked, bits=30).spec.reach(7) < started(HALF).spec.reach(7)
