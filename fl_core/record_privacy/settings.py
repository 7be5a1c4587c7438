"""The settings of per-record DP-SGD."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fl_core.errors import SpecError


@dataclass(frozen=True)
class RecordPrivacy:
    """DP-SGD on a device (Abadi et al., CCS 2016, Algorithm 1): each record's gradient is clipped, the sum is noised.

    The unit is one record, replaced by nothing (zero-out adjacency: the number of records is public, since it is a
    device's weight). A step adds N(0, (noise_multiplier * max_grad_norm)^2) to each coordinate of the sum of clipped
    gradients, then divides by the expected batch size, min(batch size, records): also where the last batch of an epoch
    is smaller. Batches are a fixed partition, shuffled each epoch: a record is in one step an epoch. No amplification
    by sampling is claimed, since none is done in the sense of Poisson.

    Attributes:
        noise_multiplier: standard deviation of the noise over the clip norm, above 0.
        max_grad_norm: L2 bound of one record's gradient, above 0.
        delta: the delta at which epsilon is stated, in (0, 1).
    """

    noise_multiplier: float = 1.0
    max_grad_norm: float = 1.0
    delta: float = 1e-5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise_multiplier) and self.noise_multiplier > 0):
            raise SpecError(f"noise multiplier {self.noise_multiplier}: it must be above 0 and finite")
        if not (math.isfinite(self.max_grad_norm) and self.max_grad_norm > 0):
            raise SpecError(
                f"clip norm {self.max_grad_norm} of a record's gradient: it must be above 0 and finite"
            )
        if not 0 < self.delta < 1:
            raise SpecError(f"delta {self.delta}: it must be in (0, 1)")

    @property
    def noise_deviation(self) -> float:
        """Standard deviation of the noise in each coordinate of a step's sum of clipped gradients."""
        return self.noise_multiplier * self.max_grad_norm
