import gc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fl_core.batched.recycled import Recycled


def where(tensor):
    return tensor.data_ptr()


def test_a_block_that_nobody_holds_is_used_again():
    memory = Recycled()
    first = where(memory.empty([(4, 5)])[0])
    assert where(memory.empty([(4, 5)])[0]) == first
    assert where(memory.empty([(2, 5)])[0]) == first


def test_a_block_is_kept_for_whoever_holds_any_view_of_it():
    memory = Recycled()
    for hold in (
        lambda tensor: tensor,
        lambda tensor: tensor[1:, 2],
        lambda tensor: tensor.numpy(),
        lambda tensor: tensor.numpy()[2],
        lambda tensor: tensor.view(-1).detach(),
    ):
        held = hold(memory.empty([(4, 5)])[0])
        held[:] = 1
        other = memory.empty([(4, 5)])[0]
        other[:] = 2
        assert (np.asarray(held) == 1).all()
        del held, other
        gc.collect()
    assert len(memory._blocks) == 2


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=5))
def test_tensors_of_a_block_do_not_overlap_and_start_at_cache_lines(shapes):
    tensors = Recycled().empty([tuple(shape) for shape in shapes])
    for number, (tensor, shape) in enumerate(zip(tensors, shapes, strict=True)):
        assert list(tensor.shape) == shape
        assert where(tensor) % 64 == 0
        tensor.fill_(number)
    assert all((tensor == number).all() for number, tensor in enumerate(tensors))
