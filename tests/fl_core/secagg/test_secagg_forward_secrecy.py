"""A device that is taken over later opens no round that is over, whatever part it had in it."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from adversary_attack import known_shares, learnt_sums
from adversary_server import MaliciousServer, keys_of
from hypothesis import given, settings
from hypothesis import strategies as st
from reachable import held
from secagg_world import DOMAIN, FIRST_ROUND, STAGES, Attempt, World, random_vectors

from fl_core.secagg import ClientStage, EpochIdentity, SecAggAbort, SecAggError
from fl_core.secagg.kdf import expand
from fl_core.secagg.ratchet import Ratchet

SIZE = 8
ABSENT = SIZE - 1


def stands_at(ratchet):
    return {peer: at for peer, (at, _) in ratchet._chains.items()}


def taken_over(world, plan, member):
    """The round's pair keys that an image of the device gives: each chain run forward as far as the round."""
    identity, found = EpochIdentity.from_bytes(world.identities[member].to_bytes(), DOMAIN), {}
    for peer in plan.neighbour_indices(member):
        at, key = identity._ratchet._chains[plan.members[peer]]
        for _ in range(plan.round - at):
            key = expand(key, b"ratchet")
        found[member, peer] = key
    return found


def play(world, members, round_number):
    """Some of the devices sum a round by themselves."""
    part = World(
        *([items[m] for m in members] for items in (world.accounts, world.identities)),
        world.roster,
        [world.journals[m] for m in members],
    )
    plan = part.plan(round=round_number)
    assert Attempt(part, plan, random_vectors(plan, 1)).run().survivors == plan.members


def served_without(world, plan):
    """A server that shows all others a nonce of its own making for a device that said nothing; the round's sum."""
    server = MaliciousServer(world, plan, random_vectors(plan, 1)).start()
    server.nonces[ABSENT] = b"forged by server"
    present = range(ABSENT)
    server.advertise(to=present).deposit(lists=lambda _: present, to=present).survive().agree()
    return server


def test_a_device_that_was_listed_in_its_absence_opens_nothing_once_it_takes_part_again():
    """The others sealed boxes to it; it never heard of the round."""
    world = World.of(SIZE)
    plan = world.plan()
    server = served_without(world, plan)
    assert set(learnt_sums(server.view)) == {frozenset(range(ABSENT))}
    play(world, range(4, SIZE), FIRST_ROUND + 3)
    view = replace(server.view, pair_keys=taken_over(world, plan, ABSENT), openings=[])
    assert known_shares(view) == {}


def test_a_device_that_was_called_but_never_heard_from_again_opens_nothing_once_the_round_is_over():
    world = World.of(SIZE)
    plan = world.plan()
    server = served_without(world, plan)
    assert server.clients[ABSENT].stage is ClientStage.DEPOSIT
    before = replace(server.view, pair_keys=taken_over(world, plan, ABSENT), openings=[])
    assert known_shares(before)
    server.clients[ABSENT].abandon()
    view = replace(server.view, pair_keys=taken_over(world, plan, ABSENT), openings=[])
    assert known_shares(view) == {}


def test_devices_that_are_not_called_on_after_their_deposits_give_nobody_away_later():
    """Only the victim is handed its boxes; the others are taken over in a later round, more than t of them."""
    world = World.of(SIZE)
    plan = world.plan()
    server = MaliciousServer(world, plan, random_vectors(plan, 2)).start().advertise().deposit(to=[0])
    assert sorted(server.view.masked) == [0]

    def learnt_from(keys):
        return learnt_sums(replace(server.view, pair_keys=keys, openings=[]))

    everybody = {p: k for m in range(1, SIZE) for p, k in taken_over(world, plan, m).items()}
    assert learnt_from(everybody), "while the round lasts it is the devices themselves that are taken over"
    for client in server.clients.values():
        client.abandon()
    assert not learnt_from({p: k for m in range(1, SIZE) for p, k in taken_over(world, plan, m).items()})
    with pytest.raises(SecAggError, match="has passed"):
        keys_of(world, plan, range(1, SIZE))


@pytest.mark.parametrize("stage", range(STAGES + 1))
def test_an_attempt_is_ended_from_outside_at_any_stage_and_nothing_of_it_is_left(stage):
    world = World.of(5)
    plan = world.plan()
    device, peers = world.identities[0], plan.neighbours(world.accounts[0].address)
    image = EpochIdentity.from_bytes(device.to_bytes(), DOMAIN)
    secret = set(image.pair_keys(FIRST_ROUND, peers))
    run = Attempt(world, plan, random_vectors(plan, 1)).until(stage)
    client, done = run.clients[0], stage == STAGES
    client.abandon()
    client.abandon()
    assert client.stage is (ClientStage.DONE if done else ClientStage.DEAD)
    assert [client._pairs, client._masks, client._shares, client._expected] == [{}] * 4
    assert held(device).isdisjoint(secret)
    assert set(stands_at(device._ratchet).values()) == {FIRST_ROUND + 1}
    with pytest.raises(SecAggAbort):
        client.receive(b"")
    with pytest.raises(SecAggError, match="has passed"):
        device.pair_keys(FIRST_ROUND, peers)
    later = world.plan(round=FIRST_ROUND + 1)
    assert Attempt(world, later, random_vectors(later, 2)).run().survivors == later.members


def test_an_attempt_may_follow_another_one_of_the_round_while_the_round_lasts():
    world = World.of(5)
    plan = world.plan()
    Attempt(world, plan, random_vectors(plan, 1)).until(2)  # nobody has masked
    again = world.plan(attempt=1)
    assert Attempt(world, again, random_vectors(again, 1)).run().survivors == again.members


def test_a_round_costs_a_step_for_each_device_of_the_cohort_and_none_for_the_others():
    world = World.of(12)
    play(world, range(6), FIRST_ROUND)
    play(world, range(6), FIRST_ROUND + 1)
    play(world, range(6, 12), FIRST_ROUND + 2)
    first = stands_at(world.identities[0]._ratchet)
    assert {first[world.accounts[m].address] for m in range(1, 6)} == {FIRST_ROUND + 2}
    assert {first[world.accounts[m].address] for m in range(6, 12)} == {FIRST_ROUND}
    joined_later = stands_at(world.identities[7]._ratchet)
    assert {joined_later[world.accounts[m].address] for m in (6, 8, 9, 10, 11)} == {FIRST_ROUND + 3}
    assert joined_later[world.accounts[0].address] == FIRST_ROUND + 2  # it sat out two rounds before


def test_a_round_that_nobody_was_named_for_is_closed_with_everybody():
    ratchet = Ratchet(1, {b"a": bytes(32), b"b": b"\x01" * 32})
    ratchet.close(256)
    assert stands_at(ratchet) == {b"a": 257, b"b": 257}
    ratchet.close(257, [b"a"])
    assert stands_at(ratchet) == {b"a": 258, b"b": 257}
    with pytest.raises(SecAggError, match="roster"):
        ratchet.close(258, [b"stranger"])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_the_order_of_rounds_no_key_that_a_peer_may_have_used_outlives_its_round(data):
    """A model beside it: in a round that was taken part in, the named peers may have used theirs; else all may have."""
    peers = [bytes([i]) * 20 for i in range(5)]
    ratchet, alike = (Ratchet(1, {peer: peer.ljust(32) for peer in peers}) for _ in range(2))
    current, exposed = 256, {}  # by round: who may have used the key
    for _ in range(data.draw(st.integers(1, 12))):
        act = data.draw(st.sampled_from(("keys", "close", "pass", "image")))
        number = data.draw(st.integers(current, min(current + 3, 500)))
        some = data.draw(st.lists(st.sampled_from(peers), min_size=1, max_size=3, unique=True))
        if act == "image":
            ratchet = Ratchet.from_bytes(ratchet.to_bytes())
            continue
        if act == "keys":
            expected = [Ratchet(1, {p: p.ljust(32)}).keys(number, [p])[0] for p in some]
            assert ratchet.keys(number, some) == expected
        elif act == "close":
            ratchet.close(number, some)
        else:
            ratchet.pass_over(number)
        if act == "pass":
            exposed.update({r: set(peers) for r in range(256, number + 1)})
        else:
            for sat_out in range(256, number):
                exposed.setdefault(sat_out, set(peers))
            exposed.setdefault(number, set()).update(some)
        current = number + (act != "keys")
        assert ratchet.follows(alike)
        for passed, users in exposed.items():
            if passed < current:
                assert all(stands_at(ratchet)[peer] > passed for peer in users)


def test_keys_that_come_back_from_another_process_only_move_forward():
    world, other = World.of(4), World.of(4)
    device, peers = world.identities[0], [account.address for account in world.accounts[1:]]

    def sent():
        return pickle.loads(pickle.dumps(device.pairs))

    fresh, early = sent(), EpochIdentity.from_bytes(device.to_bytes(), DOMAIN)
    keys = device.pair_keys(FIRST_ROUND, peers[:2])
    asked = sent()
    device.close_round(FIRST_ROUND)
    early.take_pairs(asked)
    early.take_pairs(sent())
    assert early.to_bytes() == device.to_bytes()
    for behind in (fresh, asked, other.identities[0].pairs, world.identities[1].pairs):
        with pytest.raises(SecAggError, match=r"never set back|another device"):
            early.take_pairs(behind)
    assert early.to_bytes() == device.to_bytes()
    assert held(early).isdisjoint(keys)
    for epoch in (FIRST_ROUND // 256 - 1, FIRST_ROUND // 256 + 1):
        with pytest.raises(SecAggError, match="epoch"):
            early.take_pairs(World.of(4, epoch).identities[0].pairs)


def test_the_same_round_with_fewer_peers_that_may_have_used_it_is_a_step_back():
    world = World.of(4)
    device, peers = world.identities[0], [account.address for account in world.accounts[1:]]
    device.pair_keys(FIRST_ROUND, peers[:1])
    fewer = pickle.loads(pickle.dumps(device.pairs))
    device.pair_keys(FIRST_ROUND, peers)
    with pytest.raises(SecAggError, match="never set back"):
        device.take_pairs(fewer)


def test_a_meeting_that_took_place_in_another_process_counts_here():
    world = World.of(3)
    met = world.identities[0]
    unmet = EpochIdentity.generate(world.accounts[0], DOMAIN, met.epoch)
    with pytest.raises(SecAggError, match="no roster"):
        unmet.pairs  # noqa: B018 - that asking for them raises
    with pytest.raises(SecAggError, match="keys of a new epoch"):
        unmet.pass_rounds(FIRST_ROUND)
    unmet.pass_rounds(255)
    unmet.take_pairs(met.pairs)
    assert unmet.roster_root == met.roster_root
    with pytest.raises(SecAggError, match="already"):
        unmet.meet(world.roster)
