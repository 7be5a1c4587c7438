"""A run suspects who does harm, keeps it out, lets it try again unpaid, and every lie about that is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from told_records import facts_of_honest, with_part

from fl_core.errors import SpecError
from fl_core.simulation.behaviours import Behaviour
from fl_core.spec import Profile
from incentives import IncentivesError
from incentives.suspicion import SuspicionSettings
from incentives.suspicion_standing import Status
from scripts.federation.alerts import read_alerts
from scripts.federation.contributions import evidence_of, scoring_settings
from scripts.federation.offline import offline_run
from scripts.federation.quarantine import decide, quarantined
from scripts.federation.quarantine_settings import QUARANTINE, quarantine_of, read_quarantine
from scripts.federation.record import RoundRecord
from scripts.federation.resume import resume_offline
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundChecker

# far from what the product suspects by: few rounds must do
HASTY = SuspicionSettings(
    alpha=0.99, margin=0.0, stakes=(1.0, 3.0), quarantine_rounds=2, probation_rounds=2, probation_alpha=0.5
)
SETTINGS = RunSettings(
    devices=9,
    rounds=9,
    cohort_size=3,
    k_min=3,
    flippers=4,
    alpha=50.0,
    epochs=2,
    seed=5,
    quarantine=HASTY,
)


class Stop(BaseException):
    """Ends a run from within."""


def stop(summary):
    """Just when the first device has been put in quarantine."""
    if quarantined(summary.record):
        raise Stop


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was stopped while devices were in quarantine, and went on."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.raises(Stop):
        offline_run(SETTINGS, "watched", folder).train(stop)
    resumed = resume_offline(folder).run
    resumed.train()
    return resumed


@pytest.fixture(scope="module")
def records(run) -> list[RoundRecord]:
    return [run.state.read_round(run.folder, number)[0] for number in run.state.rounds]


def bad_accounts(run) -> set[bytes]:
    return {
        hospital.devices[index].address
        for hospital in run.population.hospitals
        for index in range(SETTINGS.devices)
        if run.population.behaviours[hospital.id, index] is Behaviour.LABEL_FLIP
    }


def at(records, number: int) -> RoundChecker:
    """A checker that knows the rounds before one."""
    checker = RoundChecker()
    for record in records[: number - 1]:
        checker.recall(record)
    return checker


def first_quarantine(records):
    return next((record.number, decision) for record in records for decision in quarantined(record))


def test_flippers_are_put_in_quarantine_and_nobody_else(run, records):
    found = {decision.device for record in records for decision in quarantined(record)}
    assert found
    assert found <= bad_accounts(run)


def test_a_device_in_quarantine_is_on_no_ready_list_across_a_resume_too(records):
    out = {}
    for record in records:
        listed = {line.address for part in record.hospitals.values() for line in part.ready}
        assert listed.isdisjoint(device for device, until in out.items() if record.number < until)
        out |= {decision.device: decision.until for decision in quarantined(record)}
    number, first = first_quarantine(records)
    assert first.until > number + 1


def test_on_probation_a_device_takes_part_and_its_leaf_is_all_zeros(records):
    number, decision = first_quarantine(records)
    record = records[decision.until - 1]
    assert record.number == decision.until == number + 1 + HASTY.quarantine_rounds
    leaves = {item.device: item for part in record.hospitals.values() for item in part.contributions}
    leaf = leaves[decision.device]
    assert (leaf.volume, leaf.quality, leaf.compute) == (0, 0, 0)
    assert all(item.volume > 0 for device, item in leaves.items() if device not in _ever_out(records))


def _ever_out(records) -> set[bytes]:
    return {decision.device for record in records for decision in quarantined(record)}


def test_hospitals_and_auditors_find_nothing_in_an_honest_run(records):
    checker = RoundChecker()
    assert [checker.check(record, facts_of_honest(record)) for record in records] == [[] for _ in records]


def test_every_decision_is_an_alert_once(run, records):
    told = [(line["round"], line["device"], line["status"]) for line in read_alerts(run.folder)]
    made = [
        (record.number, decision.device.hex(), decision.status.value)
        for record in records
        for _, part in sorted(record.hospitals.items())
        for decision in part.decisions
    ]
    assert told == made
    assert {status for _, _, status in told} >= {"quarantine", "probation"}


def _home_of(record, device):
    return next(h for h, part in record.hospitals.items() if device in part.slots)


def test_a_decision_that_is_left_out_changed_or_made_up_is_found(records):
    number, decision = first_quarantine(records)
    record = records[number - 1]
    home = _home_of(record, decision.device)
    innocent = next(a for a in record.hospitals[home].slots if a not in _ever_out(records))
    for told in (
        (),
        (replace(decision, until=decision.until + 1),),
        (replace(decision, evidence=decision.evidence - 1),),
        (decision, replace(decision, device=innocent)),
    ):
        lie = with_part(record, home, decisions=told)
        findings = at(records, number).check(lie, facts_of_honest(lie))
        assert "quarantine" in {finding.check for finding in findings}, told


def test_a_device_that_takes_part_in_its_quarantine_is_found(records):
    number, decision = first_quarantine(records)
    before, record = records[number - 1], records[number]
    home = _home_of(record, decision.device)
    line = next(d for d in before.hospitals[home].ready if d.address == decision.device)
    lie = with_part(record, home, ready=(*record.hospitals[home].ready, line))
    findings = at(records, number + 1).check(lie)
    assert any("in quarantine on its ready list" in finding.subject for finding in findings)


def test_a_device_that_is_paid_on_probation_is_found(records):
    _, decision = first_quarantine(records)
    record = records[decision.until - 1]
    home = _home_of(record, decision.device)
    paid = tuple(
        replace(item, volume=1_000) if item.device == decision.device else item
        for item in record.hospitals[home].contributions
    )
    findings = at(records, decision.until).check(with_part(record, home, contributions=paid))
    assert "leaves" in {finding.check for finding in findings}


def test_a_record_keeps_its_decisions_byte_for_byte(records):
    number, decision = first_quarantine(records)
    files = records[number - 1].to_files()
    again = RoundRecord.from_files(files)
    again.require_own_form(files)
    assert decision in quarantined(again)


def test_nobody_is_suspected_where_it_was_not_agreed_or_the_profile_scores_no_device(records):
    record = records[0]
    off = replace(record, scoring=scoring_settings(None))
    hospital = replace(record, spec=replace(record.spec, profile=Profile.HOSPITAL))
    for told in (off, hospital):
        watch, decisions = decide(None, told, {})
        assert watch is None
        assert not any(decisions.values())


def accounts_after(records, **changes):
    """What validators' accounts are worth after the second round, the first to be bet on, by device and validator."""
    history = {hospital: (evidence,) for hospital, evidence in evidence_of(records[0]).items()}
    watch, _ = decide(None, replace(records[1], **changes), history)
    return {device: dict(accounts.wealth) for device, accounts in watch.accounts.items()}


def test_each_validator_has_an_account_against_every_device_of_the_other_hospitals(records):
    record, accounts = records[1], accounts_after(records)
    for hospital, part in record.hospitals.items():
        judged = {device for cohort in part.cohorts for device in cohort.survivors}
        assert all(set(accounts[device]) == set(record.hospitals) - {hospital} for device in judged)


def test_what_a_validator_tells_or_withholds_moves_no_account_but_its_own(records):
    record, before = records[1], accounts_after(records)
    said = record.validators[2]
    gains = {key: -gain for key, gain in said.path_gains.items()}
    told = {**record.validators, 2: replace(said, path_gains=gains)}
    silent = {validator: own for validator, own in record.validators.items() if validator != 2}
    for validators in (told, silent):
        after = accounts_after(records, validators=validators)
        for device, accounts in before.items():
            others = {who: wealth for who, wealth in after[device].items() if who != 2}
            assert others == {who: wealth for who, wealth in accounts.items() if who != 2}
            assert after[device].get(2) != accounts.get(2) or 2 not in accounts


def test_between_two_hospitals_nobody_is_suspected(records):
    two = {hospital: part for hospital, part in records[1].hospitals.items() if hospital in (1, 2)}
    assert accounts_after(records, hospitals=two) == {}


def test_a_first_round_has_no_spread_to_measure_by_and_places_no_bet(records):
    watch, decisions = decide(None, records[0], {})
    assert not watch.accounts
    assert not any(decisions.values())


def test_a_survivor_without_a_public_weight_cannot_be_judged(records):
    part = records[0].hospitals[1]
    missing = with_part(records[0], 1, ready=part.ready[1:])
    with pytest.raises(IncentivesError, match="on no ready list"):
        decide(None, missing, {})


def test_settings_of_quarantine_survive_being_written_down():
    assert RunSettings.from_json(SETTINGS.to_json()) == SETTINGS
    without = RunSettings(quarantine=None)
    assert RunSettings.from_json(without.to_json()) == without
    older = {name: value for name, value in SETTINGS.to_json().items() if name != QUARANTINE}
    assert RunSettings.from_json(older).quarantine is None


def test_settings_that_cannot_be_are_refused():
    assert quarantine_of(wanted=True, alpha=0.05, margin=None) == SuspicionSettings(alpha=0.05)
    assert quarantine_of(wanted=False, alpha=None, margin=None) is None
    with pytest.raises(SpecError, match="without quarantine"):
        quarantine_of(wanted=False, alpha=0.1, margin=None)
    for value in ({"alpha": 2.0}, {"alhpa": 0.1}, {"stakes": "many"}):
        with pytest.raises(SpecError, match="malformed"):
            read_quarantine(value)


def test_a_first_quarantine_leads_to_probation_in_time(records):
    number, decision = first_quarantine(records)
    later = [
        (record.number, found.status)
        for record in records[number:]
        for part in record.hospitals.values()
        for found in part.decisions
        if found.device == decision.device
    ]
    assert later[0] == (decision.until - 1, Status.PROBATION)
