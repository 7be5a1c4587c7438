import numpy as np
import pytest

from fl_core.errors import SpecError
from fl_core.updates import Stratum, combine

MASK = np.array([7, 1, 4, 0])


def stratum(length, values, weight):
    return Stratum(MASK[:length], np.array(values, dtype=np.float64), weight)


def test_each_coordinate_is_the_mean_over_those_who_sent_it():
    mean = combine([stratum(4, [4.0, 8, 12, 16], 4.0), stratum(2, [6.0, 0.0], 2.0)], 9)
    assert mean.tolist() == [4.0, 8 / 6, 0, 0, 3.0, 0, 0, 10 / 6, 0]


def test_coordinates_that_nobody_sent_do_not_move():
    assert combine([], 3).tolist() == [0, 0, 0]
    assert combine([stratum(2, [0.0, 0.0], 0.0)], 9).tolist() == [0] * 9


def test_the_order_of_strata_does_not_matter():
    parts = [stratum(4, [1.0, 2, 3, 4], 1.0), stratum(3, [5.0, 6, 7], 2.0), stratum(1, [8.0], 3.0)]
    assert np.allclose(combine(parts, 9), combine(parts[::-1], 9), rtol=1e-15)


@pytest.mark.parametrize(
    "bad",
    [
        Stratum(MASK, np.zeros(3), 1.0),
        Stratum(MASK, np.zeros(4), -1.0),
        Stratum(MASK, np.zeros(4), np.nan),
        Stratum(MASK + 9, np.zeros(4), 1.0),
        Stratum(MASK - 1, np.zeros(4), 1.0),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(bad):
    with pytest.raises(SpecError, match="stratum"):
        combine([bad], 9)
