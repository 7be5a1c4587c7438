"""One seed of the valuation benchmark: the rounds, the truth, and what each method says of each device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.tradeoff_federation import Recipe
from benchmarks.tradeoff_rounds import auc
from benchmarks.valuation_baselines import GroupBaselines
from benchmarks.valuation_rounds import agreed_spec, play, public_rows
from benchmarks.valuation_scores import DeviceScores
from benchmarks.valuation_truth import FloatArray, Truth, TruthOfRun, truth_rows
from benchmarks.valuation_world import BAD, IntArray, Kind, World, build_world
from fl_core.data import Table
from fl_core.training import LocalTraining, evaluate
from incentives import DEFAULT_RULE
from scripts.federation.update_terms import CLIP_WITH_NOISE, CLIP_WITHOUT_NOISE

OURS = "decoded path gains"
FORMER = "former decoder"
GROUP_SHAPLEY = "GroupSV"
LEAVE_ONE_OUT = "leave one cohort out"
EVERYBODY_ELSE = "everybody else"
METHODS = (OURS, FORMER, GROUP_SHAPLEY, LEAVE_ONE_OUT, EVERYBODY_ELSE)

COHORT_SIZES = (10, 16, 24)
ROUNDS = 20
CURVE = (5, 10, 15, 20)
TRUTH_ROWS = 300

# what `fediomt train` does where nothing else is said
TRAINING = LocalTraining(epochs=5, batch_size=8, learning_rate=0.1)


@dataclass(frozen=True)
class Setting:
    """Which devices of which data, and how they are told apart.

    Attributes:
        recipe: the model and its public projection; its clip is replaced by the product's own.
        hospitals: how many there are.
        devices_each: devices of each: at least two cohorts of the largest size.
    """

    recipe: Recipe
    hospitals: int
    devices_each: int


SETTINGS = {
    "har": Setting(Recipe("har", "logistic", (), 160, CLIP_WITHOUT_NOISE, TRAINING), 4, 96),
    "wdbc": Setting(Recipe("wdbc", "logistic", (), 0, CLIP_WITHOUT_NOISE, TRAINING), 4, 48),
}


@dataclass(frozen=True)
class Measured:
    """How well a method did in one run.

    Attributes:
        auc: of finding flippers and free riders among them and clean devices.
        auc_all: the same among all devices; those with some random labels count as good.
        auc_flippers: of finding flippers among them and clean devices.
        shapley: rank correlation with the Shapley values, over all devices.
        leave_one_out: rank correlation with leave-one-out.
    """

    auc: float
    auc_all: float
    auc_flippers: float
    shapley: float
    leave_one_out: float


@dataclass(frozen=True)
class RunFigures:
    """One run at one cohort size.

    Attributes:
        methods: by name.
        truth: how the Shapley values do themselves.
        truth_leave_one_out: how leave-one-out does.
        reliability: of the Shapley values, see `Truth.reliability`.
        accuracy: of the last model on the truth rows.
        curve: AUC of our method after some of the rounds, in the order of `CURVE`.
        paid_too_little: share of clean devices whose score lies below the gate.
        caught: share of flippers whose score does.
        mu: the releases are mu-GDP for a device over all rounds; infinite without noise.
    """

    methods: Mapping[str, Measured]
    truth: Measured
    truth_leave_one_out: Measured
    reliability: float
    accuracy: float
    curve: tuple[float, ...]
    paid_too_little: float
    caught: float
    mu: float


def run_seed(
    table: Table,
    setting: Setting,
    *,
    alpha: float,
    seed: int,
    epsilon: float,
    orders: int,
    cohort_sizes: tuple[int, ...] = COHORT_SIZES,
    rounds: int = ROUNDS,
) -> dict[int, RunFigures]:
    """Play a seed's rounds and measure every method at every cohort size.

    Args:
        table: the data.
        setting: devices and model.
        alpha: of the Dirichlet draw; infinite for none.
        seed: of everything.
        epsilon: at release over all rounds; infinite for no noise. With noise each cohort size is a run of its own.
        orders: in which devices join, a round, for the Shapley values.
        cohort_sizes: sizes to measure.
        rounds: how many.
    """
    world = build_world(
        table,
        setting.recipe,
        alpha=alpha,
        seed=seed,
        hospitals=setting.hospitals,
        devices_each=setting.devices_each,
    )
    if math.isinf(epsilon):
        return _run(world, setting.recipe, seed, epsilon, orders, cohort_sizes, rounds)
    noised = replace(setting.recipe, clip_norm=CLIP_WITH_NOISE)
    found: dict[int, RunFigures] = {}
    for size in cohort_sizes:
        found |= _run(world, noised, seed, epsilon, orders, (size,), rounds)
    return found


def attack_free(table: Table, setting: Setting, *, alpha: float, seed: int) -> dict[int, float]:
    """Share of devices whose score lies below the gate where all devices are clean, by cohort size."""
    world = build_world(
        table,
        setting.recipe,
        alpha=alpha,
        seed=seed,
        hospitals=setting.hospitals,
        devices_each=setting.devices_each,
        attacked=False,
    )
    scores = {size: DeviceScores(world, public_rows(world)) for size in COHORT_SIZES}
    for played in play(
        world, setting.recipe, cohort_sizes=COHORT_SIZES, epsilon=math.inf, rounds=ROUNDS, seed=seed
    ):
        for size, score in scores.items():
            score.see(played, played.cohorts[size])
    return {size: float(np.mean(_below_gate(score.qualities()))) for size, score in scores.items()}


def _run(  # noqa: PLR0917 - what a run is
    world: World,
    recipe: Recipe,
    seed: int,
    epsilon: float,
    orders: int,
    cohort_sizes: tuple[int, ...],
    rounds: int,
) -> dict[int, RunFigures]:
    rows = public_rows(world)
    weights = rows.astype(np.float64)
    scores = {size: DeviceScores(world, rows) for size in cohort_sizes}
    baselines = {size: GroupBaselines(world, weights, seed=seed) for size in cohort_sizes}
    truth_of_run = TruthOfRun(
        world.model, truth_rows(world.truth, TRUTH_ROWS, seed), weights, orders=orders, seed=seed
    )
    accuracy = math.nan
    for played in play(world, recipe, cohort_sizes=cohort_sizes, epsilon=epsilon, rounds=rounds, seed=seed):
        truth_of_run.see(played.start, played.plain)
        for size in cohort_sizes:
            scores[size].see(played, played.cohorts[size])
            baselines[size].see(played, played.cohorts[size])
        if played.number == rounds:
            accuracy = evaluate(world.model, played.after, *world.truth).accuracy
    truth = truth_of_run.result()
    return {
        size: RunFigures(
            methods=_measured_methods(world, scores[size], baselines[size], truth),
            truth=_measured(world, truth.shapley, truth),
            truth_leave_one_out=_measured(world, truth.leave_one_out, truth),
            reliability=truth.reliability,
            accuracy=accuracy,
            curve=tuple(
                _measured(world, scores[size].effects(done), truth).auc for done in CURVE if done <= rounds
            ),
            paid_too_little=_share_below_gate(world, scores[size], Kind.CLEAN),
            caught=_share_below_gate(world, scores[size], Kind.FLIPPER),
            mu=_mu(world, recipe, size, epsilon, rounds),
        )
        for size in cohort_sizes
    }


def _measured_methods(
    world: World, scores: DeviceScores, baselines: GroupBaselines, truth: Truth
) -> dict[str, Measured]:
    found = {
        OURS: scores.effects(),
        FORMER: scores.former(),
        GROUP_SHAPLEY: baselines.group_shapley,
        LEAVE_ONE_OUT: baselines.leave_one_out,
        EVERYBODY_ELSE: baselines.everybody_else,
    }
    return {name: _measured(world, values, truth) for name, values in found.items()}


def _measured(world: World, values: FloatArray, truth: Truth) -> Measured:
    bad, flippers, clean = world.of_kind(*BAD), world.of_kind(Kind.FLIPPER), world.of_kind(Kind.CLEAN)

    def found_among(who: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
        among = who | others
        return auc(values[among], who[among])

    return Measured(
        auc=found_among(bad, clean),
        auc_all=found_among(bad, ~bad),
        auc_flippers=found_among(flippers, clean),
        shapley=float(stats.spearmanr(values, truth.shapley).statistic),
        leave_one_out=float(stats.spearmanr(values, truth.leave_one_out).statistic),
    )


def _below_gate(qualities: IntArray) -> NDArray[np.bool_]:
    return qualities < DEFAULT_RULE.device_gate


def _share_below_gate(world: World, scores: DeviceScores, kind: Kind) -> float:
    return float(np.mean(_below_gate(scores.qualities())[world.of_kind(kind)]))


def _mu(world: World, recipe: Recipe, cohort_size: int, epsilon: float, rounds: int) -> float:
    """sqrt(rounds) l2 / sigma: composition of Gaussian mechanisms (Dong, Roth and Su 2022, corollary 3.3)."""
    spec = agreed_spec(world, recipe, cohort_size=cohort_size, epsilon=epsilon, rounds=rounds)
    if spec.exposure is None:
        return math.inf
    return math.sqrt(rounds / spec.exposure.release) * spec.exposure.sensitivity.l2
