"""With noise that is drawn anew no round is released twice: an interrupted one is abandoned and paid for."""

from __future__ import annotations

import json
import os

import pytest
from command_line import fediomt
from interrupted_runs import fresh

from fl_core.checkpoint import CheckpointError, CheckpointStore
from fl_core.engine import InProcessEngine
from fl_core.stores import FolderStore
from scripts.federation.begun_rounds import BEGUN_FILE, last_begun
from scripts.federation.offline import offline_run
from scripts.federation.resume import resume_offline
from scripts.federation.run import CHECKPOINTS, RunState
from scripts.federation.settings import RunSettings

SMALL = {"hospitals": 2, "devices": 5, "rounds": 3, "cohort_size": 5, "k_min": 5, "epochs": 1, "seed": 3}
NOISED = RunSettings(**SMALL, epsilon=8.0)
OF_RECORDS = RunSettings(**SMALL, record_epsilon=4.0)


class Kill(BaseException):
    """Ends the process from within, at a point that is chosen."""


def kill(*_arguments, **_named):
    raise Kill


def killed(run, monkeypatch, where, name):
    """Train until the process dies at the given call; the run's folder."""
    return killed_by(run, monkeypatch, (where, name, kill))


def killed_by(run, monkeypatch, *changes):
    """Train with something patched that raises `Kill`; the run's folder."""
    with monkeypatch.context() as patched:
        for change in changes:
            patched.setattr(*change)
        with pytest.raises(Kill):
            run.train()
    return run.folder


def killed_after_the_bundle(run, monkeypatch):
    """Killed once the next round's bundle is on disk, and before its checkpoint."""
    real, begun = CheckpointStore.write, []

    def write(store, checkpoint):
        begun.append(checkpoint)
        return real(store, checkpoint) if len(begun) == 1 else kill()

    return killed_by(run, monkeypatch, (CheckpointStore, "write", write))


def started(folder, settings=NOISED):
    return offline_run(settings, "run", folder / "runs" / "run")


def charged(run):
    """How many rounds each device's account was charged for."""
    devices = [device for hospital in run.population.hospitals for device in hospital.devices]
    return {tuple(charge.round_number for charge in device.accountant.charges) for device in devices}


def test_a_round_whose_sums_were_released_is_not_released_again_with_other_noise(tmp_path, monkeypatch):
    released, write = [], FolderStore.write_bundle
    monkeypatch.setattr(FolderStore, "write_bundle", lambda *it: released.append(it[1]) or write(*it))
    folder = killed_after_the_bundle(started(tmp_path), monkeypatch)
    assert (folder / "rounds" / "000001").is_dir()
    resumed = resume_offline(folder)
    assert "round 1 was interrupted" in resumed.notes[0]
    assert "2 of 3 rounds are left" in resumed.notes[0]
    assert resumed.notes[1] == "the unfinished bundle of round 1 was removed"
    assert charged(resumed.run) == {(1,)}
    resumed.run.train()
    assert released == [1, 2, 3]
    assert charged(resumed.run) == {(1, 2, 3)}
    loss = resumed.run.population.privacy_loss()
    assert loss == resumed.run.spec.loss(3)
    assert loss.release <= 8
    state = RunState.read(folder)
    assert (state.status, state.rounds, state.abandoned) == ("complete", [2, 3], [1])


def test_a_kill_before_any_device_has_trained_is_charged_all_the_same(tmp_path, monkeypatch):
    folder = killed(started(tmp_path), monkeypatch, InProcessEngine, "run_round")
    assert last_begun(folder / CHECKPOINTS) == 1
    run = resume_offline(folder).run
    assert charged(run) == {(1,)}
    run.train()
    assert run.state.rounds == [2, 3]


def test_a_kill_before_the_record_is_on_disk_costs_nothing(tmp_path, monkeypatch):
    run, real = started(tmp_path), os.replace

    def replace(source, target):
        if str(target).endswith(BEGUN_FILE):
            raise Kill
        real(source, target)

    resumed = resume_offline(killed_by(run, monkeypatch, (os, "replace", replace)))
    assert resumed.notes == ()
    assert charged(resumed.run) == {()}
    resumed.run.train()
    assert resumed.run.state.rounds == [1, 2, 3]


def test_every_kill_is_paid_for_until_no_round_is_left(tmp_path, monkeypatch):
    folder = killed(started(tmp_path), monkeypatch, InProcessEngine, "run_round")
    for times in (1, 2):
        run = resume_offline(folder).run
        assert charged(run) == {tuple(range(1, times + 1))}
        killed(run, monkeypatch, InProcessEngine, "run_round")
    resumed = resume_offline(folder).run
    assert resumed.rounds_left == 0
    resumed.train()
    assert resumed.summaries == []
    assert resumed.population.privacy_loss() == resumed.spec.loss(3)
    assert RunState.read(folder).status == "complete"


def test_a_resumption_that_is_killed_before_its_first_round_abandons_the_same_round_again(
    tmp_path, monkeypatch
):
    folder = killed(started(tmp_path), monkeypatch, InProcessEngine, "run_round")
    killed(resume_offline(folder).run, monkeypatch, CheckpointStore, "write")
    run = resume_offline(folder).run
    assert charged(run) == {(1,)}
    run.train()
    assert (run.state.rounds, run.state.abandoned) == ([2, 3], [1])


def test_an_older_checkpoint_does_not_bring_released_rounds_back(tmp_path):
    def stop(summary):
        if summary.record.number == 2:
            raise Kill

    run = started(tmp_path)
    with pytest.raises(Kill):
        run.train(stop)
    newest = sorted((run.folder / CHECKPOINTS).glob("*.checkpoint"))[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    resumed = resume_offline(run.folder)
    assert "round 2 was interrupted" in resumed.notes[1]
    assert charged(resumed.run) == {(1, 2)}
    resumed.run.train()
    assert (resumed.run.state.rounds, resumed.run.state.abandoned) == ([1, 3], [2])


def test_a_record_that_cannot_be_read_ends_the_run(tmp_path, monkeypatch):
    folder = killed(started(tmp_path), monkeypatch, InProcessEngine, "run_round")
    for text in ("{", "[]", '{"round": 0}'):
        (folder / CHECKPOINTS / BEGUN_FILE).write_text(text)
        with pytest.raises(CheckpointError, match=BEGUN_FILE):
            resume_offline(folder)


def test_per_record_noise_is_not_drawn_twice_either(tmp_path, monkeypatch):
    folder = killed(started(tmp_path, OF_RECORDS), monkeypatch, InProcessEngine, "run_round")
    run = resume_offline(folder).run
    assert run.rounds_left == 2
    run.train()
    assert run.state.rounds == [2, 3]
    assert run.record_epsilon(run.rounds_charged) == pytest.approx(4.0)


def test_noise_that_is_seeded_or_off_leaves_no_record_and_is_done_again(tmp_path, monkeypatch):
    for name, settings in {"noised": NOISED, "plain": RunSettings(**SMALL)}.items():
        folder = killed(fresh(settings, tmp_path / name), monkeypatch, InProcessEngine, "run_round")
        assert last_begun(folder / CHECKPOINTS) == 0


def test_the_command_goes_on_and_says_what_an_interruption_cost(tmp_path, monkeypatch):
    killed_after_the_bundle(started(tmp_path), monkeypatch)
    done = fediomt("train", "--resume", "run", cwd=tmp_path)
    assert done.code == 0, done
    assert "round 1 was interrupted" in done.out
    assert "interrupted: 1 of 3; privacy is paid for all" in done.out
    assert fediomt("audit", "--no-chain", cwd=tmp_path).code == 0


def test_a_run_of_interruptions_alone_ends_with_its_first_model_and_says_so(tmp_path, monkeypatch):
    settings = RunSettings(**{**SMALL, "rounds": 1}, epsilon=8.0)
    killed(started(tmp_path, settings), monkeypatch, InProcessEngine, "run_round")
    done = fediomt("train", "--resume", "run", "--json", cwd=tmp_path)
    assert done.code == 0, done
    report = json.loads(done.out)
    assert (report["rounds"], report["rounds_abandoned"], report["accuracy_by_round"]) == (0, 1, [])
    assert 7.9 < report["epsilon"] <= 8
