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
    measure_quarantine,
    placed,
)
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
    observed = Observed([Betting(count), PosteriorZ(count, 4), QualityGate()])
    for _ in range(4):
        observed.see(federation.play((8,))[8])
    assert set(observed.suspected) == {
        "betting, margin 1.5",
        "posterior z, Bonferroni",
        "quality below the gate",
    }
    assert all(list(found) == [1, 2, 3, 4] for found in observed.suspected.values())
    assert not observed.suspected["betting, margin 1.5"][4]  # four rounds of two cohorts are no evidence


def test_the_first_suspicion_counts():
    one, two = account(0), account(1)
    found = {1: frozenset(), 2: frozenset({one}), 3: frozenset({one, two})}
    assert first_suspicions(found) == {one: 2, two: 3}


def test_the_table_shows_power_delay_and_errors():
    cell = PowerCell(None, "label flip", 10, "betting, margin 1.5", 0.75, 0.1, 31.0, 1, 0.002, 5)
    missed = PowerCell(0.5, "sends zeros", 24, "betting, margin 1.5", 0.1, None, None, 0, 0.0, 5)
    figures = QuarantineFigures("har", (cell, missed), (), 192, 4, 19, 50, 5, SuspicionSettings())
    power, saved = quarantine_tables(figures)
    assert power.rows[0][-1] == "75% (10%), round 31; wrong: 1 of 5 runs, 0.2%"
    assert power.rows[1][-1] == "10%, round -; wrong: 0 of 5 runs, 0.0%"
    assert not saved.rows
    assert json.loads(json.dumps(figures.to_json()))["power"][0]["power"] == 0.75


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
    assert len(figures.power) == 2 * 4
    assert len(figures.saved) == 1
