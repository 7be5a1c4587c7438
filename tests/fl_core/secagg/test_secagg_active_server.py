"""A server that does as it likes: each attack ends in aborts that open nothing, or in the exact sum."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from secagg_world import DOMAIN, FIRST_ROUND, STAGES, Attempt, World, assert_exact, plain_sum, random_vectors

from fl_core.canonical import sha256
from fl_core.secagg import SecAggAbort, SecAggError, SecAggServer, masked_input_message
from fl_core.secagg import messages as wire
from fl_core.secagg.masking import MaskKey
from fl_core.secagg.pairwise import crypt_table
from fl_core.secagg.shamir import Interpolation, encode_element
from fl_core.secagg.transcript import input_hash
from fl_core.signing import LocalSigner

ADVERTISE, DEPOSIT, MASK, AGREE, OPEN = range(STAGES)


def cohort(size=6, stage=0, seed=1, **changes):
    world = World.of(size)
    plan = world.plan(**changes)
    return Attempt(world, plan, random_vectors(plan, seed)).until(stage)


def answers(run, messages):
    """What each device answers to its message; the error where it leaves instead."""
    found = {}
    for member, message in messages.items():
        try:
            found[member] = run.clients[member].receive(message)
        except SecAggAbort as error:
            found[member] = error
    return found


def assert_all_left(run, found):
    assert {type(answer) for answer in found.values()} == {SecAggAbort}
    for member in found:
        with pytest.raises(SecAggAbort, match="dead"):
            run.clients[member].receive(b"")


def test_different_survivor_lists_for_two_halves_open_nothing():
    run = cohort(size=6, stage=3)
    full, short = tuple(range(6)), tuple(range(5))
    lists = {member: full if member % 2 else short for member in short}
    macs = answers(
        run, {m: wire.Survivors(survivors).encode(run.plan, full) for m, survivors in lists.items()}
    )
    agreements = {m: wire.Agreement.decode(mac, run.plan, len(lists[m]) - 1).macs for m, mac in macs.items()}

    def forwarded(receiver):
        senders = [m for m in short if m != receiver]
        macs_for = {
            s: dict(zip([p for p in lists[s] if p != s], agreements[s], strict=True)) for s in senders
        }
        message = wire.Agreements(short, tuple(macs_for[s][receiver] for s in senders))
        return message.encode(run.plan, lists[receiver])

    assert_all_left(run, answers(run, {m: forwarded(m) for m in short}))


def test_agreement_of_fewer_than_the_threshold_opens_nothing():
    run = cohort(size=6, stage=4)
    everyone, few = tuple(range(6)), (0, 1, 2, 3)
    genuine = wire.Agreements.decode(run.pending[0], run.plan, everyone, 0)
    message = wire.Agreements(few, genuine.macs[:3]).encode(run.plan, everyone)
    assert_all_left(run, answers(run, {0: message}))


def test_a_forged_or_reflected_mac_opens_nothing():
    for forge in (lambda macs, _: (bytes(16), *macs[1:]), lambda macs, own: (own[0], *macs[1:])):
        run = cohort(size=6, stage=4)
        everyone = tuple(range(6))
        genuine = wire.Agreements.decode(run.pending[0], run.plan, everyone, 0)
        own = wire.Agreement.decode(run.sent[AGREE, 0], run.plan, 5)
        message = wire.Agreements(everyone, forge(genuine.macs, own.macs)).encode(run.plan, everyone)
        assert_all_left(run, answers(run, {0: message}))


@pytest.mark.parametrize("stage", [4, 5])
def test_a_second_list_of_survivors_is_not_answered(stage):
    run = cohort(size=6, stage=stage)
    second = wire.Survivors(tuple(range(5))).encode(run.plan, tuple(range(6)))
    assert_all_left(run, answers(run, dict.fromkeys(range(5), second)))


def test_a_device_cloned_before_it_opens_does_not_open_to_a_second_list():
    """As if a virtual machine were set back: same memory, but the journal remembers."""
    run = cohort(size=6, stage=4)
    clone = copy.copy(run.clients[0])
    clone._pairs, clone._shares = dict(clone._pairs), dict(clone._shares)
    run.clients[0].receive(run.pending[0])
    with pytest.raises(SecAggAbort, match="second time"):
        clone.receive(run.pending[0])


def test_a_device_cloned_before_it_masks_does_not_mask_twice():
    run = cohort(size=6, stage=2)
    clone = copy.copy(run.clients[0])
    clone._pairs, clone._shares, clone._masks = dict(clone._pairs), dict(clone._shares), dict(clone._masks)
    clone._source = copy.deepcopy(clone._source)
    clone._masked_hash = clone._masked_hash.copy()
    run.clients[0].receive(run.pending[0])
    with pytest.raises(SecAggAbort, match="masked input"):
        clone.receive(run.pending[0])


@pytest.mark.parametrize("stage", range(1, STAGES))
@pytest.mark.parametrize("changes", [{"round": FIRST_ROUND + 1}, {"attempt": 1}, {"cohort": 1}])
def test_messages_of_another_round_attempt_or_cohort_are_refused(stage, changes):
    old = cohort(stage=stage)
    # peers whose journals know nothing of the old attempt, so that only the messages can give it away
    new = cohort(stage=stage, **changes)
    assert_all_left(new, answers(new, old.pending))


@pytest.mark.parametrize("retagged", [False, True])
def test_a_device_that_was_handed_another_model_is_in_no_sum(retagged):
    """Its plan names another subject; even a server that rewrites headers gets none of its keys to match."""
    world = World.of(6)
    plan, other = world.plan(), world.plan(subject=sha256(b"a model made for device 0 alone"))

    def carry(source, target):
        def rewrite(_stage, member, message):
            if member != 0 or not retagged:
                return message
            return wire.header(wire.Kind(message[1]), target) + message[18:]

        return rewrite

    run = Attempt(world, plan, random_vectors(plan, 1), up=carry(other, plan), down=carry(plan, other))
    run.clients[0] = world.client(0, other, run.vectors[0])
    assert_exact(run, run.run(), range(1, 6))
    assert not any(member == 0 and stage >= MASK for stage, member in run.sent)


@pytest.mark.parametrize("stage", [DEPOSIT, MASK, OPEN])
def test_replayed_messages_are_refused_even_with_the_header_of_the_new_plan(stage):
    world = World.of(6)
    old = Attempt(world, world.plan(), random_vectors(world.plan(), 1)).until(stage)
    replayed = dict(old.pending)
    if stage == OPEN:
        old.until(STAGES)
    plan = world.plan(round=FIRST_ROUND + 1)
    new = Attempt(world, plan, old.vectors).until(stage)
    headed = {member: wire.header(wire.Kind(m[1]), plan) + m[18:] for member, m in replayed.items()}
    assert_all_left(new, answers(new, headed))


def test_a_replayed_upstream_message_is_refused_by_the_server():
    world = World.of(6)
    old = Attempt(world, world.plan(), random_vectors(world.plan(), 1)).until(STAGES)
    plan = world.plan(round=FIRST_ROUND + 1)
    new = Attempt(world, plan, old.vectors)
    for stage in range(STAGES):
        with pytest.raises(SecAggError, match="another plan"):
            new.server.receive(plan.members[0], old.sent[stage, 0])
        new.step()
    assert_exact(new, new.server.result, range(6))


@pytest.mark.parametrize("stage", [DEPOSIT, MASK, AGREE, OPEN])
@pytest.mark.parametrize("listed", [(1, 2, 3, 4, 5), (0, 1, 2, 3)])
def test_a_list_that_leaves_the_device_out_or_is_too_short_ends_the_attempt(stage, listed):
    run = cohort(size=6, stage=stage)
    everyone = tuple(range(6))
    peers = tuple(m for m in listed if m != 0)
    message = {
        DEPOSIT: lambda: wire.Nonces(listed, (bytes(16),) * len(listed)).encode(run.plan),
        MASK: lambda: wire.Shares(listed, (bytes(80),) * len(peers)).encode(run.plan, everyone),
        AGREE: lambda: wire.Survivors(listed).encode(run.plan, everyone),
        OPEN: lambda: wire.Agreements(listed, (bytes(16),) * len(peers)).encode(run.plan, everyone),
    }[stage]()
    with pytest.raises(SecAggAbort, match=r"leaves this device out|threshold is"):
        run.clients[0].receive(message)


def test_a_list_with_another_nonce_for_the_device_ends_the_attempt():
    run = cohort(size=6, stage=1)
    genuine = wire.Nonces.decode(run.pending[0], run.plan)
    message = wire.Nonces(genuine.advertised, (bytes(16), *genuine.nonces[1:])).encode(run.plan)
    with pytest.raises(SecAggAbort, match="another nonce"):
        run.clients[0].receive(message)


def test_different_nonce_lists_for_two_halves_end_before_anything_is_masked():
    def other_nonce(stage, member, message):
        if stage != ADVERTISE or member % 2:
            return message
        genuine = wire.Nonces.decode(message, run.plan)
        nonces = tuple(bytes(16) if index == 5 else nonce for index, nonce in enumerate(genuine.nonces))
        return wire.Nonces(genuine.advertised, nonces).encode(run.plan)

    run = cohort(size=6)
    run.down = other_nonce
    with pytest.raises(SecAggAbort):
        run.run()
    assert not any(stage >= MASK for stage, _ in run.sent)


class CarelessVerifier:
    """Of a server that does not mind what was signed."""

    def recover(self, _message, signature):
        return sha256(signature[:32])[-20:]


@pytest.mark.parametrize("careless", [False, True])
def test_a_device_shown_another_list_of_depositors_is_in_no_sum(careless):
    def without_last(stage, member, message):
        if stage != DEPOSIT or member != 0:
            return message
        genuine = wire.Shares.decode(message, run.plan, tuple(range(8)), member)
        return wire.Shares(tuple(range(7)), genuine.sealed[:-1]).encode(run.plan, tuple(range(8)))

    run = cohort(size=8)
    run.down = without_last
    if careless:
        run.server = SecAggServer(run.plan, run.world.roster, CarelessVerifier(), DOMAIN)
    result = run.run()
    assert not any(at == (OPEN, 0) for at in run.sent)
    if careless:  # one mask of device 0 stays in: what comes out is noise
        for members in (range(8), range(1, 8), range(7), [0]):
            assert result.sum.tolist() != plain_sum(run.plan, run.vectors, members)
    else:  # the signature is over another list: device 0 counts as dropped
        assert_exact(run, result, range(1, 8))


def test_devices_that_masked_against_different_depositors_never_agree_on_survivors():
    """Device 7 was in the list of all but device 0; it then drops, and the lists of survivors look alike."""

    def without_last(stage, member, message):
        if stage == DEPOSIT and member == 0:
            genuine = wire.Shares.decode(message, run.plan, tuple(range(8)), member)
            return wire.Shares(tuple(range(7)), genuine.sealed[:-1]).encode(run.plan, tuple(range(8)))
        return message

    run = cohort(size=8)
    run.down, run.deaths = without_last, {7: MASK}
    run.server = SecAggServer(run.plan, run.world.roster, CarelessVerifier(), DOMAIN)
    with pytest.raises(SecAggAbort):
        run.run()
    assert {member for stage, member, error in run.refused if "did not agree" in str(error)} == set(range(7))
    assert not any(stage == OPEN for stage, _ in run.sent)


@pytest.mark.parametrize("attack", ["swap", "reflect", "repeat", "flip"])
def test_shares_that_do_not_come_from_the_named_peer_are_refused(attack):
    def tamper(stage, member, message):
        if stage != DEPOSIT or member != 0:
            return message
        genuine = wire.Shares.decode(message, run.plan, tuple(range(6)), member)
        first, second, *rest = genuine.sealed
        own = wire.Deposit.decode(run.sent[DEPOSIT, 0], run.plan, 5).sealed[0]
        spoilt = {
            "swap": (second, first),
            "repeat": (first, first),
            "reflect": (own, second),
            "flip": (bytes([first[0] ^ 1]) + first[1:], second),
        }[attack]
        return wire.Shares(genuine.deposited, (*spoilt, *rest)).encode(run.plan, tuple(range(6)))

    run = cohort(size=6)
    run.down = tamper
    assert_exact(run, run.run(), range(1, 6))
    (refused,) = run.refused
    assert refused[:2] == (MASK, 0)
    assert "not authentic" in str(refused[2])


def test_messages_out_of_turn_end_the_attempt():
    run = cohort(size=6, stage=3)
    for stage in (ADVERTISE, DEPOSIT):
        with pytest.raises(SecAggAbort):
            run.clients[stage].receive(run.delivered[stage, stage])
    idle = World.of(3)
    client = idle.client(0, idle.plan(), random_vectors(idle.plan(), 1)[0])
    with pytest.raises(SecAggAbort, match="while start"):
        client.receive(b"")
    run = cohort(size=6, stage=1)
    with pytest.raises(SecAggAbort, match="twice"):
        run.clients[0].start()


def test_the_server_takes_one_message_a_member_and_stage_and_none_from_strangers():
    run = cohort(size=6)
    message = run.clients[0].start()
    run.server.receive(run.plan.members[0], message)
    with pytest.raises(SecAggError, match="second message"):
        run.server.receive(run.plan.members[0], message)
    with pytest.raises(SecAggError, match="not awaited"):
        run.server.receive(LocalSigner().address, message)
    for junk in (b"", message[:-1], message + b"\0", b"\x02" + message[1:], None, 7, bytearray(message)):
        with pytest.raises(SecAggError):
            run.server.receive(run.plan.members[1], junk)
    assert run.server.awaited == frozenset(run.plan.members[1:])


def test_a_masked_input_signed_by_somebody_else_is_refused():
    def resign(stage, member, message):
        if (stage, member) != (MASK, 1):
            return message
        packed = wire.MaskedInput.decode(message, run.plan).packed
        own = run.server._deposits[member]
        signed = input_hash(sha256(packed), own.self_check, own.checks)
        statement = masked_input_message(DOMAIN, run.plan, run.server._deposited_hash, signed)
        return wire.MaskedInput(packed, run.world.accounts[0].sign(statement)).encode(run.plan)

    run = cohort(size=6)
    run.up = resign
    assert_exact(run, run.run(), [0, 2, 3, 4, 5])
    assert "is signed by" in str(run.refused[0][2])


def test_the_server_never_holds_enough_shares_for_both_secrets_of_one_device():
    """All honest devices open the same one of two: reconstructing the other from what is opened gives noise."""
    world = World.of(9)
    run = Attempt(world, world.plan(), random_vectors(world.plan(), 1), deaths={8: 2}).until(STAGES)
    dealers = tuple(range(9))
    opened = {m: wire.Openings.decode(run.sent[OPEN, m], run.plan, 9).shares for m in range(8)}
    responders = list(range(run.plan.threshold))
    weights = Interpolation([r + 1 for r in responders])
    deposits = {m: wire.Deposit.decode(run.sent[DEPOSIT, m], run.plan, 8) for m in dealers}
    for dealer in dealers:
        secret = weights.secret([int.from_bytes(opened[r][dealer], "big") for r in responders])
        as_self_mask = MaskKey.from_seed(encode_element(secret)).check == deposits[dealer].self_check
        table = crypt_table(secret, run.server._attempt, deposits[dealer].table)
        as_table = MaskKey.from_seed(table[:32]).check == deposits[dealer].checks[0]
        assert (as_self_mask, as_table) == ((True, False) if dealer != 8 else (False, True))


def test_every_attempt_masks_with_fresh_seeds():
    """Same vector, same pairs, same round: without the masks two attempts could be subtracted."""
    world = World.of(4)
    vectors = np.zeros((4, 5), dtype=np.uint64)
    seen = set()
    for attempt in range(6):
        run = Attempt(world, world.plan(attempt=attempt), vectors).until(2)
        for member, client in enumerate(run.clients):
            seen.update((member, part) for mask in client._masks.values() for part in (mask.key, mask.check))
    assert len(seen) == 6 * 4 * 4 * 2


def test_a_masked_zero_vector_looks_uniform():
    world = World.of(3)
    plan = world.plan(bits=8, dim=1 << 16)
    run = Attempt(world, plan, np.zeros((3, plan.dim), dtype=np.uint64)).until(3)
    for member in range(3):
        packed = wire.MaskedInput.decode(run.sent[MASK, member], plan).packed
        counts = np.bincount(np.frombuffer(packed, dtype=np.uint8), minlength=256)
        chi_square = float(((counts - 256) ** 2 / 256).sum())
        assert 100 < chi_square < 450  # 255 degrees of freedom: mean 255, standard deviation 23
