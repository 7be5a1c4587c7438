"""Cohorts of many devices: neighbours instead of everybody, the same sum, and as many honest inputs in it."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_run import Schedule, SmallRun

from fl_core.cohorts import default_graph, default_threshold, survivors_needed
from fl_core.simulation.faults import Death
from fl_core.tiers import called_cohort

MEMBERS = 70


@pytest.fixture(scope="module")
def large():
    return SmallRun.ready_to_train(hospitals=1, devices=MEMBERS, cohort_size=MEMBERS, k_min=10)


def plan_of(run):
    plan = run.cloud.plan()
    (called,) = run.calls(plan)
    return called_cohort(called.call, plan.spec.terms, run.public(plan).subject).plan


@settings(deadline=None)  # a choice is derived once
@given(st.integers(3, 1023), st.integers(3, 512))
def test_every_sum_holds_k_min_devices_whatever_the_size(members, k_min):
    choice, needed = default_graph(members, k_min), survivors_needed(members, k_min)
    assert needed >= k_min
    if choice is None:
        assert needed == default_threshold(members, k_min)
        return
    assert members > 64
    assert choice.least_honest >= k_min
    assert choice.corrupted >= members / 10
    assert choice.least_survivors == members - ceil(members / 5) == needed
    assert choice.security_failure <= 2.0**-40
    if k_min <= members / 4:
        assert choice.degree < 0.75 * members


def test_a_cohort_of_seventy_shares_masks_with_neighbours_drawn_from_the_beacon(large):
    plan = plan_of(large)
    assert plan.graph is not None
    assert plan.graph.degree < MEMBERS - 2
    other = plan_of(SmallRun.ready_to_train(hospitals=1, devices=64, cohort_size=64, k_min=10))
    assert other.graph is None
    assert plan.graph.seed not in (None, bytes(32))


def test_its_sum_is_the_plain_sum_of_the_survivors_though_a_tenth_falls_silent(large):
    large.engine.faults = Schedule(
        {(1, 1, i): (Death.BEFORE_DEPOSIT, Death.BEFORE_AGREE)[i % 2] for i in range(7)}
    )
    plan, outcome = large.carry_round()
    (cohort,) = outcome.cohorts
    assert cohort.failure is None
    assert len(cohort.survivors) == MEMBERS - 4
    (release,) = outcome.releases
    assert release.total.tolist() == large.plain_sum(plan, cohort.survivors)
    assert np.isfinite(large.cloud.model).all()


def test_below_the_survivors_needed_it_fails_closed(large):
    gone = MEMBERS - survivors_needed(MEMBERS, 10) + 1
    number = large.cloud.plan().number
    large.engine.faults = Schedule({(number, 1, i): Death.BEFORE_MASKED_INPUT for i in range(gone)})
    _, outcome = large.carry_round()
    (cohort,) = outcome.cohorts
    assert cohort.failure is not None
    assert outcome.releases == ()
