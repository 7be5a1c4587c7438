"""The part of a round's spec that says how much noise is added, and for which claim."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fl_core.errors import SpecError
from fl_core.privacy.skellam import check_variance


@dataclass(frozen=True)
class NoiseSpec:
    """Noise of a round and the claim it was calibrated for (DESIGN.md section 5).

    Attributes:
        epsilon: target at release, for a device that takes part in `rounds` rounds.
        delta: of all figures.
        rounds: cap of rounds that a device may take part in.
        local_variance: Skellam variance that one device adds to each entry, in squared integer steps.
        global_variance: Skellam variance added to each entry at each point of release; in `private`, by each hospital.
        corrupted: devices of a cohort whose noise is not counted.
        corrupted_hospitals: hospitals whose share of the global noise is not counted (`private`).
    """

    epsilon: float
    delta: float
    rounds: int
    local_variance: float
    global_variance: float
    corrupted: int = 2
    corrupted_hospitals: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            SpecError: a target that cannot be, or variances that cannot be sampled.
        """
        check_target(self.epsilon, self.delta, self.rounds)
        check_variance(self.local_variance)
        check_variance(self.global_variance)
        if self.local_variance == 0 == self.global_variance:
            raise SpecError("noise of variance 0: leave the noise out of the spec instead")
        for what, count in (("devices", self.corrupted), ("hospitals", self.corrupted_hospitals)):
            if type(count) is not int or count < 0:
                raise SpecError(f"noise: {count!r} corrupted {what}, choose 0 or more")


def check_target(epsilon: float, delta: float, rounds: int) -> None:
    """Refuse a privacy target that cannot be.

    Raises:
        SpecError: epsilon is not positive and finite, delta not in (0, 1), or there is no round.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise SpecError(f"epsilon {epsilon}: choose a positive finite number, or leave noise out")
    if not 0 < delta < 1:
        raise SpecError(f"delta {delta}: choose between 0 and 1, such as 1e-5")
    if type(rounds) is not int or rounds < 1:
        raise SpecError(f"noise for {rounds!r} rounds: choose at least 1")


def default_delta(devices: int) -> float:
    """min(1e-5, 1 / N^2) for a federation of N devices.

    Raises:
        SpecError: there is no device.
    """
    if devices < 1:
        raise SpecError(f"{devices} devices: at least 1 is needed")
    return min(1e-5, 1.0 / devices**2)
