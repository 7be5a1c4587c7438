import subprocess
import sys

import numpy as np
import pytest
import torch

from fl_core.batched import train_batch, train_in_chunks, train_modules_in_chunks
from fl_core.models import ModelSpec, build, initial_vector, parameter_count
from fl_core.record_privacy import RecordPrivacy
from fl_core.training import LocalTraining, train_local

LOGISTIC = ModelSpec("logistic", 13, 3)
MLP = ModelSpec("mlp", 12, 4, (9, 5))
SIGNAL = ModelSpec("conv1d", 2 * 20, 3, (4, 5), channels=2, kernel=4, stride=2)
SIZES = (3, 9, 1, 4, 8, 9, 2)


class GivenNoise:
    """A source that gives what is in an array."""

    def __init__(self, samples):
        self.samples, self.taken = torch.from_numpy(samples.reshape(-1)), 0

    def fill(self, out):
        out.view(-1).copy_(self.samples[self.taken : self.taken + out.numel()])
        self.taken += out.numel()


def population(spec, sizes=SIZES):
    rng = np.random.default_rng(3)
    x = [rng.normal(size=(n, spec.features)).astype(np.float32) for n in sizes]
    y = [rng.integers(0, spec.classes, n) for n in sizes]
    start = (rng.normal(size=parameter_count(spec)) / 3).astype(np.float32)
    return x, y, start


def settings(**changes):
    privacy = RecordPrivacy(noise_multiplier=0.7, max_grad_norm=changes.pop("clip", 0.8))
    return LocalTraining(
        **{"epochs": 2, "batch_size": 4, "learning_rate": 0.1, "record_privacy": privacy} | changes
    )


def by_opacus(spec, training, table, sizes=SIZES):
    x, y, start = population(spec, sizes)
    return np.stack(
        [
            train_local(spec, start, x[i], y[i], training, 50 + i, noise=GivenNoise(table[i]))
            for i in range(len(x))
        ]
    )


def noise_of(spec, seed=1, sizes=SIZES):
    return np.random.default_rng(seed).normal(size=(len(sizes), 12, parameter_count(spec))).astype(np.float32)


def source_of(table, training, sizes=SIZES):
    """The same noise for a chunk: step by step, device by device, those with most rows first."""

    def source(where):
        devices = sorted(range(where.start, where.stop), key=lambda i: -sizes[i])
        taken = dict.fromkeys(devices, 0)
        samples = []
        for _ in range(training.epochs):
            for begin in range(0, sizes[devices[0]], training.batch_size):
                for device in devices:
                    if sizes[device] > begin:
                        samples.append(table[device, taken[device]])
                        taken[device] += 1
        return GivenNoise(np.stack(samples))

    return source


@pytest.mark.parametrize("spec", [LOGISTIC, MLP, SIGNAL], ids=lambda spec: spec.kind)
@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 16},
        {},
        {"clip": 1e-3, "learning_rate": 100.0},
        {"clip": 1e3, "momentum": 0.9},
        {"momentum": 0.5, "weight_decay": 0.01, "proximal": 0.2, "epochs": 3},
        {"weight_decay": 0.01, "proximal": 0.2},
    ],
    ids=str,
)
def test_stacked_training_equals_opacus_given_the_same_noise(spec, changes):
    training, table = settings(**changes), noise_of(spec)
    x, y, start = population(spec)
    seeds = [50 + i for i in range(len(x))]
    expected = by_opacus(spec, training, table)
    for chunk, threads in ((len(x), 1), (3, 2)):
        parts = train_in_chunks(
            spec, start, x, y, training, seeds, chunk=chunk, threads=threads, noise=source_of(table, training)
        )
        found = np.concatenate([deltas for _, deltas in parts])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=max(1e-6, 1e-5 * np.abs(expected).max()))
    through_functions = train_modules_in_chunks(
        build(spec, start), x, y, training, seeds, chunk=4, noise=source_of(table, training)
    )
    found = np.concatenate([deltas for _, deltas in through_functions])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=max(1e-6, 1e-5 * np.abs(expected).max()))


def test_a_record_moves_the_sum_of_gradients_by_at_most_the_clip_norm():
    quiet = np.zeros((1, 1, parameter_count(MLP)), np.float32)
    x, y, start = population(MLP, (5,))
    training = settings(epochs=1, batch_size=5, clip=0.05)
    whole = by_opacus(MLP, training, quiet, (5,))[0]
    x[0][2], y[0][2] = 1e3 * x[0][2], (y[0][2] + 1) % MLP.classes
    changed = train_local(MLP, start, x[0], y[0], training, 0, noise=GivenNoise(quiet))
    # two records differ, so twice the clip; a step is the learning rate over the batch size times the sum
    assert np.linalg.norm(changed - whole) <= 2 * 0.05 * training.learning_rate / 5 * (1 + 1e-5)


def test_noise_has_the_deviation_that_was_set():
    x, y, start = population(LOGISTIC, (8,) * 40)
    training = settings(epochs=1, batch_size=8)
    quiet = np.zeros((40, 1, parameter_count(LOGISTIC)), np.float32)
    seeds = list(range(40))
    without = np.concatenate(
        [
            part
            for _, part in train_in_chunks(
                LOGISTIC, start, x, y, training, seeds, noise=source_of(quiet, training, (8,) * 40)
            )
        ]
    )
    noise = (train_batch(LOGISTIC, start, x, y, training, seeds) - without) / (training.learning_rate / 8)
    deviation = training.record_privacy.noise_deviation
    assert noise.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * noise.size))
    assert abs(noise.mean()) < 4 * deviation / np.sqrt(noise.size)


def test_noise_is_fresh_each_time_and_shuffling_is_not():
    x, y, start = population(LOGISTIC, (8,))
    first, second = (train_local(LOGISTIC, start, x[0], y[0], settings(), 0) for _ in range(2))
    assert not np.array_equal(first, second)
    one, two = (train_batch(LOGISTIC, start, x, y, settings(), [0]) for _ in range(2))
    assert not np.array_equal(one, two)


def test_a_small_last_batch_is_divided_by_the_expected_batch_size_too():
    training = settings(epochs=1, batch_size=4, clip=1e-2, learning_rate=1.0)
    table = np.zeros((1, 2, parameter_count(LOGISTIC)), np.float32)
    table[0, 1] = 1.0  # only the second step, of one row, is noised
    with_noise = by_opacus(LOGISTIC, training, table, (5,))
    without = by_opacus(LOGISTIC, training, 0 * table, (5,))
    step = -training.record_privacy.noise_deviation / 4
    np.testing.assert_allclose(with_noise - without, step, rtol=1e-4)


def test_without_opacus_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['opacus'] = None\n"
        "import numpy as np\n"
        "from fl_core.errors import SpecError\n"
        "from fl_core.models import ModelSpec, initial_vector\n"
        "from fl_core.training import LocalTraining, RecordPrivacy, train_local\n"
        "spec = ModelSpec('logistic', 3, 2)\n"
        "rows = np.zeros((2, 3), np.float32), np.zeros(2, np.int64)\n"
        "train_local(spec, initial_vector(spec, 0), *rows, LocalTraining(), 0)\n"
        "try:\n"
        "    train_local(spec, initial_vector(spec, 0), *rows, LocalTraining(record_privacy=RecordPrivacy()), 0)\n"
        "except SpecError as error:\n"
        "    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'fediomt[privacy]'" in said


def test_starting_points_are_left_alone():
    x, y, start = population(MLP)
    kept = start.copy()
    train_batch(MLP, start, x, y, settings(), range(len(x)))
    train_local(MLP, start, x[0], y[0], settings(), 0)
    assert np.array_equal(start, kept)
    assert initial_vector(MLP, 0).dtype == np.float32
