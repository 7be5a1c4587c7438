import os

import numpy as np
import pytest

from benchmarks.byte_methods import Int8Mean, PlainMean, SecureMean, TopKMean
from benchmarks.byte_population import COHORT_MEMBERS, protocol_bytes
from benchmarks.bytes import Setting, measure_bytes
from fl_core.updates import CompressionSpec
from fl_core.updates.model_patch import patch_bytes
from fl_core.updates.ring_width import finest_steps

DIM, DEVICES = 400, 6


def updates(seed=0):
    return np.random.default_rng(seed).normal(size=(DEVICES, DIM)).astype(np.float32) * np.float32(0.01)


def send(method, deltas, weights=None, number=1):
    method.begin(number)
    method.take(np.arange(DEVICES), deltas, np.ones(DEVICES) if weights is None else weights)
    return method.mean()


def secure(**changes):
    settings = {"fraction": 1.0, "residual_norm": 0.0, "peak": 0.0, **changes}
    compression = CompressionSpec(**settings)
    width = finest_steps(compression, dim=DIM, clip_norm=1.0, members=47, bits=24)
    return SecureMean(DIM, compression, 1.0, width, DEVICES, 0, None, 1, protocol_up=100, protocol_down=10)


def test_all_ways_agree_on_the_mean_where_nothing_is_left_out():
    deltas, weights = updates(), np.arange(1.0, DEVICES + 1) / 3
    expected = weights @ deltas / weights.sum()
    assert np.allclose(send(PlainMean(DIM), deltas, weights), expected, atol=1e-7)
    assert np.allclose(send(TopKMean(DIM, devices=DEVICES, share=1.0), deltas, weights), expected, atol=1e-7)
    assert np.allclose(send(secure(), deltas, weights), expected, atol=1e-4)
    int8 = send(Int8Mean(DIM), deltas, weights)
    assert np.abs(int8 - expected).max() <= np.abs(deltas).max() / 127


def test_top_k_keeps_what_it_does_not_send():
    method, deltas = TopKMean(DIM, devices=DEVICES, share=0.1), updates()
    total = send(method, deltas)
    for number in range(2, 40):
        total += send(method, np.zeros_like(deltas), number=number)
    assert np.allclose(total, deltas.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_a_mean_over_a_random_part_is_right_on_average(fraction):
    deltas, method = updates(), secure(fraction=fraction)
    means = np.mean([send(method, deltas, number=number) for number in range(1, 301)], axis=0)
    expected = deltas.mean(axis=0)
    assert np.corrcoef(means, expected)[0, 1] > 0.95
    assert abs(means @ expected / (expected @ expected) - 1) < 0.05


def test_bytes_are_those_of_what_is_sent():
    deltas = updates()
    for method, up in (
        (PlainMean(DIM), 4 * DIM),
        (Int8Mean(DIM), DIM + 4),
        (TopKMean(DIM, devices=DEVICES), 210),
    ):
        send(method, deltas)
        assert (method.up_bytes, method.down_bytes(3)) == (up, 4 * DIM)
    method = secure(fraction=0.25)
    send(method, deltas)
    assert method.up_bytes == 100 * 24 // 8 + 100
    assert method.down_bytes(0) == 4 * DIM + 10  # the first model comes whole
    send(method, deltas, number=2)
    assert method.down_bytes(0) == patch_bytes(100) + 10
    send(method, deltas, number=9)
    assert method.down_bytes(2) == 3 * patch_bytes(100) + 10
    assert method.down_bytes(7) == 4 * DIM + 10  # whoever missed too much takes the model


def test_the_protocol_takes_the_same_of_a_device_whatever_the_vector():
    short, long = protocol_bytes(100, 8), protocol_bytes(1000, 16)
    assert short == long
    assert 1000 < short[0] < 200 * COHORT_MEMBERS


@pytest.mark.slow
@pytest.mark.skipif("FEDIOMT_DATA" not in os.environ, reason="FEDIOMT_DATA does not name a folder of data")
def test_figures_compare_every_way_with_plain_floats():
    figures = measure_bytes(
        ("lite",), methods=("float32", "secure, eps 8"), devices=1000, rounds=20, grid=[Setting(5, 0.1, 0.5)]
    ).to_json()["figures"]
    plain, noised = figures
    assert plain["reached"][0]["up_share"] == 1.0
    assert plain["best_accuracy"] > 0.9
    assert noised["best_accuracy"] > 0.88
    assert noised["up_bytes_a_round"] - noised["protocol_up_bytes"] < 0.15 * plain["up_bytes_a_round"]
