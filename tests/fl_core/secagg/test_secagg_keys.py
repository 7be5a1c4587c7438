"""Keys: who vouches for them, what they open, and when they are gone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from reachable import reachable
from secagg_world import DOMAIN, FIRST_ROUND, Attempt, World, random_vectors, signers

from fl_core.secagg import Advertisement, ClientStage, EpochIdentity, SecAggError, seal, verify_advertisements
from fl_core.secagg.advertisement import advertisement_message, check_public_key
from fl_core.secagg.masking import MaskKey
from fl_core.secagg.pairwise import PairSecrets
from fl_core.secagg.ratchet import Ratchet
from fl_core.signing import Domain, LocalVerifier

EPOCH = FIRST_ROUND >> 8
P = 2**255 - 19


def verify(advertisements, epoch=EPOCH, domain=DOMAIN):
    return verify_advertisements(advertisements, epoch, domain, LocalVerifier())


def fresh(count=3):
    return [EpochIdentity.generate(signer, DOMAIN, EPOCH) for signer in signers(count)]


def test_roster_lists_devices_by_address_whatever_the_order_given():
    advertisements = [identity.advertisement for identity in fresh(5)]
    roster = verify(advertisements)
    assert verify(advertisements[::-1]).root == roster.root
    assert list(roster) == sorted(a.address for a in advertisements)
    assert roster.size == len(roster) == 5
    assert roster.epoch == EPOCH
    assert verify(advertisements[:4]).root != roster.root


def test_roster_root_changes_with_every_key():
    identities = fresh(4)
    advertisements = [identity.advertisement for identity in identities]
    roots = {verify(advertisements).root}
    for position, signer in enumerate(signers(4)):
        changed = list(advertisements)
        changed[position] = EpochIdentity.generate(signer, DOMAIN, EPOCH).advertisement
        roots.add(verify(changed).root)
    assert len(roots) == 5


def test_a_swapped_key_is_refused():
    first, second, third = (identity.advertisement for identity in fresh())
    for change in (
        {"mask_public": second.mask_public},
        {"channel_public": second.channel_public},
        {"signature": second.signature},
        {"signature": b"\x01"},
        {"address": bytes(20)},
    ):
        with pytest.raises(SecAggError, match=r"signature|signed by"):
            verify([replace(first, **change), third])


def test_keys_vouched_for_by_another_account_are_refused():
    victim, attacker = signers(2)
    keys = EpochIdentity.generate(attacker, DOMAIN, EPOCH).advertisement
    statement = advertisement_message(DOMAIN, EPOCH, victim.address, keys.mask_public, keys.channel_public)
    forged = replace(keys, address=victim.address, signature=attacker.sign(statement))
    with pytest.raises(SecAggError, match="are signed by"):
        verify([forged])


def test_an_advertisement_of_another_epoch_domain_or_device_is_refused():
    first, second, _ = (identity.advertisement for identity in fresh())
    with pytest.raises(SecAggError, match="epoch"):
        verify([first], epoch=EPOCH + 1)
    with pytest.raises(SecAggError, match="signature"):
        verify([first], domain=Domain.of_run("another run"))
    with pytest.raises(SecAggError, match="twice"):
        verify([first, second, first])
    with pytest.raises(SecAggError, match="no advertisements"):
        verify([])


@pytest.mark.parametrize("wrong", range(7))
def test_keys_of_low_order_are_refused_as_the_library_refuses_them(wrong):
    order_eight = (
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    )
    point = (0, 1, P - 1, P, P + 1, *order_eight)[wrong]
    for encoded in (point, point | 1 << 255):
        with pytest.raises(SecAggError, match="low order"):
            check_public_key(encoded.to_bytes(32, "little"))
        with pytest.raises(SecAggError, match="low order"):
            seal(encoded.to_bytes(32, "little"), b"", b"")
    with pytest.raises(SecAggError, match="low order"):
        replace(fresh()[0].advertisement, mask_public=point.to_bytes(32, "little"))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_advertisements_decode_to_themselves_or_not_at_all(data):
    encoded = fresh()[0].advertisement.encode()
    assert Advertisement.decode(encoded).encode() == encoded
    position = data.draw(st.integers(0, len(encoded) - 1))
    flipped = bytearray(encoded)
    flipped[position] ^= data.draw(st.integers(1, 255))
    mutated = data.draw(st.sampled_from([bytes(flipped), encoded[:position], encoded + b"\0"]))
    try:
        decoded = Advertisement.decode(mutated)
        assert decoded.encode() == mutated
        verify([decoded])
    except SecAggError:
        return
    pytest.fail("an altered advertisement was accepted")


def test_meeting_erases_the_mask_key_and_only_ratcheted_pair_keys_remain():
    identities = fresh()
    roster = verify([identity.advertisement for identity in identities])
    device = identities[0]
    assert sum(isinstance(thing, X25519PrivateKey) for thing in reachable(device)) == 2
    device.meet(roster)
    (kept,) = [thing for thing in reachable(device) if isinstance(thing, X25519PrivateKey)]
    assert kept.public_key().public_bytes_raw() == device.advertisement.channel_public
    with pytest.raises(SecAggError, match="already"):
        device.meet(roster)


def test_a_passed_rounds_pair_keys_are_gone():
    device, *_ = World.of(4).identities
    peers = [peer.address for peer in signers(4)[1:]]
    early = device.pair_keys(FIRST_ROUND, peers)
    assert device.pair_keys(FIRST_ROUND, peers) == early
    assert all(any(thing == key for thing in reachable(device) if isinstance(thing, bytes)) for key in early)
    device.close_round(FIRST_ROUND)
    held = {thing for thing in reachable(device) if isinstance(thing, bytes)}
    assert held.isdisjoint(early)
    with pytest.raises(SecAggError, match="has passed"):
        device.pair_keys(FIRST_ROUND, peers)
    later = device.pair_keys(FIRST_ROUND + 3, peers[:1])
    device.pair_keys(
        FIRST_ROUND + 4, peers[1:2]
    )  # a round left open is passed as well once a later one is used
    assert {thing for thing in reachable(device) if isinstance(thing, bytes)}.isdisjoint(later)


def test_peers_ratchet_to_the_same_keys_by_different_ways():
    root = bytes(range(32))
    slow, fast = Ratchet(0, {b"peer": root}), Ratchet(0, {b"peer": root})
    seen = [slow.keys(number, [b"peer"])[0] for number in range(6)]
    assert len(set(seen)) == 6
    assert fast.keys(5, [b"peer"])[0] == seen[5]


def test_the_ratchet_refuses_other_epochs_and_unknown_peers():
    ratchet = Ratchet(1, {b"peer": bytes(32)})
    for number in (255, 512):
        with pytest.raises(SecAggError, match="not in epoch"):
            ratchet.keys(number, [b"peer"])
    with pytest.raises(SecAggError, match="roster"):
        ratchet.keys(256, [b"stranger"])


def test_pair_keys_are_equal_on_both_sides_and_unlike_between_pairs():
    world = World.of(4)
    addresses = [identity.address for identity in world.identities]
    keys = {
        (own, peer): world.identities[own].pair_keys(FIRST_ROUND, [addresses[peer]])[0]
        for own in range(4)
        for peer in range(4)
        if own != peer
    }
    assert all(keys[own, peer] == keys[peer, own] for own, peer in keys)
    assert len(set(keys.values())) == 6


def identity_with(signer, mask_private, domain=DOMAIN):
    channel_private = X25519PrivateKey.generate()
    public = [key.public_key().public_bytes_raw() for key in (mask_private, channel_private)]
    signature = signer.sign(advertisement_message(domain, EPOCH, signer.address, *public))
    advertisement = Advertisement(EPOCH, signer.address, *public, signature)
    return EpochIdentity(advertisement, domain, mask_private, channel_private)


def test_a_device_that_advertises_anothers_key_as_its_own_shares_none_of_its_pair_keys():
    honest, victim, copier = signers(3)
    key = X25519PrivateKey.generate()
    device = EpochIdentity.generate(honest, DOMAIN, EPOCH)
    copies = [identity_with(victim, key), identity_with(copier, key)]
    device.meet(verify([identity.advertisement for identity in (device, *copies)]))
    assert len(set(device.pair_keys(FIRST_ROUND, [victim.address, copier.address]))) == 2


def test_the_same_keys_in_another_domain_agree_on_other_pair_keys():
    private = [X25519PrivateKey.generate() for _ in range(2)]
    found = set()
    for domain in (DOMAIN, Domain.of_run("another run"), Domain("FedIoMT", "1", 31337, bytes(20))):
        pair = [identity_with(signer, key, domain) for signer, key in zip(signers(2), private, strict=True)]
        pair[0].meet(verify([identity.advertisement for identity in pair], domain=domain))
        found.update(pair[0].pair_keys(FIRST_ROUND, [pair[1].address]))
    assert len(found) == 3


def test_a_roster_of_another_epoch_is_not_met():
    device = fresh()[0]
    later = EpochIdentity.generate(signers(3)[0], DOMAIN, EPOCH + 1)
    with pytest.raises(SecAggError, match="roster of epoch"):
        device.meet(verify([later.advertisement], epoch=EPOCH + 1))


def test_a_device_that_has_masked_cannot_derive_the_rounds_pair_keys_again():
    world = World.of(4)
    device, peers = world.identities[0], [account.address for account in world.accounts[1:]]
    early = device.pair_keys(FIRST_ROUND, peers)
    run = Attempt(world, world.plan(), random_vectors(world.plan(), 1)).until(3)
    with pytest.raises(SecAggError, match="has passed"):
        device.pair_keys(FIRST_ROUND, peers)
    assert {thing for thing in reachable(run.clients[0]) if isinstance(thing, bytes)}.isdisjoint(early)


@pytest.mark.parametrize("ending", ["done", "dead"])
def test_a_device_that_is_done_or_dead_holds_no_secret_of_the_attempt(ending):
    world = World.of(4)
    run = Attempt(world, world.plan(), random_vectors(world.plan(), 1)).until(2 if ending == "dead" else 4)
    client = run.clients[0]
    held = (*client._pairs.values(), *client._masks.values())
    secrets = {thing for secret in held for thing in reachable(secret) if isinstance(thing, bytes)}
    secrets |= set(client._shares.values()) | set(client._expected.values())
    assert len(secrets) > 8
    if ending == "done":
        client.receive(run.pending[0])
    else:
        with pytest.raises(SecAggError):
            client.receive(b"")
    assert client.stage is ClientStage[ending.upper()]
    left = {thing for thing in reachable(client) if isinstance(thing, bytes | int)}
    assert left.isdisjoint(secrets)
    assert not any(isinstance(thing, np.ndarray) for thing in reachable(client))


def test_a_device_refuses_a_roster_that_shows_other_keys_for_it():
    identities = fresh()
    advertisements = [identity.advertisement for identity in identities]
    older = EpochIdentity.generate(signers(3)[0], DOMAIN, EPOCH)
    for roster in (verify(advertisements[1:]), verify([older.advertisement, *advertisements[1:]])):
        with pytest.raises(SecAggError, match="own keys"):
            identities[0].meet(roster)


def test_a_client_takes_only_what_belongs_together():
    world = World.of(4)
    plan = world.plan()
    vector = random_vectors(plan, 1)[0]
    other = World.of(4)
    unmet = fresh(4)[0]
    swapped = world.accounts[1:] + world.accounts[:1]
    for spoilt, match in (
        (
            World(world.accounts, other.identities, world.roster, world.journals),
            "not the one that this device has met",
        ),
        (
            World(world.accounts, world.identities, other.roster, world.journals),
            "not the one that this device has met",
        ),
        (World(swapped, world.identities, world.roster, world.journals), "signer"),
        (World(world.accounts, [unmet], world.roster, world.journals), "met no roster"),
    ):
        with pytest.raises(SecAggError, match=match):
            spoilt.client(0, plan, vector)
    with pytest.raises(SecAggError, match="epoch"):
        world.client(0, world.plan(round=1), vector)


def test_an_injected_device_that_is_not_on_the_roster_is_refused():
    world = World.of(4)
    members = tuple(sorted((*world.plan().members, bytes(20))))
    plan = world.plan(members=members, threshold=4)
    with pytest.raises(SecAggError, match="not on the roster"):
        world.client(0, plan, random_vectors(plan, 1)[0])
    with pytest.raises(SecAggError, match="not on the roster"):
        world.server(plan)


def test_a_box_opens_for_its_device_and_context_only():
    world = World.of(3)
    device, other = world.identities[:2]
    box = seal(device.advertisement.channel_public, b"receipt", b"round 1")
    assert device.open_sealed(box, b"round 1") == b"receipt"
    assert box != seal(device.advertisement.channel_public, b"receipt", b"round 1")
    assert len(box) == len(b"receipt") + 49
    for opener, context in ((other, b"round 1"), (device, b"round 2")):
        with pytest.raises(SecAggError, match="does not open"):
            opener.open_sealed(box, context)
    with pytest.raises(SecAggError, match="32"):
        seal(b"short", b"", b"")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_an_altered_box_is_refused(data):
    device = fresh()[0]
    box = seal(device.advertisement.channel_public, data.draw(st.binary(max_size=40)), b"context")
    position = data.draw(st.integers(0, len(box) - 1))
    flipped = bytearray(box)
    flipped[position] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(flipped), box[:position], box + b"\0"):
        with pytest.raises(SecAggError):
            device.open_sealed(bad, b"context")


def test_another_encoding_of_the_ephemeral_key_is_refused_though_agreement_ignores_it():
    device = fresh()[0]
    box = bytearray(seal(device.advertisement.channel_public, b"receipt", b"context"))
    box[32] ^= 0x80  # X25519 masks the top bit of a public key
    with pytest.raises(SecAggError, match="does not open"):
        device.open_sealed(bytes(box), b"context")


def test_nothing_secret_shows_in_a_repr():
    world = World.of(3)
    plan = world.plan()
    run = Attempt(world, plan, random_vectors(plan, 1)).until(2)
    pair = PairSecrets.derive(bytes(range(32)), bytes(32), 0, 1)
    shown = [
        pair,
        MaskKey.from_seed(pair.seed),
        world.identities[0],
        run.clients[0],
        run.server,
        world.journals[0],
    ]
    secrets = [thing for thing in reachable(pair) if isinstance(thing, bytes) and len(thing) in {16, 32}]
    assert len(secrets) == 2
    for thing in shown:
        text = repr(thing) + str(thing)
        assert len(text) < 200
        assert "\\x" not in text
        assert not any(secret.hex() in text for secret in secrets)
