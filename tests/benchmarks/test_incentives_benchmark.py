"""The games of the incentives, on rounds that are made up: who gains, who does not, and what the ledger refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.incentives import GameFigures, IncentiveFigures, measure_incentives
from benchmarks.incentives_ledger import TERMS, TOKEN, honest_statements, play_game
from benchmarks.incentives_strategies import FEW, HOSPITALS, MANY, games, honest
from benchmarks.incentives_table import incentives_table
from benchmarks.incentives_world import DeviceTurn, GameRound, GameWorld
from benchmarks.quarantine_rounds import Conduct
from fl_core.models import ModelSpec
from fl_core.training import LocalTraining

DEVICES = 6
EQUAL = dict.fromkeys(range(1, HOSPITALS + 1), 10_000 // HOSPITALS)
SLACK = {hospital: 2 * capacity for hospital, capacity in EQUAL.items()}
GAMES = {game.name: game for game in games() if game.world == game.against == "honest"}


def made_up(poor: int = 0, rounds: int = 8) -> GameWorld:
    """Alike hospitals but for one whose scores are poor, and a model that gets better."""
    rng = np.random.default_rng(3)
    hospitals = range(1, HOSPITALS + 1)
    found = []
    for number in range(1, rounds + 1):
        turns = {
            h: tuple(
                DeviceTurn(DEVICES * h + k, 32, int(rng.integers(8_000, 10_001))) for k in range(DEVICES)
            )
            for h in hospitals
        }
        scores = {
            v: {h: 1_000 if h == poor else int(rng.integers(9_000, 10_001)) for h in hospitals if h != v}
            for v in hospitals
        }
        found.append(GameRound(number, turns, scores, dict.fromkeys(hospitals, 6_000 + 300 * number)))
    model = ModelSpec("logistic", 10, 2, ())
    return GameWorld(model, LocalTraining(epochs=1), (Conduct.HONEST,) * 60, tuple(found))


WORLD = made_up()


def gain(name: str, capacities=EQUAL, world: GameWorld = WORLD) -> float:
    game = GAMES[name]
    shares = {
        h: int(share * EQUAL[1] * capacities[1] / EQUAL[1]) for h, share in (game.capacities or {}).items()
    }
    plain = play_game(world, honest, capacities)
    played = play_game(world, game.strategy, {**capacities, **shares})
    assert not played.beyond_capacity
    before = sum(plain.hospitals[h] for h in game.cheaters if h in plain.hospitals)
    return sum(played.hospitals.get(h, 0) for h in game.cheaters) / before - 1


def test_honest_play_pays_alike_hospitals_alike_within_their_capacity():
    income = play_game(WORLD, honest, EQUAL)
    assert not income.beyond_capacity
    assert income.unpaid_rounds == 0
    assert max(income.hospitals.values()) < 1.1 * min(income.hospitals.values())
    assert sum(income.devices.values()) < sum(income.hospitals.values())


@pytest.mark.parametrize("name", GAMES)
def test_no_strategy_is_allocated_more_than_the_capacity_that_was_voted(name):
    for capacities in (EQUAL, SLACK):
        assert math.isfinite(gain(name, capacities))


@pytest.mark.parametrize(
    "name",
    [
        "scores all others 0",
        "scores all others 10,000 without looking",
        f"{len(FEW)} of 7 score the model 10,000",
    ],
)
def test_no_scores_of_few_gain_anything(name):
    assert gain(name) <= 0.005
    assert gain(name, SLACK) <= 0.005


def test_a_split_gains_what_two_friendly_votes_move_a_median_and_no_share():
    assert 0 <= gain("joins as three hospitals, capacity divided by three", SLACK) < 0.03


@pytest.mark.parametrize(
    "name", ["copies another's commitment and scores", "does not reveal", "does not attest"]
)
def test_who_copies_or_stays_silent_forfeits_everything(name):
    assert gain(name) == -1


@pytest.mark.parametrize(
    "name",
    ["writes more work into leaves than plan and rows give", "writes full quality into all of its leaves"],
)
def test_leaves_that_do_not_follow_from_the_bundle_cost_their_hospital_alone(name):
    played = play_game(WORLD, GAMES[name].strategy, EQUAL)
    fair = play_game(WORLD, honest, EQUAL)
    assert played.unpaid_rounds == 0
    assert played.hospitals.get(1, 0) == 0
    assert all(played.hospitals[h] >= fair.hospitals[h] for h in fair.hospitals if h != 1)


def test_declared_rows_pay_up_to_a_slack_capacity_and_nothing_at_a_tight_one():
    assert gain("declares 16 times its rows") < 0.05
    assert 0.3 < gain("declares 16 times its rows", SLACK) <= 1.05


def test_few_colluders_move_no_median_and_many_do():
    poor = made_up(poor=1)

    def of_first(who):
        game = next(g for g in games() if g.cheaters == who and g.world == "poisoned")
        return play_game(poor, game.strategy, EQUAL).hospitals.get(1, 0)

    assert play_game(poor, honest, EQUAL).hospitals[1] == 0
    assert of_first(FEW) == 0
    game = next(g for g in games() if g.cheaters == MANY and g.world == "poisoned")
    ruined = play_game(poor, game.strategy, EQUAL)
    assert all(ruined.hospitals.get(h, 0) == 0 for h in EQUAL if h not in MANY)


def test_holding_the_models_score_down_earns_one_capped_bonus_at_most():
    terms = replace(TERMS, bonus_cap=400 * TOKEN)
    plain = play_game(WORLD, honest, EQUAL, terms=terms)
    game = GAMES[f"{len(MANY)} of 7 score the model 0 for 5 rounds"]
    held = play_game(WORLD, game.strategy, EQUAL, terms=terms)
    assert plain.bonus == 7 * 300 * TOKEN
    assert held.bonus <= 400 * TOKEN + 2 * 300 * TOKEN


def test_a_statement_tells_what_was_decoded_and_seen():
    said = honest_statements(WORLD.rounds[0], EQUAL)
    assert said[3].scores == WORLD.rounds[0].scores[3]
    assert {claim.owner: claim.quality for claim in said[3].claims} == dict(said[3].decoded)


def test_the_table_names_what_profits_and_says_so_in_json():
    row = GameFigures("cheats", 1, "an equal part", 0.2, 0.01, -0.1, 0.0, False)
    figures = IncentiveFigures("har", (row, replace(row, name="is honest", gain=0.0)), (), 0.9, 7, 24, 12, 5)
    table = incentives_table(figures)
    assert "cheats (an equal part: +20%)" in table.notes[1]
    assert "is honest" not in table.notes[1]
    assert json.loads(json.dumps(figures.to_json()))["games"][0]["profits"] is True
    broken = replace(figures, games=(replace(row, beyond_capacity=True),))
    assert "WAS BROKEN" in incentives_table(broken).notes[0]


@pytest.mark.slow
def test_real_rounds_make_games():
    figures = measure_incentives(data="wdbc", seeds=1, rounds=3, devices_each=12)
    assert figures.within_capacity
    assert {game.name for game in figures.games} == {game.name for game in games()}
