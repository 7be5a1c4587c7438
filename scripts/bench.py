"""`fediomt bench`: figures that anyone can reproduce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.accuracy import measure_accuracy
from benchmarks.bytes import METHODS, measure_bytes
from benchmarks.page import benchmarks_page
from benchmarks.peers.flower_secagg import FlowerFigures, ensure_peer_env, measure_flower
from benchmarks.secagg import SecAggFigures, measure_secagg
from benchmarks.suite import measure_suite
from benchmarks.tables import (
    FigureTable,
    accuracy_table,
    bytes_table,
    engine_table,
    secagg_table,
    tradeoff_table,
)
from benchmarks.tradeoff import measure_tradeoff
from benchmarks.tradeoff_plot import plot_tradeoff
from benchmarks.training_engine import measure_engine
from fl_core.bundle import write_atomic
from scripts.console.errors import CommandError
from scripts.console.options import Json
from scripts.console.output import console, print_json, print_table
from scripts.console.run_command import run

app = typer.Typer(help="Reproducible figures.", no_args_is_help=True)

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


@app.command("bytes")
def sent_bytes(
    model: Annotated[str, typer.Option(help="lite, mlp or both.")] = "both",
    devices: Annotated[int, typer.Option(help="Devices of the population.", min=100)] = 1_000,
    rounds: Annotated[int, typer.Option(help="Most rounds of a run.", min=1)] = 60,
    seed: Annotated[int, typer.Option(help="Seed of population, masks and absences.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Bytes to reach an accuracy on har, against FedAvg in float32, int8 and top-k without secure aggregation."""
    if model not in ("lite", "mlp", "both"):
        raise CommandError(f"model {model!r} is unknown: choose lite, mlp or both")
    with _status(as_json) as say:
        figures = measure_bytes(
            ("lite", "mlp") if model == "both" else ("lite" if model == "lite" else "mlp",),
            methods=METHODS,
            devices=devices,
            rounds=rounds,
            seed=seed,
            progress=say,
        )
    _show(as_json, figures.to_json(), bytes_table(figures))


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


@app.command("all")
def everything(
    seeds: Annotated[int, typer.Option(help="Seeds of the accuracy benchmark.", min=2)] = 20,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer configurations.")] = False,
    page: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("docs/benchmarks.md"),
) -> None:
    """Measure everything and write the page of figures."""
    with _status(quiet=False) as say:
        sections = measure_suite(seeds=seeds, quick=quick, say=say)
    write_atomic(page, benchmarks_page(sections).encode())
    console().print(f"written: {page}")


@contextmanager
def _status(quiet: bool) -> Iterator[Callable[[str], None]]:
    with console(quiet=quiet).status("measuring") as status:
        yield status.update


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
