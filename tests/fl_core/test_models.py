import hashlib
import struct

import numpy as np
import pytest
import torch

from fl_core.errors import SpecError
from fl_core.models import (
    ModelSpec,
    build,
    from_vector,
    initial_vector,
    model_digest,
    parameter_count,
    predict_logits,
    to_vector,
)

LOGISTIC = ModelSpec("logistic", 30, 2)
MLP = ModelSpec("mlp", 7, 3, (5, 4))
SIGNAL = ModelSpec("conv1d", 3 * 20, 4, (5, 6), channels=3, kernel=4, stride=2)
SPECS = [LOGISTIC, MLP, SIGNAL]


def test_parameters_are_counted():
    assert parameter_count(LOGISTIC) == 62
    assert parameter_count(MLP) == 8 * 5 + 6 * 4 + 5 * 3
    assert parameter_count(ModelSpec("mlp", 561, 6, (128, 64))) == 80_582
    assert parameter_count(SIGNAL) == (3 * 4 + 1) * 5 + (5 * 4 + 1) * 6 + (6 + 1) * 4


def test_windows_of_a_convolution_shrink_with_each_layer():
    assert SIGNAL.windows == (9, 3, 1)
    assert MLP.windows == (1, 1, 1)


def test_channels_follow_one_another_in_a_row():
    spec = ModelSpec("conv1d", 2 * 3, 2, (1,), channels=2, kernel=3)
    # one window; weights 1 for channel 0 and 10 for channel 1; the logit of class 0 is the activation
    vector = np.array([1, 1, 1, 10, 10, 10, 0, 1, 0, 0, 0], dtype=np.float32)
    rows = np.array([[1, 2, 3, 4, 5, 6]], dtype=np.float32)
    assert predict_logits(spec, vector, rows).tolist() == [[6 + 150, 0]]


@pytest.mark.parametrize("spec", SPECS)
def test_vector_and_module_are_the_same_model(spec):
    rng = np.random.default_rng(0)
    vector = rng.normal(size=parameter_count(spec)).astype(np.float32)
    module = from_vector(spec, vector)
    assert np.array_equal(to_vector(module), vector)
    x = rng.normal(size=(11, spec.features)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.tensor(x)).numpy()
    found = predict_logits(spec, vector, x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_vector_is_row_major_layer_by_layer():
    spec = ModelSpec("logistic", 3, 2)
    vector = np.arange(8, dtype=np.float32)
    logits = predict_logits(spec, vector, np.eye(3, dtype=np.float32))
    assert logits.tolist() == [[0 + 6, 3 + 7], [1 + 6, 4 + 7], [2 + 6, 5 + 7]]


@pytest.mark.parametrize("spec", SPECS)
def test_starting_points_are_reproducible_and_leave_the_global_generator_alone(spec):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again = initial_vector(spec, 1), initial_vector(spec, 1)
    assert np.array_equal(to_vector(build(spec)), initial_vector(spec, 0))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first, again)
    assert first.dtype == np.float32
    assert first.flags.c_contiguous
    assert first.shape == (parameter_count(spec),)


def test_a_logistic_model_starts_at_zero_and_an_mlp_within_its_bounds():
    assert not initial_vector(LOGISTIC, 3).any()
    vector = initial_vector(MLP, 3)
    assert np.abs(vector[:40]).max() <= 1 / np.sqrt(7)
    assert len(np.unique(vector)) == len(vector)
    assert not np.array_equal(vector, initial_vector(MLP, 4))


def test_the_digest_is_that_of_little_endian_floats():
    vector = np.array([1.5, -2.0], dtype=np.float32)
    expected = hashlib.sha256(struct.pack("<2f", 1.5, -2.0)).digest()
    assert model_digest(vector) == expected
    assert model_digest(vector.astype(">f4").astype(np.float32)) == expected
    assert model_digest(np.array([1.5, 0, -2.0, 0], dtype=np.float32)[::2]) == expected
    with pytest.raises(SpecError, match="a model is a float32 vector, not float64"):
        model_digest(vector.astype(np.float64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("forest", 3, 2), "unknown model 'forest'"),
        (("logistic", 0, 2), "0 features"),
        (("logistic", 3, 1), "1 classes"),
        (("logistic", 3, 2, (4,)), "no hidden layers"),
        (("mlp", 3, 2), "at least one"),
        (("mlp", 3, 2, (4, 0)), "at least 1 unit"),
        (("mlp", 3, 2, (4,), 3), "belong to conv1d"),
        (("conv1d", 3, 2), "at least one"),
        (("conv1d", 10, 2, (4,), 3), "channels of equal length"),
        (("conv1d", 10, 2, (4,), 2, 0), "at least 1"),
        (("conv1d", 10, 2, (4,), 2, 6), "do not fit a signal of 5 samples"),
        (("conv1d", 20, 2, (4, 4), 2, 4, 3), "do not fit a signal of 10 samples"),
    ],
)
def test_impossible_models_are_refused(arguments, message):
    with pytest.raises(SpecError, match=message):
        ModelSpec(*arguments)


def test_vectors_and_features_that_do_not_fit_are_refused():
    vector = initial_vector(LOGISTIC, 0)
    x = np.zeros((2, 30), dtype=np.float32)
    with pytest.raises(SpecError, match="for a model of 62 float32 parameters"):
        predict_logits(LOGISTIC, vector[:-1], x)
    with pytest.raises(SpecError, match="float64"):
        predict_logits(LOGISTIC, vector.astype(np.float64), x)
    with pytest.raises(SpecError, match="for a model of 30 float32 features"):
        predict_logits(LOGISTIC, vector, x[:, :-1])
    with pytest.raises(SpecError, match="float64"):
        predict_logits(LOGISTIC, vector, x.astype(np.float64))


def test_models_are_described_in_json():
    assert SIGNAL.to_json() == {
        "kind": "conv1d",
        "features": 60,
        "classes": 4,
        "hidden": [5, 6],
        "channels": 3,
        "kernel": 4,
        "stride": 2,
    }
    assert ModelSpec(**{**SIGNAL.to_json(), "hidden": (5, 6)}) == SIGNAL
