import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.errors import SpecError
from fl_core.updates.ring import Noised, Ring
from fl_core.updates.rounding import Rounded, rounded_norm
from fl_core.updates.stage import UNBOUNDED, Given


def rounded(values, *, fraction_bits=0, norm=None, seed=0):
    """Integers of the rows of `values`, each row with a generator of its own."""
    rows, length = values.shape
    ring = Ring(64, length)
    stage = Rounded(Noised(ring, 0.0), fraction_bits, norm or 1.0, length)
    generators = [np.random.default_rng((seed, row)) for row in range(rows)]
    return ring.inverse(stage.forward(values, Given(np.ones(rows), generators, None))), stage


def vectors_of_length(norm, length, rng):
    """Vectors of exactly that norm whose rounding is longest in different ways."""
    flat = np.full(length, norm / math.sqrt(length))
    spike = np.zeros(length)
    spike[0] = norm
    halves = np.floor(flat) + 0.5
    halves *= norm / np.linalg.norm(halves)
    return np.array(
        [flat, spike, halves, *(v * norm / np.linalg.norm(v) for v in rng.normal(size=(20, length)))]
    )


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-3, 1e4), st.integers(1, 400), st.integers(0, 9))
def test_no_rounded_vector_is_longer_than_the_stated_sensitivity(norm, length, seed):
    values = vectors_of_length(norm, length, np.random.default_rng(seed)) * (1 - 1e-12)
    steps, stage = rounded(values, norm=norm, seed=seed)
    bound = stage.bound(UNBOUNDED)
    assert np.sqrt((steps.astype(float) ** 2).sum(axis=1)).max() <= bound.l2
    assert np.abs(steps).sum(axis=1).max() <= bound.l1 * (1 + 1e-12)
    assert np.abs(steps).max() <= bound.peak
    assert (np.abs(steps - values) < 1).all()


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-2, 1e3), st.integers(1, 300))
def test_a_free_draw_is_accepted_at_least_as_often_as_promised(norm, length):
    rng = np.random.default_rng(length)
    limit = rounded_norm(norm, length)
    for values in vectors_of_length(norm, length, rng)[:4]:
        floor = np.floor(values)
        draws = floor + (rng.random((400, length)) < values - floor)
        accepted = ((draws**2).sum(axis=1) <= limit**2).mean()
        assert accepted >= 1 - math.exp(-0.5) - 5 * math.sqrt(0.25 / 400)


def test_the_bound_costs_little_where_steps_are_fine_and_never_more_than_one_step_an_entry():
    assert rounded_norm(1000, 336) < 1000 * 1.001
    for norm, length in ((0.5, 1000), (3.0, 10), (1e4, 80_582)):
        assert norm <= rounded_norm(norm, length) <= norm + math.sqrt(length)


def test_rounding_has_no_bias_where_the_bound_is_not_reached():
    values = np.tile(np.array([[0.05, 0.5, 0.9, -0.3, 7.25]]), (4_000, 1))
    steps, _ = rounded(values, norm=100.0)
    deviation = np.sqrt(0.25 / len(values))
    assert np.abs(steps.mean(axis=0) - values[0]).max() < 5 * deviation


def test_the_bias_of_redrawing_is_small_at_the_clip_norm():
    """Vectors exactly as long as the clip allows: the condition shortens the mean by less than a percent."""
    rng = np.random.default_rng(3)
    direction = rng.normal(size=200)
    values = np.tile(20 * direction / np.linalg.norm(direction), (4000, 1))
    steps, _ = rounded(values, norm=20.0)
    along = steps.mean(axis=0) @ values[0] / (values[0] @ values[0])
    assert 0.98 < along < 1.01


def test_a_vector_that_is_never_accepted_is_rounded_towards_zero():
    """Not to be seen by chance (e^-64): the generator is made to round everything up."""

    class Up:
        def random(self, size=None, out=None):
            if out is not None:
                out[:] = 0.0
                return out
            return np.zeros(size)

    values = np.full((1, 400), 0.05)
    stage = Rounded(Noised(Ring(64, 400), 0.0), 0, 1.0, 400)
    words = stage.forward(values, Given(np.ones(1), [Up()], None))
    assert not words.any()


def test_whole_numbers_of_steps_come_through_exactly():
    values = np.array([[3.0, -2.5, 0.0, 0.25]])
    steps, stage = rounded(values, fraction_bits=2, norm=4.0)
    assert steps.tolist() == [[12, -10, 0, 1]]
    assert stage.inverse(steps[0], 1.0).tolist() == values[0].tolist()


@pytest.mark.parametrize("fraction_bits", [-1, 53])
def test_fraction_bits_that_cannot_work_are_refused(fraction_bits):
    with pytest.raises(SpecError, match="fraction bits"):
        Rounded(Noised(Ring(64, 1), 0.0), fraction_bits, 1.0, 1)
