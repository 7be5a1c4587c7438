"""`fediomt audit`: recompute a run from its bundles and hold it against the chain."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chain.clock import clock_for
from chain.contracts import Contracts
from chain.keystore import read_password
from fl_core.stores import RunStore
from scripts.console.audit_lines import AuditScreen, audit_json, first_difference
from scripts.console.errors import CommandError
from scripts.console.options import (
    HOME,
    RUNS,
    ChainId,
    Home,
    Json,
    Ledger,
    PasswordFile,
    RunId,
    Runs,
    Store,
    Url,
)
from scripts.console.output import console, print_json
from scripts.console.run_command import run_function
from scripts.console.session import (
    PASSWORD_VARIABLE,
    find_run_and_store,
    kept_elsewhere,
    open_run_contracts,
)
from scripts.federation.auditing import KeptElsewhere, audit_run, rounds_of
from scripts.federation.auditor_key import SealedTranscripts, create_key, read_private_key
from scripts.federation.root_set_file import read_root_set
from scripts.federation.run_state import RunState
from scripts.federation.transcript_deletion import (
    delete_all_transcripts,
    delete_transcripts,
    excused_rounds,
    require_undisputable,
)

FOLDED_FROM = 6
"""Rounds from which on a line stands for a whole round in which nothing differs."""


def audit(
    run: RunId = None,
    number: Annotated[int | None, typer.Option("--round", help="Report on this round only.")] = None,
    no_chain: Annotated[
        bool,
        typer.Option("--no-chain", help="Bundles only: for a run whose chain is gone, such as a demo's."),
    ] = False,
    transcript: Annotated[
        bool,
        typer.Option("--transcript", help="Do the secure sums again from their transcripts; takes --key."),
    ] = False,
    key: Annotated[Path | None, typer.Option("--key", help="File with the auditor's private key.")] = None,
    root_set: Annotated[
        Path | None,
        typer.Option(
            "--root-set",
            metavar="FILE",
            help="Train the root update again from the root-set.json that a holder of the root set gave.",
        ),
    ] = None,
    new_key: Annotated[
        Path | None,
        typer.Option(
            "--new-key",
            metavar="FILE",
            help="Draw an auditor's key pair, FILE and FILE.pub, and do nothing else; encrypted where a password is "
            "given.",
        ),
    ] = None,
    delete: Annotated[
        bool,
        typer.Option(
            "--delete-transcripts",
            help="Delete the transcripts of the run, or of --round, and do nothing else; refused before the dispute "
            "window has closed.",
        ),
    ] = False,
    verbose: Annotated[
        bool | None,
        typer.Option(
            "--verbose/--folded",
            help="A line a check, or a line a round with a line for each check that differs.",
            show_default=f"a line a check below {FOLDED_FROM} rounds",
        ),
    ] = None,
    store: Store = None,
    ledger: Ledger = None,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Recompute everything, a line a check; what differs is named, the first thing first, and the exit code is 1."""
    screen = console(quiet=as_json)
    if new_key is not None:
        _new_key(new_key, password_file, screen, as_json=as_json)
        return
    if transcript and key is None:
        raise CommandError(
            "--transcript opens what is sealed to an auditor: name the private key with --key FILE"
        )
    bundles, state = find_run_and_store(runs, run, store)
    contracts = (
        None
        if no_chain or state.deployment is None
        else open_run_contracts(state, home, url, expected_chain, ledger=ledger)
    )
    if contracts is None and ledger is not None:
        why = "--no-chain leaves it out" if no_chain else f"run {state.run} says that it has no chain"
        raise CommandError(f"nothing can be held against the ledger {ledger}: {why}")
    elsewhere = kept_elsewhere(runs, state, store)
    if delete:
        _delete(bundles, state, contracts, number, elsewhere, screen, as_json=as_json)
        return
    opened = None
    if transcript and key is not None:
        private = read_private_key(key, partial(_password, password_file))
        opened = SealedTranscripts(bundles, private, excused_rounds(bundles, contracts, _now(contracts)))
    many = number is None and len(state.rounds) >= FOLDED_FROM
    shown = AuditScreen(screen, folded=many if verbose is None else not verbose, quiet=as_json)
    with screen.status("auditing"):
        lines = audit_run(
            bundles,
            state,
            contracts,
            rounds=None if number is None else [number],
            elsewhere=elsewhere,
            transcripts=opened,
            root_set=None if root_set is None else read_root_set(root_set),
            without_chain=no_chain,
            progress=shown.take,
        )
        shown.flush()
    if not rounds_of(lines):
        what = "any round" if number is None else f"round {number}"
        raise CommandError(f"run {state.run} does not have {what}: there is nothing to audit")
    if as_json:
        print_json(
            audit_json(state.run, lines, ledger=None if contracts is None else contracts.ledger.address)
        )
    else:
        against = (
            "bundles only, held against no chain"
            if contracts is None
            else f"held against the ledger {contracts.ledger.address}"
        )
        first = first_difference(lines)
        verdict = "nothing differs" if first is None else "the record does not hold"
        rest = "" if first is None else f"; first: {first}"
        screen.print(f"run {state.run}: {verdict} ({against}){rest}", markup=False)
    if not all(line.ok for line in lines):
        raise typer.Exit(1)


def _new_key(path: Path, password_file: Path | None, screen: Console, *, as_json: bool) -> None:
    password = _password(password_file)
    public = create_key(path, password)
    if as_json:
        print_json({"private": str(path), "public": str(public), "encrypted": password is not None})
        return
    kept = "encrypted" if password is not None else "not encrypted: whoever reads it opens every transcript"
    screen.print(f"{path} is the auditor's private key, {kept}")
    screen.print(
        f"next: `fediomt train --transcripts {public}`, later `fediomt audit --transcript --key {path}`"
    )


def _password(file: Path | None) -> str | None:
    """The password of the auditor's key, None where none is given."""
    if file is None and not os.environ.get(PASSWORD_VARIABLE):
        return None
    return read_password(file=file, env=PASSWORD_VARIABLE)


def _now(contracts: Contracts | None) -> int:
    """The chain's time, 0 without a chain."""
    return 0 if contracts is None else clock_for(contracts.w3).now()


def _delete(
    bundles: RunStore,
    state: RunState,
    contracts: Contracts | None,
    number: int | None,
    elsewhere: KeptElsewhere,
    screen: Console,
    *,
    as_json: bool,
) -> None:
    rounds = sorted({*state.rounds, *bundles.bundles()}) if number is None else [number]
    if number is not None and number not in state.rounds:
        raise CommandError(f"run {state.run} does not have round {number}: there is nothing to delete")
    if state.deployment is not None and contracts is None:
        raise CommandError(
            f"run {state.run} is on a chain, which knows whether its rounds can still be disputed: leave out --no-chain"
        )
    if contracts is not None:
        # transcripts are kept before the bundle: those of the round under way are there without one
        under_way = _under_way(contracts, elsewhere) if number is None else set[int]()
        require_undisputable(contracts, under_way.union(rounds), _now(contracts))
    count = delete_all_transcripts(bundles, rounds) if number is None else delete_transcripts(bundles, rounds)
    if as_json:
        print_json({"run": state.run, "rounds": rounds, "deleted": count})
    else:
        screen.print(f"run {state.run}: {count} transcripts of {len(rounds)} rounds deleted")


def _under_way(contracts: Contracts, elsewhere: KeptElsewhere) -> set[int]:
    """The ledger's last round, unless it is another run's, whose bundle is there."""
    last = contracts.ledger.current_round()
    if not last or elsewhere(last, contracts.ledger.round(last).accepted_digest):
        return set()
    return {last}


if __name__ == "__main__":
    run_function(audit)
