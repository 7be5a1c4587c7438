"""Runs on a chain that are killed by SIGKILL in or after a chosen call to the ledger, and resumed.

Run as a program: `python interrupted_chain_runs.py FOLDER URL SETTINGS STEPS`. A step is a list of [method of the
ledger's client, how many calls of it in the process until SIGKILL], one for the training process and one for each
resumption that is killed as well; a last resumption then finishes. With a third item, "sent", the process is killed
once the call's transaction is handed over, before its receipt is asked for. The chain is set back between steps.
Prints what came out as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from interrupted_runs import forked
from rich.console import Console

from chain import sender
from chain.clock import clock_for
from chain.connect import connect
from chain.contracts import open_contracts
from chain.deploy import DeployConfig
from chain.deployments import Deployment
from chain.ledger import LedgerClient
from chain.rpc import request
from fl_core.models import model_digest
from incentives import DEFAULT_RULE
from scripts.console.session import open_consortium
from scripts.federation.auditing import audit_run
from scripts.federation.claims import claim_all
from scripts.federation.consortium import Consortium, found_consortium
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.resume_chain import resume_on_chain
from scripts.federation.run import RunState
from scripts.federation.settings import RunSettings
from scripts.federation.story import run_on_chain

CHAIN = 31337


def consortium_of(deployment: Deployment, url: str, folder: Path) -> Consortium:
    """The consortium as a command that is started for a run finds it."""
    contracts = open_contracts(connect(url, chain_id=CHAIN), deployment)
    return open_consortium(contracts, folder.with_suffix(".home"), None, None, Console(quiet=True))


def kill_after(method: str, calls: int, when: str = "done") -> None:
    """Kill this process in or right after that many calls of a method of the ledger's client."""
    call, done = getattr(LedgerClient, method), 0

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal done
        done += 1
        if done == calls and when == "sent":
            sender.wait_receipts = die
        result = call(*arguments, **named)
        if done == calls:
            die()
        return result

    setattr(LedgerClient, method, counted)


def train(settings: RunSettings, deployment: Deployment, url: str, folder: Path, fatal: list[Any]) -> None:
    """Train a new run, and die at the given call."""
    consortium = consortium_of(deployment, url, folder)
    run = run_on_chain(
        settings, consortium, run_id="run", folder=folder, clock=clock_for(consortium.contracts.w3)
    )
    kill_after(*fatal)
    run.train()


def resume(deployment: Deployment, url: str, folder: Path, fatal: list[Any] | None) -> dict[str, Any]:
    """Resume, and die at the given call; without one finish, audit and claim."""
    consortium = consortium_of(deployment, url, folder)
    clock = clock_for(consortium.contracts.w3)
    if fatal is not None:
        kill_after(*fatal)
    try:
        resumed = resume_on_chain(folder, consortium, clock)
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    run = resumed.run
    run.train()
    ledger, records = consortium.contracts.ledger, [summary.record for summary in run.summaries]
    lines = audit_run(run.store, run.state, consortium.contracts)
    payouts = claim_all(consortium, records, run.state.devices(), clock)
    return {
        "notes": list(resumed.notes),
        "rounds": run.state.rounds,
        "abandoned": run.state.abandoned,
        "status": RunState.read(folder).status,
        "ledger": [[item.round, item.paid] for item in ledger.rounds(range(1, ledger.current_round() + 1))],
        "findings": [str(finding) for line in lines for finding in line.findings],
        "chained": all(
            one.record.model_after.tobytes() == next_.record.model_before.tobytes()
            for one, next_ in zip(run.summaries, run.summaries[1:], strict=False)
        ),
        "model": model_digest(run.cloud.model).hex(),
        "treasury_claims": payouts.treasury_claims,
    }


def main(folder: Path, url: str, settings: RunSettings, steps: list[list[list[Any]]]) -> None:
    torch.set_num_threads(1)
    w3 = connect(url, chain_id=CHAIN)
    hospitals = settings.hospitals
    deployment = found_consortium(
        w3,
        DevelopmentKeyring(CHAIN),
        DeployConfig.local(k_min=settings.k_min, rule=DEFAULT_RULE),
        capacities_bps=[10_000 // hospitals] * hospitals,
    ).contracts.deployment
    found = []
    for number, step in enumerate(steps):
        place, mark = folder / str(number), request(w3, "evm_snapshot")
        results = [forked(partial(train, settings, deployment, url, place, step[0]))]
        for fatal in [*step[1:], None]:
            results.append(forked(partial(resume, deployment, url, place, fatal)))  # noqa: PERF401
        found.append({"step": step, "codes": [code for code, _ in results], "after": results[-1][1]})
        assert request(w3, "evm_revert", mark)
    print(json.dumps(found))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        sys.argv[2],
        RunSettings.from_json(json.loads(sys.argv[3])),
        json.loads(sys.argv[4]),
    )
