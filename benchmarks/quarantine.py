"""How often the test of suspicion finds who misbehaves, how soon, and how often it errs; and what quarantine saves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks.quarantine_lies import LieCell, measure_lies
from benchmarks.quarantine_rounds import Conduct, Rounds, account
from benchmarks.quarantine_rules import Betting, Observed, PosteriorZ, QualityGate, first_suspicions
from benchmarks.tradeoff_federation import HAR_LITE, WDBC_LITE, Recipe
from benchmarks.valuation_world import World, build_world
from fl_core.data import Table, load
from fl_core.training import LocalTraining
from incentives import RoundEvidence
from incentives.scoring import DECODE_FLOOR
from incentives.suspicion import SuspicionSettings
from incentives.suspicion_forecast import forecast, spread_of
from incentives.suspicion_watch import HospitalEvidence, Watch

HOSPITALS, DEVICES_EACH = 4, 48
COHORT_SIZES = (10, 16, 24)
BAD_SHARE = 0.1
ROUNDS = 50
ALPHAS = (math.inf, 0.5)
SEEDS = 5
ACTIVE_COHORT = 16
SAVED = (Conduct.LABEL_FLIP, Conduct.BOOST)
"""What is played with quarantine as well."""
_LOCAL = LocalTraining(epochs=5, batch_size=8, learning_rate=0.1)
RECIPES = {
    "har": replace(HAR_LITE, clip_norm=2.0, training=_LOCAL),
    "wdbc": replace(WDBC_LITE, clip_norm=2.0, training=_LOCAL),
}
"""Without noise devices train as `fediomt train` has them by default, and the clip touches few honest updates."""


@dataclass(frozen=True)
class PowerCell:
    """What one rule found of one kind of misconduct.

    Attributes:
        alpha: Dirichlet concentration of the labels over devices; None where rows are dealt alike.
        conduct: what the bad devices do; "honest" where all are good.
        cohort_size: aim of the draw.
        rule: who suspects.
        power: share of the bad devices that is suspected within the rounds, mean over seeds; None without bad ones.
        spread: its standard deviation over seeds.
        rounds_to_detection: median round of first suspicion over all bad devices; None where half or more are missed.
        false_runs: seeds in which any honest device is suspected.
        false_share: share of the honest devices that is, over all seeds.
        seeds: number of seeds.
    """

    alpha: float | None
    conduct: str
    cohort_size: int
    rule: str
    power: float | None
    spread: float | None
    rounds_to_detection: float | None
    false_runs: int
    false_share: float
    seeds: int


@dataclass(frozen=True)
class SavedCell:
    """What quarantine does to a run.

    Attributes:
        alpha: as in `PowerCell`.
        conduct: what the bad devices do.
        honest: accuracy after the last round if they were honest, mean over seeds.
        attacked: with them, and no quarantine.
        quarantined: with them, and quarantine.
        gained: accuracy with quarantine less that without, mean over seeds.
        gained_spread: its standard deviation over seeds.
        absent: share of the rounds that bad devices are kept out or unpaid.
        honest_absent: share of the rounds that honest devices are.
    """

    alpha: float | None
    conduct: str
    honest: float
    attacked: float
    quarantined: float
    gained: float
    gained_spread: float | None
    absent: float
    honest_absent: float


@dataclass(frozen=True)
class QuarantineFigures:
    """All cells, and what they are measured on.

    Attributes:
        data: the data set.
        power: one a split, conduct, cohort size and rule.
        saved: one a split and conduct, cohorts of `ACTIVE_COHORT`.
        lies: one a data set and rule, labels dealt alike.
        devices: of all hospitals.
        hospitals: how many there are.
        bad: devices that misbehave.
        rounds: of a run.
        seeds: number of seeds.
        settings: of the test.
    """

    data: str
    power: tuple[PowerCell, ...]
    saved: tuple[SavedCell, ...]
    lies: tuple[LieCell, ...]
    devices: int
    hospitals: int
    bad: int
    rounds: int
    seeds: int
    settings: SuspicionSettings

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class _Plan:
    """What all runs of a bench share."""

    recipe: Recipe
    bad: int
    rounds: int
    cohort_sizes: Sequence[int]
    settings: SuspicionSettings


@dataclass(frozen=True)
class _Found:
    """First suspicions of one run, by rule: of the bad devices (None where never), and of how many honest ones."""

    bad: dict[str, list[int | None]]
    honest: dict[str, int]


@dataclass(frozen=True)
class _Watched:
    """A run in which everybody stays: what was found by cohort size, and the accuracy that it came to."""

    found: dict[int, _Found]
    accuracy: float


def measure_quarantine(
    *,
    data: str = "har",
    quick: bool = False,
    seeds: int = SEEDS,
    rounds: int = ROUNDS,
    cohort_sizes: Sequence[int] = COHORT_SIZES,
    conducts: Sequence[Conduct] = tuple(Conduct),
    alphas: Sequence[float] = ALPHAS,
    devices_each: int = DEVICES_EACH,
    first_seed: int = 0,
    settings: SuspicionSettings | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> QuarantineFigures:
    """Play every cell; har needs FEDIOMT_DATA.

    Args:
        data: "har" or "wdbc".
        quick: label flips dealt alike, 20 rounds and one seed, for a first look.
        seeds: number of seeds, at least 1, each with its own split, draws and bad devices.
        rounds: rounds of a run.
        cohort_sizes: aims of the draws.
        conducts: what bad devices do.
        alphas: Dirichlet concentrations of the labels over devices; infinite for dealing alike.
        devices_each: devices of a hospital.
        first_seed: the first of the seeds.
        settings: of the test; the product's by default.
        progress: called with what is measured.

    Raises:
        DataError: the data set is not there, or too small.
        SpecError: values that cannot work.
    """
    if quick:
        seeds, rounds, conducts, alphas = 1, 20, (Conduct.LABEL_FLIP,), (math.inf,)
    every, bad = range(first_seed, first_seed + seeds), round(BAD_SHARE * HOSPITALS * devices_each)
    plan = _Plan(RECIPES[data], bad, rounds, tuple(cohort_sizes), settings or SuspicionSettings())
    table, power, saved = load(data), list[PowerCell](), list[SavedCell]()
    for alpha in alphas:
        worlds = {seed: _world(table, plan.recipe, alpha, seed, devices_each) for seed in every}
        watched: dict[Conduct, list[_Watched]] = {}
        for conduct in (Conduct.HONEST, *(each for each in conducts if each is not Conduct.HONEST)):
            progress(f"{data}, {_split_name(alpha)}, {conduct.value}")
            watched[conduct] = [_watched_run(world, conduct, seed, plan) for seed, world in worlds.items()]
            if conduct in conducts:
                runs = [run.found for run in watched[conduct]]
                power += _power_cells(alpha, conduct, runs, HOSPITALS * devices_each)
            if conduct in SAVED:
                progress(f"{data}, {_split_name(alpha)}, {conduct.value}, with quarantine")
                saved.append(_saved_cell(alpha, conduct, worlds, plan, watched))
    lies: list[LieCell] = []
    for name in dict.fromkeys(("wdbc", data)):
        table = load(name)
        worlds = {seed: _world(table, RECIPES[name], math.inf, seed, devices_each) for seed in every}
        lies += measure_lies(name, worlds, RECIPES[name], plan.settings, rounds=rounds, progress=progress)
    return QuarantineFigures(
        data=data,
        power=tuple(power),
        saved=tuple(saved),
        lies=tuple(lies),
        devices=HOSPITALS * devices_each,
        hospitals=HOSPITALS,
        bad=bad,
        rounds=rounds,
        seeds=seeds,
        settings=plan.settings,
    )


def _split_name(alpha: float) -> str:
    return "dealt alike" if math.isinf(alpha) else f"Dirichlet {alpha:g}"


def _world(table: Table, recipe: Recipe, alpha: float, seed: int, devices_each: int) -> World:
    return build_world(
        table, recipe, alpha=alpha, seed=seed, hospitals=HOSPITALS, devices_each=devices_each, attacked=False
    )


def placed(devices: int, bad: int, conduct: Conduct, seed: int) -> tuple[Conduct, ...]:
    """What each device does: `bad` of them, at random, misbehave."""
    chosen = set(np.random.default_rng((seed, 67)).permutation(devices)[:bad].tolist())
    return tuple(conduct if k in chosen else Conduct.HONEST for k in range(devices))


def _watched_run(world: World, conduct: Conduct, seed: int, plan: _Plan) -> _Watched:
    """One run in which everybody stays, seen by every rule."""
    count, settings = len(world.labels), plan.settings
    conducts = placed(count, plan.bad, conduct, seed)
    federation = Rounds(world, plan.recipe, conducts, seed=seed)
    observed = {
        size: Observed(
            [
                Betting(count, settings),
                Betting(count, replace(settings, margin=settings.margin / 2)),
                Betting(count, settings, joint=True),
                PosteriorZ(count, plan.rounds, settings.alpha),
                QualityGate(),
            ]
        )
        for size in plan.cohort_sizes
    }
    for _ in range(plan.rounds):
        for size, seen in federation.play(plan.cohort_sizes).items():
            observed[size].see(seen)
    guilty = [account(k) for k, each in enumerate(conducts) if each is not Conduct.HONEST]
    results = {}
    for size, by_rule in observed.items():
        first = {name: first_suspicions(found) for name, found in by_rule.suspected.items()}
        results[size] = _Found(
            {name: [firsts.get(device) for device in guilty] for name, firsts in first.items()},
            {name: len(set(firsts) - set(guilty)) for name, firsts in first.items()},
        )
    return _Watched(results, federation.accuracy)


def _power_cells(
    alpha: float, conduct: Conduct, runs: Sequence[dict[int, _Found]], devices: int
) -> Iterator[PowerCell]:
    for size in runs[0]:
        for rule in runs[0][size].bad:
            firsts = [run[size].bad[rule] for run in runs]
            shares = [np.mean([first is not None for first in each]) for each in firsts if each]
            when = [math.inf if first is None else first for each in firsts for first in each]
            middle = float(np.median(when)) if when else math.inf
            wrong = [run[size].honest[rule] for run in runs]
            honest = devices - len(firsts[0])
            yield PowerCell(
                alpha=None if math.isinf(alpha) else alpha,
                conduct=conduct.value,
                cohort_size=size,
                rule=rule,
                power=float(np.mean(shares)) if shares else None,
                spread=float(np.std(shares, ddof=1)) if len(shares) > 1 else None,
                rounds_to_detection=None if math.isinf(middle) else middle,
                false_runs=sum(count > 0 for count in wrong),
                false_share=float(np.mean(wrong)) / honest,
                seeds=len(runs),
            )


def _saved_cell(
    alpha: float,
    conduct: Conduct,
    worlds: Mapping[int, World],
    plan: _Plan,
    watched: Mapping[Conduct, Sequence[_Watched]],
) -> SavedCell:
    """Runs with quarantine beside those in which everybody stayed."""
    rows = []
    for k, (seed, world) in enumerate(worlds.items()):
        some = placed(len(world.labels), plan.bad, conduct, seed)
        good, harmed = watched[Conduct.HONEST][k].accuracy, watched[conduct][k].accuracy
        guarded, absent, honest_absent = _guarded_run(world, some, seed, plan)
        rows.append((good, harmed, guarded, guarded - harmed, absent, honest_absent))
    honest, attacked, quarantined, gained, absent, honest_absent = map(float, np.mean(rows, axis=0))
    return SavedCell(
        alpha=None if math.isinf(alpha) else alpha,
        conduct=conduct.value,
        honest=honest,
        attacked=attacked,
        quarantined=quarantined,
        gained=gained,
        gained_spread=float(np.std([row[3] for row in rows], ddof=1)) if len(rows) > 1 else None,
        absent=absent,
        honest_absent=honest_absent,
    )


def _guarded_run(
    world: World, conducts: Sequence[Conduct], seed: int, plan: _Plan
) -> tuple[float, float, float]:
    """Accuracy after a run with quarantine, and the share of rounds that bad and honest devices were out or unpaid."""
    federation = Rounds(world, plan.recipe, conducts, seed=seed)
    watch = Watch(plan.settings, len(conducts), frozenset(range(1, world.hospitals + 1)))
    history: dict[int, list[RoundEvidence]] = {}
    places = {account(k): k for k in range(len(conducts))}
    out = np.zeros(len(conducts))
    for number in range(1, plan.rounds + 1):
        out[[places[device] for device in watch.unpaid()]] += 1
        barred = frozenset(places[device] for device in watch.barred())
        (seen,) = federation.play((ACTIVE_COHORT,), barred).values()
        evidence_of = [
            HospitalEvidence(hospital, views, forecast(earlier), spread)
            for hospital, views in seen.judged.items()
            if (spread := spread_of(earlier := history.get(hospital, []), DECODE_FLOOR.absolute)) is not None
        ]
        watch, _ = watch.after(number, evidence_of)
        for hospital, evidence in seen.evidence.items():
            history.setdefault(hospital, []).append(evidence)
    out /= plan.rounds
    guilty = np.array([each is not Conduct.HONEST for each in conducts])
    return federation.accuracy, float(out[guilty].mean()), float(out[~guilty].mean())
