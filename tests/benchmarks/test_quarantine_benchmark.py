"""Rounds with misconduct, the rules that watch them, and the tables of what they found."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from benchmarks.quarantine import (
    RECIPES,
    PowerCell,
    QuarantineFigures,
    SavedCell,
    measure_quarantine,
    placed,
)
from benchmarks.quarantine_lies import LieCell, measure_lies, told_lies
from benchmarks.quarantine_rounds import Conduct, Rounds, account
from benchmarks.quarantine_rules import Betting, Observed, PosteriorZ, QualityGate, first_suspicions
from benchmarks.quarantine_table import quarantine_tables
from benchmarks.valuation_world import build_world
from fl_core.data import load
from incentives.suspicion import SuspicionSettings

DEVICES_EACH = 16


@pytest.fixture(scope="module")
def world():
    return build_world(
        load("wdbc"),
        RECIPES["wdbc"],
        alpha=math.inf,
        seed=0,
        hospitals=4,
        devices_each=DEVICES_EACH,
        attacked=False,
    )


def rounds_of(world, conduct, bad=6):
    return Rounds(world, RECIPES["wdbc"], placed(4 * DEVICES_EACH, bad, conduct, 1), seed=1)


def test_cohort_sizes_share_a_model_and_every_device_is_in_one_cohort(world):
    seen = rounds_of(world, Conduct.HONEST).play((8, 16))
    for found in seen.values():
        members = np.concatenate(list(found.members.values()))
        assert sorted(members.tolist()) == list(range(4 * DEVICES_EACH))
    assert len(seen[8].members) == 8
    assert len(seen[16].members) == 4


def test_a_barred_device_is_in_no_cohort(world):
    (seen,) = rounds_of(world, Conduct.HONEST).play((8,), frozenset({0, 17})).values()
    members = set(np.concatenate(list(seen.members.values())).tolist())
    assert members == set(range(4 * DEVICES_EACH)) - {0, 17}


@pytest.mark.parametrize("conduct", [each for each in Conduct if each is not Conduct.HONEST])
def test_misconduct_changes_what_the_model_learns(world, conduct):
    honest, bad = rounds_of(world, Conduct.HONEST), rounds_of(world, conduct, bad=16)
    for federation in (honest, bad):
        federation.play((8,))
    assert not np.array_equal(honest.model, bad.model)


def test_every_rule_sees_the_same_rounds(world):
    federation = rounds_of(world, Conduct.LABEL_FLIP)
    count = 4 * DEVICES_EACH
    rules = [Betting(count), Betting(count, joint=True), PosteriorZ(count, 4), QualityGate()]
    observed = Observed(rules)
    for _ in range(4):
        observed.see(federation.play((8,))[8])
    assert set(observed.suspected) == {
        "betting, margin 1.5",
        "betting on the median, margin 1.5",
        "posterior z, Bonferroni",
        "quality below the gate",
    }
    assert all(list(found) == [1, 2, 3, 4] for found in observed.suspected.values())
    assert not observed.suspected["betting, margin 1.5"][4]  # four rounds of two cohorts are no evidence


def test_the_first_suspicion_counts():
    one, two = account(0), account(1)
    found = {1: frozenset(), 2: frozenset({one}), 3: frozenset({one, two})}
    assert first_suspicions(found) == {one: 2, two: 3}


def test_a_liar_stays_within_what_honest_validators_say_and_speaks_of_no_other_hospital(world):
    federation = rounds_of(world, Conduct.HONEST)
    victim = DEVICES_EACH + 2  # of hospital 2
    for _ in range(3):
        seen = federation.play((8,))[8]
        lied = told_lies(seen, federation.rows, 4, victim)
        assert {v: view for v, view in lied.views.items() if v != 4} == {
            v: view for v, view in seen.views.items() if v != 4
        }
        changed = {key for key, gain in lied.views[4].items() if gain != seen.views[4][key]}
        assert {key.hospital for key in changed} == {2}
        for home, by in seen.judged.items():
            assert all(lied.judged[home][validator] == by[validator] for validator in by if validator != 4)


def test_the_tables_show_power_delay_errors_gains_and_lies():
    cell = PowerCell(None, "label flip", 10, "betting, margin 1.5", 0.75, 0.1, 31.0, 1, 0.002, 5)
    clean = PowerCell(None, "honest", 10, "betting, margin 1.5", None, None, None, 0, 0.0, 5)
    missed = PowerCell(0.5, "sends zeros", 24, "betting, margin 1.5", 0.1, None, None, 0, 0.0, 5)
    saved = SavedCell(None, "label flip", 0.9, 0.8, 0.86, 0.06, 0.012, 0.4, 0.001)
    lies = LieCell("wdbc", "betting, margin 1.5", 10, 20, 0, 1, 18.0)
    figures = QuarantineFigures(
        "har", (clean, cell, missed), (saved,), (lies,), 192, 4, 19, 50, 5, SuspicionSettings()
    )
    power, errors, gains, lying = quarantine_tables(figures)
    assert power.rows[1][-1] == "75% (10%), round 31; wrong: 1 of 5 runs, 0.2%"
    assert power.rows[2][-1] == "10%, round -; wrong: 0 of 5 runs, 0.0%"
    assert [row[2:] for row in errors.rows] == [
        ("all honest", "0 of 5 runs, 0.00%"),
        ("with misconduct", "1 of 5 runs, 0.20%"),
        ("with misconduct", "0 of 5 runs, 0.00%"),
    ]
    assert gains.rows[0][2:6] == ("90.0%", "80.0%", "86.0%", "+6.0 (1.2)")
    assert lying.rows == (("wdbc", "10", "betting, margin 1.5", "0 of 20", "1 of 20", "18"),)
    assert json.loads(json.dumps(figures.to_json()))["power"][1]["power"] == 0.75


def test_lies_are_tried_on_a_device_of_each_hospital_by_both_rules(world):
    cells = measure_lies("wdbc", {0: world}, RECIPES["wdbc"], SuspicionSettings(), rounds=3)
    assert [cell.rule for cell in cells] == ["betting, margin 1.5", "betting on the median, margin 1.5"]
    assert all((cell.tries, cell.truthful, cell.suspected) == (4, 0, 0) for cell in cells)


@pytest.mark.slow
def test_a_small_bench_runs_from_end_to_end():
    figures = measure_quarantine(
        data="wdbc",
        seeds=1,
        rounds=3,
        cohort_sizes=(16,),
        conducts=(Conduct.HONEST, Conduct.LABEL_FLIP),
        alphas=(math.inf,),
        devices_each=32,
    )
    assert len(figures.power) == 2 * 5
    assert len(figures.saved) == 1
    assert len(figures.lies) == 2
