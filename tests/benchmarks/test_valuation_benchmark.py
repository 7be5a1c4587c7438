import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.valuation import MethodFigures, Spread, ValuationCell
from benchmarks.valuation_baselines import GroupBaselines
from benchmarks.valuation_rounds import play, public_rows
from benchmarks.valuation_run import GROUP_SHAPLEY, METHODS, OURS, SETTINGS, Measured, run_seed
from benchmarks.valuation_scores import DeviceScores
from benchmarks.valuation_truth import TruthOfRun
from benchmarks.valuation_world import BAD, SHARES, Kind, build_world
from fl_core.data import load
from fl_core.errors import SpecError
from fl_core.models import ModelSpec
from fl_core.training import evaluate

RECIPE = SETTINGS["wdbc"].recipe
SIZES = (5, 8)


@pytest.fixture(scope="module")
def world():
    return build_world(load("wdbc"), RECIPE, alpha=math.inf, seed=3, hospitals=4, devices_each=20)


@pytest.fixture(scope="module")
def rounds(world):
    return list(play(world, RECIPE, cohort_sizes=SIZES, epsilon=math.inf, rounds=3, seed=3))


def loss(world, vector):
    return evaluate(world.model, vector.astype(np.float32), *world.truth).loss


def truth_of(world, played, orders=16):
    truth = TruthOfRun(world.model, world.truth, public_rows(world).astype(np.float64), orders=orders, seed=0)
    truth.see(played.start, played.plain)
    return truth.result()


def test_a_world_has_its_share_of_each_kind_and_rows_for_everybody(world):
    for kind, share in SHARES.items():
        assert world.of_kind(kind).sum() == round(share * 80)
    assert world.of_kind(Kind.CLEAN).sum() == 80 - sum(round(share * 80) for share in SHARES.values())
    assert min(len(labels) for labels in world.labels) >= 1
    assert len(world.validation) == 4


def test_cohorts_of_every_size_are_of_one_hospital_and_hold_each_device_once(world, rounds):
    for played in rounds:
        for size in SIZES:
            everyone = np.concatenate([cohort.members for cohort in played.cohorts[size]])
            assert sorted(everyone) == list(range(80))
            for cohort in played.cohorts[size]:
                assert set(world.home[cohort.members]) == {cohort.key.hospital - 1}


def test_without_noise_a_cohorts_mean_is_that_of_the_plain_updates(world, rounds):
    rows = public_rows(world)
    for cohort in rounds[0].cohorts[5]:
        plain = rounds[0].plain[cohort.members]
        assert np.allclose(cohort.mean, np.average(plain, axis=0, weights=rows[cohort.members]), atol=1e-5)
    whole = np.average(rounds[0].plain, axis=0, weights=rows)
    assert np.allclose(rounds[0].after - rounds[0].start, whole, atol=1e-5)


def test_free_riders_send_zeros_or_noise_as_long_as_an_honest_update(world, rounds):
    lengths = np.linalg.norm(rounds[1].plain, axis=1)
    honest = lengths[~world.of_kind(*BAD)].mean()
    assert not lengths[world.of_kind(Kind.ZEROS)].any()
    assert np.allclose(lengths[world.of_kind(Kind.NOISE)], honest, rtol=1e-4)


def test_shapley_values_of_a_round_add_up_to_what_the_round_gained(world, rounds):
    gained = loss(world, rounds[0].start) - loss(world, rounds[0].after)
    truth = truth_of(world, rounds[0])
    assert truth.shapley.sum() == pytest.approx(gained, abs=1e-4)
    assert truth.halves.sum(axis=1) == pytest.approx([gained, gained], abs=1e-4)


def test_leave_one_out_is_what_the_others_alone_would_have_gained_less(world, rounds):
    played, rows = rounds[0], public_rows(world)
    truth = truth_of(world, played)
    for index in (0, 7, 41):
        others = np.arange(80) != index
        without = played.start + np.average(played.plain[others], axis=0, weights=rows[others])
        lost = loss(world, without) - loss(world, played.after)
        assert truth.leave_one_out[index] == pytest.approx(lost, abs=1e-5)


def test_more_orders_come_nearer_to_the_shapley_values(world, rounds):
    exact = truth_of(world, rounds[0], 512).shapley
    few, many = (np.abs(truth_of(world, rounds[0], orders).shapley - exact).mean() for orders in (4, 128))
    assert many < few / 2


def test_the_truth_refuses_what_it_cannot_do(world):
    weights = np.ones(80)
    with pytest.raises(SpecError, match="logistic"):
        TruthOfRun(ModelSpec("mlp", 3, 2, (4,)), world.truth, weights, orders=4, seed=0)
    with pytest.raises(SpecError, match="multiple of 4"):
        TruthOfRun(world.model, world.truth, weights, orders=6, seed=0)


def test_group_shapley_values_add_up_to_what_the_round_gained_on_the_validators_rows(world, rounds):
    baselines = GroupBaselines(world, public_rows(world).astype(np.float64), seed=0)
    baselines.see(rounds[0], rounds[0].cohorts[5])
    rows = tuple(np.concatenate(parts) for parts in zip(*world.validation, strict=True))
    before, after = (
        evaluate(world.model, vector, *rows).loss for vector in (rounds[0].start, rounds[0].after)
    )
    assert baselines.group_shapley.sum() == pytest.approx(before - after, abs=1e-4)


def test_flippers_are_decoded_below_clean_devices(world):
    scores = DeviceScores(world, public_rows(world))
    for played in play(world, RECIPE, cohort_sizes=(5,), epsilon=math.inf, rounds=8, seed=3):
        scores.see(played, played.cohorts[5])
    found, former = scores.effects(), scores.former()
    for values in (found, former):
        assert values[world.of_kind(Kind.FLIPPER)].mean() < values[world.of_kind(Kind.CLEAN)].mean()
    assert set(np.unique(scores.qualities() % 100)) == {0}


def test_noise_makes_a_run_worse_and_its_bound_smaller():
    setting = replace(SETTINGS["wdbc"], devices_each=20)
    plain, noised = (
        run_seed(
            load("wdbc"),
            setting,
            alpha=math.inf,
            seed=4,
            epsilon=epsilon,
            orders=4,
            cohort_sizes=(8,),
            rounds=5,
        )[8]
        for epsilon in (math.inf, 4.0)
    )
    assert math.isinf(plain.mu)
    assert noised.mu < 2
    assert set(plain.methods) == set(METHODS)
    assert noised.methods[OURS].auc_flippers < plain.methods[OURS].auc_flippers


def _cell(auc, shapley, *, size=10, alpha=None):
    def figures(name, one, other):
        return MethodFigures.over(name, [Measured(one, one, one, other, other)])

    one = Spread(1.0, None)
    return ValuationCell(
        data="har",
        alpha=alpha,
        cohort_size=size,
        epsilon=None,
        seeds=1,
        methods=(figures(OURS, auc, shapley), figures(GROUP_SHAPLEY, 0.6, 0.5)),
        truth=figures("truth", 1.0, 1.0),
        truth_leave_one_out=figures("loo", 1.0, 1.0),
        reliability=one,
        accuracy=one,
        curve=(auc,),
        auc_bound=1.0,
        caught=one,
        paid_too_little=one,
        falsely_caught=None,
    )


def test_goals_are_higher_for_cohorts_of_ten_of_devices_that_are_alike():
    assert _cell(0.95, 0.75).goals == {"auc": False, "shapley": False, "above GroupSV": True}
    assert _cell(0.95, 0.75, size=16).goals == {"auc": True, "shapley": True, "above GroupSV": True}
    assert _cell(0.95, 0.75, alpha=0.5).goals == {"auc": True, "shapley": True, "above GroupSV": True}
    assert not _cell(0.95, 0.4, size=16).goals["above GroupSV"]
