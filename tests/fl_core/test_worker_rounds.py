"""Rounds played by worker processes: the same sums, and devices that stand where one process would have left them."""

import os
import signal
from dataclasses import replace

import pytest
from small_run import Schedule, SmallRun, spec_of

from fl_core.data import Encoder
from fl_core.engine import InProcessEngine
from fl_core.errors import SpecError
from fl_core.hospital_part import HospitalPart
from fl_core.privacy import NoiseSpec
from fl_core.simulation.faults import Death
from fl_core.spec import Profile
from fl_core.updates import CompressionSpec, update_bound
from fl_core.workers import WorkerError

NOISY = {"bits": 40, "fraction_bits": 8, "clip_norm": 1.0}
COMPRESSED = {"compression": CompressionSpec(0.5, 0.5)}


def noise():
    bound = update_bound(None, dim=spec_of(8).dim, clip_norm=1.0, fraction_bits=8)
    variance = float(round(40 * bound.l2**2))
    return NoiseSpec(8.0, 1e-5, 3, variance, variance, corrupted=1)


def played(workers, *, rounds=2, faults=None, **options):
    run = SmallRun.of(hospitals=3, faults=faults, **options)
    run.engine.workers = workers
    run.begin_epoch(0)
    if run.spec.noise is None:
        run.agree_on_scaling()
    else:
        quiet = {name: value for name, value in options.items() if name != "noise"}
        run.statistics = SmallRun.ready_to_train(hospitals=3, **quiet).statistics
        fit(run)
    outcomes = [run.carry_round()[1] for _ in range(rounds)]
    return run, outcomes


def fit(run):
    for hospital in run.hospitals:
        for device in hospital.devices:
            device.fit(Encoder(run.schema, run.statistics))


@pytest.mark.parametrize(
    "options",
    [
        {},
        COMPRESSED,
        {**NOISY, "noise": noise()},
        {"profile": Profile.PRIVATE, "min_hospitals": 3},
        {"profile": Profile.HOSPITAL, "faults": Schedule({(1, 1, 0): Death.BEFORE_MASKED_INPUT})},
    ],
    ids=["plain", "compressed", "noised", "private", "dropout"],
)
def test_worker_processes_give_the_model_that_one_process_gives(options):
    alone, outcomes = played(1, **options)
    together, others = played(2, **options)
    assert together.cloud.model.tobytes() == alone.cloud.model.tobytes()
    for one, other in zip(outcomes, others, strict=True):
        assert one.wire == other.wire
        assert len(one.silent) == len(other.silent)
        for release, same in zip(one.releases, other.releases, strict=True):
            assert release.total.tolist() == same.total.tolist()


def test_devices_stand_where_one_process_would_have_left_them():
    run, _ = played(2, **NOISY, noise=noise(), compression=CompressionSpec(0.5, 0.5))
    session = run.hospitals[0].edge.session
    for device in run.devices.values():
        assert [charge.round_number for charge in device.accountant.charges] == [1, 2]
        assert device._journal.last_round(session) == 2
        assert device.residual.any()
        assert device.identity.roster_root == device._roster.root
        with pytest.raises(Exception, match="round 2 has passed"):
            device.identity.pair_keys(2, [])


def test_where_a_worker_is_killed_the_round_counts_as_taken(monkeypatch):
    run, _ = played(2, rounds=1, **NOISY, noise=noise())
    parent, model = os.getpid(), run.cloud.model.tobytes()

    def killed(self, *_args, **_options):
        assert os.getpid() != parent
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(HospitalPart, "sum_cohorts", killed)
    with pytest.raises(WorkerError, match="exit code -9"):
        run.carry_round()
    monkeypatch.undo()
    assert run.cloud.model.tobytes() == model
    for device in run.devices.values():
        assert len(device.accountant.charges) == 2, "nobody knows what was sent"
        with pytest.raises(Exception, match="round 2 has passed"):
            device.identity.pair_keys(2, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"workers": 0}, "0 worker processes"), ({"workers": 2, "device": "cuda:0"}, "cannot share cuda:0")],
)
def test_workers_that_cannot_be_are_refused(options, message):
    run = SmallRun.of()
    with pytest.raises(SpecError, match=message):
        InProcessEngine(run.hospitals, Schedule(), **options)


def test_progress_is_told_by_workers_too():
    run = SmallRun.ready_to_train(hospitals=3)
    told = []
    run.engine = replace(run.engine, workers=2, progress=told.append)
    run.begin_epoch(0)
    run.carry_round()
    assert sum(told) == 24
