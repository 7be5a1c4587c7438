"""An attack on what really leaves a round: the engine's releases, and who is said to have survived."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_run import SmallRun, spec_of

from fl_core.errors import TrainingError
from fl_core.privacy import Sensitivity, calibrate
from fl_core.privacy.canary import clopper_pearson
from fl_core.simulation.behaviours import Behaviour
from fl_core.simulation.faults import Death
from fl_core.spec import epoch_of
from fl_core.tiers import Device, Edge, outgoing
from fl_core.tiers.own_account import OwnAccount
from fl_core.updates import update_bound

pytestmark = pytest.mark.slow

COARSE = {"clip_norm": 1.0, "fraction_bits": 8, "bits": 24}
EPSILON, DELTA, RUNS, HONEST = 2.0, 1e-5, 250, 3


class LastDies:
    """The last of four devices falls silent in every round, so that only the fewest survive that a claim counts on."""

    def death(self, _round_number, _hospital, index):
        return Death.BEFORE_MASKED_INPUT if index == 3 else Death.NEVER


def started(edge_epsilon):
    """A cohort of four whose canary is its first device; the others send nothing but noise."""
    bound = update_bound(None, dim=spec_of(6).dim, clip_norm=1.0, fraction_bits=8)
    noise = calibrate(
        profile="accountable",
        epsilon=EPSILON,
        delta=DELTA,
        rounds=1,
        sensitivity=Sensitivity(bound.l1, bound.l2),
        honest_in_cohort=HONEST,
        honest_at_release=HONEST,
        edge_epsilon=edge_epsilon,
        corrupted=0,
    )
    return SmallRun.ready_to_train(
        hospitals=1,
        devices=4,
        noise=noise,
        faults=LastDies(),
        behaviours={(1, index): Behaviour.FREE_RIDER for index in (1, 2, 3)},
        **COARSE,
    )


def seen(run, planted):
    """What an attacker makes of one round in which the canary's training gave `planted`: a number, or that it left."""
    if epoch_of(run.cloud.rounds_done + 1) != epoch_of(run.cloud.rounds_done):
        run.begin_epoch(epoch_of(run.cloud.rounds_done + 1))
    canary = run.device(1, 0)
    canary.join = lambda task, _delta: Device.join(canary, task, planted)
    for device in run.hospitals[0].devices:
        device._account = OwnAccount(None)  # each round is a run of its own
    plan = run.cloud.plan()
    run.cloud.abandon(plan.number)
    try:
        outcome = run.carry(plan)
    except TrainingError:  # no sum at all: the cohort was too small without the canary
        return math.inf
    if not any(canary.address in cohort.survivors for cohort in outcome.cohorts):
        return math.inf
    (release,) = outcome.releases
    return float(release.total[0])


def empirical_epsilon(run, planted, threshold):
    """A lower bound of epsilon at 95% that assumes nothing, from a threshold chosen beforehand."""
    nothing = np.zeros(run.spec.dim, dtype=np.float32)
    without = sum(seen(run, nothing) > threshold for _ in range(RUNS))
    within = sum(seen(run, planted) > threshold for _ in range(RUNS))
    hits, misses = clopper_pearson(within, RUNS)[0], clopper_pearson(without, RUNS)[1]
    return max(0.0, math.log(max(hits - DELTA, 1e-300) / misses))


def loud(run):
    """An update beyond the clip norm, all in one entry, and the threshold half way to where the clip leaves it."""
    planted = np.zeros(run.spec.dim, dtype=np.float32)
    planted[0] = 100.0
    return planted, 2.0**run.spec.fraction_bits * run.spec.clip_norm / 2


def failed(run):
    """A training that gave nothing that could be sent; no sum is beyond the threshold, only having left is."""
    return np.full(run.spec.dim, math.nan, dtype=np.float32), 1e300


def quiet(_variance, size, _source):
    return np.zeros(size, dtype=np.int64)


@pytest.mark.parametrize("edge_epsilon", [EPSILON, 60.0], ids=["local noise alone", "global noise"])
def test_what_a_round_releases_tells_no_more_than_is_claimed(edge_epsilon):
    run = started(edge_epsilon)
    claimed = run.spec.loss(1).release
    assert claimed <= EPSILON
    assert empirical_epsilon(run, *loud(run)) < claimed


def test_an_edge_that_forgets_its_noise_is_caught(monkeypatch):
    run = started(60.0)
    assert run.spec.noise.global_variance > 10 * HONEST * run.spec.noise.local_variance
    monkeypatch.setattr(Edge, "_noised", lambda _edge, _public, _spec, release: release)
    assert empirical_epsilon(run, *loud(run)) > EPSILON


def test_devices_that_forget_their_noise_are_caught(monkeypatch):
    run = started(EPSILON)
    assert run.spec.noise.global_variance == 0
    monkeypatch.setattr(outgoing, "sample_skellam", quiet)
    assert empirical_epsilon(run, *loud(run)) > EPSILON


def test_a_training_that_fails_does_not_show_and_a_device_that_left_for_it_would(monkeypatch):
    run = started(EPSILON)
    assert empirical_epsilon(run, *failed(run)) == 0

    def leaves(device, task, delta):
        if not np.isfinite(delta).all():
            device.encode(task, delta)  # raises
        return join(device, task, delta)

    join = Device.join
    monkeypatch.setattr(Device, "join", leaves)
    assert empirical_epsilon(run, *failed(run)) > EPSILON
