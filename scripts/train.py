"""`fediomt train`: run rounds on a data set or a table, recorded on the chain or without one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chain.clock import clock_for
from chain.errors import ChainError
from chain.gas import GasLedger
from fl_core.checkpoint import CheckpointError
from fl_core.models import model_digest
from incentives.scoring import MIN_VIEWS
from scripts.console.errors import CommandError
from scripts.console.notes import epsilon_text, privacy_note
from scripts.console.options import (
    HOME,
    RUNS,
    ChainId,
    Epsilon,
    Home,
    Json,
    Keystore,
    PasswordFile,
    Profile,
    Runs,
    Url,
)
from scripts.console.output import console, print_json
from scripts.console.progress import train_with_progress
from scripts.console.run_command import StopAsked, run_function
from scripts.console.session import find_run, open_deployment, open_keyring, open_run_contracts
from scripts.federation.consortium import Consortium
from scripts.federation.offline import offline_run
from scripts.federation.privacy_figures import privacy_figures
from scripts.federation.resume import Resumed, resume_offline
from scripts.federation.resume_chain import resume_on_chain
from scripts.federation.run import STATE_FILE, Run, new_run_id
from scripts.federation.settings import DEFAULT_EPSILON, RunSettings
from scripts.federation.story import run_on_chain

__all__ = ["offline_run", "train"]

_WHERE = ("resume", "home", "runs", "url", "expected_chain", "keystore", "password_file", "as_json")


def train(
    context: typer.Context,
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
    profile: Profile = RunSettings.profile,
    epsilon: Epsilon = DEFAULT_EPSILON,
    delta: Annotated[
        float | None, typer.Option(help="Of the same.", show_default="min(1e-5, 1 / devices^2)")
    ] = None,
    clip: Annotated[
        float | None, typer.Option(help="Longest update of a device.", show_default="0.5, without noise 16")
    ] = None,
    fraction: Annotated[
        float, typer.Option(help="Share of the parameters that a round's devices send.")
    ] = RunSettings.fraction,
    bits: Annotated[
        int | None,
        typer.Option(help="Bits of a number sent.", show_default="what is needed, without noise 32"),
    ] = None,
    ranges: Annotated[
        Path | None,
        typer.Option(help="Public ranges of the table's columns (JSON); needed for a table with noise."),
    ] = None,
    dropout: Annotated[
        float, typer.Option(help="Probability that a device fails in a round.")
    ] = RunSettings.dropout,
    seed: Annotated[
        int, typer.Option(help="Seed of split, training and simulated faults.")
    ] = RunSettings.seed,
    no_chain: Annotated[
        bool, typer.Option("--no-chain", help="Work without a node; the record is the bundles.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with an interrupted run, with its own settings.")
    ] = None,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Train a model over simulated hospitals and devices; every round ends in a bundle that can be audited."""
    screen = console(quiet=as_json)
    if resume is not None:
        _refuse_settings(context)
        folder, state = find_run(runs, resume)
        if state.deployment is None:
            resumed = resume_offline(folder)
        else:
            contracts = open_run_contracts(state, home, url, expected_chain)
            keyring = open_keyring(contracts.w3, keystore, password_file, creates=frozenset({"device"}))
            consortium = Consortium(contracts, keyring, GasLedger())
            resumed = resume_on_chain(folder, consortium, clock_for(contracts.w3))
        _tell(resumed, screen)
        _train(resumed.run, screen)
        _show(resumed.run, folder, as_json, screen)
        return
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
        profile=profile,
        epsilon=None if epsilon == math.inf else epsilon,
        delta=delta,
        clip_norm=clip,
        fraction=fraction,
        bits=bits,
        ranges=None if ranges is None else str(ranges),
        dropout=dropout,
        seed=seed,
    )
    run_id = new_run_id()
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


def _refuse_settings(context: typer.Context) -> None:
    """A run that goes on keeps its settings."""
    for option in context.command.params:
        source = None if option.name is None else context.get_parameter_source(option.name)
        if source is not None and source.name == "COMMANDLINE" and option.name not in _WHERE:
            raise CommandError(f"--resume goes on with the run's own settings: leave out {option.opts[0]}")


def _tell(resumed: Resumed, screen: Console) -> None:
    run = resumed.run
    screen.print(f"run {run.state.run} goes on after {len(run.state.rounds)} of {run.settings.rounds} rounds")
    for note in resumed.notes:
        screen.print(f"note: {note}")


def _train(run: Run, screen: Console) -> None:
    for note in run.population.table.notes:
        screen.print(f"note: {note}")
    screen.print(privacy_note(run.spec))
    try:
        train_with_progress(run, screen)
    except (StopAsked, KeyboardInterrupt):
        raise StopAsked(f"interrupted: {_what_is_kept(run)}") from None
    except (ChainError, CheckpointError) as error:
        raise CommandError(f"{error}; {_what_is_kept(run)}") from error
    run.state.results = {
        "accuracy": run.summaries[-1].accuracy,
        "accuracy_centralised": run.centralised_accuracy(),
    }
    run.state.save(run.folder)


def _what_is_kept(run: Run) -> str:
    if not (run.folder / STATE_FILE).exists():
        return "no round had begun, so nothing is kept"
    count = len(run.state.rounds)
    return (
        f"{count} of {run.settings.rounds} rounds are kept: `fediomt train --resume {run.state.run}` goes on"
    )


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
        **privacy_figures(run),
        "model_hash": model_digest(last.record.model_after).hex(),
    }
    if as_json:
        print_json(value)
        return
    screen.print(
        f"accuracy {last.accuracy:.1%} federated, {value['accuracy_centralised']:.1%} centralised; "
        f"{value['wire_bytes_up']:,} bytes from devices, {value['wire_bytes_down']:,} to them"
    )
    noise = run.spec.noise
    screen.print(
        f"epsilon: {epsilon_text(run.population.privacy_loss(), None if noise is None else noise.delta)}"
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
    if run.spec.profile.scores_hospitals and run.settings.hospitals < MIN_VIEWS + 1:
        yield f"with {run.settings.hospitals} hospitals nothing is scored: a cohort needs {MIN_VIEWS} other validators"


if __name__ == "__main__":
    run_function(train)
