"""A device's part of a round, accepted and ready to be trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.round_plan import RoundPlan
from fl_core.tiers.draw import CalledCohort
from fl_core.training import train_local
from fl_core.updates import UpdateCodec


@dataclass(frozen=True, eq=False)
class Task:
    """What a device found to be its part of a round, everything checked: it can be trained alone or in a batch.

    Attributes:
        plan: the round's plan.
        cohort: the cohort that the device is in.
        codec: how its update is encoded.
        features: the device's training rows, float32 (n, f).
        labels: their labels as the device uses them, int64 (n,).
        seed: of the shuffling.
        trains: False for a simulated device that does not do the work.
    """

    plan: RoundPlan
    cohort: CalledCohort
    codec: UpdateCodec
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    seed: int
    trains: bool

    def train(self) -> NDArray[np.float32]:
        """Train alone: what changed, float32 (d,).

        Raises:
            TrainingError: the result is not finite.
        """
        spec = self.plan.spec
        if not self.trains:
            return np.zeros(spec.dim, dtype=np.float32)
        return train_local(spec.model, self.plan.model, self.features, self.labels, spec.training, self.seed)
