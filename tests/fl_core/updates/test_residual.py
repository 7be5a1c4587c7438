import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.errors import SpecError
from fl_core.updates import Residual
from fl_core.workers import in_workers

VALUES = st.lists(
    st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False).filter(
        lambda v: v == 0 or abs(v) > 1e-30
    ),
    min_size=1,
    max_size=50,
)


@given(VALUES)
def test_a_residual_is_kept_to_one_part_in_256(values):
    given_ = np.array(values, dtype=np.float32)
    residual = Residual(len(values))
    assert residual.read().tolist() == [0.0] * len(values)
    residual.write(given_)
    kept = residual.read()
    assert kept.dtype == np.float32
    assert (np.abs(kept - given_) <= np.abs(given_) / 256).all()
    residual.write(kept)
    assert residual.read().tolist() == kept.tolist(), "what was rounded once stays as it is"


def test_what_is_read_is_a_copy():
    residual = Residual(3)
    residual.read()[:] = 7
    assert residual.read().tolist() == [0, 0, 0]


def test_a_process_forked_later_writes_to_the_same_memory():
    residual = Residual(4)
    in_workers([lambda _tell: residual.write(np.arange(4, dtype=np.float32))], 1)
    assert residual.read().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros(4, np.float32)])
def test_other_shapes_and_types_are_refused(values):
    with pytest.raises(SpecError, match=r"expected float32 \(3,\)"):
        Residual(3).write(values)
