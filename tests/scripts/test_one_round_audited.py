"""An audit of one round shows what differs in the rounds that it rests on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from command_line import fediomt
from told_records import with_part

from fl_core.bundle import bundle_manifest
from scripts.federation.auditing import audit_run
from scripts.federation.offline import offline_run
from scripts.federation.settings import RunSettings

SETTINGS = RunSettings(rounds=3, hospitals=3, devices=6, cohort_size=4, k_min=3, seed=5)


@pytest.fixture
def run(tmp_path):
    made = offline_run(SETTINGS, "own", tmp_path / "runs" / "own")
    made.train()
    return made


def lie_in(run, number: int) -> None:
    """Change a leaf of a round's bundle, and make its digests anew."""
    record = run.summaries[number - 1].record
    first, *others = record.hospitals[1].contributions
    told = with_part(record, 1, contributions=(replace(first, volume=first.volume + 1), *others))
    files, folder = told.to_files(), run.folder / "rounds" / f"{number:06d}"
    for name, data in {**files, "manifest.json": bundle_manifest(files)}.items():
        (folder / name).write_bytes(data)


def test_the_rounds_before_it_are_said_to_hold(run):
    first, *others = audit_run(run.store, run.state, None, rounds=[3])
    assert (first.round_number, first.line.check, first.ok) == (3, "earlier rounds", True)
    assert first.line.what.startswith("the 2 before it")
    assert all(line.ok for line in others)


def test_a_round_rests_on_each_earlier_one_that_has_findings_and_on_no_later_one(run, tmp_path):
    lie_in(run, 1)
    (found,) = audit_run(run.store, run.state, None, rounds=[3])[0].findings
    assert found.subject == "round 1, which this one rests on"
    assert "leaves: hospital 1, slot" in found.found
    outcome = fediomt("audit", "--round", "3", "--json", cwd=tmp_path)
    assert outcome.code == 1
    assert json.loads(outcome.out)["first_difference"].startswith("round 3, earlier rounds: round 1, which")
    lie_in(run, 2)
    later = audit_run(run.store, run.state, None, rounds=[1])
    assert later[0].line.check == "bundle"
    assert {line.round_number for line in later} == {1}
    assert len(audit_run(run.store, run.state, None, rounds=[3])[0].findings) == 2
