import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl_core.errors import SpecError, TrainingError
from fl_core.fixed_point import FixedPoint, clip_l2

PLAIN = FixedPoint(bits=32, fraction_bits=20, bound=16.0)


def rng(seed=0):
    return np.random.default_rng(seed)


@st.composite
def encodings(draw):
    """Every width, with bounds from one step to the most that the ring holds."""
    bits, fraction_bits = draw(st.integers(8, 64)), draw(st.integers(0, 52))
    most = 2.0 ** (bits - 1 - fraction_bits)
    bound = draw(st.floats(0, 1, exclude_min=True)) * most
    assume(bound > 0)
    try:
        return FixedPoint(bits=bits, fraction_bits=fraction_bits, bound=bound)
    except SpecError:
        assume(False)


@given(arrays(np.float64, st.integers(0, 20), elements=st.floats(-16, 16)), st.integers(0, 99))
def test_decoding_gives_back_every_value_to_within_a_rounding_step(values, seed):
    back = PLAIN.decode(PLAIN.encode(values, rng(seed)))
    assert (np.abs(back - values) < 2.0**-20).all()


@given(arrays(np.int64, st.integers(0, 20), elements=st.integers(-(2**24), 2**24)))
def test_values_on_the_grid_come_back_exactly(steps):
    values = steps * 2.0**-20
    assert PLAIN.decode(PLAIN.encode(values, rng())).tolist() == values.tolist()


def test_stochastic_rounding_has_no_bias():
    step, draws = 2.0**-20, 40_000
    for fraction in (0.05, 0.5, 0.9, -0.3):
        value = (1234 + fraction) * step
        error = PLAIN.decode(PLAIN.encode(np.full(draws, value), rng(7))) - value
        deviation = step * math.sqrt(abs(fraction) * (1 - abs(fraction)) / draws)
        assert abs(error.mean()) < 5 * deviation


def test_the_same_generator_rounds_alike():
    values = rng(1).normal(size=50)
    assert PLAIN.encode(values, rng(2)).tolist() == PLAIN.encode(values, rng(2)).tolist()
    assert PLAIN.encode(values, rng(2)).tolist() != PLAIN.encode(values, rng(3)).tolist()


@given(encodings(), st.data())
def test_a_sum_of_as_many_vectors_as_fit_never_wraps(fixed_point, data):
    """Checked at the extremes, in Python integers: the largest value that `encode` lets through, each way."""
    sign = data.draw(st.sampled_from([-1.0, 1.0]))
    extreme = np.array([sign * fixed_point.bound * (1 + 1e-12)])
    encoded = fixed_point.encode(extreme, rng(data.draw(st.integers(0, 9))))
    one = int(fixed_point.signed(encoded)[0])
    assert one * sign > 0 or fixed_point.bound * 2.0**fixed_point.fraction_bits < 1
    assert abs(one) <= fixed_point.largest
    members = fixed_point.capacity
    ring = 1 << fixed_point.bits
    total = np.array([members * int(encoded[0]) % ring], dtype=np.uint64)
    assert int(fixed_point.signed(total)[0]) == members * one


@given(encodings())
def test_one_vector_more_than_fit_is_refused(fixed_point):
    fixed_point.require_capacity(fixed_point.capacity)
    with pytest.raises(SpecError, match="can wrap"):
        fixed_point.require_capacity(fixed_point.capacity + 1)


@given(encodings(), st.floats(1.001, 1e6), st.sampled_from([-1, 1]))
def test_a_value_beyond_the_bound_is_refused_not_saturated(fixed_point, factor, sign):
    assume(fixed_point.bound * factor > fixed_point.bound * (1 + 1e-9))  # not so among the smallest floats
    with pytest.raises(TrainingError, match="beyond the bound"):
        fixed_point.encode(np.array([0.0, sign * fixed_point.bound * factor]), rng())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(bad):
    with pytest.raises(TrainingError, match="not finite"):
        PLAIN.encode(np.array([0.0, bad]), rng())


@given(encodings(), st.integers(0, 2**64 - 1))
def test_ring_elements_are_read_as_twos_complement(fixed_point, element):
    ring = 1 << fixed_point.bits
    element %= ring
    expected = element - ring if element >= ring // 2 else element
    assert fixed_point.signed(np.array([element], dtype=np.uint64)).tolist() == [expected]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"bits": 7}, "7 bits"),
        ({"bits": 65}, "65 bits"),
        ({"fraction_bits": -1}, "-1 fraction bits"),
        ({"fraction_bits": 53}, "53 fraction bits"),
        ({"bound": 0.0}, "positive finite"),
        ({"bound": -1.0}, "positive finite"),
        ({"bound": math.nan}, "positive finite"),
        ({"bound": math.inf}, "positive finite"),
        ({"bound": 2.0**12}, "does not fit 32 bits"),
        ({"bound": 1e308}, "does not fit 32 bits"),
        ({"bits": 64, "bound": 1e308}, "does not fit 64 bits"),
        ({"bits": 8, "fraction_bits": 8}, "does not fit 8 bits"),
    ],
)
def test_widths_that_cannot_work_are_refused_before_any_value_is_seen(changes, what):
    with pytest.raises(SpecError, match=what):
        FixedPoint(**{"bits": 32, "fraction_bits": 20, "bound": 16.0, **changes})


@given(
    arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e6, 1e6)),
    st.floats(1e-3, 1e3),
)
def test_clipping_bounds_the_length_and_keeps_the_direction(vector, clip_norm):
    clipped = clip_l2(vector, clip_norm)
    length = np.linalg.norm(vector)
    assert np.linalg.norm(clipped) <= clip_norm * (1 + 1e-12)
    if length <= clip_norm:
        assert clipped.tolist() == vector.tolist()
    else:
        assert np.allclose(clipped * length, vector * clip_norm, rtol=1e-9)


@given(arrays(np.float32, st.integers(1, 20), elements=st.floats(-1e6, 1e6, width=32)))
def test_what_was_clipped_can_always_be_encoded(vector):
    PLAIN.encode(clip_l2(vector, PLAIN.bound), rng())


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_a_vector_without_a_finite_length_is_refused_not_turned_into_zeros(bad):
    with pytest.raises(TrainingError, match="no finite length"):
        clip_l2(np.array([1.0, bad]), 1.0)
