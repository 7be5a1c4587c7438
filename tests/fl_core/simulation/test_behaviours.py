import numpy as np
import pytest

from fl_core.errors import DataError
from fl_core.simulation import Behaviour, labels_as_used, update_as_sent

LABELS = np.array([0, 1, 2, 2], dtype=np.int64)
DELTA = np.array([0.5, -1.0], dtype=np.float32)


def test_an_honest_device_changes_nothing():
    assert labels_as_used(Behaviour.HONEST, LABELS, 3).tolist() == [0, 1, 2, 2]
    assert update_as_sent(Behaviour.HONEST, DELTA).tolist() == [0.5, -1.0]
    assert Behaviour.HONEST.trains


def test_a_label_flipper_moves_every_class_on_by_one_and_leaves_the_data_alone():
    assert labels_as_used(Behaviour.LABEL_FLIP, LABELS, 3).tolist() == [1, 2, 0, 0]
    assert LABELS.tolist() == [0, 1, 2, 2]
    assert labels_as_used(Behaviour.LABEL_FLIP, LABELS, 3).dtype == np.int64
    assert update_as_sent(Behaviour.LABEL_FLIP, DELTA) is DELTA
    assert Behaviour.LABEL_FLIP.trains


def test_a_free_rider_sends_zeros_without_training():
    sent = update_as_sent(Behaviour.FREE_RIDER, DELTA)
    assert sent.tolist() == [0, 0]
    assert sent.dtype == np.float32
    assert DELTA.tolist() == [0.5, -1.0]
    assert labels_as_used(Behaviour.FREE_RIDER, LABELS, 3) is LABELS
    assert not Behaviour.FREE_RIDER.trains


def test_labels_that_do_not_exist_are_refused():
    with pytest.raises(DataError, match=r"labels reach 0\.\.2, but there are 2 classes"):
        labels_as_used(Behaviour.LABEL_FLIP, LABELS, 2)
