"""`fediomt bench`: figures that anyone can reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.accuracy import Comparison, measure_accuracy
from benchmarks.page import benchmarks_page
from fl_core.bundle import write_atomic
from scripts.console.options import Json
from scripts.console.output import console, print_json, print_table
from scripts.console.run_command import run

app = typer.Typer(help="Reproducible figures.", no_args_is_help=True)


@app.callback()
def _several_benchmarks() -> None:
    """Reproducible figures."""


@app.command()
def accuracy(
    seeds: Annotated[int, typer.Option(help="Seeds, each with its own split and training.", min=2)] = 20,
    model: Annotated[str, typer.Option(help="logistic or mlp.")] = "logistic",
    as_json: Json = False,
) -> None:
    """Federated against centralised accuracy on wdbc, 4 hospitals x 16 devices, 10 rounds, secure sums throughout."""
    screen = console(quiet=as_json)
    with screen.status("training") as status:
        figures = measure_accuracy(
            seeds, model=model, progress=lambda done: status.update(f"{done} of {seeds} seeds")
        )
    if as_json:
        print_json(figures.to_json())
        return
    print_table(
        f"wdbc, {model}, {seeds} seeds: mean accuracy [95% interval of the mean]",
        ("devices", "federated", "centralised", "difference"),
        [_row("all honest", figures.honest), _row("2 flippers, 1 free rider", figures.dishonest)],
    )


@app.command("all")
def everything(
    seeds: Annotated[int, typer.Option(help="Seeds of the accuracy benchmark.", min=2)] = 20,
    page: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("docs/benchmarks.md"),
) -> None:
    """Measure everything and write the page of figures."""
    screen = console()
    with screen.status("accuracy"):
        figures = measure_accuracy(seeds)
    write_atomic(page, benchmarks_page(figures).encode())
    screen.print(f"written: {page}")


def _row(which: str, cell: Comparison) -> tuple[str, str, str, str]:
    low, high = cell.interval
    difference = f"{cell.difference:+.2%} [{low:+.2%}, {high:+.2%}]"
    return which, f"{cell.federated:.2%}", f"{cell.centralised:.2%}", difference


if __name__ == "__main__":
    run(app)
