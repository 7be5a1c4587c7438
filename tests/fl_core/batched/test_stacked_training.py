from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fl_core.batched import train_batch, train_in_chunks, train_modules_in_chunks
from fl_core.errors import DataError, SpecError, TrainingError
from fl_core.models import ModelSpec, build, initial_vector, parameter_count
from fl_core.training import LocalTraining, train_local

LOGISTIC = ModelSpec("logistic", 13, 3)
MLP = ModelSpec("mlp", 12, 4, (9, 5))
SIGNAL = ModelSpec("conv1d", 2 * 20, 3, (4, 5), channels=2, kernel=4, stride=3)
SPECS = [LOGISTIC, MLP, SIGNAL]

training_settings = st.builds(
    LocalTraining,
    epochs=st.integers(1, 4),
    batch_size=st.integers(1, 9),
    learning_rate=st.sampled_from([0.01, 0.1, 0.3]),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    weight_decay=st.sampled_from([0.0, 0.01]),
    proximal=st.sampled_from([0.0, 0.2]),
)


def population(spec, sizes, seed=0):
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=(n, spec.features)).astype(np.float32) for n in sizes]
    y = [rng.integers(0, spec.classes, n) for n in sizes]
    start = (rng.normal(size=parameter_count(spec)) / 3).astype(np.float32)
    return x, y, start


def one_by_one(spec, start, x, y, training, seeds, rates=None):  # noqa: PLR0917
    rates = rates or [training.learning_rate] * len(x)
    return np.stack(
        [
            train_local(spec, start, *rows, replace(training, learning_rate=rate), seed)
            for *rows, seed, rate in zip(x, y, seeds, rates, strict=True)
        ]
    )


def joined(chunks):
    return np.concatenate([deltas for _, deltas in chunks])


def assert_equal_updates(found, expected):
    """To 1e-5: of each value, and of the largest for values that nearly cancel; float32 parameters allow 1e-6."""
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=max(1e-6, 1e-5 * np.abs(expected).max()))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=7),
    training=training_settings,
    chunk=st.integers(1, 7),
    own_rates=st.booleans(),
)
def test_stacked_training_equals_training_one_by_one(spec, sizes, training, chunk, own_rates):
    x, y, start = population(spec, sizes)
    seeds = [7 * i + 1 for i in range(len(sizes))]
    rates = [0.02 + 0.03 * i for i in range(len(sizes))] if own_rates else None
    expected = one_by_one(spec, start, x, y, training, seeds, rates)
    found = joined(train_in_chunks(spec, start, x, y, training, seeds, rates, chunk=chunk, threads=1))
    assert_equal_updates(found, expected)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5), training=training_settings)
def test_any_module_trains_like_the_layers_it_is_made_of(spec, sizes, training):
    x, y, start = population(spec, sizes)
    seeds, module = list(range(len(sizes))), build(spec, start)
    expected = one_by_one(spec, start, x, y, training, seeds)
    assert_equal_updates(joined(train_modules_in_chunks(module, x, y, training, seeds, chunk=3)), expected)


def test_a_module_that_is_no_stack_of_layers_trains_too():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.norm, self.out = nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 3)

        def forward(self, x):
            return self.out(x + torch.tanh(self.norm(self.inner(x))))

    torch.manual_seed(0)
    module = Residual()
    kept = [parameter.detach().clone() for parameter in module.parameters()]
    training = LocalTraining(epochs=2, batch_size=3, learning_rate=0.1, momentum=0.5)
    x, y, _ = population(ModelSpec("logistic", 6, 3), (5, 3, 7))
    found = joined(train_modules_in_chunks(module, x, y, training, [0, 1, 2]))
    assert all(torch.equal(a, b) for a, b in zip(kept, module.parameters(), strict=True))
    for device in range(3):
        alone = Residual()
        alone.load_state_dict(module.state_dict())
        optimiser = torch.optim.SGD(alone.parameters(), lr=0.1, momentum=0.5)
        rows, labels = torch.tensor(x[device]), torch.tensor(y[device])
        generator = torch.Generator().manual_seed(device)
        for _ in range(2):
            order = (
                torch.randperm(len(labels), generator=generator)
                if len(labels) > 3
                else torch.arange(len(labels))
            )
            for part in order.split(3):
                optimiser.zero_grad()
                nn.functional.cross_entropy(alone(rows[part]), labels[part]).backward()
                optimiser.step()
        moved = torch.cat(
            [(a - b).detach().reshape(-1) for a, b in zip(alone.parameters(), kept, strict=True)]
        ).numpy()
        assert_equal_updates(found[device], moved)


def test_chunks_come_in_order_and_cover_everyone():
    x, y, start = population(LOGISTIC, [1 + i % 5 for i in range(23)])
    training = LocalTraining(epochs=1, batch_size=2)
    for threads in (1, 3):
        chunks = list(train_in_chunks(LOGISTIC, start, x, y, training, range(23), chunk=5, threads=threads))
        assert [(where.start, where.stop) for where, _ in chunks] == [
            (0, 5),
            (5, 10),
            (10, 15),
            (15, 20),
            (20, 23),
        ]
        assert [deltas.shape for _, deltas in chunks] == [(5, 42)] * 4 + [(3, 42)]


def test_threads_do_not_change_a_bit():
    x, y, start = population(MLP, [1 + i % 5 for i in range(30)])
    training = LocalTraining(epochs=2, batch_size=2)
    one, more = (
        joined(train_in_chunks(MLP, start, x, y, training, range(30), chunk=4, threads=threads))
        for threads in (1, 3)
    )
    assert np.array_equal(one, more)


def test_chunks_are_trained_only_a_little_ahead():
    asked = []

    class Features(list):
        def __getitem__(self, where):
            if isinstance(where, slice):
                asked.append(where.start)
            return super().__getitem__(where)

    x, y, start = population(LOGISTIC, [3] * 40)
    chunks = train_in_chunks(LOGISTIC, start, Features(x), y, LocalTraining(), range(40), chunk=2, threads=2)
    next(chunks)
    chunks.close()
    assert max(asked) < 10


def test_settings_of_torch_are_left_alone():
    x, y, start = population(MLP, [4] * 6)
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train_batch(MLP, start, x, y, LocalTraining(batch_size=2), range(6))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_a_device_that_diverges_has_no_update_and_spoils_no_other():
    x, y, start = population(MLP, [4, 4, 4])
    x[1] *= np.float32(1e30)
    training = LocalTraining(epochs=3, batch_size=2)
    found = joined(train_in_chunks(MLP, start, x, y, training, range(3)))
    assert np.isnan(found[1]).all()
    others = [0, 2]
    expected = one_by_one(MLP, start, [x[i] for i in others], [y[i] for i in others], training, others)
    assert_equal_updates(found[others], expected)
    with pytest.raises(
        TrainingError, match=r"diverged on 1 of 3 devices \(1\) at learning rate 0.3; lower it"
    ):
        train_batch(MLP, start, x, y, training, range(3))


def test_nobody_to_train_is_no_error():
    assert train_batch(LOGISTIC, initial_vector(LOGISTIC, 0), [], [], LocalTraining(), []).shape == (0, 42)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": [np.zeros(2, np.int64)]}, SpecError, "features of 2 devices with labels of 1"),
        ({"seeds": [1]}, SpecError, "features of 2 devices with seeds of 1"),
        ({"learning_rates": [0.1]}, SpecError, "features of 2 devices with learning rates of 1"),
        ({"learning_rates": [0.1, 0.0]}, SpecError, "above 0 and finite"),
        ({"features": [np.zeros((2, 13)), np.zeros((2, 13))]}, SpecError, "float64"),
        ({"features": [np.zeros((2, 12), np.float32)] * 2}, SpecError, "13 float32 features"),
        ({"labels": [np.zeros(2, np.int64), np.zeros(3, np.int64)]}, SpecError, r"\(3,\) for 2 rows"),
        ({"labels": [np.zeros(2, np.int64), np.zeros(2)]}, SpecError, "labels of float64"),
        ({"labels": [np.zeros(2, np.int64), np.array([0, 3])]}, DataError, r"labels reach 0\.\.3"),
        (
            {"features": [np.zeros((0, 13), np.float32)] * 2, "labels": [np.zeros(0, np.int64)] * 2},
            DataError,
            "no rows",
        ),
        ({"start": np.zeros(41, np.float32)}, SpecError, "42 float32 parameters"),
        ({"chunk": 0}, SpecError, "chunks of 0 devices"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(change, error, message):
    x, y, start = population(LOGISTIC, [2, 2])
    given = {"start": start, "features": x, "labels": y, "seeds": [1, 2]} | change
    with pytest.raises(error, match=message):
        train_in_chunks(LOGISTIC, training=LocalTraining(), **given)


def test_modules_need_a_label_a_row():
    with pytest.raises(DataError, match="2 rows with 3 labels"):
        train_modules_in_chunks(
            build(LOGISTIC), [np.zeros((2, 13), np.float32)], [np.zeros(3, np.int64)], LocalTraining(), [0]
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device and torch's CUDA build")
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_a_gpu_gives_the_same_updates(spec):
    x, y, start = population(spec, [1 + i % 6 for i in range(50)])
    training = LocalTraining(epochs=2, batch_size=3, learning_rate=0.1, momentum=0.5, proximal=0.1)
    expected = train_batch(spec, start, x, y, training, range(50))
    assert_equal_updates(train_batch(spec, start, x, y, training, range(50), device="cuda"), expected)
