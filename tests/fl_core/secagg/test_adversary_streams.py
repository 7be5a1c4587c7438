"""Masked inputs in blocks against a server that stops, reorders, repeats or asks in between."""

from __future__ import annotations

import numpy as np
import pytest
from adversary_attack import learnt_sums, residues, summed
from adversary_server import MaliciousServer, tolerated
from scipy import stats
from secagg_world import World, plain_sum, random_vectors

from fl_core.secagg import ClientStage, SecAggAbort, SecAggError
from fl_core.secagg import messages as wire
from fl_core.secagg.packing import unpack

SIZE, BLOCK = 8, 64


def streaming(colluders=(), **changes):
    """A cohort whose masked inputs travel in four blocks, brought to the point where they are due."""
    world = World.of(SIZE)
    plan = world.plan(**{"dim": 3 * BLOCK + 5, "block_entries": BLOCK, **changes})
    return MaliciousServer(world, plan, random_vectors(plan, 1), colluders).start().advertise()


def shares_for(server, member):
    """The message that makes a device mask."""
    everyone = server.view.shown[member].deposited = tuple(range(SIZE))
    boxes = tuple(server._box(sender, member) for sender in server.plan.neighbours_among(member, everyone))
    return wire.Shares(everyone, boxes).encode(server.plan, everyone)


@pytest.mark.parametrize("camp", range(1, 5))
def test_a_fork_of_survivors_over_blocks_reads_no_more_than_over_a_whole_vector(camp):
    server = streaming(colluders=range(5, SIZE)).deposit()
    assert len(server.view.colluders) == tolerated(server.plan)
    server.survive(lambda m: range(SIZE) if m < camp else range(1, SIZE)).agree()
    for group, total in learnt_sums(server.view).items():
        assert len(group) >= server.plan.threshold - len(server.view.colluders)
        assert total == plain_sum(server.plan, server.vectors, sorted(group))


def test_blocks_of_a_device_that_stopped_half_way_stay_masked_when_it_is_called_dropped():
    """Its pair masks are opened, its own mask is not: the blocks that came are uniform."""
    server = streaming(bits=8, dim=1 << 14, block_entries=1 << 13)
    server.vectors[:] = 0
    for member, client in server.clients.items():
        client._source = type(client._source)(server.vectors[member], server.plan)
    first = server.clients[0].receive(shares_for(server, 0))
    server.deposit(to=range(1, SIZE)).survive().agree()
    assert set(learnt_sums(server.view)) == {frozenset(range(1, SIZE))}
    half = wire.MaskedBlock.decode(first, server.plan, 0).packed
    server.view.masked[0] = np.concatenate([unpack(half, 1 << 13, 8), np.zeros(1 << 13, dtype=np.uint8)])
    words, unknown = residues(server.view)[0]
    assert unknown == {(b"own", 0)}
    assert stats.chisquare(np.bincount(words[: 1 << 13], minlength=256)).pvalue > 1e-9
    assert sorted(learnt_sums(server.view)) == [frozenset(range(1, SIZE))]


@pytest.mark.parametrize("asked", ["survivors", "shares again", "agreements", "nothing"])
def test_a_message_in_the_middle_of_a_stream_ends_it(asked):
    server = streaming()
    shares = shares_for(server, 0)
    device = server.clients[0]
    device.receive(shares)
    assert (device.stage, device.unsent) == (ClientStage.STREAM, 3)
    message = {
        "survivors": wire.Survivors(tuple(range(SIZE))).encode(server.plan, tuple(range(SIZE))),
        "shares again": shares,
        "agreements": wire.Agreements(tuple(range(SIZE)), (bytes(16),) * 7).encode(server.plan, range(SIZE)),
        "nothing": b"",
    }[asked]
    with pytest.raises(SecAggAbort):
        device.receive(message)
    assert device.unsent == 0
    with pytest.raises(SecAggAbort):
        device.next_block()


def test_no_block_is_had_twice_and_none_after_the_last():
    server = streaming()
    device = server.clients[0]
    with pytest.raises(SecAggAbort):
        streaming().clients[0].next_block()  # before it is due
    blocks = [device.receive(shares_for(server, 0)), *(device.next_block() for _ in range(3))]
    assert len(set(blocks)) == 4
    assert device.unsent == 0
    with pytest.raises(SecAggAbort, match="does not have"):
        device.next_block()


def test_a_restarted_device_sends_no_block_of_the_round_again():
    """The round is claimed before the first block exists."""
    server = streaming()
    server.clients[0].receive(shares_for(server, 0))
    with pytest.raises(SecAggAbort, match="masked an input"):
        server.world.client(0, server.world.plan(attempt=1), server.vectors[0][:5])


def carried(sent_of):
    """A whole attempt in blocks; `sent_of(stage, member, replies, server, plan)` is what is sent of the replies."""
    world = World.of(SIZE)
    plan = world.plan(dim=3 * BLOCK + 5, block_entries=BLOCK)
    vectors = random_vectors(plan, 1)
    server, clients = world.server(plan), [world.client(m, plan, v) for m, v in enumerate(vectors)]
    replies = {member: [client.start()] for member, client in enumerate(clients)}
    for stage in range(5):
        for member, messages in replies.items():
            for message in sent_of(stage, member, messages, server, plan):
                server.receive(plan.members[member], message)
        outgoing = {plan.index_of(address): message for address, message in server.advance().items()}
        replies = {member: list(clients[member].replies(message)) for member, message in outgoing.items()}
    survivors = [plan.index_of(address) for address in server.result.survivors]
    assert server.result.sum.tolist() == plain_sum(plan, vectors, survivors)
    return survivors


@pytest.mark.parametrize("fault", ["repeated", "out of order", "of another device", "of another round"])
def test_a_block_that_is_not_the_next_one_is_refused_and_the_sum_stays_exact(fault):
    def disturbed(stage, member, blocks, server, plan):
        if (stage, member) != (2, 3):
            return blocks
        first = fault in {"repeated", "of another device"}
        if first:
            server.receive(plan.members[3], blocks[0])
        wrong = {
            "repeated": blocks[0],
            "out of order": blocks[1],
            "of another device": wire.MaskedBlock(0, blocks[1][22:]).encode(plan),
            "of another round": blocks[0][:2] + bytes(16) + blocks[0][18:],
        }[fault]
        with pytest.raises(SecAggError):
            server.receive(plan.members[3], wrong)
        return blocks[first:]

    assert carried(disturbed) == list(range(SIZE))


def test_a_device_whose_last_block_does_not_come_is_awaited_and_then_left_out():
    def held_back(stage, member, blocks, server, plan):
        if stage == 2 and member == SIZE - 1:
            server.receive(plan.members[member], blocks[0])
            assert server.awaited == server.unfinished == {plan.members[member]}
            return blocks[1:-1]
        return blocks

    assert carried(held_back) == list(range(SIZE - 1))


def test_the_sum_of_learnt_groups_adds_up_over_blocks_to_the_whole():
    server = streaming().deposit().survive().agree()
    (total,) = learnt_sums(server.view).values()
    assert total == summed(list(server.vectors), server.plan.bits)
