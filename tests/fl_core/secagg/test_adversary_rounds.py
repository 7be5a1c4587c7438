"""A server that replays rounds, grinds attempts, splits rosters and plans, or takes devices over afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
from adversary_attack import known_secrets, known_shares, learnt_sums
from adversary_server import MaliciousServer, keys_of, set_back, tolerated
from secagg_world import DOMAIN, FIRST_ROUND, MemoryJournal, World, random_vectors

from fl_core.secagg import EpochIdentity, SecAggAbort, verify_advertisements
from fl_core.secagg import messages as wire
from fl_core.signing import LocalVerifier

SIZE, VICTIM = 8, 0
OTHERS = range(1, SIZE)


def cohort(world=None, colluders=(), **changes):
    world = world or World.of(SIZE)
    plan = world.plan(**changes)
    return MaliciousServer(world, plan, random_vectors(plan, plan.round), colluders).start()


def assert_everybody_left(server, stage):
    assert set(server.left) == set(server.clients)
    assert {type(error) for error in server.left.values()} == {SecAggAbort}
    assert all(stage in str(error) for error in server.left.values())
    assert not learnt_sums(server.view)


def with_old(fields, old, position):
    """One field of a message taken from the same message of the round before."""
    return (*fields[:position], old[position], *fields[position + 1 :])


@pytest.mark.parametrize("position", range(SIZE - 1))
def test_a_box_of_the_round_before_among_boxes_of_this_one_makes_the_device_leave(position):
    world = World.of(SIZE)
    old = cohort(world).advertise()
    kept = {
        member: [old._box(peer, member) for peer in range(SIZE) if peer != member] for member in range(SIZE)
    }
    old.deposit().survive().agree()
    new = cohort(world, round=FIRST_ROUND + 1).advertise()
    everyone = tuple(range(SIZE))
    for member in everyone:
        boxes = [new._box(peer, member) for peer in everyone if peer != member]
        message = wire.Shares(everyone, with_old(tuple(boxes), kept[member], position))
        assert new.ask(member, message.encode(new.plan, everyone)) is None
    assert_everybody_left(new, "not authentic")


@pytest.mark.parametrize("position", range(SIZE - 1))
def test_a_mac_of_the_round_before_among_macs_of_this_one_makes_the_device_leave(position):
    world = World.of(SIZE)
    old = cohort(world).advertise().deposit().survive()
    kept = {
        member: [old._mac(peer, member) for peer in range(SIZE) if peer != member] for member in range(SIZE)
    }
    old.agree()
    new = cohort(world, round=FIRST_ROUND + 1).advertise().deposit().survive()
    everyone = tuple(range(SIZE))
    for member in everyone:
        macs = [new._mac(peer, member) for peer in everyone if peer != member]
        message = wire.Agreements(everyone, with_old(tuple(macs), kept[member], position))
        assert new.ask(member, message.encode(new.plan, everyone)) is None
    assert_everybody_left(new, "did not agree")


def test_a_whole_round_that_is_replayed_to_devices_set_back_to_its_start_opens_nothing():
    """Their journals are set back too. Their nonces are new, so nothing that was recorded is for them."""
    world = World.of(SIZE)
    first = cohort(world)
    images = {
        member: set_back(world.client(member, first.plan, first.vectors[member])) for member in range(SIZE)
    }
    keys = {member: world.identities[member].to_bytes() for member in range(SIZE)}
    first.advertise()
    recorded = first.nonces
    for member, image in images.items():
        image._identity = EpochIdentity.from_bytes(keys[member], DOMAIN)
    again = MaliciousServer(world, first.plan, first.vectors)
    again.clients = images
    again.start()
    again.advertise(nonce=lambda _, other: recorded[other])
    assert_everybody_left(again, "another nonce")


def test_devices_taken_over_after_the_round_open_nothing_that_was_recorded_of_it():
    """All but the victim hand over everything they still hold, boxes and openings were recorded."""
    world = World.of(SIZE)
    server = cohort(world)
    early = keys_of(world, server.plan, OTHERS)
    server.advertise().deposit().survive().agree()
    next_round = world.plan(round=FIRST_ROUND + 1)
    late = keys_of(world, next_round, OTHERS)
    taken_over = replace(server.view, pair_keys=late, openings=[])
    assert not known_shares(taken_over)
    assert not learnt_sums(taken_over)
    # the same attack with keys that were given away in time reads the update, whatever is opened
    in_time = replace(server.view, pair_keys=early, openings=[])
    assert learnt_sums(in_time) == {frozenset({VICTIM}): server.vectors[VICTIM].tolist()}


def test_shares_of_many_attempts_do_not_add_up_to_a_secret():
    """A server that breaks off before the masks gets c shares of fresh secrets each time, never t of one."""
    world = World.of(SIZE)
    colluders = range(SIZE - tolerated(world.plan()), SIZE)
    attempts = [cohort(world, colluders, attempt=attempt).advertise() for attempt in range(6)]
    held = [
        share
        for server in attempts
        for shares in known_shares(server.view).values()
        for share in shares.values()
    ]
    of_honest = [
        shares for key, shares in known_shares(attempts[0].view).items() if key[0] in attempts[0].view.honest
    ]
    assert len(held) > len(attempts) * world.plan().threshold  # many in all
    assert {len(shares) for shares in of_honest} == {len(colluders)}  # few of each
    assert len(set(held)) == len(held)  # and each attempt's are of other secrets
    assert not any(known_secrets(server.view) for server in attempts)
    final = attempts[-1].deposit().survive().agree()
    assert set(map(len, learnt_sums(final.view))) == {len(final.view.honest)}
    for server in attempts[:-1]:
        server.deposit()
        assert not server.view.masked


def test_boxes_of_an_attempt_that_was_begun_before_do_not_open_in_the_same_attempt_begun_again():
    """The same plan to the last bit: only the nonces tell the two apart."""
    world = World.of(SIZE)
    recorded, again = cohort(world).advertise(), cohort(world).advertise()
    again.view.deposits = recorded.view.deposits
    again.deposit()
    assert_everybody_left(again, "not authentic")


def test_no_value_of_one_attempt_comes_back_in_another():
    """Were a seed, a secret or a key used twice, two attempts could be subtracted from each other."""
    world = World.of(SIZE)
    seen, count = set(), 0
    for attempt in (0, 1, 2, 0, 0):  # an edge may begin the same attempt again, too
        server = cohort(world, attempt=attempt).advertise()
        for deposit in server.view.deposits.values():
            table = [deposit.table[start : start + 32] for start in range(0, len(deposit.table), 32)]
            values = [deposit.self_check, *deposit.sealed, *table]
            seen.update(values)
            count += len(values)
        pairs = {check for deposit in server.view.deposits.values() for check in deposit.checks}
        assert len(pairs) == SIZE * (SIZE - 1) // 2  # both of a pair deposit the same
        seen |= pairs
        count += len(pairs)
    assert len(seen) == count


@pytest.mark.parametrize("first_half", range(1, SIZE - 1))
def test_a_colluder_that_signed_two_sets_of_keys_splits_the_roster_and_nobody_masks(first_half):
    accounts = World.of(SIZE).accounts
    epoch = FIRST_ROUND >> 8
    identities = [EpochIdentity.generate(account, DOMAIN, epoch) for account in accounts]
    other = EpochIdentity.generate(accounts[-1], DOMAIN, epoch)
    advertised = [identity.advertisement for identity in identities]
    rosters = [
        verify_advertisements(listed, epoch, DOMAIN, LocalVerifier())
        for listed in (advertised, [*advertised[:-1], other.advertisement])
    ]
    for member, identity in enumerate(identities[:-1]):
        identity.meet(rosters[member >= first_half])
    identities[-1].meet(rosters[0])
    other.meet(rosters[1])
    journals = [MemoryJournal() for _ in accounts]
    halves = [
        World(accounts, [*identities[:-1], last], roster, journals)
        for last, roster in zip((identities[-1], other), rosters, strict=True)
    ]
    plan = halves[0].plan()
    vectors = random_vectors(plan, 1)
    clients = {
        member: halves[first_half <= member < SIZE - 1].client(member, plan, vectors[member])
        for member in range(SIZE)
    }
    server = MaliciousServer(halves[0], plan, vectors, clients=clients)
    server.start().advertise().deposit()
    assert not server.view.masked
    assert set(server.left) == set(range(SIZE))


def test_a_member_that_only_half_of_the_devices_count_in_gets_none_of_them_to_mask():
    """The edge swaps one member for a device of its own in the plans of some: two plans, one set of messages."""
    world = World.of(SIZE + 1)
    plans = [
        world.plan(members=tuple(account.address for account in accounts), threshold=6)
        for accounts in (world.accounts[:SIZE], world.accounts[1:])
    ]
    parts = []
    for plan, first in zip(plans, (0, 1), strict=True):
        part = World(
            world.accounts[first : first + SIZE],
            world.identities[first : first + SIZE],
            world.roster,
            world.journals[first : first + SIZE],
        )
        parts.append(MaliciousServer(part, plan, random_vectors(plan, 1)).start().advertise())
    one, other = parts
    for member in range(1, SIZE):  # device `member` of the first plan is `member - 1` of the second
        one.view.deposits[member] = other.view.deposits[member - 1]
    one.deposit(to=range(4))
    other.deposit(to=range(3, SIZE))
    assert set(one.left) == set(range(4))
    assert not one.view.masked
    assert not learnt_sums(one.view)
    # the others were handed what belongs to their plan: enough of them are summed, or nobody is
    other.survive().agree()
    assert all(len(group) >= plans[1].threshold for group in learnt_sums(other.view))
