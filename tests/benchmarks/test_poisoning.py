"""The poisoning benchmark on wdbc, which ships with scikit-learn: a corner of its grid."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.poisoning import RECIPES, AttackCell, measure_poisoning
from benchmarks.poisoning_grid import DATA_ATTACKS, RULES, Grid
from benchmarks.poisoning_plot import plot_poisoning
from benchmarks.poisoning_rounds import AttackedFederation, Threat
from benchmarks.poisoning_tables import attacks_table, poisoning_table
from benchmarks.tradeoff_federation import Layout, build_federation
from fl_core.data import load
from fl_core.simulation import Behaviour
from fl_core.simulation.pulls import PULLS

GRID = Grid(
    datasets=("wdbc",),
    rules=("mean", "fltrust"),
    attacks=(Behaviour.LABEL_FLIP, Behaviour.BACKDOOR, Behaviour.BOOST),
    cohorts=(16,),
    shares={"a": (0.2,), "b": (0.04,)},
    rounds=4,
)


@pytest.fixture(scope="module")
def figures():
    return measure_poisoning(seeds=1, curve_seeds=1, grid=GRID)


@pytest.fixture(scope="module")
def pulled():
    grid = replace(GRID, attacks=(Behaviour.ADAPTIVE,), pulls=PULLS[:3], cohorts=(), rounds=2)
    return measure_poisoning(seeds=1, curve_seeds=1, grid=grid)


@pytest.fixture(scope="module")
def federation():
    return build_federation(load("wdbc"), RECIPES["wdbc"], 96, 0, Layout(4, 12, 8))


def attacked(federation, threat, rule="median"):
    return AttackedFederation(federation, RECIPES["wdbc"], rule=RULES[rule], threat=threat, seed=0)


def test_boosted_inputs_ruin_the_mean_and_honest_devices_do_not(figures):
    cells = {(c.scenario, c.attack, c.rule): c for c in figures.cells}
    assert len(cells) == 2 * (1 + 4 * 3)
    assert cells["honest", "honest", "mean"].accuracy > 0.9
    assert cells["honest", "honest", "mean"].loss == 0
    assert cells["b-hospital", "boost", "mean"].loss > 0.2
    assert cells["b-hospital", "boost", "fltrust"].loss < 0.1


def test_goals_are_of_the_worst_attack_and_missed_where_it_costs_more(figures):
    goal = next(g for g in figures.goals if g.goal == "(b) one hospital of four")
    cells = [c for c in figures.cells if (c.scenario, c.rule) == ("b-hospital", "fltrust")]
    assert goal.loss == max(cell.loss for cell in cells)
    assert goal.met == (goal.loss <= 0.03)
    assert replace(goal, loss=0.031).met is False
    poisoned = next(g for g in figures.goals if g.goal == "(a) 20%, poisoned rows")
    assert Behaviour(poisoned.attack) in DATA_ATTACKS


def test_every_pull_on_a_trusted_mean_is_a_cell_and_the_worst_of_them_is_what_is_reported(pulled):
    here = [c for c in pulled.cells if (c.scenario, c.rule) == ("b4", "fltrust")]
    assert {c.attack for c in here} == {f"adaptive, {pull.name}" for pull in PULLS[:3]}
    assert pulled.worst("wdbc", "b4", "fltrust").loss == max(c.loss for c in here)
    plain = [c for c in pulled.cells if (c.scenario, c.rule) == ("b4", "mean")]
    assert [c.attack for c in plain] == ["adaptive"]
    every = attacks_table(pulled)
    assert [row[2] for row in every.rows] == ["adaptive"] * 4
    assert every.rows[1][-1] == f"{100 * max(c.loss for c in here):+.1f}"


def test_figures_are_json_tables_and_a_picture(figures, tmp_path):
    value = figures.to_json()
    assert json.loads(json.dumps(value, allow_nan=False))["goals"]
    assert {point["share"] for point in value["curves"]} == {0.0, 0.2, 0.04}
    worst, every = poisoning_table(figures), attacks_table(figures)
    assert worst.columns == ("data", "attackers", "mean", "fltrust")
    assert len(worst.rows) == 1 + 4
    assert len(every.rows) == 4 * 3
    assert "missed" in worst.notes[-1] or "met" in worst.notes[-1]
    plot_poisoning(tmp_path / "curves.png", figures)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert isinstance(figures.cells[0], AttackCell)


def test_the_same_seed_gives_the_same_outcome(federation):
    threat = Threat(Behaviour.ADAPTIVE, 0.1, unclipped=True)
    one, other = (attacked(federation, threat).run(3) for _ in range(2))
    assert one == other


def test_attackers_are_a_share_of_all_or_of_one_hospital(federation):
    assert attacked(federation, Threat(Behaviour.BOOST, 0.25)).bad.sum() == 24
    confined = attacked(federation, Threat(Behaviour.BOOST, 0.5, hospital=2))
    assert confined.bad.sum() == 12
    assert set(confined.home[confined.bad]) == {2}


def test_honest_rounds_do_not_depend_on_how_attackers_would_send(federation):
    plain = attacked(federation, Threat(Behaviour.BOOST, 0.0, unclipped=True))
    other = attacked(federation, Threat())
    start = np.zeros(plain.spec.dim, dtype=np.float32)
    assert plain.round(1, start).tobytes() == other.round(1, start).tobytes()
