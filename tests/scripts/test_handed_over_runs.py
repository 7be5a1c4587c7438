"""A run that was handed over: what lies in its folder neither hides from the audit nor acts on the auditor's screen."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from command_line import assert_one_line_error, fediomt

from fl_core.bundle import bundle_manifest
from fl_core.canonical import canonical_json
from fl_core.errors import BundleError
from incentives import Finding
from scripts.federation.auditing import audit_run
from scripts.federation.checks.line import same, shown
from scripts.federation.offline import offline_run
from scripts.federation.run_state import STATE_FILE, RunState
from scripts.federation.settings import RunSettings

SETTINGS = RunSettings(rounds=1, hospitals=3, devices=6, cohort_size=4, k_min=3, seed=5)
CLEARS = "own\x1b[2J\x07\u202e\x9b1m"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "own"
    offline_run(SETTINGS, "own", folder).train()
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "runs" / "own")


def audited(folder, **options):
    state = RunState.read(folder)
    return audit_run(state.store(folder), state, None, **options)


def test_a_copy_of_a_round_under_another_name_is_a_finding_whatever_is_reported_on(folder):
    assert all(line.ok for line in audited(folder))
    shutil.copytree(folder / "rounds" / "000001", folder / "rounds" / "1")
    for options in ({}, {"rounds": [1]}):
        found = [finding for line in audited(folder, **options) for finding in line.findings]
        assert [finding.subject for finding in found] == ["what is called '1'"]
    assert fediomt("audit", cwd=folder.parent.parent).code == 1


def test_what_a_bundle_says_reaches_the_screen_with_its_escapes_shown(folder):
    bundle = folder / "rounds" / "000001"
    files = {path.name: path.read_bytes() for path in bundle.iterdir() if path.name != "manifest.json"}
    files["round.json"] = canonical_json({**json.loads(files["round.json"]), "run": CLEARS})
    for name, data in {**files, "manifest.json": bundle_manifest(files)}.items():
        (bundle / name).write_bytes(data)
    told = fediomt("audit", cwd=folder.parent.parent)
    assert told.code == 1
    assert r"own\x1b[2J\x07\u202e\x9b1m" in told.out
    assert all(c.isprintable() or c == "\n" for c in told.out + told.err)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\r", "\x7f", "\u202e", "\ud800"])
def test_a_finding_shows_what_cannot_be_printed(text):
    assert shown(text).isprintable()
    (found,) = same("check", "subject", 1, text)
    assert text not in found.found
    for finding in (found, Finding(text, text, text, text)):
        assert str(finding).isprintable()


def test_what_can_be_printed_is_shown_as_it_is():
    assert shown("Größe: 3 °C, \\x1b") == "Größe: 3 °C, \\x1b"
    assert len(shown("é" * 1000)) == 200


def test_an_error_shows_what_cannot_be_printed(folder):
    (folder / STATE_FILE).write_bytes(json.dumps({"settings": {CLEARS: 1}}).encode())
    outcome = fediomt("audit", "--run", "own", cwd=folder.parent.parent)
    assert_one_line_error(outcome, "run.json")
    assert outcome.err.strip("\n").isprintable()


def test_a_run_file_that_is_a_pipe_or_a_link_is_refused(folder):
    (folder / STATE_FILE).rename(folder / "kept")
    (folder / STATE_FILE).symlink_to(folder / "kept")
    with pytest.raises(BundleError, match="is a link"):
        RunState.read(folder)
    (folder / STATE_FILE).unlink()
    os.mkfifo(folder / STATE_FILE)
    with pytest.raises(BundleError, match="no regular file"):
        RunState.read(folder)
