"""Runs without a chain that are killed by SIGKILL at a chosen file operation, and resumed.

Run as a program: `python interrupted_runs.py FOLDER SETTINGS POINTS`, settings and points as JSON; points are numbers
of file operations, or null for all of them. Each run and each resumption is a process of its own, forked off one that
has everything imported (and one thread). Prints what came out as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fl_core.canonical import digest_json, sha256
from fl_core.checkpoint import state_digest
from fl_core.models import model_digest
from fl_core.privacy import NoiseSource
from scripts.federation.offline import OfflineAccounts, offline_run
from scripts.federation.record import RoundRecord
from scripts.federation.resume import resume_offline
from scripts.federation.run import Run, RunState
from scripts.federation.settings import RunSettings

ACCOUNTS = OfflineAccounts(bytes(range(32)))
OPERATIONS = ("fsync", "rename", "replace", "unlink", "mkdir")


def fresh(settings: RunSettings, folder: Path) -> Run:
    """A run whose accounts and noise are the same each time; all keys are drawn from the operating system."""
    run = offline_run(settings, "run", folder, accounts=ACCOUNTS, noise=seeded_noise)
    for hospital in run.population.hospitals:
        hospital.edge._draw_seed = partial(bytes, [hospital.id] * 32)
    return run


def seeded_noise(hospital: int, index: int, round_number: int) -> NoiseSource:
    """Noise that is a function of who adds it and of the round, so that a round may be done again."""
    return NoiseSource.from_seed(sha256(f"{hospital} {index} {round_number}".encode()))


def outcome(run: Run) -> dict[str, Any]:
    """What must be equal for an interrupted run and one that was not."""
    return {
        "model": model_digest(run.cloud.model).hex(),
        "state": state_digest(run.checkpoint().state).hex(),
        "rounds": [outcome_digest(summary.record) for summary in run.summaries],
        "status": RunState.read(run.folder).status,
        "listed": RunState.read(run.folder).rounds,
    }


def outcome_digest(record: RoundRecord) -> str:
    """SHA-256 (hex) of all of a record that does not depend on epoch keys, nonces and salts.

    These are spec, rule, beacon, models, ready lists, who was in which cohort and sum, the sums themselves, utilities,
    scores and contributions. Advertisements, hashes of masked inputs, signatures, salts, receipts, and with them the
    bundle's digest, are drawn anew.
    """
    value = json.loads(record.to_files()["round.json"])
    for said in value["validators"].values():
        del said["salt"]
    hospitals = {}
    for number, part in record.hospitals.items():
        shown = json.loads(part.encode())
        for name in ("advertisements", "salts", "receipts", "keys", "seed_digest"):
            shown.pop(name, None)
        for cohort in shown["cohorts"]:
            for name in ("masked_hashes", "signatures", "deposited_hash"):
                del cohort[name]
        hospitals[str(number)] = shown
    value.pop("joint", None)
    tensors = sha256(record.to_files()["tensors.safetensors"]).hex()
    return digest_json([value, hospitals, tensors]).hex()


def forked(work: Callable[[], Any]) -> tuple[int, Any]:
    """Do some work in a process of its own; its exit code (negative for a signal) and its JSON."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump(work(), pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, json.loads(said) if said else None


def train_counting(settings: RunSettings, folder: Path, fatal: int | None) -> dict[str, Any]:
    """Train; the process kills itself before the file operation number `fatal`, from 1."""
    run, done = fresh(settings, folder), 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return wrapper

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))
    run.train()
    return {**outcome(run), "operations": done}


def resume(folder: Path) -> dict[str, Any]:
    """Resume and finish, or say why not."""
    try:
        resumed = resume_offline(folder, seeded_noise)
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    before = len(resumed.run.summaries)
    resumed.run.train()
    return {**outcome(resumed.run), "from": before, "notes": list(resumed.notes)}


def main(folder: Path, settings: RunSettings, points: list[int] | None) -> None:
    torch.set_num_threads(1)
    fresh(settings, folder / "first").train()  # what is imported late is imported once, here
    code, whole = forked(lambda: train_counting(settings, folder / "whole", None))
    assert code == 0, "the uninterrupted run failed"
    found = []
    for point in points or range(1, whole["operations"] + 1):
        place = folder / f"{point}"
        code, _ = forked(lambda place=place, point=point: train_counting(settings, place, point))
        killed = code == -signal.SIGKILL
        code, after = forked(lambda place=place: resume(place))
        assert code == 0, f"resuming after operation {point} failed"
        found.append({"point": point, "killed": killed, "after": after})
    print(json.dumps({"whole": whole, "found": found}))


if __name__ == "__main__":
    chosen = json.loads(sys.argv[3])
    main(Path(sys.argv[1]), RunSettings.from_json(json.loads(sys.argv[2])), chosen)
