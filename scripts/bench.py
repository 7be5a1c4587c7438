"""`fediomt bench`: figures that anyone can reproduce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.accuracy import measure_accuracy
from benchmarks.audit import audit_table, measure_audit
from benchmarks.byte_settings import SETTINGS
from benchmarks.bytes import measure_bytes
from benchmarks.canary import measure_canary
from benchmarks.incentives import measure_incentives
from benchmarks.incentives_table import incentives_table
from benchmarks.page import benchmarks_page
from benchmarks.peers.flower_secagg import FlowerFigures, ensure_peer_env, measure_flower
from benchmarks.poisoning import measure_poisoning
from benchmarks.poisoning_plot import plot_poisoning
from benchmarks.poisoning_tables import attacks_table, poisoning_table
from benchmarks.population import measure_population
from benchmarks.quarantine import RECIPES, measure_quarantine
from benchmarks.quarantine_table import quarantine_tables
from benchmarks.secagg import SecAggFigures, measure_secagg
from benchmarks.suite import PARTS, RESULTS, Order, kept_parts, measured_part
from benchmarks.tables import (
    FigureTable,
    accuracy_table,
    bytes_table,
    canary_table,
    engine_table,
    population_table,
    secagg_table,
    tradeoff_table,
)
from benchmarks.tradeoff import measure_tradeoff
from benchmarks.tradeoff_plot import plot_tradeoff
from benchmarks.training_engine import measure_engine
from benchmarks.valuation import measure_valuation
from benchmarks.valuation_table import valuation_table
from fl_core.bundle import write_atomic
from scripts.console.bench_index import index
from scripts.console.errors import CommandError
from scripts.console.options import Json
from scripts.console.output import console, print_json, print_table
from scripts.console.run_command import run

app = typer.Typer(help="Reproducible figures.", no_args_is_help=True)
app.command()(index)

_MAX_COLUMNS = 6
_PEERS = Path.home() / ".cache" / "fediomt" / "peers"


@app.command()
def accuracy(
    seeds: Annotated[int, typer.Option(help="Seeds, each with its own split and training.", min=2)] = 20,
    model: Annotated[str, typer.Option(help="logistic or mlp.")] = "logistic",
    as_json: Json = False,
) -> None:
    """Federated against centralised accuracy on wdbc, 4 hospitals x 16 devices, 10 rounds, secure sums throughout."""
    with _status(as_json) as say:
        figures = measure_accuracy(seeds, model=model, progress=lambda done: say(f"{done} of {seeds} seeds"))
    _show(as_json, figures.to_json(), accuracy_table(figures))


@app.command()
def secagg(
    clients: Annotated[int, typer.Option(help="Devices that are summed.", min=3)] = 100,
    dim: Annotated[int, typer.Option(help="Entries of a vector.", min=1)] = 100_000,
    neighbours: Annotated[str, typer.Option(help="A number, complete, or derived.")] = "derived",
    dropout: Annotated[float, typer.Option(help="Share of devices that fall silent.", min=0, max=0.9)] = 0.0,
    adversary: Annotated[
        str, typer.Option(help="semi-honest or active: what the graph withstands.")
    ] = "semi-honest",
    bits: Annotated[int, typer.Option(help="Width of the ring.", min=8, max=64)] = 32,
    repeats: Annotated[int, typer.Option(help="Repeats; the median counts.", min=1)] = 3,
    peer: Annotated[
        str | None, typer.Option(help="flower: do the same with Flower's functions, in a venv of its own.")
    ] = None,
    as_json: Json = False,
) -> None:
    """CPU seconds of secure aggregation against its floor: keystream, key agreement, additions of the same graph."""
    if peer not in (None, "flower"):
        raise CommandError(f"peer {peer!r} is unknown: choose flower")
    with _status(as_json) as say:
        figures = measure_secagg(
            clients,
            dim,
            _graph(neighbours),
            dropout,
            adversary,
            bits=bits,
            repeats=repeats,
            progress=lambda done: say(f"{done} of {repeats} repeats"),
        )
        flower = None if peer is None else _flower(figures, say)
    value = figures.to_json()
    if flower is not None:
        value |= {**flower.to_json(), "speedup": flower.peer_cpu_s / figures.cpu_s}
    _show(as_json, value, secagg_table([figures], [flower]))


@app.command()
def engine(
    devices: Annotated[int, typer.Option(help="Devices that train.", min=1)] = 1_000,
    rows: Annotated[int, typer.Option(help="Rows of each.", min=1)] = 8,
    epochs: Annotated[int, typer.Option(help="Local epochs.", min=1)] = 1,
    record_privacy: Annotated[bool, typer.Option("--record-privacy", help="Per-record DP-SGD.")] = False,
    repeats: Annotated[int, typer.Option(help="Repeats; medians count.", min=1)] = 5,
    as_json: Json = False,
) -> None:
    """Local training of many devices against the matrix products alone, and against loops over devices."""
    with _status(as_json) as say:
        say("training")
        figures = measure_engine(
            devices=devices, rows=rows, epochs=epochs, record_privacy=record_privacy, repeats=repeats
        )
    _show(as_json, figures.to_json(), engine_table([figures]))


@app.command()
def population(
    devices: Annotated[int, typer.Option(help="Devices of all edges.", min=3)] = 1_000,
    hospitals: Annotated[int, typer.Option(help="Edges.", min=1)] = 10,
    cohort_size: Annotated[int, typer.Option(help="Devices summed together.", min=3)] = 24,
    k_min: Annotated[int, typer.Option(help="Fewest devices whose sum may be seen.", min=3)] = 16,
    fraction: Annotated[float, typer.Option(help="Share of the parameters that a device sends.")] = 0.1,
    epsilon: Annotated[float, typer.Option(help="At release, over the rounds measured.")] = 8.0,
    workers: Annotated[int, typer.Option(help="Processes that play hospitals.", min=1)] = 2,
    rounds: Annotated[int, typer.Option(help="Rounds after the first; the median counts.", min=1)] = 3,
    as_json: Json = False,
) -> None:
    """Whole rounds of many devices: training, noise, the real secure aggregation of every cohort, the next model."""
    if devices < hospitals * k_min:
        raise CommandError(
            f"{devices} devices at {hospitals} edges make no cohort of {k_min}: take more, or fewer --hospitals"
        )
    with _status(as_json) as say:
        say("keys of the epoch")
        figures = measure_population(
            devices=devices,
            hospitals=hospitals,
            cohort_size=cohort_size,
            k_min=k_min,
            fraction=fraction,
            epsilon=epsilon,
            workers=workers,
            rounds=rounds,
        )
    _show(as_json, figures.to_json(), population_table([figures]))


@app.command()
def audit(
    rounds: Annotated[int, typer.Option(help="Rounds to record and audit.", min=1)] = 50,
    devices: Annotated[int, typer.Option(help="Devices of all hospitals.", min=12)] = 1_000,
    hospitals: Annotated[int, typer.Option(help="Hospitals.", min=3)] = 4,
    cohort_size: Annotated[int, typer.Option(help="Devices summed together.", min=3)] = 24,
    k_min: Annotated[int, typer.Option(help="Fewest devices whose sum may be seen.", min=3)] = 16,
    as_json: Json = False,
) -> None:
    """The audit of a run on a local chain, check by check: real rounds, real signatures, claims paid."""
    if devices < hospitals * k_min:
        raise CommandError(
            f"{devices} devices at {hospitals} hospitals make no cohort of {k_min}: take more, or fewer --hospitals"
        )
    with _status(as_json) as say:
        figures = measure_audit(
            rounds=rounds,
            devices=devices,
            hospitals=hospitals,
            cohort_size=cohort_size,
            k_min=k_min,
            say=say,
        )
    _show(as_json, figures.to_json(), audit_table(figures))


@app.command("bytes")
def sent_bytes(
    model: Annotated[str, typer.Option(help="lite, mlp or both.")] = "both",
    devices: Annotated[int, typer.Option(help="Devices of the population.", min=100)] = 1_000,
    rounds: Annotated[int, typer.Option(help="Most rounds of a run.", min=1)] = 40,
    seeds: Annotated[int, typer.Option(help="Seeds of the runs that are reported.", min=1)] = 3,
    settings: Annotated[
        int, typer.Option(help="Settings that each method is tuned over.", min=1, max=SETTINGS)
    ] = SETTINGS,
    as_json: Json = False,
) -> None:
    """Bytes to reach an accuracy on har, against FedAvg in float32, int8 and top-k without secure aggregation."""
    if model not in ("lite", "mlp", "both"):
        raise CommandError(f"model {model!r} is unknown: choose lite, mlp or both")
    with _status(as_json) as say:
        figures = measure_bytes(
            ("lite", "mlp") if model == "both" else ("lite" if model == "lite" else "mlp",),
            devices=devices,
            rounds=rounds,
            seeds=seeds,
            settings=settings,
            progress=say,
        )
    _show(as_json, figures.to_json(), bytes_table(figures))


@app.command()
def canary(
    runs: Annotated[
        int, typer.Option(help="Runs with and without the canary; more come nearer to the truth.", min=1_000)
    ] = 50_000,
    seed: Annotated[int, typer.Option(help="Seed of noise and rounding.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Lower bounds of epsilon from attacks on each profile at epsilon 1, 2 and 4, and on broken mechanisms."""
    with _status(as_json) as say:
        figures = measure_canary(runs=runs, seed=seed, progress=say)
    _show(as_json, figures.to_json(), canary_table(figures))


@app.command()
def tradeoff(
    quick: Annotated[bool, typer.Option("--quick", help="A corner of the grid, one seed.")] = False,
    seeds: Annotated[int, typer.Option(help="Seeds, each with its own subjects and noise.", min=1)] = 3,
    plot: Annotated[Path | None, typer.Option(help="Draw har's lite model into this PNG file.")] = None,
    as_json: Json = False,
) -> None:
    """Accuracy and flipper detection by profile, epsilon and number of devices, on har and wdbc."""
    with _status(as_json) as say:
        figures = measure_tradeoff(
            quick=quick, seeds=seeds, progress=lambda done, of: say(f"{done} of {of} federations")
        )
    if plot is not None:
        plot_tradeoff(plot, figures)
    _show(as_json, figures.to_json(), tradeoff_table(figures))


@app.command()
def poisoning(
    quick: Annotated[bool, typer.Option("--quick", help="wdbc alone, one cohort size, one seed.")] = False,
    seeds: Annotated[int, typer.Option(help="Seeds of the attacks, each with its own split.", min=1)] = 3,
    curve_seeds: Annotated[int, typer.Option(help="Seeds of the curves, at most as many.", min=1)] = 2,
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves into this PNG file.")] = None,
    as_json: Json = False,
) -> None:
    """Accuracy under attack by rule, cohort size, attacker class and share of attackers, on har and wdbc."""
    with _status(as_json) as say:
        figures = measure_poisoning(
            quick=quick, seeds=seeds, curve_seeds=curve_seeds, workers=workers, progress=say
        )
    if plot is not None:
        plot_poisoning(plot, figures)
    _show(as_json, figures.to_json(), poisoning_table(figures))
    if not as_json:
        _show(as_json, {}, attacks_table(figures))


@app.command()
def quarantine(
    data: Annotated[str, typer.Option(help="har or wdbc.")] = "har",
    quick: Annotated[
        bool, typer.Option("--quick", help="Label flips dealt alike, 20 rounds, one seed.")
    ] = False,
    seeds: Annotated[int, typer.Option(help="Seeds, each with its own devices and draws.", min=1)] = 5,
    as_json: Json = False,
) -> None:
    """How often devices that misbehave are suspected within 50 rounds, how soon, and how often honest ones are."""
    _known_data(data)
    with _status(as_json) as say:
        figures = measure_quarantine(data=data, quick=quick, seeds=seeds, progress=say)
    power, *others = quarantine_tables(figures)
    _show(as_json, figures.to_json(), power)
    for table in () if as_json else others:
        _show(as_json, {}, table)


@app.command()
def incentives(
    data: Annotated[str, typer.Option(help="har or wdbc.")] = "har",
    quick: Annotated[bool, typer.Option("--quick", help="One seed, 6 rounds.")] = False,
    seeds: Annotated[int, typer.Option(help="Seeds, each with real rounds of its own.", min=1)] = 5,
    as_json: Json = False,
) -> None:
    """Income of each strategy beside honest play, by the product's own reward rule, on real rounds."""
    _known_data(data)
    with _status(as_json) as say:
        figures = measure_incentives(data=data, quick=quick, seeds=seeds, progress=say)
    _show(as_json, figures.to_json(), incentives_table(figures))


@app.command()
def valuation(
    quick: Annotated[bool, typer.Option("--quick", help="wdbc alone, one seed, epsilon 8.")] = False,
    seeds: Annotated[int, typer.Option(help="Seeds, each with its own split, devices and draws.", min=1)] = 5,
    noised_seeds: Annotated[
        int | None, typer.Option(help="Seeds of the cells with noise; as many without it.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Device quality decoded from cohort sums against Shapley values, GroupSV and others, on har and wdbc."""
    with _status(as_json) as say:
        figures = measure_valuation(
            quick=quick,
            seeds=seeds,
            noised_seeds=noised_seeds,
            progress=lambda done, of: say(f"{done} of {of} runs"),
        )
    _show(as_json, figures.to_json(), valuation_table(figures))


@app.command("all")
def everything(
    seeds: Annotated[int, typer.Option(help="Seeds of the accuracy benchmark.", min=2)] = 20,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer configurations.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Measure only what is not among the results yet.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(help=f"Parts to measure, separated by commas: {', '.join(PARTS)}.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of each part's JSON.")] = RESULTS,
    page: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("docs/benchmarks.md"),
) -> None:
    """Measure part by part, keep what each part found, and write the page of figures from what is kept."""
    parts = list(PARTS) if only is None else only.split(",")
    unknown = [name for name in parts if name not in PARTS]
    if unknown:
        raise CommandError(f"part {unknown[0]!r} is unknown: choose from {', '.join(PARTS)}")
    failed = []
    with _status(quiet=False) as say:
        order = Order(seeds, quick, page.parent, say)
        for name in parts:
            if keep and (results / f"{name}.json").exists():
                continue
            try:
                measured_part(name, order, results)
            except Exception as error:  # whatever happens to one part, the others are measured and kept
                console().print(f"{name}: {type(error).__name__}: {error}")
                failed.append(name)
    write_atomic(page, benchmarks_page(list(kept_parts(results))).encode())
    console().print(f"written: {page}")
    if failed:
        raise CommandError(f"could not be measured: {', '.join(failed)}; `--keep` goes on where this stopped")


@contextmanager
def _status(quiet: bool) -> Iterator[Callable[[str], None]]:
    with console(quiet=quiet).status("measuring") as status:
        yield status.update


def _known_data(data: str) -> None:
    if data not in RECIPES:
        raise CommandError(f"--data {data!r} is none of this benchmark: choose {' or '.join(RECIPES)}")


def _show(as_json: bool, value: dict[str, Any], table: FigureTable) -> None:
    if as_json:
        print_json(value)
        return
    if len(table.columns) <= _MAX_COLUMNS or len(table.rows) > _MAX_COLUMNS:
        print_table(table.title, table.columns, table.rows)
    else:  # wider than a screen: a line a figure
        lines = [(name, *values) for name, *values in zip(table.columns, *table.rows, strict=True)]
        print_table(table.title, ("figure", *("" for _ in table.rows)), lines)
    for note in table.notes:
        console().print(note)


def _graph(neighbours: str) -> int | str | None:
    if neighbours == "complete":
        return None
    if neighbours == "derived":
        return neighbours
    try:
        return int(neighbours)
    except ValueError as error:
        raise CommandError(f"neighbours {neighbours!r}: give a number, complete or derived") from error


def _flower(figures: SecAggFigures, say: Callable[[str], None]) -> FlowerFigures:
    say("setting Flower up in an environment of its own")
    python = ensure_peer_env(_PEERS / "flower")
    say("Flower's functions")
    return measure_flower(
        python,
        clients=figures.clients,
        dim=figures.dim,
        neighbours=figures.degree,
        dropout=figures.dropout,
        threshold=figures.threshold,
    )


if __name__ == "__main__":
    run(app)
