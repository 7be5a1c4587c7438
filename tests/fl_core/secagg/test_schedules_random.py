"""Random schedules of losses, orders, repetitions, delays and corruption: the exact sum or a clean failure."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lossy_network import LOSSES, Act, Fault, Lasting, Schedule, play

from fl_core.secagg import NeighbourGraph, minimum_threshold

SHARDS, CASES_A_SHARD = 20, 5_200
QUIET = settings(
    max_examples=CASES_A_SHARD,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
LASTING = Lasting()


def faults(acts, most):
    return st.lists(
        st.builds(
            Fault,
            at=st.integers(0, 60),
            act=st.sampled_from(sorted(acts, key=lambda act: act.name)),
            pick=st.integers(0, 63),
            detail=st.integers(0, 4095),
        ),
        max_size=most,
    ).map(tuple)


@st.composite
def plans(draw, spare_none):
    """Complete graphs of 3 to 7 and neighbour graphs of 7, whole or in blocks."""
    size = draw(st.sampled_from((3, 4, 5, 7, 7) if spare_none else (4, 5, 7, 7)))
    changes = {"bits": draw(st.sampled_from((8, 13, 20, 32, 64)))}
    if draw(st.integers(0, 3)) == 0:
        changes |= {"dim": 130, "block_entries": 64}
    else:
        changes["dim"] = draw(st.sampled_from((1, 3)))
    if size == 7 and draw(st.booleans()):
        least = draw(st.integers(4, 7)) if spare_none else 5
        threshold = draw(st.integers(4, 5)) if spare_none else 4
        return size, changes | {
            "threshold": min(threshold, least),
            "graph": NeighbourGraph(4, least, corrupted=0),
        }
    least = minimum_threshold(size)
    return size, changes | {"threshold": draw(st.integers(least, size)) if spare_none else least}


@st.composite
def schedules(draw, acts=frozenset(Act), most=7, attempts=2, spare_none=True):
    size, changes = draw(plans(spare_none))
    return Schedule(
        size=size,
        changes=tuple(changes.items()),
        order=draw(st.integers(0, 255)),
        faults=draw(faults(acts, most)),
        attempts=draw(st.integers(1, attempts)),
    )


def tallied(schedule, tally):
    outcome = play(schedule, LASTING)
    tally.update(outcome.acts)
    tally["sums"] += outcome.sums
    tally["failures"] += outcome.failures
    tally["cases"] += 1
    tally["graphs"] += "graph" in dict(schedule.changes)
    tally["blocks"] += "block_entries" in dict(schedule.changes)


def assert_all_kinds_happened(tally):
    """A run that only ever failed, or never met a kind of fault, would show nothing."""
    assert set(Act) <= set(tally)
    assert min(tally[what] for what in ("sums", "failures", "graphs", "blocks")) > tally["cases"] // 20


def test_any_schedule_gives_the_exact_sum_or_a_clean_failure():
    tally = Counter()

    @settings(QUIET, max_examples=220, derandomize=True)
    @given(schedules())
    def case(schedule):
        tallied(schedule, tally)

    case()
    assert_all_kinds_happened(tally)


def test_losses_of_no_more_devices_than_the_plan_can_spare_never_cost_the_sum():
    """So that failing always would not pass for failing cleanly."""
    summed = Counter()

    @settings(QUIET, max_examples=120, derandomize=True)
    @given(schedules(acts=LOSSES, most=3, attempts=1, spare_none=False))
    def case(schedule):
        outcome = play(schedule, LASTING)
        if len(outcome.touched) <= schedule.spare:
            assert outcome.sums == 1
            summed[bool(outcome.touched)] += 1

    case()
    assert summed[True] > 20


@pytest.mark.parametrize("act", Act)
def test_every_kind_of_fault_alone_at_any_moment_gives_the_exact_sum_or_a_clean_failure(act):
    met = Counter()
    for at in range(0, 40, 3):
        schedule = Schedule(4, (("threshold", 3),), order=at, faults=(Fault(at, act, at, 977 * at),))
        met.update(play(schedule, LASTING).acts)
    assert met[act] > 5


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_hundred_thousand_schedules_give_the_exact_sum_or_a_clean_failure(shard):
    tally = Counter()

    @seed(shard)
    @settings(QUIET)
    @given(schedules())
    def case(schedule):
        tallied(schedule, tally)

    case()
    assert tally["cases"] * SHARDS >= 100_000
    assert_all_kinds_happened(tally)
