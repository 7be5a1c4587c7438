"""A run without a chain that is killed anywhere goes on to the same model, bit for bit, and to the same state."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_one_line_error, fediomt, finish, start_fediomt
from interrupted_runs import fresh, outcome, seeded_noise

from fl_core.checkpoint import CheckpointError, CheckpointStore
from fl_core.errors import BundleError
from fl_core.models import model_digest
from scripts.console.errors import CommandError
from scripts.federation.offline import offline_run
from scripts.federation.resume import resume_offline
from scripts.federation.run import CHECKPOINTS, RunState
from scripts.federation.settings import RunSettings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = RunSettings(rounds=3, hospitals=3, devices=6, cohort_size=4, k_min=3, dropout=0.1, seed=3)
NOISED = {"epsilon": 8.0, "fraction": 0.4, "bits": 32}
PROFILES = {
    "accountable, noise, masked coordinates": NOISED,
    "hospital, masked coordinates": {"profile": "hospital", "fraction": 0.4},
    "private, noise": {"profile": "private", "epsilon": 8.0},
}
SAME = ("model", "state", "rounds", "status", "listed")


class Stop(BaseException):
    """Ends a run from within, as Ctrl-C would."""


def stop_after(rounds):
    def observe(summary):
        if summary.record.number >= rounds:
            raise Stop

    return observe


def interrupted(folder, rounds=2, settings=SETTINGS):
    """A run's folder, the run having been stopped after some rounds."""
    with pytest.raises(Stop):
        fresh(settings, folder).train(stop_after(rounds))
    return folder


def checkpoints(folder):
    return sorted((folder / CHECKPOINTS).glob("*.checkpoint"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run and what came out of it."""
    run = fresh(SETTINGS, tmp_path_factory.mktemp("whole") / "run")
    run.train()
    return run, outcome(run)


def assert_same(found, expected):
    assert {name: found[name] for name in SAME} == {name: expected[name] for name in SAME}


def killed_at(tmp_path, points, **changes):
    """Runs killed by SIGKILL before the given file operations, all of them without any, and what resuming gave."""
    settings = replace(SETTINGS, **changes).to_json()
    program = Path(__file__).with_name("interrupted_runs.py")
    finished = subprocess.run(
        [sys.executable, program, tmp_path, json.dumps(settings), json.dumps(points)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=3_000,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def check_all(result):
    """Every killed run ended as the uninterrupted one; those without a first checkpoint say so."""
    whole, rounds = result["whole"], set()
    resumable = min(item["point"] for item in result["found"] if "refused" not in item["after"])
    for item in result["found"]:
        assert item["killed"], item
        if "refused" in item["after"]:
            early = item["point"] < resumable
            assert ("no run at" if early else "is complete") in item["after"]["refused"], item
            continue
        assert_same(item["after"], whole)
        rounds.add(item["after"]["from"])
    return rounds


def test_runs_killed_in_a_bundle_a_checkpoint_and_an_attestation_end_in_the_same_model_and_state(tmp_path):
    result = killed_at(tmp_path, [17, 37, 58], **NOISED)
    assert check_all(result) == {0, 1, 2}


@pytest.mark.slow
def test_runs_killed_at_every_file_operation_end_in_the_same_model_and_state(tmp_path):
    result = killed_at(tmp_path, None)
    assert len(result["found"]) == result["whole"]["operations"] > 60
    assert check_all(result) == {0, 1, 2, 3}


def test_an_interrupted_run_goes_on_and_keeps_the_figures_of_earlier_rounds(tmp_path, whole):
    uninterrupted, expected = whole
    folder = interrupted(tmp_path / "run")
    assert RunState.read(folder).status == "interrupted"
    resumed = resume_offline(folder)
    assert resumed.notes == ()
    seen = []
    resumed.run.train(lambda summary: seen.append(summary.record.number))
    assert seen == [3]
    assert_same(outcome(resumed.run), expected)
    for one, other in zip(resumed.run.summaries, uninterrupted.summaries, strict=True):
        assert (one.quality, one.accuracy, one.silent) == (other.quality, other.accuracy, other.silent)
        assert (one.wire, one.failed_cohorts) == (other.wire, other.failed_cohorts)
    setup = resumed.run.population.setup_wire
    assert (setup.up, setup.down) == (
        uninterrupted.population.setup_wire.up,
        uninterrupted.population.setup_wire.down,
    )


@pytest.mark.parametrize("changes", PROFILES.values(), ids=PROFILES)
def test_noise_residuals_and_privacy_accounts_go_on_in_every_profile(tmp_path, changes):
    settings = replace(SETTINGS, **changes)
    uninterrupted = fresh(settings, tmp_path / "whole")
    uninterrupted.train()
    folder = interrupted(tmp_path / "run", 2, settings)
    resumed = resume_offline(folder, seeded_noise).run
    resumed.train()
    assert_same(outcome(resumed), outcome(uninterrupted))
    devices = [device for hospital in resumed.population.hospitals for device in hospital.devices]
    if "epsilon" in changes:
        assert max(len(device.accountant.charges) for device in devices if device.accountant) == 3
        assert resumed.population.privacy_loss() == uninterrupted.population.privacy_loss()
    if "fraction" in changes:
        assert any(device.residual is not None and device.residual.any() for device in devices)


def test_other_keys_give_the_same_model_and_another_state(tmp_path, whole):
    run = offline_run(SETTINGS, "run", tmp_path / "run")
    with pytest.raises(Stop):
        run.train(stop_after(1))
    again = resume_offline(tmp_path / "run").run
    again.train()
    assert again.cloud.model.tobytes() == whole[0].cloud.model.tobytes()
    assert outcome(again)["state"] != whole[1]["state"]  # it names accounts


def test_a_run_resumed_after_every_round_is_the_uninterrupted_one(tmp_path, whole):
    folder = interrupted(tmp_path / "run", 1)
    resumed = resume_offline(folder).run
    with pytest.raises(Stop):
        resumed.train(stop_after(2))
    last = resume_offline(folder).run
    last.train()
    assert_same(outcome(last), whole[1])


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_used(tmp_path, whole):
    folder = interrupted(tmp_path / "run")
    newest = checkpoints(folder)[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    resumed = resume_offline(folder)
    assert len(resumed.run.summaries) == 1
    assert "ends early" in resumed.notes[0]
    assert resumed.notes[1] == "the unfinished bundle of round 2 was removed"
    resumed.run.train()
    assert_same(outcome(resumed.run), whole[1])


def test_checkpoints_are_the_owners_alone_and_gone_when_the_run_is_complete(tmp_path):
    folder = interrupted(tmp_path / "run")
    assert stat.S_IMODE((folder / CHECKPOINTS).stat().st_mode) == 0o700
    assert len(checkpoints(folder)) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in checkpoints(folder)} == {0o600}
    run = resume_offline(folder).run
    run.train()
    assert checkpoints(folder) == []
    with pytest.raises(CommandError, match="is complete"):
        resume_offline(folder)


def test_no_secret_of_a_checkpoint_is_in_a_bundle_or_the_runs_state(tmp_path):
    folder = interrupted(tmp_path / "run", 1)
    with CheckpointStore(folder / CHECKPOINTS) as store:
        state = store.latest().checkpoint.state
    edge = state.part("population").part("hospital-1").part("edge")
    keys = [state.secret("accounts"), edge.secret("noise_seed")]
    shown = b"".join(path.read_bytes() for path in folder.glob("rounds/*/*"))
    shown += (folder / "run.json").read_bytes()
    for key in keys:
        assert len(key) == 32
        assert key not in shown
        assert key.hex().encode() not in shown


def test_a_run_that_is_still_at_work_is_not_resumed(tmp_path):
    folder = interrupted(tmp_path / "run", 1)
    resumed = resume_offline(folder)
    with pytest.raises(CheckpointError, match="another process"):
        resume_offline(folder)
    resumed.run.train()


def test_a_run_without_a_checkpoint_is_started_anew(tmp_path):
    with pytest.raises(BundleError, match="no run"):
        resume_offline(tmp_path)
    folder = interrupted(tmp_path / "run", 1)
    for path in checkpoints(folder):
        path.unlink()
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        resume_offline(folder)


def test_changed_data_are_refused(tmp_path):
    rng = np.random.default_rng(1)
    rows = [f"{a:.4f},{b:.4f},{int(a + b > 0)}" for a, b in rng.normal(size=(200, 2))]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["a,b,label", *rows]))
    settings = replace(SETTINGS, data=None, csv=str(table), label="label")
    folder = interrupted(tmp_path / "run", 1, settings)
    rows[7] = "0.5" + rows[7][rows[7].index(",") :]
    table.write_text("\n".join(["a,b,label", *rows]))
    with pytest.raises(CheckpointError, match="its data"):
        resume_offline(folder)


def test_a_bundle_that_was_altered_since_is_named(tmp_path):
    folder = interrupted(tmp_path / "run")
    path = folder / "rounds" / "000001" / "hospital-2.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match=r"round 1 .* altered"):
        resume_offline(folder)


def test_a_full_disk_ends_the_run_and_it_goes_on_once_there_is_room(tmp_path, whole, monkeypatch):
    folder = tmp_path / "run"
    run, real = fresh(SETTINGS, folder), os.fsync

    def full(descriptor):
        if ".checkpoint" in os.readlink(f"/proc/self/fd/{descriptor}") and len(run.state.rounds) == 2:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        run.train()
    monkeypatch.undo()
    resumed = resume_offline(folder)
    assert len(resumed.run.summaries) == 1
    resumed.run.train()
    assert_same(outcome(resumed.run), whole[1])


def test_beyond_an_epochs_end_a_resumed_run_has_its_new_keys(tmp_path):
    """Rounds 255 and 256 are of two epochs; the run is killed in between, and in the first round of the second."""
    settings = replace(SETTINGS, rounds=3)

    def start(folder):
        run = offline_run(settings, "run", folder, rounds_done=254)
        return run

    run = start(tmp_path / "whole")
    run.train()
    for stop in (255, 256):
        folder = tmp_path / str(stop)
        with pytest.raises(Stop):
            start(folder).train(stop_after(stop))
        resumed = resume_offline(folder).run
        resumed.train()
        assert [summary.record.number for summary in resumed.summaries] == [255, 256, 257]
        assert model_digest(resumed.cloud.model) == model_digest(run.cloud.model)
        assert sorted(resumed.state.accounts) == ["0", "1"]


def test_the_train_command_resumes_and_takes_no_other_settings(tmp_path, whole):
    folder = interrupted(tmp_path / "runs" / "run")
    refused = fediomt("train", "--resume", "run", "--rounds", "3", cwd=tmp_path)
    assert_one_line_error(refused, "own settings", "--rounds")
    assert_one_line_error(fediomt("train", "--resume", "no-run", cwd=tmp_path), "no-run")
    done = fediomt("train", "--resume", "run", "--json", cwd=tmp_path)
    assert done.code == 0, done
    said = json.loads(done.out)
    assert said["model_hash"] == whole[1]["model"]
    assert said["rounds"] == len(said["accuracy_by_round"]) == len(RunState.read(folder).rounds) == 3
    assert_one_line_error(fediomt("train", "--resume", "run", cwd=tmp_path), "is complete")
    assert fediomt("audit", "--no-chain", cwd=tmp_path).code == 0


@pytest.mark.slow
def test_a_train_command_that_is_stopped_says_how_to_go_on_and_the_hint_works(tmp_path):
    sizes = ["--rounds", "8", "--hospitals", "3", "--devices", "6", "--cohort-size", "4", "--k-min", "3"]
    process = start_fediomt("train", "--no-chain", *sizes, "--epsilon", "inf", cwd=tmp_path)
    while process.poll() is None and not list(tmp_path.glob("runs/*/rounds/000002")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    stopped = finish(process)
    assert_one_line_error(stopped, "interrupted", "of 8 rounds are kept", "fediomt train --resume")
    (folder,) = (tmp_path / "runs").iterdir()
    assert f"--resume {folder.name}" in stopped.err
    assert RunState.read(folder).status == "interrupted"
    done = fediomt("train", "--resume", folder.name, "--json", cwd=tmp_path)
    assert done.code == 0, done
    assert json.loads(done.out)["rounds"] == len(RunState.read(folder).rounds) == 8
