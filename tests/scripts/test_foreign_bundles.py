"""Bundles that are not the run's own, or that say what no bundle can: each is a finding, and the audit goes on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fl_core.bundle import bundle_manifest
from fl_core.canonical import sha256
from fl_core.stores import FolderStore
from scripts.federation.auditing import audit_run
from scripts.federation.offline import offline_run
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings

SETTINGS = RunSettings(rounds=2, hospitals=3, devices=6, cohort_size=4, k_min=3, seed=5)


@pytest.fixture
def run(tmp_path):
    made = offline_run(SETTINGS, "own", tmp_path / "own")
    made.train()
    return made


def findings(run, **changes):
    state = replace(run.state, **changes.pop("state", {}))
    lines = audit_run(run.store, state, None, **changes)
    return [(line.round_number, str(found)) for line in lines for found in line.findings]


def rewrite(run, number, files):
    """Put other files where a round's bundle is, with a manifest that fits them."""
    folder = run.folder / "rounds" / f"{number:06d}"
    for name, data in {**files, "manifest.json": bundle_manifest(files)}.items():
        (folder / name).write_bytes(data)


def test_an_honest_run_has_no_findings(run):
    assert findings(run) == []


def test_a_bundle_of_another_run_is_found(run):
    found = findings(run, state={"run": "another"})
    assert [(number, "run should be another, but is own" in text) for number, text in found] == [
        (1, True),
        (2, True),
    ]


def test_a_bundle_under_another_number_is_found(run):
    rounds = run.folder / "rounds"
    (rounds / "000002").rename(rounds / "000777")
    found = findings(run, state={"rounds": (1,)})
    assert "number should be 777, but is 2" in found[0][1]


def test_a_bundle_that_names_a_chain_is_not_passed_without_one_unless_that_was_asked_for(run):
    record = RoundRecord.from_files(FolderStore(run.folder).read_bundle(2))
    rewrite(run, 2, replace(record, chain_id=31337).to_files())
    assert any("ledger that it names, of chain 31337" in text for _, text in findings(run))
    assert not any("ledger that it names" in text for _, text in findings(run, without_chain=True))


@pytest.mark.parametrize(
    ("failure", "said"), [("1e400", "out of range"), ("7", "not text"), ('"\\ud800"', "what no bundle can")]
)
def test_what_no_bundle_can_say_is_a_finding_and_later_rounds_are_audited(run, failure, said):
    files = dict(FolderStore(run.folder).read_bundle(1))
    part = json.loads(files["hospital-1.json"])
    part["cohorts"][0]["failure"] = "here"
    text = json.dumps(part).replace('"here"', failure)
    rewrite(run, 1, {**files, "hospital-1.json": text.encode()})
    assert sha256(text.encode()) != sha256(files["hospital-1.json"])
    found = findings(run)
    assert any(number == 1 and said in text for number, text in found), found
    lines = audit_run(run.store, run.state, None)
    assert any(line.round_number == 2 and line.line.check == "leaves" for line in lines)
