"""Long vectors in blocks: the same sums and signatures, in memory that grows with the block."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from secagg_world import DOMAIN, World, plain_sum, random_vectors

from fl_core.canonical import sha256
from fl_core.errors import SpecError
from fl_core.secagg import (
    ClientStage,
    FileSpool,
    MemorySpool,
    SecAggAbort,
    SecAggError,
    SecAggServer,
    ServerStage,
    derive_graph,
    masked_input_message,
)
from fl_core.secagg import messages as wire
from fl_core.secagg.transcript import input_hash
from fl_core.signing import LocalVerifier

MASK = 2


def started(world, plan, vectors, *, spool=None):
    """Server and clients up to where masked inputs are due, and the server's messages to that end."""
    server = SecAggServer(plan, world.roster, LocalVerifier(), DOMAIN, spool=spool)
    clients = {a: world.client(m, plan, vectors[m]) for m, a in enumerate(plan.members)}
    for address, client in clients.items():
        server.receive(address, client.start())
    for address, message in server.advance().items():
        server.receive(address, clients[address].receive(message))
    return server, clients, server.advance()


def finished(server, clients):
    outgoing = server.advance()
    while outgoing:
        for address, message in outgoing.items():
            for answer in clients[address].replies(message):
                server.receive(address, answer)
        outgoing = server.advance()
    return server.result


@pytest.mark.parametrize(
    ("dim", "bits", "entries"), [(64, 20, 64), (65, 20, 64), (1000, 13, 128), (300, 32, 192)]
)
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_sum_in_blocks_is_the_sum(dim, bits, entries, on_disk, tmp_path):
    world = World.of(5)
    plan = world.plan(dim=dim, bits=bits, block_entries=entries)
    vectors = random_vectors(plan, dim)
    server, clients, shares = started(world, plan, vectors, spool=FileSpool(tmp_path) if on_disk else None)
    streams = {address: clients[address].replies(message) for address, message in shares.items()}
    packed = dict.fromkeys(streams, b"")
    for block in range(plan.blocks):  # everybody's blocks in turn
        for address, stream in streams.items():
            assert clients[address].stage is (ClientStage.STREAM if block else ClientStage.MASK)
            assert address in server.awaited
            message = next(stream)
            server.receive(address, message)
            last = block == plan.blocks - 1
            decoded = (
                wire.MaskedInput.decode(message, plan)
                if last
                else wire.MaskedBlock.decode(message, plan, block)
            )
            packed[address] += decoded.packed
    assert not server.awaited
    checks = {plan.members[i]: (item.self_check, item.checks) for i, item in server._deposits.items()}
    result = finished(server, clients)
    assert result.sum.tolist() == plain_sum(plan, vectors, range(5))
    assert not any(tmp_path.iterdir())
    for address, whole in packed.items():
        assert len(whole) == plan.packed_bytes
        signed = input_hash(sha256(whole), *checks[address])
        assert result.masked_hashes[address] == signed
        statement = masked_input_message(DOMAIN, plan, result.deposited_hash, signed)
        assert LocalVerifier().recover(statement, result.signatures[address]) == address


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_device_that_stops_between_blocks_counts_as_dropped(on_disk, tmp_path):
    world = World.of(6)
    plan = world.plan(dim=500, block_entries=128)
    vectors = random_vectors(plan, 1)
    spool = FileSpool(tmp_path) if on_disk else MemorySpool()
    server, clients, shares = started(world, plan, vectors, spool=spool)
    for member, (address, message) in enumerate(shares.items()):
        for block, answer in enumerate(clients[address].replies(message)):
            if (member, block) == (2, 2):
                break
            server.receive(address, answer)
    assert server.unfinished == {plan.members[2]}
    assert list(spool.blocks(2))
    result = finished(server, clients)
    assert plan.members[2] not in result.survivors
    assert result.sum.tolist() == plain_sum(plan, vectors, [0, 1, 3, 4, 5])
    assert not list(spool.blocks(2))


def test_blocks_out_of_order_twice_or_altered_never_reach_the_sum():
    world = World.of(6)
    plan = world.plan(dim=500, block_entries=128)
    vectors = random_vectors(plan, 1)
    server, clients, shares = started(world, plan, vectors)
    for member, (address, message) in enumerate(shares.items()):
        blocks = list(clients[address].replies(message))
        assert len(blocks) == plan.blocks == 4
        for wrong in (blocks[1], blocks[3], blocks[0] + b"\0", blocks[0][:-1]):
            with pytest.raises(SecAggError):
                server.receive(address, wrong)
        if member == 0:
            blocks[1] = blocks[1][:-1] + bytes([blocks[1][-1] ^ 1])
        for position, block in enumerate(blocks[:3]):
            server.receive(address, block)
            with pytest.raises(SecAggError, match=r"block|kind"):
                server.receive(address, blocks[position])
        if member:
            server.receive(address, blocks[3])
        else:
            with pytest.raises(SecAggError, match="signature"):
                server.receive(address, blocks[3])
    result = finished(server, clients)
    assert result.sum.tolist() == plain_sum(plan, vectors, range(1, 6))


def test_a_device_gives_each_block_once_and_takes_no_message_in_between():
    world = World.of(3)
    plan = world.plan(dim=200, block_entries=64)
    for early in (False, True):
        round_plan = world.plan(dim=200, block_entries=64, round=plan.round + early)
        _, clients, shares = started(world, round_plan, random_vectors(plan, 1))
        client = clients[plan.members[0]]
        client.receive(shares[plan.members[0]])
        assert client.unsent == 3
        if early:
            with pytest.raises(SecAggAbort, match="while stream"):
                client.receive(shares[plan.members[0]])
        else:
            for _ in range(3):
                client.next_block()
            assert (client.stage, client.unsent) == (ClientStage.AGREE, 0)
            with pytest.raises(SecAggAbort, match="does not have"):
                client.next_block()
        assert client.stage is ClientStage.DEAD


def test_a_function_may_give_the_blocks_and_is_held_to_the_ring():
    world = World.of(3)
    plan = world.plan(dim=200, block_entries=64, bits=16)
    vectors = random_vectors(plan, 1)
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return vectors[0, start:stop]

    server, clients, shares = started(
        world, plan, [read, vectors[1], lambda a, b: np.full(b - a, a << 10, dtype=np.uint64)]
    )
    assert not asked
    for address, message in shares.items():
        if address == plan.members[2]:
            with pytest.raises(SecAggAbort, match="outside the ring"):
                list(clients[address].replies(message))
        else:
            for answer in clients[address].replies(message):
                server.receive(address, answer)
    assert asked == [(0, 64), (64, 128), (128, 192), (192, 200)]
    with pytest.raises(SecAggAbort, match="members remain"):
        server.advance()


def test_an_array_outside_the_ring_is_refused_before_anything_is_sent():
    world = World.of(3)
    plan = world.plan(dim=200, block_entries=64, bits=16)
    vector = np.zeros(200, dtype=np.uint64)
    vector[-1] = 1 << 16
    with pytest.raises(SpecError, match="outside the ring"):
        world.client(0, plan, vector)
    for entries in (0, 63, 100, True):
        with pytest.raises(SpecError, match="block_entries"):
            world.plan(dim=200, block_entries=entries)


def test_blocks_over_a_neighbour_graph():
    world = World.of(36)
    choice = derive_graph(36, 0.1, 1)
    plan = world.plan(dim=300, block_entries=128, threshold=choice.threshold, graph=choice.graph())
    vectors = random_vectors(plan, 1)
    server, clients, shares = started(world, plan, vectors)
    for address, message in list(shares.items())[2:]:
        for answer in clients[address].replies(message):
            server.receive(address, answer)
    assert finished(server, clients).sum.tolist() == plain_sum(plan, vectors, range(2, 36))


def test_memory_grows_with_the_block_and_only_the_sum_with_the_vector(tmp_path):
    """Peaks of what is newly allocated while everybody sends and the sum is unmasked: numpy reports to tracemalloc."""
    entries, members, peaks = 1 << 13, 6, {}
    for number, dim in enumerate((1 << 16, 1 << 19)):
        world = World.of(members)
        plan = world.plan(dim=dim, bits=20, block_entries=entries)

        def part(start, stop):
            return np.arange(start, stop, dtype=np.uint64)

        server, clients, shares = started(
            world, plan, [part] * members, spool=FileSpool(tmp_path / str(number))
        )
        held = {address: clients[address].replies(message) for address, message in shares.items()}
        tracemalloc.start()
        device = next(iter(held))
        sizes = [len(message) for message in held.pop(device)]
        peaks["device", dim] = tracemalloc.get_traced_memory()[1]
        assert len(sizes) == plan.blocks
        for _ in range(plan.blocks):  # all others at the same time
            for address, stream in held.items():
                server.receive(address, next(stream))
        outgoing = server.advance()
        while outgoing:
            for address, message in outgoing.items():
                server.receive(address, clients[address].receive(message))
            outgoing = server.advance()
        result = server.result
        peaks["all", dim] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (result.sum == np.arange(dim, dtype=np.uint64) * 5 % (1 << 20)).all()
    small, large = 1 << 16, 1 << 19
    assert peaks["device", large] < 1.2 * peaks["device", small]
    assert peaks["device", large] < 2 * large  # not even two bytes an entry
    words_of_the_sum = 4 + 8  # while it is unmasked, and as it is handed out
    assert peaks["all", large] - peaks["all", small] < 1.1 * words_of_the_sum * (large - small)


def spoilt_spool_attempt(folder, spoil):
    """Four devices' blocks on disk; `spoil` is given the file of the last one before that one's last block comes."""
    world = World.of(4)
    plan = world.plan(dim=300, block_entries=64)
    vectors = random_vectors(plan, 3)
    server, clients, shares = started(world, plan, vectors, spool=FileSpool(folder))
    for address, message in shares.items():
        *blocks, last = clients[address].replies(message)
        for block in blocks:
            server.receive(address, block)
        if address == plan.members[3]:
            spoil(folder / "member-3.blocks")
        yield server, clients, address, last


def test_an_input_that_cannot_be_read_back_to_its_end_ends_the_attempt(tmp_path):
    """A part of it is in the sum by then. It was taken for a whole sum, wrong in most entries."""
    for server, _, address, last in spoilt_spool_attempt(
        tmp_path, lambda path: path.write_bytes(path.read_bytes()[:-10])
    ):
        if address != max(server._plan.members):
            server.receive(address, last)
            continue
        with pytest.raises(SecAggAbort, match="cut short"):
            server.receive(address, last)
        assert server.stage is ServerStage.DEAD
        assert not list(tmp_path.iterdir())
        with pytest.raises(SecAggAbort, match="cannot go on"):
            server.advance()


def test_an_input_of_which_nothing_can_be_read_back_is_refused_and_the_others_are_summed(tmp_path):
    for server, clients, address, last in spoilt_spool_attempt(tmp_path, lambda path: path.unlink()):
        if address != max(server._plan.members):
            server.receive(address, last)
            continue
        with pytest.raises(SecAggError, match="cannot be read"):
            server.receive(address, last)
        assert address in server.awaited
        plan = server._plan
        result = finished(server, clients)
        assert result.sum.tolist() == plain_sum(plan, random_vectors(plan, 3), range(3))


def test_a_disk_that_refuses_is_an_error_of_secure_aggregation(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SecAggError, match="cannot be made"):
        FileSpool(tmp_path / "file")
    spool = FileSpool(tmp_path / "spool")
    spool.append(0, b"block")
    kept = tmp_path / "spool" / "member-0.blocks"
    kept.unlink()
    kept.mkdir()
    with pytest.raises(SecAggError, match="cannot be read"):
        list(spool.blocks(0))
    with pytest.raises(SecAggError, match="cannot be deleted"):
        spool.discard(0)


@pytest.mark.slow
def test_ten_million_entries_are_summed_in_blocks(tmp_path):
    world = World.of(3)
    plan = world.plan(dim=10_000_000, bits=20, block_entries=1 << 16)

    def part(start, stop):
        return np.arange(start, stop, dtype=np.uint64) & np.uint64((1 << 20) - 1)

    server, clients, shares = started(world, plan, [part] * 3, spool=FileSpool(tmp_path))
    tracemalloc.start()
    for address, message in shares.items():
        for answer in clients[address].replies(message):
            server.receive(address, answer)
    result = finished(server, clients)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 13 * plan.dim
    assert (result.sum == part(0, plan.dim) * 3 % (1 << 20)).all()


def test_a_block_that_the_disk_refused_can_be_sent_again(tmp_path):
    spool = FileSpool(tmp_path / "spool")
    spool.append(0, b"first")
    folder = tmp_path / "spool"
    kept = folder / "member-0.blocks"
    kept.rename(tmp_path / "aside")
    kept.mkdir()  # opening it to write fails, as on a broken disk
    with pytest.raises(SecAggError, match="cannot be kept"):
        spool.append(0, b"second")
    kept.rmdir()
    (tmp_path / "aside").rename(kept)
    kept.write_bytes(kept.read_bytes() + b"sec")  # a write that was cut short
    spool.append(0, b"second")
    assert list(spool.blocks(0)) == [b"first", b"second"]
