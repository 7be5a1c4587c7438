"""Progress of a run's rounds on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from scripts.federation.rounds import RoundSummary
from scripts.federation.run import Run


def train_with_progress(run: Run, screen: Console) -> None:
    """Run all rounds under a progress bar that shows the accuracy so far, and one of the devices done in a round."""
    engine, settings = run.population.engine, run.settings
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
        console=screen,
    ) as progress:
        rounds = progress.add_task(
            "rounds", total=settings.rounds, completed=settings.rounds - run.rounds_left, figures=""
        )
        devices = progress.add_task(
            "devices", total=settings.hospitals * settings.devices, figures="", visible=run.rounds_left > 0
        )

        def observe(summary: RoundSummary) -> None:
            progress.update(rounds, advance=1, figures=f"accuracy {summary.accuracy:.1%}")
            progress.reset(devices, visible=run.rounds_left > 0)

        engine.progress = lambda count: progress.advance(devices, count)
        run.train(observe)
