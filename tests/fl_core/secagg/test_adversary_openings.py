"""A server that wants both secrets of a device: asked again, restarted, set back, replayed. It gets one of them.

A device that was set back to an earlier state, memory and disk, gives what a colluder would give; so it is counted as
one. Up to the tolerated number that is not enough, and with one more the attack below reads an update.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from adversary_attack import A, B, known_secrets, learnt_sums
from adversary_server import MaliciousServer, set_back, tolerated
from secagg_world import DOMAIN, World, plain_sum, random_vectors

from fl_core.secagg import ClientStage, EpochIdentity, FileJournal, MemoryJournal, SecAggAbort
from fl_core.secagg import messages as wire

VICTIM = 0


def cohort(size=8, colluders=(), world=None, **changes):
    world = world or World.of(size)
    plan = world.plan(**changes)
    return MaliciousServer(world, plan, random_vectors(plan, 1), colluders).start()


def asked_to_agree():
    """Everybody has answered the same list of survivors and waits for the MACs."""
    return cohort().advertise().deposit().survive()


def assert_victim_is_hidden(*servers):
    """Over all that was seen in all attempts, no smaller sum than the protocol allows, and never both secrets."""
    for server in servers:
        for group, total in learnt_sums(server.view).items():
            assert len(group) >= server.plan.threshold - len(server.view.colluders)
            assert total == plain_sum(server.plan, server.vectors, sorted(group))
        secrets = set(known_secrets(server.view))
        assert not {member for member, which in secrets if which == A} & {
            m for m, which in secrets if which == B
        }


def test_a_device_asked_for_the_same_opening_again_leaves():
    server = asked_to_agree()
    for member, client in server.clients.items():
        again = server.agreements(member, range(8))
        client.receive(again)
        with pytest.raises(SecAggAbort, match="while done"):
            client.receive(again)
        assert client.stage is ClientStage.DEAD


def test_a_device_asked_for_the_other_opening_leaves_whoever_vouches_for_it():
    """Colluders make their MACs over the other list too; the device is past it, and its peers never made theirs."""
    server = cohort(colluders=(5, 6, 7)).advertise().deposit().survive().agree()
    for member in server.view.honest:
        server.view.shown[member].survivors = tuple(range(1, 8))
        with pytest.raises(SecAggAbort, match="while done"):
            server.clients[member].receive(server.agreements(member, range(1, 8)))
    assert set(map(len, learnt_sums(server.view))) == {5}
    assert_victim_is_hidden(server)


def test_a_list_of_survivors_that_is_replaced_before_the_macs_come_gets_no_second_answer():
    server = asked_to_agree()
    second = wire.Survivors(tuple(range(1, 8))).encode(server.plan, tuple(range(8)))
    for member in range(1, 8):
        assert server.ask(member, second) is None
        assert server.ask(member, server.agreements(member, range(8))) is None
    assert set(server.left) == set(range(1, 8))
    assert not learnt_sums(server.view)


@pytest.mark.parametrize("stage", ["deposit", "mask", "agree", "open"])
def test_a_device_restarted_at_any_stage_masks_and_opens_nothing_again(stage, tmp_path):
    """Its journal is the file it had before; its secrets of the attempt are gone with its memory."""
    world = World.of(8)
    with FileJournal(tmp_path / "journal") as journal:
        world.journals[VICTIM] = journal
        first = cohort(world=world)
        steps = {
            "deposit": first.advertise,
            "mask": first.deposit,
            "agree": first.survive,
            "open": first.agree,
        }
        for name, step in steps.items():
            step()
            if name == stage:
                break
    with FileJournal(tmp_path / "journal") as journal:
        world.journals[VICTIM] = journal
        if stage == "deposit":  # nothing was masked: it may take part again, with fresh secrets
            again = cohort(world=world, attempt=1).advertise()
            assert again.view.deposits[VICTIM].self_check != first.view.deposits[VICTIM].self_check
            again.deposit().survive().agree()
            assert_victim_is_hidden(first, again)
            return
        for attempt in (0, 1, 7):
            with pytest.raises(SecAggAbort, match="masked an input"):
                world.client(VICTIM, world.plan(attempt=attempt), first.vectors[VICTIM])
    assert_victim_is_hidden(first)


def test_a_second_attempt_with_other_members_missing_gets_no_second_sum():
    """The difference of two sums of almost the same devices would be one device's input."""
    world = World.of(8)
    first = cohort(world=world).advertise().deposit().survive().agree()
    assert learnt_sums(first.view)
    for member in range(8):
        with pytest.raises(SecAggAbort, match="masked an input"):
            world.client(member, world.plan(attempt=1), first.vectors[member])


def test_two_attempts_of_a_round_at_once_get_one_masked_input_of_each_device():
    world = World.of(8)
    one, other = (cohort(world=world, attempt=attempt).advertise() for attempt in (0, 1))
    one.deposit()
    other.deposit()
    assert set(one.view.masked) == set(other.left) == set(range(8))
    assert not other.view.masked
    one.survive().agree()
    assert_victim_is_hidden(one, other)


@pytest.mark.parametrize("first_part", range(1, 9))
def test_two_attempts_at_once_that_share_the_devices_out_are_opened_where_a_threshold_is(first_part):
    world = World.of(9)
    one, other = (cohort(world=world, attempt=attempt).advertise() for attempt in (0, 1))
    one.deposit(to=range(first_part))
    other.deposit(to=range(first_part, 9))
    for server in (one, other):
        server.survive(lambda _: range(9)).agree()
        learnt = learnt_sums(server.view)
        assert not learnt or min(map(len, learnt)) >= server.plan.threshold
    assert_victim_is_hidden(one, other)


def second_world(server, members):
    """The same attempt at the same point once more, with images of some devices in place of the devices."""
    other = copy.copy(server)
    other.clients = {**server.clients, **{member: set_back(server.clients[member]) for member in members}}
    other.macs, other.left = {}, {}
    other.view = replace(server.view, shown=copy.deepcopy(server.view.shown), openings=[])
    return other


def fork_with_images(images):
    """Images of some devices answer one list, the devices themselves the other; the rest is shared out evenly."""
    server = cohort().advertise().deposit()
    restored = range(8 - images, 8)
    honest = range(8 - images)
    camp, rest = honest[: (len(honest) + 1) // 2], honest[(len(honest) + 1) // 2 :]
    other = second_world(server, restored)
    server.survive(lambda _: range(8), to=(*camp, *restored)).agree()
    other.survive(lambda _: range(1, 8), to=(*rest, *restored)).agree()
    return replace(server.view, openings=server.view.openings + other.view.openings)


def test_machines_set_back_to_before_they_agreed_count_as_colluders():
    """Each of them opens twice, once from its image; the tolerated number of them gives no second secret."""
    server_view = fork_with_images(tolerated(World.of(8).plan()))
    assert {len(group) for group in learnt_sums(server_view)} == {8}
    secrets = set(known_secrets(server_view))
    assert not {m for m, which in secrets if which == A} & {m for m, which in secrets if which == B}


def test_one_machine_more_that_is_set_back_gives_an_update_away():
    view = fork_with_images(tolerated(World.of(8).plan()) + 1)
    assert {(VICTIM, A), (VICTIM, B)} <= set(known_secrets(view))
    assert frozenset({VICTIM}) in learnt_sums(view)


def old_images(world, members):
    """The world again with some devices as they were on disk before the round: keys and journal."""
    identities = list(world.identities)
    journals = list(world.journals)
    for member, (keys, journal) in members.items():
        identities[member] = EpochIdentity.from_bytes(keys, DOMAIN)
        journals[member] = MemoryJournal()
        journals[member].restore(journal)
    return World(world.accounts, identities, world.roster, journals)


def second_attempt_with_old_images(count):
    """A whole round; then `count` devices are set back to before it, and a second attempt is made with them."""
    world = World.of(8)
    images = {
        member: (world.identities[member].to_bytes(), world.journals[member].to_bytes())
        for member in range(8 - count, 8)
    }
    first = cohort(world=world).advertise().deposit().survive().agree()
    restored = old_images(world, images)
    plan = world.plan(attempt=1)
    for member in range(8 - count):
        with pytest.raises(SecAggAbort, match="masked an input"):
            restored.client(member, plan, first.vectors[member])
    everyone = World(world.accounts, restored.identities, world.roster, [MemoryJournal() for _ in range(8)])
    second = MaliciousServer(everyone, plan, first.vectors)  # the others' clients exist and are never asked
    second.clients = {member: second.clients[member] for member in images}
    second.start()
    second.nonces |= {member: bytes(16) for member in range(8 - count)}
    second.advertise(to=images).deposit(lambda _: range(8) if count < 6 else images).survive().agree()
    return first, second


def test_devices_set_back_to_an_old_disk_image_mask_nothing_while_they_are_fewer_than_the_threshold():
    for count in (1, 3, 5):
        first, second = second_attempt_with_old_images(count)
        assert not second.view.masked
        assert set(second.left) == set(range(8 - count, 8))
        assert_victim_is_hidden(first, second)


def test_a_threshold_of_devices_set_back_to_an_old_disk_image_gives_a_second_sum():
    """As the protocol page states: the round's protection is gone then, and two sums differ by two devices."""
    first, second = second_attempt_with_old_images(6)
    assert set(learnt_sums(first.view)) == {frozenset(range(8))}
    assert set(learnt_sums(second.view)) == {frozenset(range(2, 8))}
