import json
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.tradeoff import Baseline, Cell, TradeoffFigures
from benchmarks.tradeoff_baseline import TRIES, centralised_accuracy
from benchmarks.tradeoff_federation import HAR_LITE, HAR_MLP, WDBC_LITE, Layout, build_federation
from benchmarks.tradeoff_plot import plot_tradeoff, tradeoff_rows
from benchmarks.tradeoff_rounds import auc, noised_spec, run_rounds
from fl_core.data import load
from fl_core.spec import Profile
from scripts.federation.update_terms import CORRUPTED, CORRUPTED_HOSPITALS

DEVICES = 48


@pytest.fixture(scope="module")
def federation():
    return build_federation(load("wdbc"), WDBC_LITE, DEVICES, 0, Layout(3, 8, 6))


def run(federation, profile, epsilon, **options):
    return run_rounds(
        federation, WDBC_LITE, profile=profile, epsilon=epsilon, delta=1e-5, rounds=4, seed=0, **options
    )


def test_without_noise_all_profiles_train_the_same_model(federation):
    found = {run(federation, profile, math.inf).accuracy for profile in Profile}
    assert len(found) == 1
    assert found.pop() > 0.85


def test_noise_is_calibrated_to_the_target_in_every_profile(federation):
    for profile in Profile:
        spec = noised_spec(federation, WDBC_LITE, profile=profile, epsilon=1.0, delta=1e-5, rounds=4)
        loss = spec.loss(4)
        assert 0.99 < loss.release <= 1.0
        assert loss.edge >= loss.release
    # mu of epsilon 1, delta 1e-5: between the Gaussian's exact curve and what the accountant proves by RDP
    assert run(federation, Profile.PRIVATE, 1.0).mu == pytest.approx(0.247, abs=0.01)


def test_the_same_seed_gives_the_same_figures(federation):
    one, two = (run(federation, Profile.HOSPITAL, 4.0, flippers=0.1) for _ in range(2))
    assert one == two


def test_profiles_show_what_they_may(federation):
    assert run(federation, Profile.PRIVATE, math.inf, flippers=0.2).auc is None
    assert run(federation, Profile.HOSPITAL, math.inf, flippers=0.2).auc is not None
    assert run(federation, Profile.ACCOUNTABLE, math.inf, flippers=0.2).auc > 0.55
    assert run(federation, Profile.ACCOUNTABLE, math.inf).auc is None


def test_auc_counts_pairs():
    scores, bad = np.array([1.0, 2.0, 2.0, 3.0]), np.array([True, False, True, False])
    assert auc(scores, bad) == pytest.approx((2 + 1.5) / 4)
    assert auc(np.zeros(4), bad) == 0.5


def test_federations_and_baselines_try_as_many_settings():
    for recipe in (HAR_LITE, HAR_MLP, WDBC_LITE):
        assert len(set(recipe.choices())) == TRIES
        assert recipe in recipe.choices()


def test_noise_is_what_the_product_agrees_on(federation):
    for profile in Profile:
        spec = noised_spec(federation, WDBC_LITE, profile=profile, epsilon=1.0, delta=1e-5, rounds=4)
        assert spec.noise.corrupted == CORRUPTED
        assert spec.noise.corrupted_hospitals == (CORRUPTED_HOSPITALS if profile is Profile.PRIVATE else 0)


def test_the_baseline_is_tuned_and_trained_on_all_rows(federation):
    for projected in (True, False):
        accuracy = centralised_accuracy(federation, WDBC_LITE, projected=projected, seed=0, tries=3)
        assert accuracy > 0.88


def test_the_public_encoding_sees_the_root_set_alone():
    table = load("wdbc")
    layout = Layout(3, 8, 6)
    one = build_federation(table, WDBC_LITE, DEVICES, 0, layout)
    root_rows = len(one.root[1])
    held = {tuple(row) for hospital in one.devices for x, _ in hospital for row in x[:, :2].round(4).tolist()}
    assert root_rows == math.ceil(0.02 * len(table))
    assert not held & {tuple(row) for row in one.root[0][:, :2].round(4).tolist()}
    assert one.schema.projection.learnt_from.startswith(f"root set of {root_rows} rows")


def test_figures_have_a_table_a_picture_and_json(tmp_path):
    cell = Cell("har", "lite", 1_000, "private", 1.0, 8.0, 0.93, 0.01, 3, None, 0.64)
    cells = (
        cell,
        replace(cell, epsilon=None, edge_epsilon=None),
        replace(cell, profile="hospital", accuracy=0.8, auc=0.5),
    )
    figures = TradeoffFigures(
        cells, (Baseline("har", "lite", 0.88, 0.95, 0.96),), 3, 30, 1e-5, 0.1, 6, ("note",)
    )
    value = json.loads(json.dumps(figures.to_json(), allow_nan=False))
    assert [goal["reached"] for goal in value["goals"]] == [True, False]
    assert tradeoff_rows(figures)[0] == (
        "har", "lite", "1,000", "private", "1", "8.0", "93.0 +- 1.0", "-2.0", "n/a", "0.64"
    )  # fmt: skip
    plot_tradeoff(tmp_path / "tradeoff.png", figures)
    assert (tmp_path / "tradeoff.png").stat().st_size > 10_000
