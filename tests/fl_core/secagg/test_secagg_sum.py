"""The sum is the survivors' sum to the last bit, or there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secagg_world import (
    FIRST_ROUND,
    SESSION,
    STAGES,
    Attempt,
    World,
    assert_exact,
    plain_sum,
    random_vectors,
    signers,
    untouched,
)

from fl_core.errors import SpecError
from fl_core.secagg import SecAggAbort, SecAggError, ServerStage, minimum_threshold
from fl_core.secagg.plan import MAX_MEMBERS
from fl_core.secagg.transcript import masked_input_message
from fl_core.signing import LocalVerifier

MASKED_INPUT_STAGE = 2


def attempt(size=6, deaths=None, up=untouched, **changes):
    world = World.of(size)
    plan = world.plan(**changes)
    return Attempt(world, plan, random_vectors(plan, size), deaths=deaths or {}, up=up)


def counted(plan, deaths):
    """Those whose masked input arrived."""
    return [member for member in range(plan.size) if deaths.get(member, STAGES) > MASKED_INPUT_STAGE]


def test_sum_of_a_whole_cohort_is_exact():
    run = attempt(size=8, bits=20, dim=62)
    assert_exact(run, run.run(), range(8))


@pytest.mark.parametrize("stage", range(STAGES))
def test_sum_survives_a_device_killed_before_it_sends(stage):
    run = attempt(deaths={2: stage})
    assert_exact(run, run.run(), counted(run.plan, {2: stage}))


@pytest.mark.parametrize("stage", range(STAGES))
def test_sum_survives_a_device_whose_message_is_lost_and_which_believes_it_was_sent(stage):
    def lose(at, member, message):
        return None if (at, member) == (stage, 2) else message

    run = attempt(deaths={2: stage + 1}, up=lose)
    assert_exact(run, run.run(), counted(run.plan, {2: stage}))


@pytest.mark.parametrize("stage", range(STAGES))
def test_sum_survives_a_device_killed_after_its_message_arrived(stage):
    run = attempt(deaths={2: stage + 1})
    assert_exact(run, run.run(), counted(run.plan, {2: stage + 1}))


@pytest.mark.parametrize("stage", range(STAGES))
def test_sum_survives_dropouts_down_to_the_threshold(stage):
    size = 10
    deaths = dict.fromkeys(range(size - minimum_threshold(size)), stage)
    run = attempt(size=size, deaths=deaths)
    assert_exact(run, run.run(), counted(run.plan, deaths))


@pytest.mark.parametrize("stage", range(STAGES))
def test_cohort_fails_closed_below_the_threshold(stage):
    size = 10
    run = attempt(size=size, deaths=dict.fromkeys(range(size - minimum_threshold(size) + 1), stage))
    with pytest.raises(SecAggAbort, match="are needed"):
        run.run()
    assert run.stage == stage
    assert run.server.stage is ServerStage.DEAD
    with pytest.raises(SecAggError, match="no result"):
        _ = run.server.result
    with pytest.raises(SecAggAbort):
        run.server.advance()


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_schedule_of_dropouts_and_any_order_of_messages_gives_the_exact_sum_or_a_clean_failure(data):
    size = data.draw(st.integers(3, 16), label="members")
    world = World.of(size)
    threshold = data.draw(st.integers(minimum_threshold(size), size), label="threshold")
    plan = world.plan(
        threshold=threshold,
        bits=data.draw(st.integers(8, 64), label="bits"),
        dim=data.draw(st.integers(1, 130), label="dim"),
    )
    spare = size - threshold
    dying = data.draw(st.lists(st.integers(0, size - 1), max_size=spare + 1, unique=True), label="dying")
    deaths = {member: data.draw(st.integers(0, STAGES - 1)) for member in dying}
    order = data.draw(st.permutations(range(size)), label="order")
    run = Attempt(world, plan, random_vectors(plan, 0), deaths=deaths, order=order)
    if len(dying) > spare:
        with pytest.raises(SecAggAbort):
            run.run()
    else:
        assert_exact(run, run.run(), counted(plan, deaths))
    assert not run.refused


@pytest.mark.parametrize("bits", [8, 9, 16, 17, 31, 32, 33, 63, 64])
def test_sum_wraps_at_the_edge_of_the_ring_and_nowhere_else(bits):
    world = World.of(3)
    plan = world.plan(bits=bits, dim=4)
    top = (1 << bits) - 1
    vectors = np.array([[top, top, 1, top >> 1], [top, 1, 0, 1], [top, 0, 0, 0]], dtype=np.uint64)
    run = Attempt(world, plan, vectors)
    assert run.run().sum.tolist() == [(3 * top) % (1 << bits), 0, 1, (top >> 1) + 1]


def test_sum_is_exact_beyond_one_block_of_keystream():
    world = World.of(3)
    plan = world.plan(bits=33, dim=100_003)
    run = Attempt(world, plan, random_vectors(plan, 1), deaths={})
    total = run.run().sum
    assert total.tolist() == plain_sum(plan, run.vectors, range(3))


def test_a_value_outside_the_ring_is_refused_not_saturated():
    world = World.of(3)
    plan = world.plan(bits=20, dim=2)
    with pytest.raises(SpecError, match="outside the ring"):
        world.client(0, plan, np.array([0, 1 << 20], dtype=np.uint64))


@pytest.mark.parametrize(
    "vector", [np.zeros(4, dtype=np.uint64), np.zeros(5, dtype=np.int64), np.zeros((5, 1), dtype=np.uint64)]
)
def test_a_vector_of_another_shape_or_type_is_refused(vector):
    world = World.of(3)
    with pytest.raises(SpecError, match="shape"):
        world.client(0, world.plan(dim=5), vector)


def test_a_dropout_before_key_sharing_does_not_fail_the_round():
    run = attempt(size=6, deaths={0: 1})
    assert_exact(run, run.run(), range(1, 6))


def test_a_failed_attempt_may_be_repeated_as_long_as_nothing_was_masked():
    world = World.of(6)
    first = Attempt(world, world.plan(attempt=0), random_vectors(world.plan(), 1), deaths={0: 2, 1: 2})
    first.until(1)
    second = Attempt(world, world.plan(attempt=1), first.vectors)
    assert_exact(second, second.run(), range(6))


def test_no_device_masks_twice_in_a_round_whatever_the_plan():
    world = World.of(6)
    vectors = random_vectors(world.plan(), 1)
    stalled = Attempt(world, world.plan(attempt=1), vectors).until(2)
    Attempt(world, world.plan(attempt=0), vectors).run()
    with pytest.raises(SecAggAbort, match="members remain"):
        stalled.run()
    assert {type(error) for _, _, error in stalled.refused} == {SecAggAbort}
    for changes in ({"attempt": 2}, {"cohort": 1}, {"hospital": 9}, {"round": FIRST_ROUND - 1}):
        with pytest.raises(SecAggAbort, match="masked an input"):
            world.client(0, world.plan(**changes), vectors[0])


def test_later_rounds_of_the_epoch_use_the_same_keys_and_rounds_may_be_skipped():
    world = World.of(4)
    for number in (FIRST_ROUND, FIRST_ROUND + 1, FIRST_ROUND + 7, 511):
        plan = world.plan(round=number)
        run = Attempt(world, plan, random_vectors(plan, number))
        assert_exact(run, run.run(), range(4))


def test_members_that_met_in_different_rounds_still_agree():
    world = World.of(8)
    for number, members in (
        (257, (0, 1, 2, 3)),
        (258, (2, 3, 4, 5)),
        (260, (0, 2, 5, 7)),
        (261, tuple(range(8))),
    ):
        chosen = World(
            [world.accounts[m] for m in members],
            [world.identities[m] for m in members],
            world.roster,
            [world.journals[m] for m in members],
        )
        plan = chosen.plan(round=number)
        run = Attempt(chosen, plan, random_vectors(plan, number))
        assert_exact(run, run.run(), range(len(members)))


def test_a_stage_ends_when_the_driver_says_so_not_when_the_slowest_device_does():
    run = attempt(size=6, deaths={4: 0}).until(0)
    assert run.server.awaited == frozenset(run.plan.members)
    run.until(1)
    assert run.server.awaited == frozenset(run.plan.members) - {run.plan.members[4]}
    late = run.clients[4].start()
    with pytest.raises(SecAggError, match="not awaited"):
        run.server.receive(run.plan.members[4], late)
    assert_exact(run, run.run(), [0, 1, 2, 3, 5])


def test_each_survivor_signed_its_masked_input_once_for_the_audit():
    run = attempt(size=5, deaths={0: 2})
    result = run.run()
    assert set(result.signatures) == set(result.survivors) == set(result.masked_hashes)
    for address, signature in result.signatures.items():
        statement = masked_input_message(
            run.world.identities[0].domain, run.plan, result.deposited_hash, result.masked_hashes[address]
        )
        assert LocalVerifier().recover(statement, signature) == address


def test_the_limits_of_a_plan_are_stated():
    world = World.of(3)
    members = world.plan().members
    bad = [
        {"threshold": 2},
        {"threshold": 4},
        {"members": members[::-1]},
        {"members": (*members, members[-1])},
        {"members": members[:2], "threshold": 2},
        {"members": (*members[:2], b"short")},
        {"members": list(members)},
        {"members": tuple(i.to_bytes(20, "big") for i in range(MAX_MEMBERS + 1)), "threshold": MAX_MEMBERS},
        {"bits": 7},
        {"bits": 65},
        {"dim": 0},
        {"dim": (1 << 24) + 1},
        {"session": SESSION[:31]},
        {"subject": bytes(31)},
        {"round": -1},
        {"cohort": True},
        {"attempt": 1 << 32},
    ]
    for changes in bad:
        with pytest.raises(SpecError):
            world.plan(**changes)


def test_every_field_of_a_plan_is_in_its_context_hash():
    world = World.of(5)
    changes = [
        {"session": bytes(32)},
        {"subject": b"\x01" * 32},
        {"round": 1},
        {"hospital": 2},
        {"cohort": 1},
        {"attempt": 1},
        {"members": tuple(s.address for s in signers(5))[1:], "threshold": 4},
        {"threshold": 5},
        {"bits": 21},
        {"dim": 6},
    ]
    hashes = {world.plan(**change).context_hash for change in ({}, *changes)}
    assert len(hashes) == len(changes) + 1


def test_neighbours_are_all_others():
    plan = World.of(4).plan()
    assert plan.neighbours(plan.members[1]) == (plan.members[0], plan.members[2], plan.members[3])
    with pytest.raises(SpecError, match="not a member"):
        plan.neighbours(bytes(20))


@pytest.mark.parametrize(("size", "dim", "bits"), [(8, 62, 20), (11, 100, 13)])
def test_messages_have_the_sizes_that_the_protocol_page_states(size, dim, bits):
    run = attempt(size=size, dim=dim, bits=bits)
    run.run()
    bitmap, packed, signature = -(-size // 8), -(-dim * bits // 8), 96
    up = [34, 34 + 128 * (size - 1), 20 + packed + signature, 18 + 16 * (size - 1), 18 + 32 * size]
    down = [
        18 + bitmap + 16 * size,
        18 + bitmap + 80 * (size - 1),
        18 + bitmap,
        18 + bitmap + 16 * (size - 1),
    ]
    assert [len(run.sent[stage, 0]) for stage in range(STAGES)] == up
    assert [len(run.delivered[stage, 0]) for stage in range(STAGES - 1)] == down
