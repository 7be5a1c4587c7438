"""`fediomt train`: run rounds on a data set or a table, recorded on the chain or without one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console

from chain.clock import clock_for
from chain.errors import ChainError
from fl_core.checkpoint import CheckpointError
from fl_core.data import load_csv
from fl_core.models import model_digest
from fl_core.simulation import TARGET_CLASS
from incentives.scoring import MIN_VIEWS
from scripts.console import train_options as option
from scripts.console.errors import CommandError
from scripts.console.given import given_options
from scripts.console.notes import SIMULATION_ONLY, epsilon_text, privacy_note, record_note, transcript_note
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
    Store,
    Url,
    Workers,
    numbers,
    whole_numbers,
)
from scripts.console.output import console, print_json
from scripts.console.progress import train_with_progress
from scripts.console.run_command import StopAsked, run_function
from scripts.console.session import find_run, open_consortium, open_deployment, open_run_contracts
from scripts.federation.alerts import ALERTS_FILE
from scripts.federation.auditor_key import read_public_key
from scripts.federation.offline import offline_run
from scripts.federation.privacy_figures import privacy_figures
from scripts.federation.public_ranges import DRAFT, write_draft
from scripts.federation.quarantine import quarantined
from scripts.federation.quarantine_settings import quarantine_of
from scripts.federation.resume import Resumed, resume_offline
from scripts.federation.resume_chain import resume_on_chain
from scripts.federation.rule_notes import BACKDOOR, rule_notes
from scripts.federation.run import STATE_FILE, Run, new_run_id
from scripts.federation.settings import DEFAULT_EPSILON, RunSettings
from scripts.federation.story import run_on_chain
from scripts.federation.validation_notes import unseen_notes
from scripts.federation.webhook import Webhook
from scripts.federation.worker_processes import worker_count

__all__ = ["offline_run", "train"]

_CREATES = frozenset({"device"})
"""Keys that a run makes where they are missing: devices' are new each epoch."""
_WHERE = (
    "resume",
    "home",
    "runs",
    "url",
    "expected_chain",
    "keystore",
    "password_file",
    "as_json",
    "alert_webhook",
)


def train(
    context: typer.Context,
    data: option.Data = None,
    csv: option.Csv = None,
    label: option.Label = None,
    group: option.Group = None,
    split_patients: option.SplitPatients = False,
    site: option.Site = None,
    ranges: option.Ranges = None,
    write_ranges: option.WriteRanges = None,
    alpha: option.Alpha = RunSettings.alpha,
    root_share: option.RootShare = RunSettings.root_share,
    start: option.Start = RunSettings.start,
    projection: option.Projection = RunSettings.projection,
    rule: option.Rule = None,
    rule_share: option.RuleShare = None,
    attack: option.Attack = None,
    attackers: option.Attackers = None,
    malicious_hospital: option.MaliciousHospital = RunSettings.malicious_hospital,
    unclipped: option.Unclipped = False,
    quarantine: option.Quarantine = True,
    quarantine_alpha: option.QuarantineAlpha = None,
    quarantine_margin: option.QuarantineMargin = None,
    alert_webhook: option.AlertWebhook = None,
    flippers: option.Flippers = RunSettings.flippers,
    free_riders: option.FreeRiders = RunSettings.free_riders,
    hospitals: option.Hospitals = RunSettings.hospitals,
    devices: option.Devices = RunSettings.devices,
    rounds: option.Rounds = RunSettings.rounds,
    cohort_size: option.CohortSize = RunSettings.cohort_size,
    k_min: option.KMin = RunSettings.k_min,
    dropout: option.Dropout = RunSettings.dropout,
    seed: option.Seed = RunSettings.seed,
    model: option.Model = RunSettings.model,
    hidden: option.Hidden = None,
    epochs: option.Epochs = RunSettings.epochs,
    learning_rate: option.LearningRate = RunSettings.learning_rate,
    momentum: option.Momentum = RunSettings.momentum,
    proximal: option.Proximal = RunSettings.proximal,
    batch_size: option.BatchSize = RunSettings.batch_size,
    device: option.Device = RunSettings.torch_device,
    threads: option.Threads = RunSettings.threads,
    workers: Workers = None,
    profile: Profile = RunSettings.profile,
    epsilon: Epsilon = DEFAULT_EPSILON,
    edge_epsilon: option.EdgeEpsilon = None,
    record_epsilon: option.RecordEpsilon = None,
    record_clip: option.RecordClip = None,
    delta: option.Delta = None,
    clip: option.Clip = None,
    fraction: option.Fraction = RunSettings.fraction,
    public_top: option.PublicTop = None,
    link_classes: option.LinkClasses = None,
    residual: option.Residual = None,
    bits: option.Bits = None,
    transcripts: option.Transcripts = None,
    store: Store = None,
    no_chain: option.NoChain = False,
    resume: option.Resume = None,
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
    webhook = None if alert_webhook is None else Webhook(alert_webhook)
    if resume is not None:
        _refuse_settings(context)
        folder, state = find_run(runs, resume)
        if state.deployment is None:
            resumed = resume_offline(folder)
        else:
            contracts = open_run_contracts(state, home, url, expected_chain)
            consortium = open_consortium(contracts, home, keystore, password_file, screen, creates=_CREATES)
            resumed = resume_on_chain(folder, consortium, clock_for(contracts.w3))
        _tell(resumed, screen)
        resumed.run.alerts = replace(resumed.run.alerts, webhook=webhook)
        _train(resumed.run, screen)
        _show(resumed.run, folder, as_json, screen)
        return
    if write_ranges is not None:
        _write_draft(write_ranges, csv, label, group, site, screen)
        return
    settings = RunSettings(
        data="wdbc" if data is None and csv is None else data,
        csv=None if csv is None else str(csv),
        label=label,
        group=group,
        site=site,
        split_patients=split_patients,
        hospitals=hospitals,
        devices=devices,
        rounds=rounds,
        model=model,
        hidden=() if hidden is None else whole_numbers("--hidden", hidden),
        epochs=epochs,
        learning_rate=learning_rate,
        momentum=momentum,
        proximal=proximal,
        batch_size=batch_size,
        alpha=alpha,
        cohort_size=cohort_size,
        k_min=k_min,
        profile=profile,
        epsilon=None if epsilon == math.inf else epsilon,
        edge_epsilon=edge_epsilon,
        record_epsilon=record_epsilon,
        record_clip=record_clip,
        delta=delta,
        clip_norm=clip,
        fraction=fraction,
        link_classes=(1.0,) if link_classes is None else numbers("--link-classes", link_classes),
        residual=residual,
        public_top=public_top,
        bits=bits,
        ranges=None if ranges is None else str(ranges),
        root_share=root_share,
        start=start,
        projection=projection,
        rule=rule,
        rule_share=rule_share,
        attack=attack,
        attackers=attackers,
        malicious_hospital=malicious_hospital,
        unclipped=unclipped,
        flippers=flippers,
        free_riders=free_riders,
        quarantine=quarantine_of(wanted=quarantine, alpha=quarantine_alpha, margin=quarantine_margin),
        torch_device=device,
        threads=threads,
        workers=worker_count(
            workers, hospitals=hospitals, devices=devices, torch_device=device, threads=threads
        ),
        dropout=dropout,
        seed=seed,
        auditor="" if transcripts is None else read_public_key(transcripts),
        store=store,
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
        consortium = open_consortium(contracts, home, keystore, password_file, screen, creates=_CREATES)
        run = run_on_chain(settings, consortium, run_id=run_id, folder=folder, clock=clock_for(contracts.w3))
    run.alerts = replace(run.alerts, webhook=webhook)
    _train(run, screen)
    _show(run, folder, as_json, screen)


def _write_draft(
    path: Path, csv: Path | None, label: str | None, group: str | None, site: str | None, screen: Console
) -> None:
    """What a table says of its columns, as a draft of what its owner declares."""
    if csv is None or label is None:
        raise CommandError(
            "--write-ranges is about a table: name it with --csv, and its label column with --label"
        )
    write_draft(path, load_csv(csv, label, group, site), label)
    screen.print(
        f"{path} is a draft that was read off the records. Put what is public in place of its values, remove its entry "
        f"{DRAFT!r}, then: --ranges {path}"
    )


def _refuse_settings(context: typer.Context) -> None:
    """A run that goes on keeps its settings."""
    for name, option_ in given_options(context).items():
        if name not in _WHERE:
            raise CommandError(f"--resume goes on with the run's own settings: leave out {option_}")


def _tell(resumed: Resumed, screen: Console) -> None:
    run = resumed.run
    screen.print(f"run {run.state.run} goes on after {len(run.state.rounds)} of {run.settings.rounds} rounds")
    for note in resumed.notes:
        screen.print(f"note: {note}")


def _train(run: Run, screen: Console) -> None:
    notes = (*run.population.table.notes, *_data_notes(run), *unseen_notes(run), *_link_notes(run))
    for note in (*notes, *rule_notes(run)):
        screen.print(f"note: {note}")
    screen.print(privacy_note(run.spec, run.population.devices_per_person))
    of_records = run.record_epsilon(run.settings.rounds)
    if of_records is not None:
        screen.print(record_note(run.spec.training, of_records, run.settings.rounds))
    if run.spec.auditor:
        screen.print(transcript_note(run.spec, run.settings.hospitals * run.settings.devices))
    try:
        train_with_progress(run, screen)
    except (StopAsked, KeyboardInterrupt):
        raise StopAsked(f"interrupted: {_what_is_kept(run)}") from None
    except (ChainError, CheckpointError) as error:
        raise CommandError(f"{error}; {_what_is_kept(run)}") from error
    with screen.status("training the centralised model to compare with"):
        centralised = run.centralised_accuracy()
    run.state.results = {"accuracy": run.accuracy(run.cloud.model), "accuracy_centralised": centralised}
    if run.settings.start == "root" and run.summaries:
        run.state.results["accuracy_start"] = run.accuracy(run.summaries[0].record.model_before)
    if run.settings.attack == BACKDOOR:
        run.state.results["backdoor_success"] = run.population.backdoor_success(run.spec, run.cloud.model)
    run.state.save(run.folder)


def _data_notes(run: Run) -> Iterator[str]:
    if run.settings.csv is not None and run.settings.ranges is None and run.settings.draws_noise:
        yield (
            "which columns, kinds of columns and classes there are was read off all rows: it counts as public here; "
            "--ranges declares it instead"
        )


def _link_notes(run: Run) -> Iterator[str]:
    classes, smallest = len(run.settings.link_classes), run.settings.devices // len(run.settings.link_classes)
    if classes > 1 and smallest < run.settings.cohort_size:
        yield (
            f"with {run.settings.devices} devices a hospital in {classes} link classes, some are fewer than a cohort "
            f"of {run.settings.cohort_size}: they are drawn with slower ones, and send as little"
        )


def _what_is_kept(run: Run) -> str:
    if not (run.folder / STATE_FILE).exists():
        return "no round had begun, so nothing is kept"
    count = len(run.state.rounds)
    return (
        f"{count} of {run.settings.rounds} rounds are kept: `fediomt train --resume {run.state.run}` goes on"
    )


def _show(run: Run, folder: Path, as_json: bool, screen: Console) -> None:
    value = {
        "run": run.state.run,
        "folder": str(folder),
        "data": run.population.table.name,
        "rule": run.spec.rule.name,
        "rounds": len(run.summaries),
        "rounds_abandoned": len(run.state.abandoned),
        **run.state.results,
        "accuracy_by_round": [summary.accuracy for summary in run.summaries],
        "wire_bytes_up": sum(summary.wire.up for summary in run.summaries),
        "wire_bytes_down": sum(summary.wire.down for summary in run.summaries),
        "failed_cohorts": sum(summary.failed_cohorts for summary in run.summaries),
        "quarantines": sum(len(quarantined(summary.record)) for summary in run.summaries),
        **privacy_figures(run),
        "simulation_only": ["accuracy_centralised"],
        "model_hash": model_digest(run.cloud.model).hex(),
    }
    if as_json:
        print_json(value)
        return
    started = f"{value['accuracy_start']:.1%} from the root set alone, " if "accuracy_start" in value else ""
    screen.print(
        f"accuracy {started}{value['accuracy']:.1%} federated; {value['accuracy_centralised']:.1%} centralised, "
        f"{SIMULATION_ONLY}; {value['wire_bytes_up']:,} bytes from devices, {value['wire_bytes_down']:,} to them"
    )
    if "backdoor_success" in value:
        screen.print(
            f"backdoor: {value['backdoor_success']:.1%} of the test rows of other classes are taken for "
            f"{run.population.table.class_names[TARGET_CLASS]!r} once they carry the trigger"
        )
    delta, population = None if run.spec.noise is None else run.spec.noise.delta, run.population
    screen.print(f"epsilon: {epsilon_text(population.privacy_loss(), delta)}")
    if population.devices_per_person > 1 and delta is not None:
        screen.print(
            f"epsilon of a person with up to {population.devices_per_person} devices: "
            f"{epsilon_text(population.person_loss(), delta)}"
        )
    of_records = run.record_epsilon(run.rounds_charged)
    if of_records is not None:
        screen.print(f"epsilon of one record: {of_records:.2f} (delta {value['record_delta']:.2g})")
    for note in _notes(run):
        screen.print(f"note: {note}")
    kept = run.settings.store
    where, named = (folder, "") if kept is None else (kept, f" --store {kept}")
    screen.print(
        f"run {run.state.run}: bundles under {where}; next: `fediomt audit{named}`"
        + ("" if run.state.deployment is None else f", `fediomt ledger rounds`, `fediomt claim{named}`")
    )


def _notes(run: Run) -> Iterator[str]:
    lost = run.rounds_charged - len(run.summaries)
    if lost:
        yield (
            f"rounds that were interrupted: {lost} of {run.settings.rounds}; privacy is paid for all, and the model "
            f"comes of {len(run.summaries)}"
        )
    failed = sum(summary.failed_cohorts for summary in run.summaries)
    if failed:
        yield f"{failed} cohorts failed closed: fewer devices than the threshold stayed to the end"
    suspected = sum(len(quarantined(summary.record)) for summary in run.summaries)
    if suspected:
        yield f"{suspected} times a device was put in quarantine: {run.folder / ALERTS_FILE} says which, and why"
    if run.spec.profile.scores_hospitals and run.settings.hospitals < MIN_VIEWS + 1:
        yield f"with {run.settings.hospitals} hospitals nothing is scored: a cohort needs {MIN_VIEWS} other validators"


if __name__ == "__main__":
    run_function(train)
