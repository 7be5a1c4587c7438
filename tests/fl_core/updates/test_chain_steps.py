import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl_core.errors import SpecError, TrainingError
from fl_core.secagg.packing import pack
from fl_core.updates.clipping import Clipped
from fl_core.updates.linear import Selected, Weighted
from fl_core.updates.ring import Noised, Ring
from fl_core.updates.stage import UNBOUNDED, Given


class Floats:
    """Ends a chain where its values can be looked at."""

    wire_bytes = 0

    def forward(self, values, given):
        return values

    def inverse(self, total, weight):
        return total

    def bound(self, given):
        return given


def given_weights(*weights):
    return Given(np.array(weights), [], None)


@given(arrays(np.float64, (3, 8), elements=st.floats(-1e6, 1e6)), st.floats(1e-3, 1e3))
def test_clipping_bounds_the_length_and_keeps_the_direction(values, norm):
    clipped = Clipped(Floats(), norm, norm).forward(values, given_weights(1, 1, 1))
    for before, after in zip(values, clipped, strict=True):
        length = np.linalg.norm(before)
        assert np.linalg.norm(after) <= norm * (1 + 1e-12)
        if length <= norm * (1 - 1e-12):
            assert after.tolist() == before.tolist()
        else:
            assert np.allclose(after * length, before * norm, rtol=1e-9)


@given(arrays(np.float64, (2, 8), elements=st.floats(-1e6, 1e6)), st.floats(1e-3, 1e3), st.floats(0.1, 1))
def test_no_coordinate_exceeds_the_peak(values, norm, share):
    stage = Clipped(Floats(), norm, share * norm)
    clipped = stage.forward(values, given_weights(1, 1))
    bound = stage.bound(UNBOUNDED)
    assert np.abs(clipped).max() <= bound.peak <= share * norm * (1 + 1e-9)
    assert np.linalg.norm(clipped, axis=1).max() <= bound.l2


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_an_update_without_a_finite_length_is_refused_by_its_number(bad):
    values = np.zeros((3, 2))
    values[1, 1] = bad
    with pytest.raises(TrainingError, match="update 1 has no finite length"):
        Clipped(Floats(), 1.0, 1.0).forward(values, given_weights(1, 1, 1))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_clip_that_bounds_nothing_is_refused(bad):
    with pytest.raises(SpecError, match="clip norm"):
        Clipped(Floats(), bad, 1.0)
    with pytest.raises(SpecError, match="peak"):
        Clipped(Floats(), 1.0, bad)


def test_weights_and_selection_undo_each_other_on_the_server():
    coordinates = np.array([4, 0, 2])
    chain = Weighted(Selected(Floats(), coordinates, 5))
    values = np.array([[1.0, 2, 3, 4, 5], [5.0, 4, 3, 2, 1]])
    sent = chain.forward(values, given_weights(1.0, 3.0))
    assert sent.tolist() == [[5, 1, 3], [3, 15, 9]]
    mean = chain.inverse(sent.sum(axis=0), 4.0)
    assert mean.tolist() == [4.0, 0, 3.0, 0, 2.0]


@pytest.mark.parametrize("coordinates", [[], [5], [-1], [1, 1]])
def test_masks_that_cannot_be_are_refused(coordinates):
    with pytest.raises(SpecError, match="coordinates of a mask"):
        Selected(Floats(), np.array(coordinates, dtype=np.int64), 5)


def test_a_sum_of_nobody_has_no_mean():
    with pytest.raises(SpecError, match="no mean"):
        Weighted(Floats()).inverse(np.zeros(2), 0.0)


@given(st.integers(8, 64), st.data())
def test_the_ring_gives_back_every_integer_that_it_holds(bits, data):
    ring = Ring(bits, 5)
    values = data.draw(arrays(np.int64, 5, elements=st.integers(-ring.largest, ring.largest)))
    words = ring.forward(values)
    assert int(words.max()) < 1 << bits
    assert ring.inverse(words).tolist() == values.tolist()


@given(st.integers(8, 64), st.integers(0, 2**64 - 1))
def test_ring_elements_are_read_as_twos_complement(bits, element):
    whole = 1 << bits
    element %= whole
    expected = element - whole if element >= whole // 2 else element
    assert Ring(bits, 1).inverse(np.array([element], dtype=np.uint64)).tolist() == [expected]


@pytest.mark.parametrize("bits", range(8, 33))
def test_the_stated_bytes_are_those_of_the_packed_vector(bits):
    ring = Ring(bits, 337)
    words = np.random.default_rng(bits).integers(0, 1 << bits, 337, dtype=np.uint64)
    assert len(pack(words, bits)) == ring.wire_bytes == -(-337 * bits // 8)


def test_sums_that_were_added_up_keep_their_sign():
    assert Ring(8, 2).inverse(np.array([-1000, 1000])).tolist() == [-1000, 1000]


def test_noise_is_added_in_the_ring():
    stage = Noised(Ring(8, 3), 2.0)
    words = stage.forward(np.array([[1, -1, 127]]), Given(np.ones(1), [], np.array([[1, -1, 1]])))
    assert words.tolist() == [[2, 254, 128]]


@pytest.mark.parametrize(
    ("variance", "noise", "what"),
    [
        (2.0, None, "missing"),
        (0.0, np.zeros((1, 3), dtype=np.int64), "has not"),
        (2.0, np.zeros((1, 2), dtype=np.int64), "shape"),
        (2.0, np.zeros((1, 3)), "float64"),
    ],
)
def test_noise_is_never_forgotten_nor_added_where_it_is_not_agreed(variance, noise, what):
    with pytest.raises(SpecError, match=what):
        Noised(Ring(8, 3), variance).forward(np.zeros((1, 3), dtype=np.int64), Given(np.ones(1), [], noise))


@pytest.mark.parametrize("bits", [7, 65])
def test_rings_that_cannot_be_packed_are_refused(bits):
    with pytest.raises(SpecError, match=f"{bits} bits"):
        Ring(bits, 1)


@pytest.mark.parametrize("total", [np.zeros(2, dtype=np.uint64), np.zeros(3, dtype=np.float64)])
def test_sums_of_another_shape_or_type_are_refused(total):
    with pytest.raises(SpecError, match="expected 3 integers"):
        Ring(8, 3).inverse(total)
