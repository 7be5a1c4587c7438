"""Bytes to reach an accuracy: the secure, compressed, noised chain against plain FedAvg, int8 and top-k on UCI HAR.

Settings are chosen on training subjects alone: a third of the devices of fifteen of them trains, six judge, and each
method tries as many settings. What is reported is on all 21 and the nine test subjects, with other seeds.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks.byte_methods import SecureMean
from benchmarks.byte_population import TUNING_SEED, Population, har_population, protocol_bytes
from benchmarks.byte_settings import GRIDS, METHODS, MODELS, SETTINGS, ModelName, Setting, sender
from benchmarks.workers import one_thread_each
from fl_core.batched import train_in_chunks
from fl_core.models import parameter_count, predict_logits
from fl_core.public_start import start_from_root
from incentives import bucket_rows

TARGETS = (0.90, 0.93, 0.95)
ABSENT = 0.1
MOMENTUM = 0.9
GOALS = {"secure": 0.10, "secure, eps 8": 0.25}
COHORTS = (8, 12, 16, 25)


@dataclass(frozen=True)
class Reached:
    """What a method took to reach an accuracy: medians over seeds, null where half of the seeds or more never did.

    Attributes:
        accuracy: the target.
        rounds: rounds until the test accuracy first was at least as high.
        up_bytes: what all devices sent until then.
        down_bytes: what all devices were sent until then, as the product sends it: the whole model.
        patched_bytes: the same, if changes were sent (`model_patch`), which the product does not do yet.
        up_share: `up_bytes` over those of float32.
        down_share: `down_bytes` over those of float32.
    """

    accuracy: float
    rounds: float | None
    up_bytes: float | None
    down_bytes: float | None
    patched_bytes: float | None
    up_share: float | None = None
    down_share: float | None = None


@dataclass(frozen=True)
class MethodFigures:
    """One method on one model, with the setting of its grid that took the fewest bytes to the highest target.

    Attributes:
        model: "lite" or "mlp".
        method: one of `METHODS`.
        setting: what was chosen.
        tried: settings that it was chosen from.
        bits: of a ring element; None without a ring.
        up_bytes_a_round: what a device sends in a round.
        protocol_up_bytes: of these, what secure aggregation takes beside the packed vector.
        best_accuracy: highest test accuracy in a run, median over seeds.
        reached: one entry a target.
    """

    model: str
    method: str
    setting: Setting
    tried: int
    bits: int | None
    up_bytes_a_round: int
    protocol_up_bytes: int
    best_accuracy: float
    reached: tuple[Reached, ...]


@dataclass(frozen=True)
class ProtocolBytes:
    """What secure aggregation takes of a device of a cohort in a round, beside its update."""

    members: int
    up_bytes: int
    down_bytes: int


@dataclass(frozen=True)
class ByteFigures:
    """All methods on all models, with what they were run on.

    Attributes:
        devices: devices of the population; a tenth is absent in each round.
        seeds: how many runs a figure is the median of.
        rounds: most rounds of a run.
        momentum: of the server, for every method.
        start_accuracy: of the public start on the test subjects, by model: median over seeds.
        figures: one entry a model and method.
        protocol: by members of a cohort.
        notes: what must be said where the figures are quoted.
    """

    devices: int
    seeds: int
    rounds: int
    momentum: float
    start_accuracy: dict[str, float]
    figures: tuple[MethodFigures, ...]
    protocol: tuple[ProtocolBytes, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {**asdict(self), "goals": self.goals}

    @property
    def goals(self) -> list[dict[str, Any]]:
        """Each goal with what was measured, null where a target was not reached."""
        return [
            {
                "model": item.model,
                "method": item.method,
                "accuracy": reached.accuracy,
                "wanted": GOALS[item.method],
                "up_share": reached.up_share,
                "reached": None if reached.up_share is None else reached.up_share <= GOALS[item.method],
            }
            for item in self.figures
            if item.method in GOALS
            for reached in item.reached
        ]


@dataclass(frozen=True)
class Trial:
    """One training run.

    Attributes:
        model: which model.
        method: which way of sending.
        setting: what is tried.
        devices: of the whole population.
        rounds: most rounds.
        seed: of everything.
        tuning: on the training subjects alone.
    """

    model: ModelName
    method: str
    setting: Setting
    devices: int
    rounds: int
    seed: int
    tuning: bool


@dataclass(frozen=True)
class Course:
    """How a run went: `reached` holds (rounds, up, down, patched) of the targets reached, in their order."""

    trial: Trial
    start_accuracy: float
    best_accuracy: float
    reached: tuple[tuple[int, int, int, int], ...]
    bits: int | None
    up_bytes_a_round: int
    protocol_up_bytes: int

    @property
    def merit(self) -> tuple[float, float, float]:
        """Most targets first, then fewest bytes to the highest, then accuracy."""
        return len(self.reached), -float(self.reached[-1][1]) if self.reached else 0.0, self.best_accuracy


def measure_bytes(
    models: Sequence[ModelName] = ("lite", "mlp"),
    *,
    methods: Sequence[str] = METHODS,
    devices: int = 1_000,
    rounds: int = 40,
    seeds: int = 3,
    settings: int = SETTINGS,
    workers: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ByteFigures:
    """Choose each method's setting on training subjects, run it on all devices, and count.

    Args:
        models: which models.
        methods: which ways of sending; "float32" is what the others are compared with.
        devices: of the population.
        rounds: most rounds of a run, which noise is calibrated for.
        seeds: runs of the chosen settings.
        settings: how many of its grid each method tries.
        workers: processes; by default one a core.
        progress: called with what was run.

    Raises:
        DataError: the data are not there.
    """
    pairs = [(model, method) for model in models for method in methods]
    with ProcessPoolExecutor(workers or os.cpu_count(), initializer=one_thread_each) as pool:

        def courses(trials: Sequence[Trial]) -> Iterator[Course]:
            for done, course in enumerate(pool.map(run_trial, trials), start=1):
                what = "tuning" if course.trial.tuning else "measuring"
                progress(f"{what}, {course.trial.model}, {course.trial.method}: {done} of {len(trials)} runs")
                yield course

        best: dict[tuple[str, str], Course] = {}
        for course in courses(
            [
                Trial(model, method, setting, devices, rounds, TUNING_SEED, tuning=True)
                for model, method in pairs
                for setting in GRIDS[method][:settings]
            ]
        ):
            key = course.trial.model, course.trial.method
            best[key] = max(best.get(key, course), course, key=lambda c: c.merit)
        found = list(
            courses(
                [
                    replace(best[pair].trial, seed=seed, tuning=False)
                    for pair in pairs
                    for seed in range(seeds)
                ]
            )
        )
    figures = [
        _figures([c for c in found if (c.trial.model, c.trial.method) == pair], settings) for pair in pairs
    ]
    return ByteFigures(
        devices,
        seeds,
        rounds,
        MOMENTUM,
        {m: statistics.median(c.start_accuracy for c in found if c.trial.model == m) for m in models},
        _compared(figures),
        tuple(ProtocolBytes(members, *protocol_bytes(64, 8, members)) for members in COHORTS),
        har_population(devices, 0, tuning=False).notes,
    )


def _figures(courses: Sequence[Course], tried: int) -> MethodFigures:
    trial = courses[0].trial

    def median(target: int, what: int) -> float | None:
        values = [c.reached[target][what] if len(c.reached) > target else math.inf for c in courses]
        middle = float(statistics.median(values))
        return middle if math.isfinite(middle) else None

    return MethodFigures(
        trial.model,
        trial.method,
        trial.setting,
        min(tried, len(GRIDS[trial.method])),
        courses[0].bits,
        courses[0].up_bytes_a_round,
        courses[0].protocol_up_bytes,
        statistics.median(c.best_accuracy for c in courses),
        tuple(
            Reached(accuracy, *(median(index, what) for what in range(4)))
            for index, accuracy in enumerate(TARGETS)
        ),
    )


def _compared(figures: Sequence[MethodFigures]) -> tuple[MethodFigures, ...]:
    plain = {(f.model, r.accuracy): r for f in figures if f.method == "float32" for r in f.reached}

    def share(of: float | None, base: float | None) -> float | None:
        return None if of is None or base is None else of / base

    def compared(model: str, reached: Reached) -> Reached:
        base = plain.get((model, reached.accuracy))
        if base is None:
            return reached
        return replace(
            reached,
            up_share=share(reached.up_bytes, base.up_bytes),
            down_share=share(reached.down_bytes, base.down_bytes),
        )

    return tuple(replace(f, reached=tuple(compared(f.model, r) for r in f.reached)) for f in figures)


def run_trial(trial: Trial) -> Course:
    """Train until every target is reached, or for as many rounds as there may be.

    Raises:
        DataError: the data are not there.
        SpecError: a setting that cannot work.
    """
    population, seed = har_population(trial.devices, trial.seed, tuning=trial.tuning), trial.seed
    spec, count = MODELS[trial.model], len(population.labels)
    way = sender(trial.method, trial.model, trial.setting, count, population.stands_for, trial.rounds, seed)
    vector = start_from_root(spec, *population.root, seed=seed)
    velocity = np.zeros(parameter_count(spec))
    rows = np.array([bucket_rows(len(labels)) for labels in population.labels])
    rng, missed = np.random.default_rng((seed, 1)), np.zeros(count, dtype=np.int64)
    up = down = patched = 0
    start = best = _accuracy(trial.model, vector, population)
    reached: list[tuple[int, int, int, int]] = []
    for number in range(1, trial.rounds + 1):
        present = np.flatnonzero(rng.random(count) >= ABSENT)
        way.begin(number, vector)
        for where, deltas in train_in_chunks(
            spec,
            vector,
            [population.features[d] for d in present],
            [population.labels[d] for d in present],
            trial.setting.training,
            [seed * 1_000_003 + number * 1_009 + int(d) for d in present],
        ):
            way.take(present[where], deltas, rows[present[where]])
        velocity = MOMENTUM * velocity + way.mean()
        vector = (vector + velocity).astype(np.float32)
        up += way.up_bytes * len(present)
        down += way.down_bytes * len(present)
        patched += sum(way.patch_bytes(rounds) for rounds in missed[present].tolist())
        missed += 1
        missed[present] = 0
        if not np.isfinite(vector).all():  # diverged: this setting has shown what it can do
            break
        accuracy = _accuracy(trial.model, vector, population)
        best = max(best, accuracy)
        reached += [(number, up, down, patched)] * (sum(best >= target for target in TARGETS) - len(reached))
        if len(reached) == len(TARGETS):
            break
    return Course(
        trial,
        start,
        best,
        tuple(reached),
        way.spec.bits if isinstance(way, SecureMean) else None,
        way.up_bytes,
        way.protocol[0] if isinstance(way, SecureMean) else 0,
    )


def _accuracy(
    model: ModelName, vector: np.ndarray[Any, np.dtype[np.float32]], population: Population
) -> float:
    features, labels = population.test
    return float((predict_logits(MODELS[model], vector, features).argmax(axis=1) == labels).mean())
