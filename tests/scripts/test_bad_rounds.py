"""Rounds in which hardly anybody acts, and validators that vanish: defined, and nobody else's pay is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from told_records import facts_of_honest, with_part

from fl_core.canonical import sha256
from fl_core.simulation.faults import Death
from incentives import tree_width
from scripts.federation.contributions import contributions_of, entry_of, evidence_of, qualities
from scripts.federation.offline import offline_run
from scripts.federation.participation import roster_of
from scripts.federation.receipts import seal_receipts
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundChecker

SMALL = RunSettings(devices=8, rounds=2, cohort_size=4, k_min=3, seed=5)


class Gone:
    """Every device is away in some rounds, from before the draw on; at some hospitals or at all."""

    def __init__(self, rounds: set[int], hospitals: set[int]) -> None:
        self.rounds, self.hospitals = rounds, hospitals

    def death(self, round_number: int, hospital: int, _index: int) -> Death:
        away = round_number in self.rounds and hospital in self.hospitals
        return Death.BEFORE_DRAW if away else Death.NEVER


def recorded(folder, faults: Gone) -> list[RoundRecord]:
    run = offline_run(SMALL, "bad", folder)
    run.population.engine.faults = faults
    run.train()
    return [summary.record for summary in run.summaries]


def test_a_round_to_which_nobody_comes_leaves_the_model_and_pays_nobody_and_the_next_one_goes_on(tmp_path):
    empty, after = recorded(tmp_path / "run", Gone({1}, {1, 2, 3, 4}))
    assert empty.model_after.tobytes() == empty.model_before.tobytes()
    assert empty.releases == ()
    assert all(part.contributions == () == part.cohorts for part in empty.hospitals.values())
    assert all(part.contributions for part in after.hospitals.values())
    assert after.model_after.tobytes() != after.model_before.tobytes()
    checker = RoundChecker()
    assert checker.check(empty) == []
    assert checker.check(after) == []


def test_a_hospital_without_devices_in_a_round_has_no_entry_and_the_others_have_theirs(tmp_path):
    first, _ = recorded(tmp_path / "run", Gone({1}, {3}))
    assert {h for h, part in first.hospitals.items() if part.contributions} == {1, 2, 4}
    assert first.hospitals[3].receipts == {}
    assert RoundChecker().check(first) == []


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> RoundRecord:
    return recorded(tmp_path_factory.mktemp("runs") / "run", Gone(set(), set()))[0]


def without(record: RoundRecord, validators: set[int]) -> RoundRecord:
    """The round as it is recorded where some hospitals committed and never revealed: all others go by the rest."""
    kept = {h: said for h, said in record.validators.items() if h not in validators}
    record = replace(record, validators=kept)
    history = {h: [item] for h, item in evidence_of(record).items()}
    for hospital, part in record.hospitals.items():
        items = contributions_of(record, part, qualities(record, hospital, history))
        salts = tuple(sha256(bytes([hospital, slot])) for slot in range(tree_width(len(part.slots))))
        record = with_part(record, hospital, contributions=items, salts=salts)
        entry = entry_of(record, record.hospitals[hospital])
        record = with_part(record, hospital, receipts=seal_receipts(entry, roster_of(record, part)))
    return record


@pytest.mark.parametrize("gone", [{3}, {2, 3}, {1, 2, 3}, {1, 2, 3, 4}])
def test_validators_that_vanish_after_their_commit_cost_no_device_its_pay(honest, gone):
    record = without(honest, gone)
    assert RoundChecker().check(record, facts_of_honest(record)) == []
    for hospital, part in record.hospitals.items():
        before = honest.hospitals[hospital].contributions
        assert [item.device for item in part.contributions] == [item.device for item in before]
        assert all(item.quality > 0 for item in part.contributions)


def test_what_a_vanished_validator_would_have_said_may_not_be_used_all_the_same(honest):
    facts = facts_of_honest(honest)
    reveals = {h: reveal for h, reveal in facts.reveals.items() if h != 3}
    findings = RoundChecker().check(honest, replace(facts, reveals=reveals))
    assert [(f.check, f.subject) for f in findings] == [("scores", "validators")]


def test_a_hospital_that_vanished_before_its_entry_needs_no_leaves_and_whoever_entered_does(honest):
    bare = with_part(honest, 3, contributions=(), salts=(), receipts={})
    facts = facts_of_honest(honest)
    gone = replace(facts, entries={h: entry for h, entry in facts.entries.items() if h != 3})
    assert RoundChecker().check(bare, gone) == []
    hidden = {f.subject for f in RoundChecker().check(bare, facts)}
    assert "hospital 3, entry on the ledger" in hidden
    assert "hospital 3, devices without a receipt" in hidden
    never = [(f.check, f.subject) for f in RoundChecker().check(honest, gone)]
    assert never == [("entry", "hospital 3, entry on the ledger")]
