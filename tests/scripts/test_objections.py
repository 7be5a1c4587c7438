"""Findings count against a hospital only in a part of the bundle that is shown to be its own; else the round stops."""

from __future__ import annotations

from dataclasses import replace

import pytest
from told_records import facts_of_honest, with_part

from chain.records import AccountTenure
from fl_core.secagg import Advertisement
from fl_core.signing import LocalSigner
from scripts.federation.facts import EntryFacts, LedgerFacts
from scripts.federation.objections import objections_of
from scripts.federation.offline import OfflineAccounts, offline_run
from scripts.federation.part_signatures import answerable, needed_signatures, part_message
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundChecker

SETTINGS = RunSettings(hospitals=4, devices=8, rounds=1, cohort_size=4, k_min=4, seed=5)
PRIVATE = replace(SETTINGS, profile="private", epsilon=8.0)
ACCOUNTS = OfflineAccounts(bytes(32))
LIAR = 1


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> RoundRecord:
    run = offline_run(SETTINGS, "objected", tmp_path_factory.mktemp("objected"), accounts=ACCOUNTS)
    run.train()
    return run.summaries[0].record


def altered(record: RoundRecord) -> RoundRecord:
    """One quality of the first hospital is another, and nothing else."""
    first, *others = record.hospitals[LIAR].contributions
    return with_part(record, LIAR, contributions=(replace(first, quality=abs(first.quality - 500)), *others))


def held(record: RoundRecord, facts: LedgerFacts):
    findings = RoundChecker().check(record, facts)
    assert findings
    return objections_of(findings, record.hospitals, answerable(record, facts))


def signed(record: RoundRecord, signer: LocalSigner | None = None) -> RoundRecord:
    digest = record.hospitals[LIAR].digest
    signature = (signer or ACCOUNTS.hospital(LIAR)).sign(part_message(record, LIAR, digest))
    return replace(record, signed_parts={LIAR: signature})


def test_a_hospital_answers_for_leaves_whose_digest_it_put_on_the_ledger(honest):
    told = altered(honest)
    found = held(told, facts_of_honest(told))
    assert set(found) == {LIAR}
    assert {finding.hospital for finding in found[LIAR]} == {LIAR}


def test_leaves_that_the_coordinator_altered_are_held_against_nobody(honest):
    assert held(altered(honest), facts_of_honest(honest)) is None


def test_a_hospital_answers_for_a_part_that_it_signed_whatever_it_put_on_the_ledger(honest):
    told, facts = signed(altered(honest)), facts_of_honest(honest)
    assert set(held(told, facts)) == {LIAR}
    nothing = replace(facts, entries={h: e for h, e in facts.entries.items() if h != LIAR})
    assert set(held(told, nothing)) == {LIAR}


def test_what_another_signed_or_what_was_signed_for_another_part_binds_no_hospital(honest):
    facts = facts_of_honest(honest)
    assert held(signed(altered(honest), LocalSigner()), facts) is None
    assert held(replace(altered(honest), signed_parts=signed(honest).signed_parts), facts) is None


def test_an_account_that_acted_before_the_round_only_binds_no_hospital(honest):
    told, facts = signed(altered(honest)), facts_of_honest(honest)
    (tenure,) = facts.accounts[LIAR]
    moved = (replace(tenure, until=99), AccountTenure(b"\7" * 20, 99, None))
    accounts = {**facts.accounts, LIAR: moved}
    assert set(held(told, replace(facts, accounts=accounts, opened_at=99))) == {LIAR}
    assert held(told, replace(facts, accounts=accounts, opened_at=100)) is None


def test_a_signature_that_is_not_needed_or_not_its_hospitals_is_found(honest):
    facts = facts_of_honest(honest)
    for told in (signed(honest), replace(honest, signed_parts={9: b""})):
        (finding,) = RoundChecker().check(told, facts)
        assert "to be signed" in finding.subject
        assert finding.hospital is None
    findings = RoundChecker().check(signed(altered(honest), LocalSigner()), facts)
    assert any("by an account of its own" in finding.subject for finding in findings)


def test_the_bundle_carries_just_the_signatures_of_parts_that_the_ledger_does_not_name(honest):
    facts = facts_of_honest(honest)
    handed = {h: bytes([h]) for h in honest.hospitals}
    assert needed_signatures(honest, facts, handed) == {}
    assert needed_signatures(honest, None, handed) == {}
    other = replace(facts.entries[2], bundle_digest=bytes(32))
    gone = {h: entry for h, entry in facts.entries.items() if h != 3}
    facts = replace(facts, entries={**gone, 2: other})
    assert needed_signatures(honest, facts, handed) == {2: b"\2", 3: b"\3"}


def test_signatures_of_parts_are_read_as_they_were_written(honest):
    told = signed(altered(honest))
    read = RoundRecord.from_files(told.to_files())
    assert read.signed_parts == told.signed_parts
    read.require_own_form(told.to_files())


@pytest.mark.parametrize(
    "of", ["leaves in another order", "a salt too many", "no leaf at all", "two slots alike"]
)
def test_a_part_that_no_tree_can_be_made_of_is_its_hospitals_alone_and_stops_nobody(honest, of):
    part = honest.hospitals[LIAR]
    first, second, *others = part.contributions
    changes = {
        "leaves in another order": {"contributions": part.contributions[::-1]},
        "a salt too many": {"salts": (*part.salts, bytes(32))},
        "no leaf at all": {"contributions": (replace(first, volume=60_000), second, *others)},
        "two slots alike": {"contributions": (first, replace(second, slot=first.slot), *others)},
    }
    told, facts = with_part(honest, LIAR, **changes[of]), facts_of_honest(honest)
    entries = {**facts.entries, LIAR: EntryFacts(facts.entries[LIAR].entry, told.hospitals[LIAR].digest)}
    found = held(told, replace(facts, entries=entries))
    assert found is not None
    assert set(found) == {LIAR}


def test_a_hospital_that_others_leave_out_of_the_sum_is_not_accused_of_its_leaves(tmp_path):
    run = offline_run(PRIVATE, "private", tmp_path / "run", accounts=ACCOUNTS)
    run.train()
    record = run.summaries[0].record
    account = Advertisement.decode(record.hospitals[LIAR].keys).address
    survivors = tuple(a for a in record.joint.survivors if a != account)
    told = replace(record, joint=replace(record.joint, survivors=survivors))
    findings = RoundChecker().check(told, facts_of_honest(record))
    own = [finding for finding in findings if finding.check == "leaves"]
    assert own
    assert {finding.hospital for finding in own} == {None}


def test_more_than_a_third_of_the_hospitals_stop_the_round(honest):
    told = honest
    for hospital in (1, 2):
        first, *others = told.hospitals[hospital].contributions
        told = with_part(
            told, hospital, contributions=(replace(first, quality=abs(first.quality - 500)), *others)
        )
    assert held(told, facts_of_honest(told)) is None


def test_keys_that_an_account_outside_the_consortium_signed_are_found(honest):
    facts = facts_of_honest(honest)
    accounts = {**facts.accounts, LIAR: (AccountTenure(b"\7" * 20, 0, None),)}
    findings = RoundChecker().check(honest, replace(facts, accounts=accounts))
    assert [finding.check for finding in findings] == ["participation"]
    assert "signer of its keys" in findings[0].subject
