"""Bytes to reach an accuracy: the secure, compressed, noised chain against plain FedAvg, int8 and top-k on UCI HAR."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from benchmarks.byte_methods import Int8Mean, Method, PlainMean, SecureMean, TopKMean
from benchmarks.byte_population import EDGES, K_MIN, Population, har_population, protocol_bytes
from fl_core.batched import train_in_chunks
from fl_core.models import ModelSpec, initial_vector, parameter_count, predict_logits
from fl_core.privacy import NoiseSpec, Sensitivity, calibrate, default_delta
from fl_core.secagg.plan import minimum_threshold
from fl_core.training import LocalTraining
from fl_core.updates import CompressionSpec, update_bound
from fl_core.updates.ring_width import RingWidth, finest_steps, width_under_noise

ModelName = Literal["lite", "mlp"]
MODELS: dict[ModelName, ModelSpec] = {
    "lite": ModelSpec("logistic", 561, 6),
    "mlp": ModelSpec("mlp", 561, 6, (128, 64)),
}
METHODS = ("float32", "int8", "top-k", "secure", "secure, eps 8")
TARGETS = (0.90, 0.93, 0.95)
LARGEST_COHORT = 47  # of a draw of cohorts of 24
CORRUPTED = 2
EPSILON = 8.0
ABSENT = 0.1
COMPRESSION = CompressionSpec(fraction=0.25, residual_norm=0.0, peak=4.0)
# about what a quarter of an update measures, and half of that under noise, which shrinks with it
CLIP_NORM: dict[ModelName, float] = {"lite": 0.15, "mlp": 0.4}
NOISED_CLIP_NORM: dict[ModelName, float] = {"lite": 0.15, "mlp": 0.15}
BITS = 8  # of the ring without noise


@dataclass(frozen=True)
class Setting:
    """What is tuned.

    Attributes:
        epochs: local epochs.
        learning_rate: local step size.
        momentum: of the server (Hsu, Qi and Brown 2019), for every method alike.
        server_rate: what the server multiplies its step with, for every method alike.
    """

    epochs: int
    learning_rate: float
    momentum: float
    server_rate: float = 1.0


GRID = (
    Setting(5, 0.1, 0.5),
    Setting(5, 0.1, 0.5, 2.0),
    Setting(5, 0.1, 0.9),
    Setting(1, 0.1, 0.9),
    Setting(5, 0.3, 0.5),
)


@dataclass(frozen=True)
class Reached:
    """What a method took to reach an accuracy.

    Attributes:
        accuracy: the target.
        rounds: rounds until the test accuracy first was at least as high; None where it never was.
        up_bytes: what all devices sent until then.
        down_bytes: what all devices were sent until then.
        up_share: `up_bytes` over those of float32.
        down_share: `down_bytes` over those of float32.
    """

    accuracy: float
    rounds: int | None
    up_bytes: int | None
    down_bytes: int | None
    up_share: float | None = None
    down_share: float | None = None


@dataclass(frozen=True)
class MethodFigures:
    """One method on one model, with the setting of the grid that served it best.

    Attributes:
        model: "lite" or "mlp".
        method: one of `METHODS`.
        setting: what was chosen.
        bits: of a ring element; None without a ring.
        up_bytes_a_round: what a device sends in a round.
        protocol_up_bytes: of these, what secure aggregation takes beside the packed vector.
        best_accuracy: highest test accuracy in the run.
        reached: one entry a target.
    """

    model: str
    method: str
    setting: Setting
    bits: int | None
    up_bytes_a_round: int
    protocol_up_bytes: int
    best_accuracy: float
    reached: tuple[Reached, ...]


@dataclass(frozen=True)
class ByteFigures:
    """All methods on all models, with what they were run on.

    Attributes:
        devices: devices of the population; a tenth is absent in each round.
        rounds: most rounds of a run.
        tuned_on: devices that settings were chosen on.
        figures: one entry a model and method.
    """

    devices: int
    rounds: int
    tuned_on: int
    figures: tuple[MethodFigures, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


def measure_bytes(
    models: Sequence[ModelName] = ("lite", "mlp"),
    *,
    methods: Sequence[str] = METHODS,
    devices: int = 1_000,
    rounds: int = 60,
    grid: Sequence[Setting] = GRID,
    tune_on: int = 200,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> ByteFigures:
    """Choose each method's setting on a part of the devices, run it on all of them, and count.

    Args:
        models: which models.
        methods: which ways of sending; "float32" is what the others are compared with.
        devices: of the population.
        rounds: most rounds of a run.
        grid: settings that each method is tried with.
        tune_on: devices to choose on.
        seed: of population, models, masks, rounding and absences.
        progress: called with what is being run.
    """
    population = har_population(devices, seed)
    figures: list[MethodFigures] = []
    for model in models:
        for method in methods:
            best = grid[0]
            if len(grid) > 1:
                part = population.every(max(1, devices // tune_on))
                tried = []
                for setting in grid:
                    progress(f"{model}, {method}: trying {setting}")
                    tried.append(
                        _Run(
                            model, method, setting, part, rounds, seed, scale=devices / len(part.labels)
                        ).figures
                    )
                best = max(tried, key=_merit).setting
            progress(f"{model}, {method}: all devices, {best}")
            figures.append(_Run(model, method, best, population, rounds, seed).figures)
    return ByteFigures(devices, rounds, min(tune_on, devices), _compared(figures))


def _merit(figures: MethodFigures) -> tuple[float, float, float]:
    """Most targets first, then fewest rounds to the highest, then accuracy."""
    there = [item.rounds for item in figures.reached if item.rounds is not None]
    return len(there), -there[-1] if there else 0.0, figures.best_accuracy


def _compared(figures: list[MethodFigures]) -> tuple[MethodFigures, ...]:
    plain = {(f.model, r.accuracy): r for f in figures if f.method == "float32" for r in f.reached}

    def share(of: int | None, base: int | None) -> float | None:
        return None if of is None or base is None else of / base

    return tuple(
        replace(
            item,
            reached=tuple(
                replace(
                    r,
                    up_share=share(r.up_bytes, plain[item.model, r.accuracy].up_bytes),
                    down_share=share(r.down_bytes, plain[item.model, r.accuracy].down_bytes),
                )
                if (item.model, r.accuracy) in plain
                else r
                for r in item.reached
            ),
        )
        for item in figures
    )


def _noise(clip_norm: float, dim: int, rounds: int, devices: int, fraction_bits: int) -> NoiseSpec:
    bound = update_bound(COMPRESSION, dim=dim, clip_norm=clip_norm, fraction_bits=fraction_bits)
    honest = max(minimum_threshold(K_MIN), K_MIN) - CORRUPTED
    return calibrate(
        profile="private",
        epsilon=EPSILON,
        delta=default_delta(devices),
        rounds=rounds,
        sensitivity=Sensitivity(bound.l1, bound.l2),
        honest_in_cohort=honest,
        honest_at_release=honest * EDGES,
        hospitals_at_release=EDGES,
        corrupted=CORRUPTED,
        entries=COMPRESSION.lengths(dim)[0],
    )


class _Run:
    """One training run with one method and setting."""

    def __init__(  # noqa: PLR0917 - what a run depends on
        self,
        model: ModelName,
        method: str,
        setting: Setting,
        population: Population,
        rounds: int,
        seed: int,
        *,
        scale: float = 1.0,
    ) -> None:
        """Run it.

        Args:
            model: which model.
            method: which way of sending.
            setting: epochs and learning rate.
            population: the devices.
            rounds: most rounds.
            seed: of everything.
            scale: how many devices each one stands for; noise is scaled down by it.
        """
        spec = MODELS[model]
        self.dim, self.devices, self.rounds, self.seed = (
            parameter_count(spec),
            len(population.labels),
            rounds,
            seed,
        )
        self.scale, self.protocol_up = scale, 0
        self.bits: int | None = None
        sender = self._sender(method, model)
        vector, velocity = initial_vector(spec, seed), np.zeros(self.dim)
        weights = np.array([len(labels) for labels in population.labels]) / 8.0
        training = LocalTraining(epochs=setting.epochs, batch_size=8, learning_rate=setting.learning_rate)
        rng = np.random.default_rng((seed, 1))
        missed = np.zeros(self.devices, dtype=np.int64)
        up = down = 0
        best, reached = 0.0, dict[float, Reached]()
        for number in range(1, rounds + 1):
            present = np.flatnonzero(rng.random(self.devices) >= ABSENT)
            sender.begin(number)
            chunks = train_in_chunks(
                spec,
                vector,
                [population.features[d] for d in present],
                [population.labels[d] for d in present],
                training,
                [seed * 1_000_003 + number * 1_009 + int(d) for d in present],
            )
            for where, deltas in chunks:
                sender.take(present[where], deltas, weights[present[where]])
            velocity = setting.momentum * velocity + sender.mean()
            vector = (vector + setting.server_rate * velocity).astype(np.float32)
            up += sender.up_bytes * len(present)
            down += sum(sender.down_bytes(count) for count in missed[present].tolist())
            missed += 1
            missed[present] = 0
            logits = predict_logits(spec, vector, population.test_features)
            accuracy = float((logits.argmax(axis=1) == population.test_labels).mean())
            best = max(best, accuracy)
            for target in TARGETS:
                if accuracy >= target and target not in reached:
                    reached[target] = Reached(target, number, up, down)
            if len(reached) == len(TARGETS):
                break
        self.figures = MethodFigures(
            model,
            method,
            setting,
            self.bits,
            sender.up_bytes,
            self.protocol_up,
            best,
            tuple(reached.get(target, Reached(target, None, None, None)) for target in TARGETS),
        )

    def _sender(self, method: str, model: ModelName) -> Method:
        if method == "float32":
            return PlainMean(self.dim)
        if method == "int8":
            return Int8Mean(self.dim, seed=self.seed)
        if method == "top-k":
            return TopKMean(self.dim, devices=self.devices)
        members, noise, clip_norm = LARGEST_COHORT, None, CLIP_NORM[model]
        width = finest_steps(COMPRESSION, dim=self.dim, clip_norm=clip_norm, members=members, bits=BITS)
        if method != "secure":
            clip_norm = NOISED_CLIP_NORM[model]
            width, noise = self._width_and_noise(clip_norm)
        self.bits = width.bits
        self.protocol_up, protocol_down = protocol_bytes(COMPRESSION.lengths(self.dim)[0], width.bits)
        return SecureMean(
            self.dim,
            COMPRESSION,
            clip_norm,
            width,
            self.devices,
            self.seed,
            noise,
            EDGES,
            self.protocol_up,
            protocol_down,
        )

    def _width_and_noise(self, clip_norm: float) -> tuple[RingWidth, NoiseSpec]:
        devices = round(self.devices * self.scale)
        rough = _noise(clip_norm, self.dim, self.rounds, devices, 12)
        bound = update_bound(COMPRESSION, dim=self.dim, clip_norm=clip_norm, fraction_bits=12)
        width = width_under_noise(
            COMPRESSION,
            dim=self.dim,
            clip_norm=clip_norm,
            members=LARGEST_COHORT,
            deviation=math.sqrt(rough.local_variance) / bound.l2,
        )
        noise = _noise(clip_norm, self.dim, self.rounds, devices, width.fraction_bits)
        return width, replace(
            noise,
            local_variance=noise.local_variance / self.scale,
            global_variance=noise.global_variance / self.scale**2,
        )
