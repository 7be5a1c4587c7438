"""Who is left out over check values that contradict each other: nobody is worse off for the company of liars."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secagg_world import STAGES, Attempt, World, assert_exact, random_vectors

from fl_core.secagg import CohortPlan, NeighbourGraph
from fl_core.secagg import messages as wire
from fl_core.secagg.unmasking import contradictions

DEPOSIT = 1
MEMBERS = 24
PLAN = CohortPlan(bytes(32), 1, 1, 0, 0, tuple(bytes([i]) * 20 for i in range(MEMBERS)), 17, 20, 5)
GRAPH = replace(PLAN, threshold=6, graph=NeighbourGraph(6, 16, corrupted=0))


def deposits_with(plan, advertised, depositors, conflicts):
    """Deposits in which exactly these pairs disagree."""
    found = {}
    for index in depositors:
        peers = plan.neighbours_among(index, advertised)
        checks = tuple(
            bytes([min(index, peer), max(index, peer), index if frozenset((index, peer)) in conflicts else 0])
            for peer in peers
        )
        found[index] = wire.Deposit(bytes(16), checks, (), b"")
    return found


def shared_out(liars, honest, together):
    """The pairs in which liars contradict honest members, each of these contradicted by so many liars in turn."""
    victims = iter(honest)
    return {
        frozenset((liar, victim))
        for size in together
        for first in range(0, len(liars), size)
        if (victim := next(victims, None)) is not None
        for liar in liars[first : first + size]
    }


@settings(max_examples=300, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("plan", [PLAN, GRAPH], ids=["complete", "graph"])
def test_no_coalition_takes_more_honest_devices_with_it_than_it_has_members(plan, data):
    advertised = sorted(data.draw(st.sets(st.integers(0, MEMBERS - 1), min_size=8)))
    depositors = sorted(data.draw(st.sets(st.sampled_from(advertised), min_size=6)))
    liars = data.draw(st.sets(st.sampled_from(depositors), max_size=8))
    pairs = [
        frozenset(pair)
        for pair in combinations(depositors, 2)
        if pair[1] in plan.neighbour_indices(pair[0]) and liars & set(pair)
    ]
    if data.draw(st.booleans()):
        honest = [member for member in depositors if member not in liars]
        sizes = data.draw(st.lists(st.integers(1, 8), unique=True).map(lambda found: sorted(found)[::-1]))
        conflicts = shared_out(sorted(liars), honest, sizes) & set(pairs)
    else:
        conflicts = data.draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    left_out = contradictions(plan, advertised, deposits_with(plan, advertised, depositors, conflicts))
    assert len(left_out - liars) <= len(liars)
    assert all(pair & left_out for pair in conflicts), "two who stay contradict each other"
    assert left_out <= {member for pair in conflicts for member in pair}


@pytest.mark.parametrize(("contradicted", "left_out"), [(1, {5, 0}), (2, {5}), (7, {5})])
def test_one_liar_leaves_alone_unless_it_is_one_word_against_one(contradicted, left_out):
    everyone = range(MEMBERS)
    conflicts = {frozenset((5, victim)) for victim in (0, 1, 2, 3, 4, 6, 7)[:contradicted]}
    assert contradictions(PLAN, everyone, deposits_with(PLAN, everyone, everyone, conflicts)) == left_out


def test_liars_who_share_out_their_victims_take_one_each_at_most():
    """Leaving out whoever contradicts most took 13 honest devices here, and not one of the 12 liars."""
    world = World.of(39)
    plan = world.plan(threshold=27)
    liars, everyone = range(12), range(39)
    conflicts = shared_out(liars, range(12, 39), (4, 3, 2))
    left_out = contradictions(plan, everyone, deposits_with(plan, everyone, everyone, conflicts))
    assert len(left_out - set(liars)) <= 12


def test_the_sum_is_exact_over_those_who_stay():
    world = World.of(9)
    plan = world.plan()

    def up(stage, member, message):
        if (stage, member) != (DEPOSIT, 4):
            return message
        deposit = wire.Deposit.decode(message, plan, 8)
        return replace(deposit, checks=(bytes(16), bytes(16), *deposit.checks[2:])).encode(plan)

    attempt = Attempt(world, plan, random_vectors(plan, 1), up=up)
    assert_exact(attempt, attempt.run(), [0, 1, 2, 3, 5, 6, 7, 8])
    assert attempt.stage == STAGES
