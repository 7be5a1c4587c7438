"""Attackers in whole rounds: secure sums, draws and refusals as everywhere else."""

import numpy as np
import pytest
from small_run import SmallRun

from fl_core.robust import RuleSpec
from fl_core.simulation import Behaviour

ATTACKER = (1, 2)
STEERED = [kind for kind in Behaviour if kind.steers]


def sums_of(run):
    plan = run.cloud.plan()
    outcome = run.carry(plan)
    return plan, {(r.hospital, r.cohort): r for r in outcome.releases}, outcome


def cohort_of(run, outcome, place):
    address = run.device(*place).address
    return next(c for c in outcome.cohorts if address in c.members)


@pytest.fixture(scope="module")
def honest():
    run = SmallRun.ready_to_train()
    _, sums, _ = sums_of(run)
    return run, sums


@pytest.mark.parametrize("behaviour", STEERED)
def test_an_attacker_whose_software_clips_moves_its_own_sum_and_by_no_more_than_its_clip(honest, behaviour):
    run = SmallRun.ready_to_train(behaviours={ATTACKER: behaviour})
    plan, sums, outcome = sums_of(run)
    mine = cohort_of(run, outcome, ATTACKER)
    for key, release in honest[1].items():
        moved = (sums[key].total - release.total) * 2.0**-plan.spec.fraction_bits
        # honest devices are trained in another batch: last bits, and roundings that turn
        if key == (mine.hospital, mine.cohort):
            assert (
                1e-3 < np.linalg.norm(moved) < 2.01 * plan.spec.clip_norm
                or behaviour is Behaviour.LITTLE_IS_ENOUGH
            )
        else:
            assert np.linalg.norm(moved) < 1e-3


def test_an_attacker_that_does_not_clip_takes_its_cohort_as_far_as_is_not_refused(honest):
    run = SmallRun.ready_to_train(behaviours={ATTACKER: Behaviour.BOOST}, forging=[ATTACKER])
    plan, sums, outcome = sums_of(run)
    mine = cohort_of(run, outcome, ATTACKER)
    total = sums[mine.hospital, mine.cohort].total
    others = len(mine.members) - 1
    assert (
        others > plan.spec.threshold(len(mine.members)) - 1
    )  # more than are sure to stay: it bets on all of them
    assert 0.9 * others * plan.spec.bound.peak < np.abs(total).max() <= plan.spec.reach(len(mine.survivors))
    before = honest[1][mine.hospital, mine.cohort].total
    assert total @ before / np.linalg.norm(total) / np.linalg.norm(before) < -0.5
    assert all(cohort.summed for cohort in outcome.cohorts)


def test_a_sum_beyond_what_clipped_updates_can_give_fails_its_cohort_and_no_other():
    run = SmallRun.ready_to_train(forging=[ATTACKER])
    plan = run.cloud.plan()
    run.device(*ATTACKER).forge(np.full(plan.spec.dim, 1 << 28, dtype=np.int64))
    outcome = run.carry(plan)
    failed = [cohort for cohort in outcome.cohorts if not cohort.summed]
    assert [cohort.members for cohort in failed] == [cohort_of(run, outcome, ATTACKER).members]
    assert "beyond what clipped updates can give" in failed[0].failure
    assert len(outcome.releases) == len(outcome.cohorts) - 1
    run.cloud.combine(plan, outcome.releases, run.beacon(1))


def test_a_median_withstands_a_hospital_that_drowns_the_mean():
    everyone = {(1, i): Behaviour.BOOST for i in range(8)}
    models = {}
    for name in ("mean", "median"):
        for attackers in ({}, everyone):
            run = SmallRun.ready_to_train(
                hospitals=3, behaviours=attackers, forging=list(attackers), rule=RuleSpec(name)
            )
            run.carry_round()
            models[name, bool(attackers)] = run.cloud.model
    off = {name: np.linalg.norm(models[name, True] - models[name, False]) for name in ("mean", "median")}
    step = np.linalg.norm(models["mean", False])
    assert off["median"] < step < 0.1 * off["mean"]


def test_attackers_in_worker_processes_do_the_same():
    attackers = {(h, i): Behaviour.SIGN_FLIP for h in (1, 2) for i in (0, 3)}
    models = []
    for workers in (1, 2):
        run = SmallRun.ready_to_train(behaviours=attackers, forging=list(attackers))
        run.engine.workers = workers
        run.carry_round()
        models.append(run.cloud.model.tobytes())
    assert models[0] == models[1]
