"""A simulated device of attacker class (b): its software does not clip, and masks whatever it is told to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fl_core.tiers.device import Device
from fl_core.tiers.task import Task
from fl_core.updates import EncodedUpdate
from fl_core.updates.ring import Ring


class ForgingDevice(Device):
    """Follows the protocol, so that its input counts; the input is another one."""

    _forged: NDArray[np.int64] | None = None

    def forge(self, steps: NDArray[np.int64]) -> None:
        """Send these integers, int64 (d,), in the next round in place of an encoded update."""
        self._forged = steps

    def encode(self, task: Task, delta: NDArray[np.float32]) -> EncodedUpdate:
        """The vector that will be masked: the forged one where there is one, without noise."""
        honest, forged = super().encode(task, delta), self._forged
        if forged is None:
            return honest
        self._forged = None
        codec = task.codec
        sent = forged if codec.coordinates is None else forged[codec.coordinates]
        return replace(honest, ring=Ring(codec.bits, codec.length).forward(sent))
