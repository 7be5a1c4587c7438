"""`fediomt demo`: the whole story on embedded data and a node of its own."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from chain.clock import Clock, clock_for
from chain.connect import connect
from chain.deploy import TOKEN, DeployConfig
from chain.node import AnvilNode
from incentives import DEFAULT_RULE
from scripts.console.notes import privacy_note
from scripts.console.options import RUNS, Epsilon, Json, Profile, Runs, Workers
from scripts.console.output import console, print_json, tokens
from scripts.console.progress import train_with_progress
from scripts.console.run_command import StopAsked, run_function
from scripts.federation.auditing import AuditLine, audit_run, rounds_of
from scripts.federation.claims import claim_all
from scripts.federation.consortium import Consortium, found_consortium
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.redemption import Redemption, redeem_and_fulfil
from scripts.federation.report import (
    DEVICE_COLUMNS,
    HOSPITAL_COLUMNS,
    RunReport,
    device_rows,
    figures,
    hospital_rows,
    inflation_sentence,
    quality_sentence,
    write_report,
)
from scripts.federation.run import Run, new_run_id
from scripts.federation.settings import DEFAULT_EPSILON, RunSettings
from scripts.federation.signing_journal import SIGNED_FOLDER
from scripts.federation.story import report_of, run_on_chain
from scripts.federation.worker_processes import worker_count

DEVELOPMENT_CHAIN = 31337
SERVICE = "second reading of an image"
SERVICE_PRICE = 25 * TOKEN
INFLATION = 8
K_MIN = 6  # the threshold of a cohort of 8: more honest devices are sure to be in a sum, so that each adds less noise


def demo(
    hospitals: Annotated[int, typer.Option(help="Hospitals, at least 3.", min=3, max=20)] = 4,
    devices: Annotated[int, typer.Option(help="Devices a hospital.")] = 16,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of data split, training and simulated faults.")] = 7,
    dropout: Annotated[float, typer.Option(help="Probability that a device fails in a round.")] = 0.03,
    profile: Profile = RunSettings.profile,
    epsilon: Epsilon = DEFAULT_EPSILON,
    workers: Workers = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Hospitals train together, a chain records who contributed what, tokens are paid and spent, all is audited."""
    settings = RunSettings(
        hospitals=hospitals,
        devices=devices,
        rounds=rounds,
        seed=seed,
        dropout=dropout,
        profile=profile,
        epsilon=None if epsilon == math.inf else epsilon,
        k_min=K_MIN,
        workers=worker_count(workers, hospitals=hospitals, devices=devices, torch_device="cpu", threads=1),
        flippers=2,
        free_riders=1,
        inflating_hospital=hospitals,
        inflation=INFLATION,
    )
    screen, run_id = console(quiet=as_json), new_run_id()
    folder = runs / run_id
    try:
        report = tell(settings, screen, run_id, folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)  # the chain that its rounds were recorded on is gone
        if isinstance(error, StopAsked):
            raise StopAsked("interrupted: the node is stopped, and nothing of this demo is kept") from None
        raise
    if as_json:
        print_json(report.to_json())
    else:
        show_closing(screen, report, folder)
    if not report.audit_ok:
        raise typer.Exit(1)


def tell(settings: RunSettings, screen: Console, run_id: str, folder: Path) -> RunReport:
    """The story from starting the node to stopping it; the report is written before the node stops."""
    screen.print(
        f"{settings.hospitals} hospitals with {settings.devices} devices each train on Wisconsin breast cancer data "
        f"for {settings.rounds} rounds.\n"
        f"Among the devices are {settings.flippers} label flippers and {settings.free_riders} free rider; hospital "
        f"{settings.inflating_hospital} declares {settings.inflation} times the rows that it has.\n"
        f"Cohorts have {settings.cohort_size} devices here, at least {settings.k_min}; a deployment uses 24 and 16."
    )
    with AnvilNode(chain_id=DEVELOPMENT_CHAIN) as node:
        w3 = connect(node.url, chain_id=DEVELOPMENT_CHAIN)
        clock = clock_for(w3)
        screen.print(f"node started at {node.url}")
        with screen.status("deploying") as status:
            consortium = found_consortium(
                w3,
                DevelopmentKeyring(DEVELOPMENT_CHAIN),
                DeployConfig.local(k_min=settings.k_min, rule=DEFAULT_RULE),
                capacities_bps=[10_000 // settings.hospitals] * settings.hospitals,
                signed=folder / SIGNED_FOLDER,  # the chain is this demo's alone
                progress=status.update,
            )
        screen.print(f"contracts deployed, {settings.hospitals} hospitals admitted, bonds posted")
        run = run_on_chain(settings, consortium, run_id=run_id, folder=folder, clock=clock)
        screen.print(privacy_note(run.spec, run.population.devices_per_person))
        train_with_progress(run, screen)
        with screen.status("training the centralised model to compare with"):
            centralised = run.centralised_accuracy()
        records = [summary.record for summary in run.summaries]
        _show_ledger(screen, consortium, [record.number for record in records])
        with screen.status("claiming tokens"):
            payouts = claim_all(consortium, records, run.state.devices(), clock)
        screen.print(
            f"{payouts.device_claims} leaves claimed for devices that opted in, by relay with their consent; "
            f"{payouts.treasury_claims} treasury parts claimed by hospitals"
        )
        with screen.status("redeeming a service"):
            redemption = _redeem(consortium, clock)
        price = f"{tokens(redemption.price):g} tokens"
        screen.print(f"hospital 1 bought a {SERVICE} from hospital 2 for {price}: {redemption.status}")
        lines = _audit(run, consortium, screen, folder)
        report = report_of(
            run,
            consortium,
            redemption=redemption,
            centralised=centralised,
            audit_ok=all(line.ok for line in lines),
            clock=clock.describe(),
        )
        write_report(folder, report)
        run.state.results = {"audit_ok": report.audit_ok, "accuracy": report.accuracy}
        run.state.save(folder)
    screen.print("node stopped")
    return report


def _show_ledger(screen: Console, consortium: Consortium, rounds: list[int]) -> None:
    table = Table(title="Contribution ledger", title_justify="left", header_style="bold")
    for column in ("round", "hospital", "devices", "volume", "compute", "quality", "allocated"):
        table.add_column(column, justify="right")
    ledger = consortium.contracts.ledger
    for number in (rounds[0], rounds[-1]):
        for entry in ledger.entries(number, sorted(ledger.round(number).active)):
            lanes = entry.lanes
            table.add_row(
                *(
                    f"{value:,}"
                    for value in (number, entry.hospital, lanes.n, lanes.volume, lanes.compute, entry.quality)
                ),
                f"{tokens(entry.allocation):,.2f}",
            )
    screen.print(table)


def _redeem(consortium: Consortium, clock: Clock) -> Redemption:
    keyring = consortium.keyring
    return redeem_and_fulfil(
        consortium.contracts,
        buyer=consortium.sender(keyring.hospital(1)),
        provider=consortium.sender(keyring.hospital(2)),
        name=SERVICE,
        price=SERVICE_PRICE,
        clock=clock,
    )


def _audit(run: Run, consortium: Consortium, screen: Console, folder: Path) -> list[AuditLine]:
    with screen.status("auditing"):
        lines = audit_run(run.store, run.state, consortium.contracts)
    wrong = [line for line in lines if not line.ok]
    if wrong:
        screen.print(f"[red]audit: {wrong[0].subject}: {wrong[0].findings[0]}")
    else:
        screen.print(
            f"audit: {len(rounds_of(lines))} rounds recomputed from their bundles, supply checked: nothing differs"
        )
    return lines


def show_closing(screen: Console, report: RunReport, folder: Path) -> None:
    """The closing screen."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in figures(report):
        table.add_row(name, value)
    screen.print(Panel(table, title="Results", title_align="left"))
    earned = Table(title="What dishonesty earned (tokens)", title_justify="left", header_style="bold")
    for column in DEVICE_COLUMNS:
        earned.add_column(column, justify="left" if column == "devices" else "right")
    for row in device_rows(report):
        earned.add_row(*row)
    screen.print(earned)
    screen.print(quality_sentence(report))
    hospitals = Table(
        title="Hospitals: shares of the budget claimed and paid", title_justify="left", header_style="bold"
    )
    for column in HOSPITAL_COLUMNS:
        hospitals.add_column(column, justify="right")
    for line in hospital_rows(report):
        hospitals.add_row(*line)
    screen.print(hospitals)
    screen.print(inflation_sentence(report))
    screen.print(f"\nreport: {folder}/report.md, report.json, accuracy.png, tokens.png, quality.png")


if __name__ == "__main__":
    run_function(demo)
