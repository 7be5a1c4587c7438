"""Noised scaling statistics: bounded whatever a device holds, right where devices are many, given up where few."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fl_core.data.schema import NumericColumn, Schema
from fl_core.errors import DataError, SpecError
from fl_core.privacy import NoiseSource, calibrate, sample_skellam
from fl_core.privacy.noised_statistics import NoisedStatistics

SCHEMA = Schema(
    tuple(NumericColumn(name, exponent, True) for name, exponent in (("age", 7), ("rate", 3), ("dose", -2))),
    (),
    ("no", "yes"),
)
PLAIN = NoisedStatistics(columns=3)


def population(devices, seed=5):
    rng = np.random.default_rng(seed)
    centre, spread = np.array([35.0, 2.0, 0.05]), np.array([8.0, 0.8, 0.03])
    limit = np.array([127.0, 7.9, 0.249])
    return [
        np.clip(rng.normal(centre, spread, (int(rng.integers(1, 20)), 3)), -limit, limit)
        for _ in range(devices)
    ]


def signed(ring):
    return (ring.astype(np.int64) << 32) >> 32


def summed(statistics, devices, seed=1):
    source = NoiseSource.from_seed(bytes([seed]) * 32)
    total = np.zeros(statistics.length, dtype=np.int64)
    for number, values in enumerate(devices):
        noise = None
        if statistics.noise_variance:
            noise = sample_skellam(statistics.noise_variance, statistics.length, source)
        total += signed(statistics.encode(values, SCHEMA, np.random.default_rng(number), noise))
    return total


def test_without_noise_they_are_means_over_devices():
    devices = population(400)
    found = PLAIN.decode(summed(PLAIN, devices), SCHEMA, sum_variance=0.0)
    scale = np.array([128.0, 8.0, 0.25])
    means = np.array([values.mean(axis=0) for values in devices])
    squares = np.array([np.square(values).mean(axis=0) for values in devices])
    assert found.count.tolist() == [400, 400, 400]
    assert np.allclose(found.mean / scale, means.mean(axis=0) / scale, atol=2e-4)
    spread = np.sqrt(squares.mean(axis=0) - np.square(means.mean(axis=0)))
    assert np.allclose(found.std / scale, spread / scale, atol=2e-3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(0, 30), st.just(3)), elements=st.floats(-1, 1) | st.just(math.nan)
    ),
    st.integers(0, 2**32 - 1),
)
def test_no_device_moves_a_sum_by_more_than_the_sensitivity(relative, seed):
    values = relative * np.array([128.0, 8.0, 0.25])
    moved = signed(PLAIN.encode(values, SCHEMA, np.random.default_rng(seed))).astype(float)
    assert np.linalg.norm(moved) <= PLAIN.sensitivity.l2
    assert np.abs(moved).sum() <= PLAIN.sensitivity.l1


def test_missing_values_and_columns_are_left_out():
    devices = population(300)
    for values in devices[::2]:
        values[:, 1] = math.nan
    found = PLAIN.decode(summed(PLAIN, devices), SCHEMA, sum_variance=0.0)
    assert found.count.tolist() == [300, 150, 300]
    assert found.mean[1] == pytest.approx(2.0, abs=0.2)


def test_clipping_changes_a_devices_weight_not_its_values():
    extreme = [np.tile([120.0, 7.5, 0.24], (4, 1))] * 50  # longer than the clip norm allows
    total = summed(PLAIN, extreme)
    assert np.linalg.norm(total / 50) < PLAIN.sensitivity.l2
    found = PLAIN.decode(total, SCHEMA, sum_variance=0.0)
    assert found.mean == pytest.approx([120.0, 7.5, 0.24], rel=1e-2)
    assert (found.count < 50).all()


def noised(epsilon, devices):
    noise = calibrate(
        profile="private",
        epsilon=epsilon,
        delta=1e-5,
        rounds=1,
        sensitivity=PLAIN.sensitivity,
        honest_in_cohort=devices // 2,
        honest_at_release=devices // 2,
        edge_epsilon=epsilon,
    )
    return NoisedStatistics(columns=3, noise_variance=noise.local_variance)


def test_many_devices_have_usable_statistics_under_noise():
    devices = population(400)
    statistics = noised(1.0, 400)
    variance = statistics.noise_variance * 400
    assert statistics.usable(variance, 400)
    found = statistics.decode(summed(statistics, devices), SCHEMA, sum_variance=variance)
    exact = PLAIN.decode(summed(PLAIN, devices), SCHEMA, sum_variance=0.0)
    scale = np.array([128.0, 8.0, 0.25])
    error = statistics.mean_error(variance, 400)
    assert (np.abs(found.mean - exact.mean) / scale < 5 * error).all()
    assert (np.abs(np.square(found.std) - np.square(exact.std)) / np.square(scale) < 5 * error).all()


def test_few_devices_fall_back_to_declared_magnitudes():
    devices = population(30)
    statistics = noised(0.5, 30)
    variance = statistics.noise_variance * 30
    assert not statistics.usable(variance, 30)
    found = statistics.decode(summed(statistics, devices), SCHEMA, sum_variance=variance)
    assert found.mean.tolist() == [0.0, 0.0, 0.0]
    assert found.std.tolist() == [128.0, 8.0, 0.25]


def test_values_and_shapes_that_do_not_fit_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="'rate' holds a value beyond"):
        PLAIN.encode(np.array([[1.0, 9.0, 0.1]]), SCHEMA, rng)
    with pytest.raises(DataError, match="beyond"):
        PLAIN.encode(np.array([[1.0, math.inf, 0.1]]), SCHEMA, rng)
    with pytest.raises(DataError, match="shape"):
        PLAIN.encode(np.zeros((2, 4)), SCHEMA, rng)
    with pytest.raises(DataError, match="shape"):
        PLAIN.decode(np.zeros(8, dtype=np.int64), SCHEMA, sum_variance=0.0)
    with pytest.raises(SpecError, match="3 numeric columns"):
        NoisedStatistics(columns=2).encode(np.zeros((1, 2)), SCHEMA, rng)
    with pytest.raises(SpecError, match="0 columns"):
        NoisedStatistics(columns=0)
    with pytest.raises(SpecError, match="0 devices"):
        PLAIN.usable(1.0, 0)
    with pytest.raises(SpecError, match="noise"):
        noised(0.5, 30).encode(np.zeros((1, 3)), SCHEMA, rng)
