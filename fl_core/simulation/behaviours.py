"""How a simulated device behaves: pure functions on what it trains on and on what it sends."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import DataError


class Behaviour(Enum):
    """What a simulated device does with its part of a round."""

    HONEST = "honest"
    LABEL_FLIP = "label_flip"
    FREE_RIDER = "free_rider"

    @property
    def trains(self) -> bool:
        """False for a device that claims the work without doing it."""
        return self is not Behaviour.FREE_RIDER


def labels_as_used(behaviour: Behaviour, labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The labels that the device trains on: a label flipper moves each class k to (k + 1) mod K.

    Raises:
        DataError: a label outside 0..classes-1.
    """
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(f"labels reach {labels.min()}..{labels.max()}, but there are {classes} classes")
    if behaviour is Behaviour.LABEL_FLIP:
        return (labels + 1) % classes
    return labels


def update_as_sent(behaviour: Behaviour, delta: NDArray[np.float32]) -> NDArray[np.float32]:
    """The update that the device sends: a free rider sends zeros, others what they trained."""
    if behaviour is Behaviour.FREE_RIDER:
        return np.zeros_like(delta)
    return delta
