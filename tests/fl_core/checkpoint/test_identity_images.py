"""A device's keys on disk: sealed, bound to the journal, and never a way back to a round that was masked."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from reachable import held

from fl_core.checkpoint import CheckpointError, open_identity, seal_identity
from fl_core.secagg import (
    Advertisement,
    EpochIdentity,
    FileJournal,
    MemoryJournal,
    OpeningClaim,
    SecAggAbort,
    SecAggError,
    seal,
    verify_advertisements,
)
from fl_core.secagg.advertisement import advertisement_message
from fl_core.secagg.ratchet import Ratchet
from fl_core.signing import Domain, LocalSigner, LocalVerifier

DOMAIN = Domain.of_run("identity images")
SESSION, ATTEMPT, KEY = bytes(range(32)), b"\x07" * 32, b"\x2a" * 32
EPOCH, FIRST = 1, 256


def met(count=4):
    """Identities of one epoch that have met."""
    identities = [EpochIdentity.generate(LocalSigner(), DOMAIN, EPOCH) for _ in range(count)]
    roster = verify_advertisements([i.advertisement for i in identities], EPOCH, DOMAIN, LocalVerifier())
    for identity in identities:
        identity.meet(roster)
    return identities


def peers_of(identity, identities):
    return [other.address for other in identities if other is not identity]


def again(identity):
    return EpochIdentity.from_bytes(identity.to_bytes(), DOMAIN)


def sealed_by(identity, journal, **changes):
    return seal_identity(identity, **{"key": KEY, "journal": journal, "session": SESSION, **changes})


def opened(sealed, journal, **changes):
    options = {"key": KEY, "domain": DOMAIN, "journal": journal, "session": SESSION}
    return open_identity(sealed, **{**options, **changes})


def test_restored_keys_agree_with_peers_and_open_their_boxes():
    identities = met()
    device, peers = identities[0], peers_of(identities[0], identities)
    device.pair_keys(FIRST, peers[:1])  # one pair is a step ahead of the others
    device.close_round(FIRST)
    restored = again(device)
    assert restored.advertisement == device.advertisement
    assert restored.roster_root == device.roster_root
    for number in (FIRST + 1, FIRST + 4):
        theirs = [identities[n].pair_keys(number, [device.address])[0] for n in (1, 2, 3)]
        assert restored.pair_keys(number, peers) == theirs == device.pair_keys(number, peers)
    box = seal(device.advertisement.channel_public, b"receipt", b"context")
    assert restored.open_sealed(box, b"context") == b"receipt"
    with pytest.raises(SecAggError, match="already"):
        restored.meet({})


def test_an_image_is_the_same_however_often_it_is_read_and_written():
    device, *others = met()
    device.pair_keys(FIRST + 2, [others[0].address, others[2].address])
    assert again(device).to_bytes() == device.to_bytes()


def test_keys_that_have_met_nobody_yet_are_restored_and_meet_later():
    identities = [EpochIdentity.generate(LocalSigner(), DOMAIN, EPOCH) for _ in range(3)]
    identities[0] = again(identities[0])
    roster = verify_advertisements([i.advertisement for i in identities], EPOCH, DOMAIN, LocalVerifier())
    for identity in identities:
        identity.meet(roster)
    first, second, _ = identities
    assert first.pair_keys(FIRST, [second.address]) == second.pair_keys(FIRST, [first.address])


def test_an_image_holds_no_key_of_a_closed_round():
    device, *others = met()
    peers = [other.address for other in others]
    early = device.pair_keys(FIRST, peers)
    assert all(key in device.to_bytes() for key in early)
    device.close_round(FIRST)
    image = device.to_bytes()
    assert not any(key in image for key in early)
    assert held(again(device)).isdisjoint(early)


def test_an_image_holds_the_mask_key_until_the_meeting_only():
    mask, channel = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    account, public = LocalSigner(), [key.public_key().public_bytes_raw() for key in (mask, channel)]
    signature = account.sign(advertisement_message(DOMAIN, EPOCH, account.address, *public))
    advertisement = Advertisement(EPOCH, account.address, *public, signature)
    device = EpochIdentity(advertisement, DOMAIN, mask, channel)
    assert mask.private_bytes_raw() in device.to_bytes()
    peer = EpochIdentity.generate(LocalSigner(), DOMAIN, EPOCH)
    device.meet(verify_advertisements([advertisement, peer.advertisement], EPOCH, DOMAIN, LocalVerifier()))
    assert mask.private_bytes_raw() not in device.to_bytes()
    assert channel.private_bytes_raw() in device.to_bytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_image_is_refused_or_says_something_else_but_never_crashes(data):
    image = met(3)[0].to_bytes()
    position = data.draw(st.integers(0, len(image) - 1))
    flipped = bytearray(image)
    flipped[position] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(flipped), image[:position], image + b"\0"):
        try:
            assert EpochIdentity.from_bytes(bad, DOMAIN).to_bytes() == bad
        except SecAggError:
            continue


def test_keys_of_another_run_are_refused():
    with pytest.raises(SecAggError, match="another run"):
        EpochIdentity.from_bytes(met(2)[0].to_bytes(), Domain.of_run("another"))


def test_a_ratchet_in_a_state_that_no_ratchet_has_is_refused():
    good = Ratchet(1, {b"p" * 20: bytes(32)}).to_bytes()
    assert Ratchet.from_bytes(good).to_bytes() == good
    epoch, current, rest = good[:8], good[8:16], good[16:]
    for bad in (
        epoch + (255).to_bytes(8, "big") + rest,  # before its epoch
        epoch + (513).to_bytes(8, "big") + rest,  # after it
        epoch + current + (2).to_bytes(4, "big") + rest[4:],  # fewer peers than it says
        epoch + (257).to_bytes(8, "big") + rest[:-33] + b"\x01" + rest[-32:],  # used, yet not stepped
    ):
        with pytest.raises(SecAggError):
            Ratchet.from_bytes(bad)
    with pytest.raises(SecAggError, match="20 bytes"):
        Ratchet(1, {b"peer": bytes(32)}).to_bytes()


def test_the_disk_image_shows_nothing_and_opens_with_its_key_only():
    device, *others = met()
    keys, journal = device.pair_keys(FIRST, [others[0].address]), MemoryJournal()
    sealed = sealed_by(device, journal)
    assert sealed != sealed_by(device, journal)
    assert not any(secret in sealed for secret in (*keys, device.address, device.roster_root))
    assert opened(sealed, journal).to_bytes() == device.to_bytes()
    for wrong in ({"key": b"\x2b" * 32}, {"session": bytes(32)}):
        with pytest.raises(CheckpointError, match="does not open"):
            opened(sealed, journal, **wrong)
    with pytest.raises(CheckpointError, match="another run"):
        opened(sealed, journal, domain=Domain.of_run("another"))
    for short in (b"", KEY[:16]):
        with pytest.raises(CheckpointError, match="32 are needed"):
            sealed_by(device, journal, key=short)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_altered_disk_image_does_not_open(data):
    journal = MemoryJournal()
    sealed = sealed_by(met(2)[0], journal)
    position = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[position] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(flipped), sealed[:position]):
        with pytest.raises(CheckpointError):
            opened(bad, journal)


def test_an_old_image_opens_no_round_that_was_masked_since(tmp_path):
    identities = met()
    device, peers = identities[0], peers_of(identities[0], identities)
    with FileJournal(tmp_path / "journal") as journal:
        old = sealed_by(device, journal)
        keys = device.pair_keys(FIRST + 3, peers)
        journal.claim_round(SESSION, FIRST + 3, ATTEMPT)
    with FileJournal(tmp_path / "journal") as journal:
        restored = opened(old, journal)
        assert held(restored).isdisjoint(keys)
        for number in (FIRST, FIRST + 3):
            with pytest.raises(SecAggError, match="has passed"):
                restored.pair_keys(number, peers)
        with pytest.raises(SecAggAbort, match="masked input"):
            journal.claim_round(SESSION, FIRST + 3, ATTEMPT)
    theirs = [other.pair_keys(FIRST + 4, [device.address])[0] for other in identities[1:]]
    assert restored.pair_keys(FIRST + 4, peers) == theirs


def test_a_journal_that_was_set_back_keeps_the_keys_shut(tmp_path):
    device = met()[0]
    with FileJournal(tmp_path / "journal") as journal:
        journal.claim_round(SESSION, FIRST, ATTEMPT)
    before = (tmp_path / "journal").read_bytes()
    with FileJournal(tmp_path / "journal") as journal:
        journal.claim_round(SESSION, FIRST + 1, ATTEMPT)
        sealed = sealed_by(device, journal)
    (tmp_path / "journal").write_bytes(before)
    with FileJournal(tmp_path / "journal") as journal, pytest.raises(CheckpointError, match="set back"):
        opened(sealed, journal)
    with pytest.raises(CheckpointError, match="set back"):
        opened(sealed, MemoryJournal())


def test_a_journal_on_disk_is_never_set_back_to_a_checkpoints_claims(tmp_path):
    with FileJournal(tmp_path / "journal") as journal:
        journal.claim_round(SESSION, 5, ATTEMPT)
        in_memory = MemoryJournal()
        in_memory.restore(journal.to_bytes())
        assert in_memory.last_round(SESSION) == 5
        for behind in (MemoryJournal().to_bytes(), in_memory.to_bytes()):
            journal.restore(behind)
            assert journal.to_bytes() == in_memory.to_bytes()


@pytest.mark.parametrize("ahead", ["a later round", "an answer", "another attempt", "another session"])
def test_a_journal_on_disk_that_lacks_a_claim_of_the_checkpoint_is_refused(tmp_path, ahead):
    lost = OpeningClaim(SESSION, 5, ATTEMPT, b"\x07", b"\x08")
    with FileJournal(tmp_path / "journal") as journal:
        journal.claim_round(SESSION, 5, ATTEMPT)
        checkpoint = MemoryJournal()
        checkpoint.claim_round(SESSION, 5, bytes(32) if ahead == "another attempt" else ATTEMPT)
        if ahead == "a later round":
            checkpoint.claim_round(SESSION, 6, ATTEMPT)
        elif ahead == "an answer":
            checkpoint.claim_openings(lost)
        elif ahead == "another session":
            checkpoint.claim_round(bytes(32), 1, ATTEMPT)
        with pytest.raises(SecAggError, match="lacks a claim"):
            journal.restore(checkpoint.to_bytes())
        assert journal.last_round(SESSION) == 5
        if ahead == "an answer":  # once it is there, and followed by a later round too
            journal.claim_openings(lost)
            journal.restore(checkpoint.to_bytes())
            journal.claim_round(SESSION, 6, ATTEMPT)
            journal.restore(checkpoint.to_bytes())
        with pytest.raises(SecAggError):
            journal.restore(b"\x00")


def test_an_image_of_before_the_meeting_does_not_revive_rounds_that_were_masked():
    identities = [EpochIdentity.generate(LocalSigner(), DOMAIN, EPOCH) for _ in range(3)]
    journal = MemoryJournal()
    journal.claim_round(SESSION, FIRST - 1, ATTEMPT)  # of the epoch before: nothing of these keys was used
    unmet = sealed_by(identities[0], journal)
    assert opened(unmet, journal).address == identities[0].address
    for claimed in (FIRST, FIRST + 300):
        journal.claim_round(SESSION, claimed, ATTEMPT)
        with pytest.raises(CheckpointError, match="keys of a new epoch"):
            opened(unmet, journal)


def test_a_claim_of_a_later_epoch_leaves_nothing_of_this_one():
    identities = met()
    journal = MemoryJournal()
    sealed = sealed_by(identities[0], journal)
    journal.claim_round(SESSION, FIRST + 700, ATTEMPT)
    restored = opened(sealed, journal)
    with pytest.raises(SecAggError, match="has passed"):
        restored.pair_keys(FIRST + 255, peers_of(identities[0], identities))


def test_a_simulated_journal_is_restored_with_its_claims_and_is_never_set_back():
    journal = MemoryJournal()
    journal.claim_round(SESSION, 5, ATTEMPT)
    journal.claim_round(bytes(32), 9, ATTEMPT)
    journal.claim_openings(OpeningClaim(SESSION, 5, ATTEMPT, b"\x07", b"\x08"))
    restored = MemoryJournal()
    restored.restore(journal.to_bytes())
    assert restored.to_bytes() == journal.to_bytes()
    assert (restored.last_round(SESSION), restored.last_round(bytes(32))) == (5, 9)
    with pytest.raises(SecAggAbort, match="second time"):
        restored.claim_openings(OpeningClaim(SESSION, 5, ATTEMPT, b"\x07", b"\x08"))
    with pytest.raises(SecAggAbort, match="masked input"):
        restored.claim_round(SESSION, 5, ATTEMPT)
    with pytest.raises(SecAggError, match="set back"):
        restored.restore(MemoryJournal().to_bytes())
    whole = journal.to_bytes()
    first, second = whole[: len(whole) // 2], whole[len(whole) // 2 :]
    for bad in (whole[:-1], second + first, first + first, whole[:-1] + b"\x02"):
        with pytest.raises(SecAggError):
            MemoryJournal().restore(bad)
