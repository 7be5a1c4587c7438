"""A device that checks its pay relies on no earlier round and no part of this one that it has not checked itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from told_records import facts_of_honest, with_cohort, with_part

from fl_core.bundle import bundle_digest
from fl_core.cohorts import ready_digest
from fl_core.errors import BundleError
from fl_core.stores import FolderStore
from incentives import RecordedClose
from scripts.federation import held_rounds
from scripts.federation.channel_keys import read_channel_key
from scripts.federation.checks.line import Verdict
from scripts.federation.held_rounds import rounds_of_epoch
from scripts.federation.offline import offline_run
from scripts.federation.own_receipt import HeldRound, ReceiptCheck, check_own_receipt
from scripts.federation.settings import RunSettings

HOSPITAL = 2
SETTINGS = RunSettings(hospitals=4, devices=8, rounds=2, cohort_size=4, k_min=3, seed=5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = offline_run(SETTINGS, "paid", tmp_path_factory.mktemp("runs") / "paid")
    made.train()
    return made


def held_honestly(run) -> list[HeldRound]:
    """Both rounds as the ledger would bear them out, accepted by all."""
    rounds = []
    for summary in run.summaries:
        close = RecordedClose(
            paid=True,
            accepted_digest=summary.digest,
            budget=0,
            bonus=0,
            total_volume=0,
            total_compute=0,
            allocations={},
        )
        facts = replace(facts_of_honest(summary.record), accepted_digest=summary.digest, close=close)
        rounds.append(HeldRound(summary.record, summary.digest, facts))
    return rounds


@pytest.fixture
def rounds(run) -> list[HeldRound]:
    return held_honestly(run)


def checked(run, rounds, **named) -> ReceiptCheck:
    account = next(iter(rounds[-1].record.hospitals[HOSPITAL].receipts))
    return check_own_receipt(
        account, read_channel_key(run.folder, 0, account), rounds, **{"said": HOSPITAL, **named}
    )


def told(held: HeldRound, record) -> HeldRound:
    """Another bundle than the accepted one."""
    return replace(held, record=record, digest=bundle_digest(record.to_files()))


def findings(result: ReceiptCheck) -> dict[str, list[str]]:
    return {line.check: [f.subject for f in line.findings] for line in result.lines if line.findings}


def test_an_honest_receipt_holds_and_names_the_rounds_that_it_rests_on(run, rounds):
    result = checked(run, rounds)
    assert result.ok
    assert result.receipt is not None
    earlier = next(line for line in result.lines if line.check == "earlier rounds")
    assert earlier.what.startswith("the round before it in the epoch")
    done = {line.check for line in result.lines}
    assert {"bundle", "spec", "draw", "cohorts", "utilities", "leaf", "proof"} <= done


def test_an_earlier_bundle_that_was_not_accepted_is_found_even_if_it_fits_together(run, rounds):
    said = rounds[0].record.validators[3]
    other = replace(said, salt=bytes(32))
    record = replace(rounds[0].record, validators={**rounds[0].record.validators, 3: other})
    result = checked(run, [told(rounds[0], record), rounds[1]])
    assert findings(result) == {"earlier rounds": ["round 1, digest of round 1"]}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("what", ["spec", "draw", "cohorts", "participation", "form", "utilities"])
def test_what_quality_follows_from_is_checked_in_this_round_and_in_those_before(run, rounds, which, what):
    """The bundles' digests are the accepted ones: whoever attested did not look."""
    held = rounds[which]
    record, facts = held.record, held.facts
    cohort = record.hospitals[1].cohorts[0]
    if what == "spec":
        facts = replace(facts, spec_hash=bytes(32))
    elif what == "draw":
        facts = replace(facts, ready={**facts.ready, 1: bytes(32)})
    elif what == "cohorts":
        record = with_cohort(record, 1, 0, rows=cohort.rows + 1)
    elif what == "participation":
        record = with_cohort(record, 1, 0, signatures=dict.fromkeys(cohort.signatures, bytes(96)))
    elif what == "form":
        record = with_part(record, 1, advertisements=record.hospitals[1].advertisements[::-1])
    else:
        reveal = replace(facts.reveals[1], utilities_digest=bytes(32))
        facts = replace(facts, reveals={**facts.reveals, 1: reveal})
    rounds[which] = replace(held, record=record, facts=facts)
    found = findings(checked(run, rounds))
    assert (list(found)[:1]) == (["earlier rounds"] if which == 0 else [what]), found


def test_a_paid_round_of_the_epoch_whose_bundle_is_not_at_hand_is_found(run, rounds):
    result = checked(run, rounds[1:], missing=[1])
    assert findings(result)["earlier rounds"] == ["round 1"]


def test_rounds_that_quality_cannot_be_decoded_from_are_a_finding_and_no_crash(run, rounds):
    stranger = with_cohort(rounds[0].record, HOSPITAL, 0, survivors=(bytes(20),))
    found = findings(checked(run, [told(rounds[0], stranger), rounds[1]]))
    assert "leaf" in found
    assert "earlier rounds" in found


def test_an_unpaid_round_is_said_to_be_due_nothing(run, rounds):
    last = rounds[1]
    close = replace(last.facts.close, paid=False, accepted_digest=None)
    rounds[1] = replace(last, facts=replace(last.facts, accepted_digest=None, close=close))
    result = checked(run, rounds)
    bundle = next(line for line in result.lines if line.check == "bundle")
    assert "nothing is due" in (bundle.skipped or "")
    assert result.due == 0


def test_the_rounds_of_an_epoch_are_those_whose_bundles_are_there_whatever_the_run_says(run):
    held, missing = rounds_of_epoch(run.store, None, 2, run="paid")
    assert [item.record.number for item in held] == [1, 2]
    assert missing == []
    assert checked(run, held).ok
    assert [item.record.number for item in rounds_of_epoch(run.store, None, 1, run="paid")[0]] == [1]


def test_a_bundle_of_another_round_is_named(run, tmp_path):
    store = FolderStore(tmp_path)
    store.write_bundle(2, run.store.read_bundle(1))
    with pytest.raises(BundleError, match="the bundle of round 2 is of round 1"):
        rounds_of_epoch(store, None, 2, run="paid")


def test_a_bundle_of_another_run_is_named(run):
    with pytest.raises(BundleError, match="the bundle of round 1 is of run paid, not of mine"):
        rounds_of_epoch(run.store, None, 2, run="mine")


def test_a_round_that_the_ledger_never_had_is_refused(run, monkeypatch):
    monkeypatch.setattr(held_rounds, "read_rounds", lambda _: [])
    with pytest.raises(BundleError, match="the ledger knows no round 2"):
        rounds_of_epoch(run.store, object(), 2, run="paid")


def without_facts(rounds, **changes) -> list[HeldRound]:
    return [told(replace(held, facts=None), replace(held.record, **changes)) for held in rounds]


def line_of(result: ReceiptCheck, check: str):
    return next(line for line in result.lines if line.check == check)


def test_a_bundle_that_names_a_chain_is_held_against_it_unless_the_caller_leaves_it_out(run, rounds):
    named = without_facts(rounds, chain_id=31337, ledger=bytes(range(20)))
    (found,) = line_of(checked(run, named), "bundle").findings
    assert "chain 31337" in found.expected
    assert line_of(checked(run, named, without_chain=True), "bundle").findings == ()
    assert line_of(checked(run, without_facts(rounds)), "bundle").findings == ()


@pytest.mark.parametrize(
    "other", [{"chain_id": 5}, {"ledger": b"\x11" * 20}], ids=["another chain", "another ledger"]
)
def test_a_bundle_of_another_ledger_than_the_one_it_is_held_against_is_found(run, rounds, other):
    rounds[-1] = replace(rounds[-1], facts=replace(rounds[-1].facts, **other))
    subject = "chain id" if "chain_id" in other else "address of the ledger"
    assert findings(checked(run, rounds)) == {"spec": [subject]}


def test_the_hospital_is_the_one_that_the_bundle_has_the_device_at_whatever_the_run_says(run, rounds):
    result = checked(run, rounds, said=3)
    assert result.hospital == HOSPITAL
    assert list(findings(result)) == ["hospital"]
    assert result.receipt is not None
    assert checked(run, rounds, said=None).ok


def test_a_device_that_two_hospitals_list_is_found(run, rounds):
    account = next(iter(rounds[-1].record.hospitals[HOSPITAL].receipts))
    third = rounds[-1].record.hospitals[3]
    rounds[-1] = replace(
        rounds[-1], record=with_part(rounds[-1].record, 3, slots={**third.slots, account: 7})
    )
    result = checked(run, rounds)
    assert result.hospital == HOSPITAL
    assert "hospitals 2, 3" in line_of(result, "hospital").findings[0].found


def off_the_list(rounds, account) -> list[HeldRound]:
    """The device is left off the ready list, and the ledger bears that out."""
    part = rounds[-1].record.hospitals[HOSPITAL]
    left = tuple(line for line in part.ready if line.address != account)
    record = with_part(rounds[-1].record, HOSPITAL, ready=left)
    digest = ready_digest(record.number, HOSPITAL, left)
    facts = replace(rounds[-1].facts, ready={**rounds[-1].facts.ready, HOSPITAL: digest})
    return [*rounds[:-1], replace(rounds[-1], record=record, facts=facts)]


def test_a_device_that_declared_rows_and_is_on_no_ready_list_finds_that(run, rounds):
    account = next(iter(rounds[-1].record.hospitals[HOSPITAL].receipts))
    gone = off_the_list(rounds, account)
    (found,) = line_of(checked(run, gone, rows=40), "declared").findings
    assert found.subject == f"device {account.hex()}, line of the ready list"
    assert line_of(checked(run, gone), "declared").skipped == "it is on no ready list"


def test_a_device_that_no_hospital_of_the_bundle_has_is_told_so(run, rounds):
    stranger, key = bytes(20), X25519PrivateKey.generate()
    for rows, verdict in ((None, Verdict.SKIPPED), (12, Verdict.DIFFERS)):
        result = check_own_receipt(stranger, key, rounds, said=HOSPITAL, rows=rows)
        assert result.hospital is None
        assert line_of(result, "hospital").verdict is Verdict.SKIPPED
        assert line_of(result, "declared").verdict is verdict


def test_a_record_without_scoring_settings_is_a_finding_and_no_crash(run, rounds):
    rounds[0] = told(rounds[0], replace(rounds[0].record, scoring={}))
    found = findings(checked(run, rounds))
    assert "round 1, round 1" in found["earlier rounds"]
    assert "leaf" in found


def test_who_attests_junk_in_an_unpaid_round_spoils_no_honest_bundle(run, rounds):
    last = rounds[1]
    close = replace(last.facts.close, paid=False, accepted_digest=None)
    facts = replace(
        last.facts, accepted_digest=None, close=close, attested={1: last.digest, 3: bytes(32), 4: bytes(32)}
    )
    rounds[1] = replace(last, facts=facts)
    line = line_of(checked(run, rounds), "bundle")
    assert line.findings == ()
    assert "hospitals 3, 4 attested another" in (line.skipped or "")
