"""Malformed, truncated and oversized messages at every stage, both ways: a clean refusal, little memory, no opening."""

from __future__ import annotations

import tracemalloc

import pytest
from adversary_attack import learnt_sums
from adversary_server import MaliciousServer, set_back
from secagg_world import STAGES, Attempt, World, assert_exact, random_vectors

from fl_core.secagg import ClientStage, NeighbourGraph, SecAggAbort, SecAggError
from fl_core.secagg import messages as wire

SIZE = 6
HUGE_BYTES = 32 << 20
TO_DEVICE = ["nonces", "shares", "survivors", "agreements"]
SHAPES = {
    "complete": {},
    "graph": {"threshold": 4, "graph": NeighbourGraph(4, 5, corrupted=0)},
    "blocks": {"dim": 130, "block_entries": 64},
}
FROM_DEVICE = range(STAGES)


def variants(message):
    """Cut anywhere, longer by a little and by a lot, other headers, repeated, of other types."""
    yield from (message[:length] for length in range(len(message)))
    yield from (message + bytes(more) for more in (1, 2, 15, 16, 17, 4096))
    yield from (
        message[:place] + bytes([message[place] ^ flip]) + message[place + 1 :]
        for place in range(18)
        for flip in (1, 128)
    )
    yield from (bytes([message[0], kind]) + message[2:] for kind in range(256) if kind != message[1])
    yield message + message
    yield from (None, 7, message.hex(), bytearray(message), memoryview(message), [message])


def brought_to(stage, shape):
    """A server whose devices wait for a message of this stage, and that message for device 0."""
    world = World.of(SIZE)
    plan = world.plan(**SHAPES[shape])
    server = MaliciousServer(world, plan, random_vectors(plan, 1)).start()
    everyone = tuple(range(SIZE))
    if stage == "nonces":
        return server, server._advertised(0, server.nonces)
    server.advertise()
    if stage == "shares":
        boxes = tuple(server._box(sender, 0) for sender in plan.neighbours_among(0, everyone))
        return server, wire.Shares(everyone, boxes).encode(plan, everyone)
    server.deposit()
    if stage == "survivors":
        return server, server.survivors(0, everyone)
    server.survive()
    return server, server.agreements(0, everyone)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stage", TO_DEVICE)
def test_a_device_that_is_sent_a_malformed_message_leaves_and_has_claimed_nothing(stage, shape):
    server, good = brought_to(stage, shape)
    before = set_back(server.clients[0])._journal.to_bytes()
    for bad in (*variants(good), good[:18] + b"\xff" * (len(good) - 18)):
        device = set_back(server.clients[0])
        with pytest.raises(SecAggAbort):
            device.receive(bad)
        assert device.stage is ClientStage.DEAD
        assert device._journal.to_bytes() == before
        with pytest.raises(SecAggAbort, match="dead"):
            device.receive(good)
    set_back(server.clients[0]).receive(good)  # the message itself was good


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stage", TO_DEVICE)
def test_an_oversized_message_costs_a_device_no_memory(stage, shape):
    server, good = brought_to(stage, shape)
    huge = good + bytes(HUGE_BYTES)
    tracemalloc.start()
    try:
        with pytest.raises(SecAggAbort):
            server.clients[0].receive(huge)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < HUGE_BYTES / 64
    assert not learnt_sums(server.view)


@pytest.mark.parametrize("shape", ["complete", "graph"])
@pytest.mark.parametrize("stage", FROM_DEVICE)
def test_the_server_refuses_a_malformed_message_and_takes_the_good_one_afterwards(stage, shape):
    world = World.of(SIZE)
    refused = []

    def malformed_first(at, member, message):
        if (at, member) == (stage, 2):
            awaited = run.server.awaited
            for bad in variants(message):
                with pytest.raises(SecAggError):
                    run.server.receive(run.plan.members[2], bad)
                refused.append(bad)
            assert run.server.awaited == awaited
        return message

    plan = world.plan(**SHAPES[shape])
    run = Attempt(world, plan, random_vectors(plan, 1), up=malformed_first)
    assert_exact(run, run.run(), range(SIZE))
    assert len(refused) > 300


@pytest.mark.parametrize("shape", ["complete", "graph"])
@pytest.mark.parametrize("stage", FROM_DEVICE)
def test_an_oversized_message_costs_the_server_no_memory(stage, shape):
    world = World.of(SIZE)
    peaks = []

    def oversized(at, member, message):
        if (at, member) == (stage, 2):
            huge = message + bytes(HUGE_BYTES)
            tracemalloc.start()
            try:
                with pytest.raises(SecAggError):
                    run.server.receive(run.plan.members[2], huge)
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
        return message

    plan = world.plan(**SHAPES[shape])
    run = Attempt(world, plan, random_vectors(plan, 1), up=oversized)
    assert_exact(run, run.run(), range(SIZE))
    assert max(peaks) < HUGE_BYTES / 64


def test_a_signature_that_claims_to_be_longer_than_any_is_refused_before_it_is_read():
    world = World.of(SIZE)
    plan = world.plan()
    run = Attempt(world, plan, random_vectors(plan, 1)).until(2)
    head = wire.header(wire.Kind.MASKED_INPUT, plan) + bytes(plan.packed_bytes)
    for length in (513, 0xFFFF):
        with pytest.raises(SecAggError, match="at most 512"):
            run.server.receive(plan.members[0], head + length.to_bytes(2, "big") + bytes(length))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stage", TO_DEVICE)
def test_all_devices_sent_malformed_messages_at_once_give_nothing_away(stage, shape):
    server, good = brought_to(stage, shape)
    for client in server.clients.values():
        with pytest.raises(SecAggAbort):
            client.receive(good[:-1])
    assert not learnt_sums(server.view)
    assert not server.view.openings
