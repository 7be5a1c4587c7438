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
    """Run all rounds under a progress bar that shows the accuracy so far."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
        console=screen,
    ) as progress:
        task = progress.add_task(
            "rounds", total=run.settings.rounds, completed=len(run.summaries), figures=""
        )

        def observe(summary: RoundSummary) -> None:
            progress.update(task, advance=1, figures=f"accuracy {summary.accuracy:.1%}")

        run.train(observe)
