"""Utility under privacy: accuracy and detection of label flippers by profile, epsilon and number of devices.

Sums are plain integer sums: masks cancel, so secure aggregation would give the same. Everything else is the real thing:
clipped, rounded updates, Skellam noise of devices and hospitals calibrated for the worst case of who survives, the
accountant's epsilon, validators' utilities and the decoder's scores.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.tradeoff_baseline import TRIES, centralised_accuracy
from benchmarks.tradeoff_federation import HAR_LITE, HAR_MLP, LAYOUTS, WDBC_LITE, Recipe, build_federation
from benchmarks.tradeoff_rounds import Outcome, run_rounds
from benchmarks.workers import one_thread_each
from fl_core.data import Table, load
from fl_core.spec import Profile

DELTA = 1e-5
FLIPPERS = 0.1
ROUNDS = 30
EPSILONS = (math.inf, 8.0, 4.0, 1.0)
TUNING_EPSILON = 1.0
GOALS = {Profile.PRIVATE: 0.92, Profile.HOSPITAL: 0.89}  # HAR, lite, 1,000 devices, epsilon 1


@dataclass(frozen=True)
class Cell:
    """One point of the grid; means over seeds.

    Attributes:
        data: data set.
        model: "lite" (multinomial logistic) or "mlp".
        devices: N.
        profile: what is released.
        epsilon: at release over all rounds; null in JSON where noise is off.
        edge_epsilon: at the edge, likewise.
        accuracy: on the test rows, all devices honest.
        spread: sample deviation of it over seeds; null for one seed.
        seeds: how many; one for the mlp, whose noise is most of the benchmark's work.
        auc: of finding flippers among the devices by what the profile shows: each device's decoded quality in
            `accountable`, its hospital's score in `hospital`; null in `private`, which scores nobody.
        auc_bound: Phi(sqrt(2) mu), which no detector passes (DESIGN.md section 3).
    """

    data: str
    model: str
    devices: int
    profile: str
    epsilon: float | None
    edge_epsilon: float | None
    accuracy: float
    spread: float | None
    seeds: int
    auc: float | None
    auc_bound: float


@dataclass(frozen=True)
class Baseline:
    """What there is without federated learning; means over seeds.

    Attributes:
        data: data set.
        model: as in `Cell`.
        public_only: the starting model, trained on the root set alone.
        centralised: on the same features, all devices' rows in one place, no noise.
        centralised_all_columns: likewise on all columns instead of the public projection.
    """

    data: str
    model: str
    public_only: float
    centralised: float
    centralised_all_columns: float


@dataclass(frozen=True)
class TradeoffFigures:
    """The grid and what it is compared with.

    Attributes:
        cells: the grid.
        baselines: one a data set and model, at its largest N.
        seeds: seeds, each with its own subjects for test and root set, flippers and noise.
        rounds: rounds that every device takes part in.
        delta: of every epsilon.
        flippers: share of label flippers in the runs behind `auc`.
        tries: settings that each federation (in `private` at epsilon 1, on its validation rows) and each baseline
            (on subjects it does not train on) was tuned over.
        notes: what must be said where the figures are quoted.
    """

    cells: tuple[Cell, ...]
    baselines: tuple[Baseline, ...]
    seeds: int
    rounds: int
    delta: float
    flippers: float
    tries: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {**asdict(self), "goals": [{**asdict(goal), "reached": goal.reached} for goal in self.goals]}

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The goals on HAR, and what was measured."""
        return tuple(
            Goal(cell.profile, GOALS[Profile(cell.profile)], cell.accuracy)
            for cell in self.cells
            if (cell.data, cell.model, cell.devices, cell.epsilon) == ("har", "lite", 1_000, 1.0)
            and Profile(cell.profile) in GOALS
        )


@dataclass(frozen=True)
class Goal:
    """A goal at epsilon 1 with 1,000 devices on HAR."""

    profile: str
    wanted: float
    accuracy: float

    @property
    def reached(self) -> bool:
        """Whether the mean over seeds is at least what is wanted."""
        return self.accuracy >= self.wanted


@dataclass(frozen=True)
class _Task:
    """The runs of one federation."""

    recipe: Recipe
    devices: int
    seed: int
    epsilons: tuple[float, ...]
    rounds: int
    baseline: bool


@dataclass(frozen=True)
class _Found:
    """What the runs of a task led to."""

    task: _Task
    honest: dict[tuple[Profile, float], Outcome]
    aucs: dict[tuple[Profile, float], float | None]
    baseline: tuple[float, float, float] | None
    notes: tuple[str, ...] = field(default=())


def measure_tradeoff(
    *,
    quick: bool = False,
    seeds: int = 3,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> TradeoffFigures:
    """Run the grid; HAR needs FEDIOMT_DATA.

    Args:
        quick: HAR lite with 1,000 devices and WDBC with 100, epsilon inf and 1, one seed.
        seeds: number of seeds, at least 1.
        workers: processes; by default one a core.
        progress: called with the number of federations done and their total.

    Raises:
        DataError: HAR is not there.
    """
    tasks = _tasks(quick, 1 if quick else seeds)
    found = []
    with ProcessPoolExecutor(workers or os.cpu_count(), initializer=one_thread_each) as pool:
        for done, future in enumerate(as_completed([pool.submit(_run, task) for task in tasks]), start=1):
            found.append(future.result())
            progress(done, len(tasks))
    return _figures(found, 1 if quick else seeds)


def _tasks(quick: bool, seeds: int) -> list[_Task]:
    grid: list[tuple[Recipe, tuple[int, ...]]] = (
        [(HAR_LITE, (1_000,)), (WDBC_LITE, (100,))]
        if quick
        else [(HAR_LITE, tuple(LAYOUTS)), (HAR_MLP, tuple(LAYOUTS)), (WDBC_LITE, (300, 100))]
    )
    epsilons = (math.inf, 1.0) if quick else EPSILONS
    return [
        _Task(recipe, devices, seed, epsilons, ROUNDS, devices == max(counts))
        for recipe, counts in grid
        for devices in counts
        for seed in range(1 if recipe is HAR_MLP else seeds)
    ]


@lru_cache(maxsize=2)
def _table(name: str) -> Table:
    return load(name)


def _run(task: _Task) -> _Found:
    table = _table(task.recipe.data)
    federation = build_federation(table, task.recipe, task.devices, task.seed)

    def outcome(
        profile: Profile, epsilon: float, flippers: float = 0.0, recipe: Recipe | None = None
    ) -> Outcome:
        return run_rounds(
            federation,
            recipe or tuned,
            profile=profile,
            epsilon=epsilon,
            delta=DELTA,
            rounds=task.rounds,
            seed=task.seed,
            flippers=flippers,
        )

    tuned = max(
        task.recipe.choices(),
        key=lambda recipe: outcome(Profile.PRIVATE, TUNING_EPSILON, recipe=recipe).validation_accuracy,
    )
    honest: dict[tuple[Profile, float], Outcome] = {}
    aucs: dict[tuple[Profile, float], float | None] = {}
    for epsilon in task.epsilons:
        # without noise all profiles lead to the same model, sum for sum
        shared = outcome(Profile.ACCOUNTABLE, epsilon) if math.isinf(epsilon) else None
        for profile in Profile:
            honest[profile, epsilon] = shared or outcome(profile, epsilon)
            scored = profile.scores_hospitals
            aucs[profile, epsilon] = outcome(profile, epsilon, FLIPPERS).auc if scored else None
    baseline = None
    if task.baseline:
        start = next(iter(honest.values())).start_accuracy
        same, all_columns = (
            centralised_accuracy(federation, task.recipe, projected=projected, seed=task.seed)
            for projected in (True, False)
        )
        baseline = start, same, all_columns
    return _Found(task, honest, aucs, baseline, table.notes)


def _figures(found: Sequence[_Found], seeds: int) -> TradeoffFigures:
    groups: dict[tuple[Recipe, int], list[_Found]] = {}
    for item in sorted(
        found, key=lambda f: (f.task.recipe.data, f.task.recipe.kind, -f.task.devices, f.task.seed)
    ):
        groups.setdefault((item.task.recipe, item.task.devices), []).append(item)
    cells, baselines = [], []
    for (recipe, devices), items in groups.items():
        cells += [_cell(recipe, devices, items, *key) for key in items[0].honest]
        measured = [item.baseline for item in items if item.baseline is not None]
        if measured:
            public, same, every = (float(x) for x in np.mean(measured, axis=0))
            baselines.append(Baseline(recipe.data, recipe.label, public, same, every))
    notes = dict.fromkeys(note for item in found for note in item.notes)
    return TradeoffFigures(
        tuple(cells), tuple(baselines), seeds, ROUNDS, DELTA, FLIPPERS, TRIES, tuple(notes)
    )


def _cell(recipe: Recipe, devices: int, items: Sequence[_Found], profile: Profile, epsilon: float) -> Cell:
    outcomes = [item.honest[profile, epsilon] for item in items]
    aucs = [value for item in items if (value := item.aucs[profile, epsilon]) is not None]
    accuracies = [outcome.accuracy for outcome in outcomes]
    return Cell(
        data=recipe.data,
        model=recipe.label,
        devices=devices,
        profile=profile.value,
        epsilon=None if math.isinf(epsilon) else epsilon,
        edge_epsilon=outcomes[0].edge_epsilon,
        accuracy=float(np.mean(accuracies)),
        spread=float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
        seeds=len(items),
        auc=float(np.mean(aucs)) if aucs else None,
        auc_bound=outcomes[0].auc_bound,
    )
