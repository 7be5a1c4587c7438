"""How much of an update is sent: the part of a round's spec that compression reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fl_core.errors import SpecError


@dataclass(frozen=True)
class CompressionSpec:
    """Which coordinates a round's devices send, and what they keep for later.

    Attributes:
        fraction: share of the model's coordinates that a round's mask selects, above 0 and at most 1.
        public_top: share of the mask that is taken from the largest entries of the last public global update, below
            1; the rest is random, at least one coordinate.
        prefixes: share of the mask that each link class sends, 1.0 first, never rising.
        residual_norm: error feedback: what a device did not send is kept for its next round, cut to this multiple of
            the clip norm. 0 keeps nothing: what a round's mask leaves out is lost. Nobody scales up for it, so a
            coordinate outside the top takes, on average over draws, a step smaller by the share drawn.
        peak: no coordinate that is sent is larger than this multiple of clip norm / sqrt(coordinates of the mask).
            It bounds the ring, not the privacy. 0 means that the clip norm is the only bound.
    """

    fraction: float
    public_top: float = 0.0
    prefixes: tuple[float, ...] = (1.0,)
    residual_norm: float = 4.0
    peak: float = 0.0

    def __post_init__(self) -> None:
        """Check the shares.

        Raises:
            SpecError: a share out of range, or prefixes that do not start at 1 or rise.
        """
        if not (math.isfinite(self.fraction) and 0 < self.fraction <= 1):
            raise SpecError(f"compression to a fraction of {self.fraction}: choose above 0, at most 1")
        if not (math.isfinite(self.public_top) and 0 <= self.public_top < 1):
            raise SpecError(
                f"share {self.public_top} of the mask from the last update: choose 0 or more, below 1"
            )
        if not self.prefixes or self.prefixes[0] != 1.0:
            raise SpecError(f"prefixes {self.prefixes}: the first link class sends the whole mask, 1.0")
        if not all(math.isfinite(share) and 0 < share <= 1 for share in self.prefixes):
            raise SpecError(f"prefixes {self.prefixes}: each is above 0 and at most 1")
        if any(later > earlier for earlier, later in zip(self.prefixes, self.prefixes[1:], strict=False)):
            raise SpecError(f"prefixes {self.prefixes}: a slower link class never sends more")
        if not (math.isfinite(self.residual_norm) and self.residual_norm >= 0):
            raise SpecError(f"residual of {self.residual_norm} clip norms: choose 0 or a finite multiple")
        if not (math.isfinite(self.peak) and (self.peak == 0 or self.peak >= 1)):
            raise SpecError(f"peak {self.peak}: choose 0 (none) or a finite multiple of at least 1")

    def lengths(self, dim: int) -> tuple[int, ...]:
        """Coordinates that each link class sends of a model of `dim` parameters, at least 1 each."""
        full = max(1, round(self.fraction * dim))
        return tuple(max(1, round(share * full)) for share in self.prefixes)

    def top_count(self, dim: int) -> int:
        """Coordinates of the mask that may come from the last update."""
        size = self.lengths(dim)[0]
        return min(round(self.public_top * size), size - 1)

    def peak_of(self, clip_norm: float, dim: int) -> float:
        """Largest magnitude of a coordinate that is sent, in units of the weighted update; the same for all classes."""
        if self.peak == 0:
            return clip_norm
        return min(clip_norm, self.peak * clip_norm / math.sqrt(self.lengths(dim)[0]))
