"""Ways to pull a trusted mean aside: what an attacker who knows FLTrust can choose between, from what he knows himself.

A mean of the root update's length at angle phi has trust cos(phi) and pulls by sin(phi) across (the adaptive attack of
Cao et al., NDSS 2021, in closed form): for a mean that is all the attacker's, nothing beats 45 degrees. But a mean also
holds honest devices, whose part the attacker has to guess; other means share the trust; and what a step across costs is
for the model to say. So angle, length and direction are a small grid, and who measures a rule tries all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

Across = Literal["against", "flipped"]

_NEGLIGIBLE = 1e-9  # of a direction: what is left of it across the root update is rounding


@dataclass(frozen=True)
class Pull:
    """A way to pull a trusted mean aside.

    Attributes:
        across: "against" what the colluders' own rows teach, or where their rows pull with labels "flipped"; of both,
            the part across the root update.
        degrees: angle to the root update, above 0 and below 180; beyond 90 cosines trust nobody.
        lengths: of the root update: a mean beyond it counts for no more, but more of it is the attackers'.
    """

    across: Across
    degrees: int
    lengths: int

    @property
    def name(self) -> str:
        """The pull in words."""
        return f"{self.across} {self.degrees} deg x{self.lengths}"

    def aim(self, trusted: Float64Array, against: Float64Array, flipped: Float64Array) -> Float64Array:
        """The mean that the attackers want, float64 (d,).

        Where nothing of the direction is across what is trusted, the other one is taken; where both have nothing
        there, what is trusted itself.

        Args:
            trusted: float64 (d,), the root update or a guess of it, not zero.
            against: float64 (d,), against what the colluders' rows teach.
            flipped: float64 (d,), where their rows pull with labels flipped.
        """
        length = float(np.linalg.norm(trusted))
        ahead = trusted / length
        directions = (against, flipped) if self.across == "against" else (flipped, against)
        for direction in directions:
            aside = direction - (direction @ ahead) * ahead
            width = float(np.linalg.norm(aside))
            if width > _NEGLIGIBLE * float(np.linalg.norm(direction)):
                angle = math.radians(self.degrees)
                turned: Float64Array = math.cos(angle) * ahead + math.sin(angle) * (aside / width)
                return turned * (length * self.lengths)
        return trusted


PULLS = tuple(
    Pull(across, degrees, lengths)
    for across, degrees, lengths in product(get_args(Across), (30, 45, 60), (1, 3))
)
"""All that the benchmark tries."""

STRONGEST = Pull("against", 45, 3)
"""What `adaptive` plays: within a point of the costliest on validation rows of seeds that no benchmark reports."""
