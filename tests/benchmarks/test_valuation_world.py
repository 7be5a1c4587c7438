"""Worlds of the valuation and quarantine benchmarks from recordings of few persons, each with many devices' rows."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quarantine import RECIPES, placed
from benchmarks.quarantine_rounds import Conduct, Rounds
from benchmarks.valuation_rounds import play
from benchmarks.valuation_run import SETTINGS
from benchmarks.valuation_world import Kind, build_world
from fl_core.data import Table
from fl_core.errors import DataError

PERSONS, ROWS_EACH, HELD_OUT = 12, 30, 4
HOSPITALS, DEVICES_EACH, COHORT = 4, 16, 8
RECIPES_OF = {"valuation": SETTINGS["har"].recipe, "quarantine": RECIPES["har"]}


def recordings(*, divisible: bool = True) -> Table:
    """Windows of some persons in the manner of har: a third of them set apart for testing."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, PERSONS * ROWS_EACH)
    persons = np.repeat(np.arange(PERSONS), ROWS_EACH)
    readings = rng.normal(size=(len(labels), 6)) + 2 * np.eye(3, 6)[labels]
    return Table(
        name="recordings",
        source="drawn for this test",
        numeric_names=tuple(f"reading {k}" for k in range(6)),
        numeric=np.clip(readings / 4, -1, 1),
        categorical_names=(),
        categorical=np.empty((len(labels), 0), dtype=object),
        labels=labels,
        class_names=("lie", "sit", "walk"),
        groups=persons,
        group_names=tuple(f"person {k}" for k in range(PERSONS)),
        divisible_groups=divisible,
        held_out=persons < HELD_OUT,
    )


def world_of(bench, *, alpha=math.inf, **options):
    recipe = replace(RECIPES_OF[bench], directions=3)
    return recipe, build_world(
        recordings(),
        recipe,
        alpha=alpha,
        seed=0,
        hospitals=HOSPITALS,
        devices_each=DEVICES_EACH,
        **options,
    )


@pytest.mark.parametrize("bench", RECIPES_OF)
@pytest.mark.parametrize("alpha", [math.inf, 0.5])
def test_few_persons_give_rows_to_many_devices(bench, alpha):
    _, world = world_of(bench, alpha=alpha)
    held = [len(labels) for labels in world.labels]
    assert len(held) == HOSPITALS * DEVICES_EACH > PERSONS
    assert min(held) >= 1
    assert sum(held) == (PERSONS - HELD_OUT) * ROWS_EACH


@pytest.mark.parametrize("bench", RECIPES_OF)
def test_who_validates_tells_the_truth_or_is_public_trains_no_device(bench):
    _, world = world_of(bench)
    elsewhere = [*world.validation, world.truth, world.root]
    assert sum(len(labels) for _, labels in elsewhere) == HELD_OUT * ROWS_EACH
    assert min(len(labels) for _, labels in elsewhere) >= 1
    trained_on = {row.tobytes() for rows in world.features for row in rows}
    assert not trained_on & {row.tobytes() for rows, _ in elsewhere for row in rows}


def test_rounds_of_the_valuation_benchmark_play_on_such_a_world():
    recipe, world = world_of("valuation")
    assert world.of_kind(Kind.FLIPPER).sum() == round(0.1 * HOSPITALS * DEVICES_EACH)
    (played,) = play(world, recipe, cohort_sizes=(COHORT,), epsilon=math.inf, rounds=1, seed=0)
    assert len(played.cohorts[COHORT]) == HOSPITALS * DEVICES_EACH // COHORT
    assert np.isfinite(played.after).all()


def test_rounds_of_the_quarantine_benchmark_play_on_such_a_world():
    recipe, world = world_of("quarantine", attacked=False)
    assert set(world.kinds) == {Kind.CLEAN}
    rounds = Rounds(world, recipe, placed(HOSPITALS * DEVICES_EACH, 4, Conduct.LABEL_FLIP, 1), seed=1)
    assert len(rounds.play((COHORT,))[COHORT].members) == HOSPITALS * DEVICES_EACH // COHORT


def test_more_devices_than_training_rows_are_refused():
    with pytest.raises(DataError, match="rows"):
        build_world(
            recordings(),
            replace(SETTINGS["har"].recipe, directions=3),
            alpha=math.inf,
            seed=0,
            hospitals=HOSPITALS,
            devices_each=(PERSONS - HELD_OUT) * ROWS_EACH,
        )
