"""When simulated devices fail: before the draw, or at any stage of the secure aggregation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np

from fl_core.errors import SpecError


class Death(IntEnum):
    """The point at which a device falls silent in a round; it stays silent until the next round."""

    BEFORE_DRAW = 0
    BEFORE_ADVERTISE = 1
    BEFORE_DEPOSIT = 2
    BEFORE_MASKED_INPUT = 3
    BEFORE_AGREE = 4
    BEFORE_UNMASK = 5
    NEVER = 6


class Faults(Protocol):
    """A schedule of failures."""

    def death(self, round_number: int, hospital: int, index: int) -> Death:
        """When the device with this index in its hospital falls silent in this round.

        Of hospital 0, index is a hospital's id: when that hospital falls silent in the sum over hospitals.
        """


@dataclass(frozen=True)
class RandomFaults:
    """Each device fails in a round with probability `rate`, at a stage drawn uniformly. Hospitals do not fail.

    Attributes:
        rate: probability of failing in a round, 0..1.
        seed: seed of the schedule.
    """

    rate: float
    seed: int

    def __post_init__(self) -> None:
        """Check the rate and the seed.

        Raises:
            SpecError: the rate is no probability, or the seed is negative.
        """
        if not 0 <= self.rate <= 1:
            raise SpecError(f"dropout rate {self.rate}: choose 0..1")
        if self.seed < 0:
            raise SpecError(f"seed {self.seed} of the dropouts: choose 0 or more")

    def death(self, round_number: int, hospital: int, index: int) -> Death:
        """When the device with this index in its hospital falls silent in this round."""
        if hospital == 0 or self.rate == 0:
            return Death.NEVER
        rng = np.random.default_rng((self.seed, 7, round_number, hospital, index))
        if rng.random() >= self.rate:
            return Death.NEVER
        return Death(int(rng.integers(Death.BEFORE_DRAW, Death.NEVER)))
