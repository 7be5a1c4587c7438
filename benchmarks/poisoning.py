"""Poisoning: accuracy under attack by rule, cohort size, attacker class and share of attackers, on har and wdbc.

Cohorts are summed in plain integers: masks cancel. Updates, clip, rounding, ring, cohort draws and rules are the
product's own. Models start from the seed and know nothing of the root set, so that what the root set alone teaches is
no floor under the accuracy. Test rows choose nothing: steps and clips were chosen on the validation rows of honest
runs of other seeds, as the smallest clip within half a point of the best.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from benchmarks.poisoning_grid import (
    ATTACKS,
    CURVE_ATTACKS,
    DATA_ATTACKS,
    DEFAULT_RULE,
    QUICK,
    RULES,
    SCENARIOS,
    Grid,
)
from benchmarks.poisoning_rounds import AttackedFederation, Outcome, Threat
from benchmarks.tradeoff_federation import Layout, Recipe, TrialFederation, build_federation
from benchmarks.workers import one_thread_each
from fl_core.data import Table, load
from fl_core.public_start import start_from_root
from fl_core.simulation import Behaviour
from fl_core.training import LocalTraining, evaluate

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

HOSPITALS = 4
COHORT = 16
DEVICES = {"har": 192, "wdbc": 192}
GOAL = 0.03  # accuracy that an attack may cost under the default rule

_STEP = LocalTraining(epochs=1, batch_size=1_024, learning_rate=1.0)  # a device's rows at once
RECIPES: Mapping[str, Recipe] = {
    "har": Recipe("har", "logistic", (), 160, 0.5, _STEP),
    "wdbc": Recipe("wdbc", "logistic", (), 0, 1.0, _STEP),
}


@dataclass(frozen=True)
class AttackCell:
    """An attack in a scenario under a rule; means over seeds, cohorts of 16.

    Attributes:
        data: data set.
        scenario: name of the scenario; "honest" for nobody.
        attack: name of the attack; "honest" for none; "adaptive, PULL" where the rule trusts a root update.
        rule: the rule.
        accuracy: on the test rows after the last round.
        spread: standard deviation over seeds; None with one seed.
        loss: accuracy below that of the plain mean over honest devices, same seeds.
        backdoor: share of test rows of other classes that the trigger turns.
    """

    data: str
    scenario: str
    attack: str
    rule: str
    accuracy: float
    spread: float | None
    loss: float
    backdoor: float

    @property
    def kind(self) -> str:
        """The attack without its variant."""
        return self.attack.split(", ")[0]


@dataclass(frozen=True)
class CurvePoint:
    """The worse of two attacks (sign flip, adaptive) seed by seed, at a share of attackers spread over all hospitals.

    Attributes:
        data: data set.
        cohort_size: devices of a cohort.
        rule: the rule.
        attacker_class: "a" (the clip holds) or "b" (arbitrary inputs).
        share: of the devices that attack; 0 for all honest.
        accuracy: mean over seeds.
        spread: standard deviation over seeds; None with one seed.
    """

    data: str
    cohort_size: int
    rule: str
    attacker_class: str
    share: float
    accuracy: float
    spread: float | None


@dataclass(frozen=True)
class Goal:
    """A goal under the default rule: its worst attack, what that costs, and whether it is met."""

    data: str
    goal: str
    attack: str
    loss: float

    @property
    def met(self) -> bool:
        """Whether the loss is at most three points."""
        return self.loss <= GOAL


@dataclass(frozen=True)
class PoisoningFigures:
    """What was measured.

    Attributes:
        seeds: seeds of the attacks, each with its own split, root set, attackers and cohorts.
        curve_seeds: seeds of the curves.
        rounds: rounds of a run.
        devices: devices by data set.
        root_rows: rows of the root set by data set.
        root_alone: accuracy of training on the root set alone, by data set, mean over seeds.
        cells: the attacks.
        curves: the curves.
    """

    seeds: int
    curve_seeds: int
    rounds: int
    devices: Mapping[str, int]
    root_rows: Mapping[str, int]
    root_alone: Mapping[str, float]
    cells: tuple[AttackCell, ...]
    curves: tuple[CurvePoint, ...]

    def worst(
        self, data: str, scenario: str, rule: str, attacks: Sequence[Behaviour] = ATTACKS
    ) -> AttackCell:
        """The attack of a scenario, and the variant of it, that costs a rule most over all seeds."""
        names = {kind.value for kind in attacks}
        found = [c for c in self.cells if (c.data, c.scenario, c.rule) == (data, scenario, rule)]
        return max((c for c in found if c.kind in names), key=lambda c: c.loss)

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What was to be reached under the default rule, and what was."""
        wanted = (
            ("a20", DATA_ATTACKS, "(a) 20%, poisoned rows"),
            ("a20", ATTACKS, "(a) 20%, any clipped update"),
            ("b4", ATTACKS, "(b) 4% spread"),
            ("b-hospital", ATTACKS, "(b) one hospital of four"),
        )
        goals = []
        for data in self.devices:
            for scenario, attacks, name in wanted:
                cell = self.worst(data, scenario, DEFAULT_RULE, attacks)
                goals.append(Goal(data, name, cell.attack, cell.loss))
        return tuple(goals)

    def to_json(self) -> dict[str, Any]:
        """A JSON object with every figure, the goals among them."""
        return {**asdict(self), "goals": [{**asdict(goal), "met": goal.met} for goal in self.goals]}


@dataclass
class _Found:
    """Outcomes by what was run, a list of one a seed, as they come in."""

    attacks: dict[tuple[str, str, str, str], list[Outcome]] = field(default_factory=dict)
    curves: dict[tuple[str, int, str, str, float], list[float]] = field(default_factory=dict)
    root_alone: dict[str, list[float]] = field(default_factory=dict)
    root_rows: dict[str, int] = field(default_factory=dict)

    def merge(self, other: _Found) -> None:
        """Take over what another process found."""
        _extend(self.attacks, other.attacks)
        _extend(self.curves, other.curves)
        _extend(self.root_alone, other.root_alone)
        self.root_rows |= other.root_rows


def measure_poisoning(
    *,
    quick: bool = False,
    seeds: int = 3,
    curve_seeds: int = 2,
    workers: int = 1,
    progress: Callable[[str], None] = lambda _: None,
    grid: Grid | None = None,
) -> PoisoningFigures:
    """Measure the attacks and the curves.

    Args:
        quick: wdbc alone, one cohort size and share, one seed.
        seeds: seeds of the attacks.
        curve_seeds: seeds of the curves, at most as many.
        workers: processes.
        progress: called with what is done.
        grid: what is measured; overrides `quick`.

    Raises:
        DataError: har is not there.
    """
    chosen = grid or (QUICK if quick else Grid())
    if quick:
        seeds = curve_seeds = 1
    jobs = [
        (data, seed, cohort, seed < curve_seeds)
        for data in chosen.datasets
        for seed in range(seeds)
        for cohort in sorted({*chosen.cohorts, COHORT})
        if cohort == COHORT or seed < curve_seeds
    ]
    found = _Found()
    for done, part in enumerate(_results(jobs, chosen, workers), start=1):
        found.merge(part)
        progress(f"{done} of {len(jobs)} federations")
    return _figures(found, chosen, seeds, curve_seeds)


def _results(jobs: Sequence[tuple[str, int, int, bool]], grid: Grid, workers: int) -> Iterator[_Found]:
    if workers == 1:
        one_thread_each()
        for job in jobs:
            yield _measure(*job, grid)
        return
    with ProcessPoolExecutor(workers, initializer=one_thread_each) as pool:
        for future in as_completed([pool.submit(_measure, *job, grid) for job in jobs]):
            yield future.result()


@lru_cache(maxsize=2)
def _table(data: str) -> Table:
    return load(data)


def _measure(data: str, seed: int, cohort: int, curves: bool, grid: Grid) -> _Found:
    """Everything of a data set, seed and cohort size."""
    recipe, found = RECIPES[data], _Found()
    layout = Layout(HOSPITALS, cohort, max(3, 2 * cohort // 3))
    federation = build_federation(_table(data), recipe, DEVICES[data], seed, layout)

    def run(rule: str, threat: Threat) -> Outcome:
        attacked = AttackedFederation(federation, recipe, rule=RULES[rule], threat=threat, seed=seed)
        return attacked.run(grid.rounds)

    for rule in grid.rules:
        honest = run(rule, Threat())
        if cohort == COHORT:
            found.attacks[data, "honest", "honest", rule] = [honest]
            for scenario in SCENARIOS:
                for name, attack, pull in grid.variants(rule):
                    outcome = run(rule, scenario.threat(attack, pull))
                    found.attacks[data, scenario.name, name, rule] = [outcome]
        if curves and cohort in grid.cohorts:
            for kind, shares in grid.shares.items():
                found.curves[data, cohort, rule, kind, 0.0] = [honest.accuracy]
                for share in shares:
                    threats = [Threat(attack, share, kind == "b") for attack in CURVE_ATTACKS]
                    worst = min(run(rule, threat).accuracy for threat in threats)
                    found.curves[data, cohort, rule, kind, share] = [worst]
    if cohort == COHORT:
        found.root_alone[data] = [_root_alone(federation, recipe, seed)]
        found.root_rows[data] = len(federation.root[1])
    return found


def _root_alone(federation: TrialFederation, recipe: Recipe, seed: int) -> float:
    """Accuracy of a model that knows nothing but the root set."""
    model = recipe.model(federation.schema.features, federation.classes)
    start = start_from_root(model, *federation.root, seed=seed)
    return evaluate(model, start, *federation.test).accuracy


def _figures(found: _Found, grid: Grid, seeds: int, curve_seeds: int) -> PoisoningFigures:
    honest = {
        data: float(np.mean([o.accuracy for o in found.attacks[data, "honest", "honest", "mean"]]))
        for data in grid.datasets
    }
    cells = []
    for (data, scenario, attack, rule), outcomes in sorted(found.attacks.items()):
        accuracies = [outcome.accuracy for outcome in outcomes]
        mean = float(np.mean(accuracies))
        backdoor = float(np.mean([outcome.backdoor for outcome in outcomes]))
        cells.append(
            AttackCell(data, scenario, attack, rule, mean, _spread(accuracies), honest[data] - mean, backdoor)
        )
    return PoisoningFigures(
        seeds=seeds,
        curve_seeds=curve_seeds,
        rounds=grid.rounds,
        devices={data: DEVICES[data] for data in grid.datasets},
        root_rows=found.root_rows,
        root_alone={data: float(np.mean(values)) for data, values in found.root_alone.items()},
        cells=tuple(cells),
        curves=tuple(
            CurvePoint(*key, float(np.mean(values)), _spread(values))
            for key, values in sorted(found.curves.items())
        ),
    )


def _extend(lists: dict[Key, list[Value]], others: Mapping[Key, list[Value]]) -> None:
    for key, values in others.items():
        lists.setdefault(key, []).extend(values)


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
