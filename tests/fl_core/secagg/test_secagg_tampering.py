"""Messages altered on the way, and devices that lie: an error or the exact sum, never a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secagg_world import STAGES, Attempt, World, assert_exact, random_vectors

from fl_core.secagg import CohortPlan, SecAggAbort, SecAggError, ServerStage
from fl_core.secagg import messages as wire

_, DEPOSIT, MASK, _, OPEN = range(STAGES)


def cohort(size, up):
    world = World.of(size)
    plan = world.plan()
    return Attempt(world, plan, random_vectors(plan, 1), up=up)


@pytest.mark.parametrize(
    ("lies", "left"), [(1, (1, 2, 4, 5, 6, 7, 8)), (3, (0, 1, 2, 4, 5, 6, 7, 8))], ids=["one", "three"]
)
def test_a_device_that_lies_about_its_pairs_takes_at_most_one_other_with_it(lies, left):
    def lie(stage, member, message):
        if (stage, member) != (DEPOSIT, 3):
            return message
        genuine = wire.Deposit.decode(message, run.plan, 8)
        checks = (*(bytes(16) for _ in range(lies)), *genuine.checks[lies:])
        return wire.Deposit(genuine.self_check, checks, genuine.sealed, genuine.table).encode(run.plan)

    run = cohort(9, lie)
    assert_exact(run, run.run(), left)


def test_a_dropped_device_whose_table_holds_other_seeds_than_agreed_gives_no_sum():
    def lie(stage, member, message):
        if (stage, member) != (DEPOSIT, 3):
            return message
        genuine = wire.Deposit.decode(message, run.plan, 8)
        table = bytes(32) + genuine.table[32:]
        return wire.Deposit(genuine.self_check, genuine.checks, genuine.sealed, table).encode(run.plan)

    run = cohort(9, lie)
    run.deaths = {3: MASK}
    with pytest.raises(SecAggAbort, match="do not give"):
        run.run()


def test_false_shares_from_a_few_devices_do_not_stop_the_sum():
    def corrupt(stage, member, message):
        if stage != OPEN or member not in {0, 4}:
            return message
        return message[:18] + bytes(len(message) - 18)

    world = World.of(16)  # threshold 11: of 15 responders two may be false
    run = Attempt(world, world.plan(), random_vectors(world.plan(), 1), deaths={15: 2}, up=corrupt)
    assert_exact(run, run.run(), range(15))


def test_false_shares_from_too_many_devices_give_no_sum():
    def corrupt(stage, member, message):
        return message[:18] + bytes(len(message) - 18) if stage == OPEN and member < 3 else message

    run = cohort(9, corrupt)
    with pytest.raises(SecAggAbort, match="do not give"):
        run.run()
    with pytest.raises(SecAggError):
        _ = run.server.result


def altered(draw, message, others):
    """The message with some of it changed, or another in its place."""
    position = draw(st.integers(0, len(message) - 1))
    head, tail = message[:position], message[position + 1 :]
    return draw(
        st.one_of(
            st.integers(1, 255).map(lambda flip: head + bytes([message[position] ^ flip]) + tail),
            st.just(head),
            st.binary(min_size=1, max_size=40).map(lambda more: message + more),
            st.binary(max_size=200),
            st.binary(min_size=len(tail), max_size=len(tail)).map(
                lambda rest: head + message[position:][:1] + rest
            ),
            st.sampled_from(others or [b""]),
        )
    )


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_any_altered_message_gives_an_error_or_the_exact_sum(data):
    size = data.draw(st.integers(4, 8), label="members")
    world = World.of(size)
    plan = world.plan(bits=data.draw(st.sampled_from([8, 13, 32, 64])), dim=data.draw(st.integers(1, 9)))
    target = (data.draw(st.integers(0, STAGES - 1)), data.draw(st.integers(0, size - 1)))
    direction = data.draw(st.sampled_from(["up", "down"]))

    def mutate(stage, member, message):
        if (stage, member) != target:
            return message
        seen = run.sent if direction == "up" else run.delivered
        return altered(data.draw, message, [m for where, m in seen.items() if where != target])

    run = Attempt(world, plan, random_vectors(plan, size), **{direction: mutate})
    try:
        result = run.run()
    except SecAggError:
        assert run.server.stage is ServerStage.DEAD
        return
    survivors = [plan.index_of(address) for address in result.survivors]
    assert len(survivors) >= plan.threshold
    assert_exact(run, result, survivors)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400), kind=st.sampled_from(wire.Kind), peers=st.integers(0, 7))
def test_decoders_raise_nothing_but_their_own_error(data, kind, peers):
    members = tuple(bytes([i]) * 20 for i in range(8))
    plan = CohortPlan(bytes(32), 1, 1, 0, 0, members, 6, 20, 5)
    everyone = tuple(range(8))
    decode = {
        wire.Kind.NONCE: lambda m: wire.Nonce.decode(m, plan).encode(plan),
        wire.Kind.NONCES: lambda m: wire.Nonces.decode(m, plan).encode(plan),
        wire.Kind.DEPOSIT: lambda m: wire.Deposit.decode(m, plan, peers).encode(plan),
        wire.Kind.SHARES: lambda m: wire.Shares.decode(m, plan, everyone, peers).encode(plan, everyone),
        wire.Kind.MASKED_INPUT: lambda m: wire.MaskedInput.decode(m, plan).encode(plan),
        wire.Kind.SURVIVORS: lambda m: wire.Survivors.decode(m, plan, everyone).encode(plan, everyone),
        wire.Kind.AGREEMENT: lambda m: wire.Agreement.decode(m, plan, peers).encode(plan),
        wire.Kind.AGREEMENTS: lambda m: wire.Agreements.decode(m, plan, everyone, peers).encode(
            plan, everyone
        ),
        wire.Kind.OPENINGS: lambda m: wire.Openings.decode(m, plan, peers).encode(plan),
        wire.Kind.NONCE_PATH: lambda m: wire.NoncePath.decode(m, plan, peers).encode(plan),
        wire.Kind.MASKED_BLOCK: lambda m: wire.MaskedBlock.decode(m, plan, 0).encode(plan),
    }[kind]
    for message in (data, wire.header(kind, plan) + data):
        try:
            assert decode(message) == message  # one encoding a message
        except SecAggError:
            continue
