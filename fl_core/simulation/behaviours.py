"""How a simulated device behaves: pure functions on what it trains on and on what it sends."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import DataError
from fl_core.simulation.backdoor import poisoned_rows


class Behaviour(Enum):
    """What a simulated device does with its part of a round."""

    HONEST = "honest"
    LABEL_FLIP = "label_flip"
    FREE_RIDER = "free_rider"
    BACKDOOR = "backdoor"
    SIGN_FLIP = "sign_flip"
    BOOST = "boost"
    NOISE = "noise"
    LITTLE_IS_ENOUGH = "little_is_enough"
    INNER_PRODUCT = "inner_product"
    ADAPTIVE = "adaptive"

    @property
    def trains(self) -> bool:
        """False for a device that claims the work without doing it."""
        return self is not Behaviour.FREE_RIDER

    @property
    def attacks(self) -> bool:
        """Whether the device wants to harm the model."""
        return self not in (Behaviour.HONEST, Behaviour.FREE_RIDER)

    @property
    def steers(self) -> bool:
        """Whether the device sends something else than what it trained; the other attackers poison their rows only."""
        return self.attacks and self not in (Behaviour.LABEL_FLIP, Behaviour.BACKDOOR)


ATTACKS: Mapping[str, Behaviour] = {kind.value.replace("_", "-"): kind for kind in Behaviour if kind.attacks}
"""Attacks by the names that a user gives them."""


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


def rows_as_used(
    behaviour: Behaviour, features: NDArray[np.float32], labels: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The rows that the device trains on: `labels_as_used`, and with a backdoor's trigger where it plants one.

    Raises:
        DataError: a label outside 0..classes-1.
    """
    used = labels_as_used(behaviour, labels, classes)
    return poisoned_rows(features, used) if behaviour is Behaviour.BACKDOOR else (features, used)


def update_as_sent(behaviour: Behaviour, delta: NDArray[np.float32]) -> NDArray[np.float32]:
    """The update that the device sends: a free rider sends zeros, others what they trained."""
    if behaviour is Behaviour.FREE_RIDER:
        return np.zeros_like(delta)
    return delta
