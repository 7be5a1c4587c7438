import math
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch import nn

from fl_core.errors import DataError, SpecError, TrainingError
from fl_core.json_fields import from_fields
from fl_core.models import ModelSpec, build, initial_vector, parameter_count, predict_logits, to_vector
from fl_core.record_privacy import RecordPrivacy
from fl_core.training import LocalTraining, evaluate, per_record_loss, train_local, training_flops

LOGISTIC = ModelSpec("logistic", 30, 2)
MLP = ModelSpec("mlp", 12, 4, (9, 5))
SIGNAL = ModelSpec("conv1d", 2 * 20, 3, (4, 5), channels=2, kernel=4, stride=2)


def rows_of(spec, n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, spec.features)).astype(np.float32)
    y = (x[:, : spec.classes] + 0.3 * rng.normal(size=(n, spec.classes))).argmax(axis=1).astype(np.int64)
    return x, y


def plain_loop(spec, start, data, training, seed):
    """The loop that anyone would write: module, loss, optimiser."""
    x, y = data
    module = build(spec, start)
    optimiser = torch.optim.SGD(
        module.parameters(),
        lr=training.learning_rate,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
    )
    generator = torch.Generator().manual_seed(seed)
    features, labels = torch.tensor(x), torch.tensor(y)
    for _ in range(training.epochs):
        order = (
            torch.arange(len(y))
            if training.batch_size >= len(y)
            else torch.randperm(len(y), generator=generator)
        )
        for part in torch.split(order, training.batch_size):
            optimiser.zero_grad()
            distance = (
                (nn.utils.parameters_to_vector(module.parameters()) - torch.tensor(start)).square().sum()
            )
            loss = nn.functional.cross_entropy(module(features[part]), labels[part])
            (loss + training.proximal / 2 * distance).backward()
            optimiser.step()
    return to_vector(module) - start


@pytest.mark.parametrize("spec", [LOGISTIC, MLP, SIGNAL])
@pytest.mark.parametrize("rows", [1, 5, 37])
@pytest.mark.parametrize(
    "training",
    [
        LocalTraining(epochs=1, batch_size=64, learning_rate=0.3),
        LocalTraining(epochs=5, batch_size=8, learning_rate=0.1),
        LocalTraining(epochs=3, batch_size=4, learning_rate=0.05, momentum=0.9, weight_decay=0.01),
        LocalTraining(epochs=3, batch_size=4, learning_rate=0.05, proximal=0.5),
        LocalTraining(epochs=2, batch_size=4, learning_rate=0.05, momentum=0.5, proximal=0.5),
    ],
)
def test_local_training_equals_the_plain_loop(spec, rows, training):
    x, y = rows_of(spec, rows)
    start = np.random.default_rng(1).normal(size=parameter_count(spec)).astype(np.float32) / 4
    kept = start.copy()
    delta = train_local(spec, start, x, y, training, 7)
    np.testing.assert_allclose(delta, plain_loop(spec, start, (x, y), training, 7), rtol=1e-5, atol=1e-6)
    assert np.array_equal(start, kept)
    assert delta.dtype == np.float32
    assert delta.flags.c_contiguous


def test_the_same_seed_gives_the_same_update_bit_for_bit_on_any_number_of_threads():
    x, y = rows_of(MLP, 40)
    start, training = initial_vector(MLP, 0), LocalTraining(epochs=3)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            results.append(train_local(MLP, start, x, y, training, 3).tobytes())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(set(results)) == 1
    assert train_local(MLP, start, x, y, training, 4).tobytes() not in results


def test_another_process_gives_the_same_update_bit_for_bit():
    code = (
        "import sys, numpy as np\n"
        "from fl_core.models import *\nfrom fl_core.training import *\n"
        "spec = ModelSpec('mlp', 12, 4, (9, 5)); rng = np.random.default_rng(0)\n"
        "x = rng.normal(size=(23, 12)).astype(np.float32); y = rng.integers(0, 4, 23)\n"
        "print(train_local(spec, initial_vector(spec, 0), x, y, LocalTraining(), 5).tobytes().hex())\n"
    )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(23, 12)).astype(np.float32), rng.integers(0, 4, 23)
    here = train_local(MLP, initial_vector(MLP, 0), x, y, LocalTraining(), 5).tobytes().hex()
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert there == here


def test_the_global_generator_and_gradient_mode_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    x, y = rows_of(LOGISTIC, 20)
    train_local(LOGISTIC, initial_vector(LOGISTIC, 0), x, y, LocalTraining(), 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_training_a_device_of_five_rows_takes_less_than_three_milliseconds():
    x, y = rows_of(LOGISTIC, 5)
    start, training = initial_vector(LOGISTIC, 0), LocalTraining(epochs=5)
    times = []
    for seed in range(50):
        begin = time.perf_counter()
        train_local(LOGISTIC, start, x, y, training, seed)
        times.append(time.perf_counter() - begin)
    assert np.median(times) < 3e-3


def test_training_learns():
    x, y = rows_of(MLP, 300)
    start = initial_vector(MLP, 0)
    vector = start + train_local(MLP, start, x, y, LocalTraining(epochs=60, learning_rate=0.1), 0)
    assert evaluate(MLP, vector, x, y).accuracy > 0.9
    assert evaluate(MLP, vector, x, y).loss < evaluate(MLP, start, x, y).loss


def test_divergence_is_an_error_not_an_update():
    x, y = rows_of(MLP, 40)
    with pytest.raises(TrainingError, match="diverged at learning rate 1e\\+30; lower it"):
        train_local(MLP, initial_vector(MLP, 0), x, y, LocalTraining(learning_rate=1e30), 0)
    start = initial_vector(LOGISTIC, 0)
    start[0] = np.nan
    x, y = rows_of(LOGISTIC, 4)
    with pytest.raises(TrainingError, match="diverged"):
        train_local(LOGISTIC, start, x, y, LocalTraining(), 0)
    with pytest.raises(TrainingError, match="not finite"):
        evaluate(LOGISTIC, start, x, y)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((3, 29), np.float32)}, SpecError, "30 float32 features"),
        ({"x": np.zeros((3, 30))}, SpecError, "float64"),
        ({"y": np.array([0, 1])}, SpecError, r"labels of int64 \(2,\) for 3 rows"),
        ({"y": np.array([0, 1, 2])}, DataError, r"labels reach 0\.\.2, but the model has 2 classes"),
        ({"y": np.array([0.0, 1, 1])}, SpecError, "labels of float64"),
        ({"x": np.zeros((0, 30), np.float32), "y": np.zeros(0, np.int64)}, DataError, "no rows"),
    ],
)
def test_data_that_do_not_fit_are_refused(change, error, message):
    given = {"x": np.zeros((3, 30), np.float32), "y": np.array([0, 1, 1])} | change
    start = initial_vector(LOGISTIC, 0)
    with pytest.raises(error, match=message):
        train_local(LOGISTIC, start, given["x"], given["y"], LocalTraining(), 0)
    with pytest.raises(error, match=message):
        per_record_loss(LOGISTIC, start, given["x"], given["y"])
    with pytest.raises(error, match=message):
        evaluate(LOGISTIC, start, given["x"], given["y"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "0 epochs"),
        ({"batch_size": 0}, "batch size 0"),
        ({"learning_rate": 0.0}, "learning rate 0.0"),
        ({"learning_rate": math.inf}, "learning rate inf"),
        ({"momentum": 1.0}, "momentum 1.0"),
        ({"weight_decay": -0.1}, "weight decay -0.1"),
        ({"weight_decay": math.nan}, "weight decay nan"),
        ({"proximal": -0.1}, "proximal term -0.1"),
        ({"proximal": math.inf}, "proximal term inf"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        LocalTraining(**settings)


def test_a_proximal_term_holds_the_model_near_its_start():
    x, y = rows_of(MLP, 20)
    start = initial_vector(MLP, 0)
    moved = [
        np.linalg.norm(train_local(MLP, start, x, y, LocalTraining(epochs=20, proximal=mu), 0))
        for mu in (0.0, 0.1, 1.0)
    ]
    assert moved[0] > moved[1] > moved[2]


def test_settings_survive_json():
    for training in (
        LocalTraining(proximal=0.1),
        LocalTraining(record_privacy=RecordPrivacy(noise_multiplier=2.0, max_grad_norm=0.5, delta=1e-6)),
    ):
        assert from_fields(LocalTraining, training.to_json()) == training


def test_work_is_counted_in_megaflops():
    assert training_flops(LOGISTIC, 10, LocalTraining(epochs=5)) == pytest.approx(6 * 60 * 10 * 5 / 1e6)
    twice = training_flops(MLP, 20, LocalTraining(epochs=3))
    assert twice == pytest.approx(2 * training_flops(MLP, 10, LocalTraining(epochs=3)))
    windows = 9 * (2 * 4 * 4) + 3 * (4 * 4 * 5) + 5 * 3
    assert training_flops(SIGNAL, 10, LocalTraining(epochs=1)) == pytest.approx(6 * windows * 10 / 1e6)


@pytest.mark.parametrize("spec", [LOGISTIC, MLP])
def test_metrics_equal_those_of_scikit_learn(spec):
    x, y = rows_of(spec, 200)
    vector = np.random.default_rng(2).normal(size=parameter_count(spec)).astype(np.float32)
    found = evaluate(spec, vector, x, y)
    logits = predict_logits(spec, vector, x)
    shares = torch.softmax(torch.tensor(logits, dtype=torch.float64), dim=1).numpy()
    assert found.accuracy == np.mean(logits.argmax(axis=1) == y)
    assert found.loss == pytest.approx(log_loss(y, shares), abs=1e-9)
    auroc = (
        roc_auc_score(y, shares[:, 1]) if spec.classes == 2 else roc_auc_score(y, shares, multi_class="ovr")
    )
    assert found.auroc == pytest.approx(auroc, abs=1e-12)
    losses = per_record_loss(spec, vector, x, y)
    assert losses.dtype == np.float64
    assert losses.mean() == pytest.approx(found.loss)


def test_auroc_counts_ties_half_and_needs_two_classes():
    x = np.zeros((6, 30), dtype=np.float32)
    y = np.array([0, 1, 0, 1, 1, 1], dtype=np.int64)
    assert evaluate(LOGISTIC, initial_vector(LOGISTIC, 0), x, y).auroc == 0.5
    assert evaluate(LOGISTIC, initial_vector(LOGISTIC, 0), x[:2], y[[1, 3]]).auroc is None


def test_a_confident_and_wrong_model_has_a_large_finite_loss():
    vector = np.full(62, 0, dtype=np.float32)
    vector[60] = 1e4
    losses = per_record_loss(LOGISTIC, vector, np.zeros((2, 30), np.float32), np.array([0, 1]))
    assert losses.tolist() == [0.0, 1e4]
