"""`fediomt audit`: recompute a run from its bundles and hold it against the chain."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.console.errors import CommandError
from scripts.console.options import HOME, RUNS, ChainId, Home, Json, RunId, Runs, Url
from scripts.console.output import console, print_json
from scripts.console.run_command import run_function
from scripts.console.session import find_run, open_run_contracts, rounds_elsewhere
from scripts.federation.auditing import AuditLine, audit_run

SHOWN = 5


def audit(
    run: RunId = None,
    number: Annotated[int | None, typer.Option("--round", help="Report on this round only.")] = None,
    no_chain: Annotated[
        bool,
        typer.Option("--no-chain", help="Bundles only: for a run whose chain is gone, such as a demo's."),
    ] = False,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    as_json: Json = False,
) -> None:
    """A line a round: everything recomputed; what differs is named, the first thing first, and the exit code is 1."""
    folder, state = find_run(runs, run)
    contracts = (
        None if no_chain or state.deployment is None else open_run_contracts(state, home, url, expected_chain)
    )
    screen = console(quiet=as_json)

    def show(line: AuditLine) -> None:
        if as_json:
            return
        verdict = "[green]ok[/green]" if line.ok else "[red]DIFFERS[/red]"
        screen.print(f"{verdict}  {line.subject}: {line.checks}")
        for finding in line.findings[:SHOWN]:
            screen.print(f"    {finding}", markup=False)
        if len(line.findings) > SHOWN:
            screen.print(f"    and {len(line.findings) - SHOWN} more (--json lists all)")

    rounds = None if number is None else [number]
    elsewhere = rounds_elsewhere(runs, state)
    lines = audit_run(folder, state, contracts, rounds=rounds, elsewhere=elsewhere, progress=show)
    if not any(line.round_number is not None for line in lines):
        what = "any round" if number is None else f"round {number}"
        raise CommandError(f"run {state.run} does not have {what}: there is nothing to audit")
    ok = all(line.ok for line in lines)
    if as_json:
        print_json(
            {
                "run": state.run,
                "audit_ok": ok,
                "lines": [
                    {
                        "subject": line.subject,
                        "checks": line.checks,
                        "findings": [str(f) for f in line.findings],
                    }
                    for line in lines
                ],
            }
        )
    else:
        without = "" if contracts is not None else " (bundles only, held against no chain)"
        screen.print(
            f"run {state.run}: " + (f"nothing differs{without}" if ok else "the record does not hold")
        )
    if not ok:
        raise typer.Exit(1)


if __name__ == "__main__":
    run_function(audit)
