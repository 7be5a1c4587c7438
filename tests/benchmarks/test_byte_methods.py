import json
import os

import numpy as np
import pytest

from benchmarks.byte_methods import Int8Mean, PlainMean, SecureMean, TopKMean
from benchmarks.byte_population import (
    COHORT_MEMBERS,
    EDGES,
    K_MIN,
    TUNING_SUBJECTS,
    protocol_bytes,
    training_subjects,
)
from benchmarks.byte_settings import GRIDS, METHODS, MODELS, SETTINGS, Setting, byte_spec
from benchmarks.bytes import Trial, measure_bytes, run_trial
from fl_core.data import Table
from fl_core.models import ModelSpec, parameter_count
from fl_core.privacy import fewest_survivors
from fl_core.spec import Profile
from fl_core.updates.model_patch import patch_bytes
from scripts.federation.update_terms import CORRUPTED, CORRUPTED_HOSPITALS

MODEL, DEVICES = ModelSpec("logistic", 99, 4), 6
DIM = parameter_count(MODEL)
ROWS = np.full(DEVICES, 8)


def updates(seed=0):
    return np.random.default_rng(seed).normal(size=(DEVICES, DIM)).astype(np.float32) * np.float32(0.01)


def send(method, deltas, rows=ROWS, number=1, model=None):
    method.begin(number, np.zeros(DIM, dtype=np.float32) if model is None else model)
    method.take(np.arange(DEVICES), deltas, rows)
    return method.mean()


def spec_of(fraction=0.25, clip_norm=1.0, *, noised=False):
    return byte_spec(MODEL, Setting(1, 0.1, fraction, clip_norm), devices=1_000, rounds=40, noised=noised)


def secure(fraction=0.25, **settings):
    return SecureMean(spec_of(fraction, **settings), DEVICES, EDGES, 0, protocol=(100, 10))


def test_all_ways_agree_on_the_mean_where_nothing_is_left_out():
    deltas, rows = updates(), np.arange(1, DEVICES + 1) * 8
    expected = rows @ deltas / rows.sum()
    assert np.allclose(send(PlainMean(DIM), deltas, rows), expected, atol=1e-7)
    assert np.allclose(send(TopKMean(DIM, devices=DEVICES, share=1.0), deltas, rows), expected, atol=1e-7)
    int8 = send(Int8Mean(DIM), deltas, rows)
    assert np.abs(int8 - expected).max() <= np.abs(deltas).max() / 127


def test_top_k_keeps_what_it_does_not_send():
    method, deltas = TopKMean(DIM, devices=DEVICES, share=0.1), updates()
    total = send(method, deltas)
    for number in range(2, 40):
        total += send(method, np.zeros_like(deltas), number=number)
    assert np.allclose(total, deltas.mean(axis=0), atol=1e-6)


def test_the_secure_mean_is_that_of_what_the_round_s_mask_selects():
    deltas, method = updates(), secure()
    mean = np.mean([send(method, deltas, number=number) for number in range(1, 401)], axis=0)
    expected = 0.25 * deltas.mean(axis=0)
    assert np.corrcoef(mean, expected)[0, 1] > 0.9
    assert abs(mean @ expected / (expected @ expected) - 1) < 0.1


def test_bytes_are_those_of_what_is_sent():
    deltas = updates()
    for method, up in (
        (PlainMean(DIM), 4 * DIM),
        (Int8Mean(DIM), DIM + 4),
        (TopKMean(DIM, devices=DEVICES), 210),
    ):
        send(method, deltas)
        assert (method.up_bytes, method.down_bytes, method.patch_bytes(3)) == (up, 4 * DIM, 4 * DIM)
    method = secure()
    send(method, deltas)
    assert method.up_bytes == 100 * 8 // 8 + 100
    assert method.down_bytes > 4 * DIM + 10  # the whole model and the spec, whatever was seen before
    assert method.patch_bytes(0) == method.down_bytes  # the first model comes whole
    send(method, deltas, number=2)
    assert method.patch_bytes(0) == patch_bytes(100) + 10
    send(method, deltas, number=9)
    assert method.patch_bytes(2) == 3 * patch_bytes(100) + 10
    assert method.patch_bytes(7) == method.down_bytes  # whoever missed too much takes the model


def test_noise_is_what_the_product_agrees_on_in_the_worst_case():
    spec = spec_of(noised=True)
    survivors = fewest_survivors(
        K_MIN, min_hospitals=7, corrupted=CORRUPTED, corrupted_hospitals=CORRUPTED_HOSPITALS
    )
    assert (spec.profile, spec.min_hospitals) == (Profile.PRIVATE, 7)
    assert (spec.noise.corrupted, spec.noise.corrupted_hospitals) == (2, 1)
    assert survivors.honest_at_release == 14 * 6
    shared = 84 * spec.noise.local_variance + 6 * spec.noise.global_variance
    assert spec.exposure.release == pytest.approx(shared)
    assert 0.98 * 8 < spec.loss(40).release <= 8


def test_noise_shrinks_with_the_sum_where_a_device_stands_for_many():
    deltas, spec = updates(), spec_of(noised=True)
    few, many = (
        np.std(send(SecureMean(spec, DEVICES, EDGES, 0, stands_for=factor), deltas)) for factor in (1, 100)
    )
    assert 8 < few / many < 100  # the devices' noise by the root of 100, the hospitals' by 100


def test_every_method_is_tried_with_as_many_settings():
    assert set(GRIDS) == set(METHODS)
    assert {len(set(grid)) for grid in GRIDS.values()} == {SETTINGS}
    for method in METHODS[3:]:
        for setting in GRIDS[method]:
            byte_spec(MODELS["lite"], setting, devices=1_000, rounds=40, noised=method != "secure")


def test_settings_are_judged_by_subjects_that_nothing_is_reported_on():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 4)
    table = Table(
        name="small",
        source="here",
        numeric_names=("x",),
        numeric=np.arange(40.0).reshape(40, 1),
        categorical_names=(),
        categorical=np.empty((40, 0), dtype=np.object_),
        labels=np.tile([0, 1], 20),
        class_names=("a", "b"),
        groups=groups,
        group_names=tuple(f"subject {n}" for n in range(10)),
        held_out=groups < 2,
    )
    tuning = training_subjects(table, rng)
    assert set(tuning.numeric[:, 0]) == set(range(8, 40))
    assert len(np.unique(tuning.groups[tuning.held_out])) == TUNING_SUBJECTS
    assert not set(tuning.groups[tuning.held_out]) & set(tuning.groups[~tuning.held_out])
    assert tuning.group_names == tuple(f"subject {n}" for n in range(2, 10))


def test_the_protocol_takes_the_same_of_a_device_whatever_the_vector():
    short, long = protocol_bytes(100, 8), protocol_bytes(1000, 16)
    assert short == long
    assert protocol_bytes(100, 8, members=8) < short
    assert 1000 < short[0] < 200 * COHORT_MEMBERS


@pytest.mark.slow
@pytest.mark.skipif("FEDIOMT_DATA" not in os.environ, reason="FEDIOMT_DATA does not name a folder of data")
def test_figures_compare_every_way_with_plain_floats():
    figures = measure_bytes(
        ("lite",), methods=("float32", "secure"), seeds=1, settings=3, rounds=30, workers=1
    ).to_json()
    plain, ours = figures["figures"]
    assert plain["reached"][0]["up_share"] == 1.0
    assert min(plain["best_accuracy"], ours["best_accuracy"]) > 0.92
    assert ours["up_bytes_a_round"] - ours["protocol_up_bytes"] < 0.07 * plain["up_bytes_a_round"]
    assert [goal["wanted"] for goal in figures["goals"]] == [0.1] * 3
    assert json.loads(json.dumps(figures, allow_nan=False)) == json.loads(json.dumps(figures))


@pytest.mark.slow
@pytest.mark.skipif("FEDIOMT_DATA" not in os.environ, reason="FEDIOMT_DATA does not name a folder of data")
def test_a_run_can_be_had_again():
    trial = Trial("lite", "secure, eps 8", GRIDS["secure, eps 8"][0], 1_000, 4, 5, tuning=True)
    assert run_trial(trial) == run_trial(trial)
