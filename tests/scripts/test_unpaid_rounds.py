"""A round without quorum may have stopped anywhere: what the ledger has of it is held against its bundle."""

from __future__ import annotations

from dataclasses import replace

import pytest
from told_records import facts_of_honest, with_part

from chain.packing import pack_scores, quality_commitment
from fl_core.bundle import bundle_digest
from incentives import RecordedClose
from scripts.federation.checks.unpaid import check_attested, dissenting, not_held
from scripts.federation.facts import LedgerFacts
from scripts.federation.offline import offline_run
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundChecker

UNPAID = RecordedClose(
    paid=False, accepted_digest=None, budget=0, bonus=0, total_volume=0, total_compute=0, allocations={}
)
SETTINGS = RunSettings(hospitals=3, devices=6, rounds=1, cohort_size=4, k_min=3, seed=5)


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> RoundRecord:
    run = offline_run(SETTINGS, "unpaid", tmp_path_factory.mktemp("runs") / "unpaid")
    run.train()
    return run.summaries[0].record


def commitment(record: RoundRecord, hospital: int) -> bytes:
    said = record.validators[hospital]
    return quality_commitment(
        chain_id=record.chain_id,
        ledger=record.ledger,
        round_number=record.number,
        hospital=hospital,
        packed_scores=pack_scores(said.scores, len(record.hospitals)),
        model_score=said.model_score,
        utilities_digest=said.utilities_digest(record.number, hospital),
        salt=said.salt,
    )


@pytest.fixture
def facts(record) -> LedgerFacts:
    """Everything up to the entries was recorded, and nobody attested."""
    return replace(
        facts_of_honest(record),
        close=UNPAID,
        hospitals=len(record.hospitals),
        quality_commitments={hospital: commitment(record, hospital) for hospital in record.validators},
    )


def of_others(recorded, hospital: int = 1):
    return {number: item for number, item in recorded.items() if number != hospital}


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (("entries",), "leaves of hospital 1"),
        (("entries", "reveals"), "leaves of hospital 1"),
        (("entries", "reveals", "quality_commitments"), "scores of hospital 1; leaves of hospital 1"),
        (("ready",), "ready list of hospital 1"),
    ],
)
def test_what_a_hospital_did_not_record_is_no_finding_and_is_said(record, facts, missing, said):
    stopped = replace(facts, **{name: of_others(getattr(facts, name)) for name in missing})
    assert RoundChecker().check(record, stopped) == []
    assert not_held(record, stopped) == f"the whole: nobody attested a digest; {said}"


def test_a_round_that_stopped_before_its_beacon_has_no_findings(record, facts):
    stopped = replace(
        facts, beacon=bytes(32), model_hash_after=bytes(32), reveals={}, entries={}, quality_commitments={}
    )
    assert RoundChecker().check(record, stopped) == []
    assert "the beacon; the new model; scores of hospitals 1, 2, 3" in not_held(record, stopped)


def other_rows(record: RoundRecord) -> RoundRecord:
    first, *others = record.hospitals[1].ready
    return with_part(record, 1, ready=(replace(first, rows=first.rows * 2), *others))


def other_model_score(record: RoundRecord) -> RoundRecord:
    said = replace(record.validators[1], model_score=1)
    return replace(record, validators={**record.validators, 1: said})


def other_salt(record: RoundRecord) -> RoundRecord:
    return with_part(record, 1, salts=(bytes(32), *record.hospitals[1].salts[1:]))


@pytest.mark.parametrize(
    ("change", "named", "left"),
    [
        (other_rows, ("draw", "hospital 1, ready list"), ()),
        (other_rows, ("draw", "hospital 1, ready list"), ("entries", "reveals", "quality_commitments")),
        (other_model_score, ("scores", "validator 1, score of the model"), ("entries",)),
        (other_model_score, ("scores", "validator 1, commitment"), ("entries", "reveals")),
        (other_salt, ("entry", "hospital 1"), ()),
    ],
    ids=["ready list", "ready list alone", "reveal", "commitment", "entry"],
)
def test_what_a_hospital_did_record_is_held_against_the_bundle(record, facts, change, named, left):
    stopped = replace(facts, **{name: of_others(getattr(facts, name)) for name in left})
    first, *_ = RoundChecker().check(change(record), stopped)
    assert (first.check, first.subject.startswith(named[1])) == (named[0], True), first


def test_a_commitment_to_what_nobody_can_commit_to_is_a_finding(record, facts):
    said = record.validators[1]
    beyond = replace(said, scores={**said.scores, 99: 5})
    told = replace(record, validators={**record.validators, 1: beyond})
    found = [f for f in RoundChecker().check(told, facts) if f.subject == "validator 1, commitment"]
    assert "cannot be scored" in found[0].found


def test_a_digest_that_too_few_attested_is_held_against_the_bundle_all_the_same(record, facts):
    digest = bundle_digest(record.to_files())
    assert list(check_attested(digest, replace(facts, attested={2: digest}))) == []
    (found,) = check_attested(digest, replace(facts, attested={2: bytes(32)}))
    assert found.subject == "digest that hospital 2 attested"
    assert not not_held(record, replace(facts, attested={2: digest}))


def test_one_hospital_that_attests_junk_is_named_and_spoils_nothing(record, facts):
    digest = bundle_digest(record.to_files())
    split = replace(facts, attested={1: bytes(32), 2: digest})
    assert list(check_attested(digest, split)) == []
    assert dissenting(digest, split) == "; hospital 1 attested another"
    other = bytes([7]) * 32
    assert [f.subject for f in check_attested(other, split)] == [
        "digest that hospital 1 attested",
        "digest that hospital 2 attested",
    ]
    assert dissenting(other, split) == dissenting(digest, facts) == ""


def test_of_a_paid_round_nothing_may_be_missing(record, facts):
    paid = replace(facts, close=replace(UNPAID, paid=True), entries=of_others(facts.entries))
    assert [f.subject for f in RoundChecker().check(record, paid)] == ["hospital 1, entry on the ledger"]
