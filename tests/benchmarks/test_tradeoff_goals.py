"""The goals of utility under privacy, on real recordings: 1,000 devices, 30 rounds, epsilon 1, delta 1e-5."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tradeoff import DELTA, GOALS, ROUNDS
from benchmarks.tradeoff_federation import HAR_LITE, build_federation
from benchmarks.tradeoff_rounds import run_rounds
from fl_core.data import load

SEEDS = 3

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def federations():
    root = os.environ.get("FEDIOMT_DATA")
    if not root or not (Path(root) / "uci_har").is_dir():
        pytest.skip("FEDIOMT_DATA does not name a folder with uci_har")
    table = load("har")
    return [build_federation(table, HAR_LITE, 1_000, seed) for seed in range(SEEDS)]


@pytest.mark.parametrize(("profile", "wanted"), GOALS.items())
def test_epsilon_one_costs_no_more_than_the_goal_allows(federations, profile, wanted):
    outcomes = [
        run_rounds(federation, HAR_LITE, profile=profile, epsilon=1.0, delta=DELTA, rounds=ROUNDS, seed=seed)
        for seed, federation in enumerate(federations)
    ]
    assert np.mean([outcome.accuracy for outcome in outcomes]) >= wanted
    gained = [outcome.accuracy - outcome.start_accuracy for outcome in outcomes]
    assert np.mean(gained) > 0.005  # private data must add to what the root set knows
