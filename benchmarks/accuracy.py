"""Federated against centralised accuracy on wdbc, through the whole round: secure sums, fixed point, entries."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from scripts.federation.settings import RunSettings
from scripts.train import offline_run


@dataclass(frozen=True)
class Comparison:
    """Means over seeds; `interval` is the 95% interval (Student's t) of the mean paired difference."""

    federated: float
    centralised: float
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class AccuracyFigures:
    """Accuracy with honest devices, and with two label flippers and a free rider among the 64."""

    seeds: int
    model: str
    honest: Comparison
    dishonest: Comparison

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


def measure_accuracy(
    seeds: int, *, model: str = "logistic", progress: Callable[[int], None] = lambda _: None
) -> AccuracyFigures:
    """Run seeds 0..seeds-1, once with honest devices and once with dishonest ones among them.

    Args:
        seeds: number of seeds, at least 2.
        model: "logistic" or "mlp".
        progress: called with the number of seeds done.
    """
    honest, dishonest = [], []
    for seed in range(seeds):
        honest.append(_run(RunSettings(model=model, seed=seed)))
        dishonest.append(_run(RunSettings(model=model, seed=seed, flippers=2, free_riders=1)))
        progress(seed + 1)
    return AccuracyFigures(seeds, model, _compare(honest), _compare(dishonest))


def _run(settings: RunSettings) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        run = offline_run(settings, f"accuracy-{settings.seed}", Path(folder) / "run")
        run.train()
        return run.summaries[-1].accuracy, run.centralised_accuracy()


def _compare(pairs: list[tuple[float, float]]) -> Comparison:
    federated, centralised = np.array(pairs).T
    differences = federated - centralised
    mean, error = float(differences.mean()), float(stats.sem(differences))
    low, high = stats.t.interval(0.95, len(differences) - 1, loc=mean, scale=error) if error else (mean, mean)
    return Comparison(float(federated.mean()), float(centralised.mean()), mean, (float(low), float(high)))
