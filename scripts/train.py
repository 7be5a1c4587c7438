"""`fediomt train`: run rounds on a data set or a table, recorded on the chain or without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chain.clock import clock_for
from chain.gas import GasLedger
from fl_core.models import model_digest
from fl_core.signing import LocalSigner
from incentives import DEFAULT_RULE
from incentives.scoring import MIN_VIEWS
from scripts.console.errors import CommandError
from scripts.console.notes import ACCOUNTABLE_NOTE
from scripts.console.options import (
    HOME,
    RUNS,
    ChainId,
    Home,
    Json,
    Keystore,
    PasswordFile,
    Runs,
    Url,
)
from scripts.console.output import console, print_json
from scripts.console.progress import train_with_progress
from scripts.console.run_command import run_function
from scripts.console.session import open_deployment, open_keyring
from scripts.federation.book import OfflineBook
from scripts.federation.consortium import Consortium
from scripts.federation.run import Run, new_run_id
from scripts.federation.settings import RunSettings
from scripts.federation.story import run_on_chain


def train(
    data: Annotated[
        str | None, typer.Option(help="Embedded data set: wdbc. Default, unless --csv is given.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="A table of your own.")] = None,
    label: Annotated[str | None, typer.Option(help="Label column of the table.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column that names the patient; a patient is never split.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Column that names the hospital of a row.")] = None,
    hospitals: Annotated[int, typer.Option(help="Hospitals.")] = RunSettings.hospitals,
    devices: Annotated[int, typer.Option(help="Devices a hospital.")] = RunSettings.devices,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = RunSettings.rounds,
    model: Annotated[str, typer.Option(help="logistic or mlp.")] = RunSettings.model,
    epochs: Annotated[int, typer.Option(help="Local epochs.")] = RunSettings.epochs,
    learning_rate: Annotated[float, typer.Option(help="Local step size.")] = RunSettings.learning_rate,
    batch_size: Annotated[int, typer.Option(help="Rows a local step.")] = RunSettings.batch_size,
    alpha: Annotated[
        float, typer.Option(help="Dirichlet label skew over devices; inf for none.")
    ] = RunSettings.alpha,
    cohort_size: Annotated[int, typer.Option(help="Devices summed together.")] = RunSettings.cohort_size,
    k_min: Annotated[int, typer.Option(help="Fewest devices whose sum may be seen.")] = RunSettings.k_min,
    dropout: Annotated[
        float, typer.Option(help="Probability that a device fails in a round.")
    ] = RunSettings.dropout,
    seed: Annotated[
        int, typer.Option(help="Seed of split, training and simulated faults.")
    ] = RunSettings.seed,
    no_chain: Annotated[
        bool, typer.Option("--no-chain", help="Work without a node; the record is the bundles.")
    ] = False,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Train a model over simulated hospitals and devices; every round ends in a bundle that can be audited."""
    settings = RunSettings(
        data="wdbc" if data is None and csv is None else data,
        csv=None if csv is None else str(csv),
        label=label,
        group=group,
        site=site,
        hospitals=hospitals,
        devices=devices,
        rounds=rounds,
        model=model,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        alpha=alpha,
        cohort_size=cohort_size,
        k_min=k_min,
        dropout=dropout,
        seed=seed,
    )
    screen, run_id = console(quiet=as_json), new_run_id()
    folder = runs / run_id
    if no_chain:
        run = offline_run(settings, run_id, folder)
    else:
        contracts = open_deployment(home, url, expected_chain)
        found = len(contracts.consortium.active_set())
        if 3 * hospitals < 2 * found:
            raise CommandError(
                f"{hospitals} of {found} active hospitals cannot make a quorum of two thirds, so no round would be "
                f"paid: take more, or `fediomt deploy --fresh --hospitals {hospitals}`"
            )
        if found < hospitals:
            raise CommandError(
                f"{hospitals} hospitals asked, {found} are admitted: `fediomt deploy --fresh --hospitals N`"
            )
        keyring = open_keyring(contracts.w3, keystore, password_file, creates=frozenset({"device"}))
        consortium = Consortium(contracts, keyring, GasLedger())
        run = run_on_chain(settings, consortium, run_id=run_id, folder=folder, clock=clock_for(contracts.w3))
    _train(run, screen)
    _show(run, folder, as_json, screen)


def offline_run(settings: RunSettings, run_id: str, folder: Path) -> Run:
    """A run without a chain: device accounts live as long as the run, beacons come from its seed."""
    signers: dict[tuple[int, int, int], LocalSigner] = {}
    return Run(
        settings,
        run_id=run_id,
        folder=folder,
        book=OfflineBook(seed=settings.seed, rule=DEFAULT_RULE),
        accounts=lambda *who: signers.setdefault(who, LocalSigner()),
        deployment=None,
    )


def _train(run: Run, screen: Console) -> None:
    for note in run.population.table.notes:
        screen.print(f"note: {note}")
    screen.print(ACCOUNTABLE_NOTE)
    train_with_progress(run, screen)
    run.state.results = {
        "accuracy": run.summaries[-1].accuracy,
        "accuracy_centralised": run.centralised_accuracy(),
    }
    run.state.save(run.folder)


def _show(run: Run, folder: Path, as_json: bool, screen: Console) -> None:
    last = run.summaries[-1]
    value = {
        "run": run.state.run,
        "folder": str(folder),
        "data": run.population.table.name,
        "rounds": len(run.summaries),
        **run.state.results,
        "accuracy_by_round": [summary.accuracy for summary in run.summaries],
        "wire_bytes_up": sum(summary.wire.up for summary in run.summaries),
        "wire_bytes_down": sum(summary.wire.down for summary in run.summaries),
        "failed_cohorts": sum(summary.failed_cohorts for summary in run.summaries),
        "epsilon": None,
        "model_hash": model_digest(last.record.model_after).hex(),
    }
    if as_json:
        print_json(value)
        return
    screen.print(
        f"accuracy {last.accuracy:.1%} federated, {value['accuracy_centralised']:.1%} centralised; "
        f"{value['wire_bytes_up']:,} bytes from devices, {value['wire_bytes_down']:,} to them; "
        "epsilon: none, differential privacy is off"
    )
    for note in _notes(run):
        screen.print(f"note: {note}")
    screen.print(
        f"run {run.state.run}: bundles under {folder}; next: `fediomt audit`"
        + ("" if run.state.deployment is None else ", `fediomt ledger rounds`, `fediomt claim`")
    )


def _notes(run: Run) -> Iterator[str]:
    failed = sum(summary.failed_cohorts for summary in run.summaries)
    if failed:
        yield f"{failed} cohorts failed closed: fewer devices than the threshold stayed to the end"
    if run.settings.hospitals < MIN_VIEWS + 1:
        yield f"with {run.settings.hospitals} hospitals nothing is scored: a cohort needs {MIN_VIEWS} other validators"


if __name__ == "__main__":
    run_function(train)
