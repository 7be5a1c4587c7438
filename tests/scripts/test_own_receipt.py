"""A device that checks its pay relies on no earlier round and no part of this one that it has not checked itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from told_records import facts_of_honest, with_cohort, with_part

from fl_core.bundle import bundle_digest
from fl_core.errors import BundleError
from fl_core.stores import FolderStore
from incentives import RecordedClose
from scripts.federation.channel_keys import read_channel_key
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
        account, read_channel_key(run.folder, 0, account), rounds, hospital=HOSPITAL, **named
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
    held, missing = rounds_of_epoch(run.store, None, 2)
    assert [item.record.number for item in held] == [1, 2]
    assert missing == []
    assert checked(run, held).ok
    assert [item.record.number for item in rounds_of_epoch(run.store, None, 1)[0]] == [1]


def test_a_bundle_of_another_round_is_named(run, tmp_path):
    store = FolderStore(tmp_path)
    store.write_bundle(2, run.store.read_bundle(1))
    with pytest.raises(BundleError, match="the bundle of round 2 is of round 1"):
        rounds_of_epoch(store, None, 2)
