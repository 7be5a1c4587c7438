"""Which rule combines what is released into the next model: part of a round's spec, which everybody agreed on."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

from fl_core.errors import SpecError

RuleName = Literal["mean", "median", "trimmed-mean", "multi-krum", "geometric-median", "fltrust"]

RULES: tuple[RuleName, ...] = get_args(RuleName)
SHARED: tuple[RuleName, ...] = ("trimmed-mean", "multi-krum")
"""Rules that are told how many of the means may be corrupted."""

DEFAULT_SHARE = 0.3
_FEWEST = 3  # of two means, nothing says which one is the odd one
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class RuleSpec:
    """An aggregation rule and its parameters.

    Attributes:
        name: the rule.
        share: of the means, how many may be corrupted, between 0 and 0.5; 0 for rules that are not told.
        root_digest: SHA-256 (hex) of the root set that `fltrust` trusts; None for the others.
    """

    name: RuleName = "mean"
    share: float = 0.0
    root_digest: str | None = None

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            SpecError: an unknown rule, a share out of range or that the rule does not take, or no root set for fltrust.
        """
        if self.name not in RULES:
            raise SpecError(f"aggregation rule {self.name!r} is unknown: choose {', '.join(RULES)}")
        if self.name in SHARED:
            if not (math.isfinite(self.share) and 0 < self.share < 0.5):
                raise SpecError(
                    f"{self.name} for a share of {self.share} corrupted means: choose above 0 and below 0.5, since no "
                    "rule tells who is right where half are corrupted"
                )
        elif self.share != 0:
            raise SpecError(f"{self.name} takes no share of corrupted means, and is given {self.share}")
        if self.name == "fltrust" and not _HEX_DIGEST.match(self.root_digest or ""):
            raise SpecError(
                "fltrust compares with what an agreed root set teaches: set rows aside, --root-share 0.02"
            )
        if self.name != "fltrust" and self.root_digest is not None:
            raise SpecError(f"{self.name} uses no root set, and is given one")

    @property
    def takes_root(self) -> bool:
        """Whether a round under this rule comes with a root update."""
        return self.name == "fltrust"

    def corrupted(self, means: int) -> int:
        """How many of so many means Krum takes for corrupted: f, the share rounded down."""
        return math.floor(self.share * means)

    def works_on(self, means: int) -> bool:
        """Whether the rule protects anything over so many means; where not, it leaves coordinates as they are."""
        if self.name in ("mean", "fltrust"):
            return means >= 1
        if self.name == "multi-krum":
            f = self.corrupted(means)
            return f >= 1 and means >= 2 * f + 3
        return means >= _FEWEST

    def require(self, means: int) -> None:
        """Refuse a rule that so many released means are too few for.

        Raises:
            SpecError: they are; the message says how many or which share it takes.
        """
        f = self.corrupted(means)
        if self.name in SHARED and f < 1:
            raise SpecError(
                f"{self.name} for a share of {self.share} over {means} released means guards against less than one of "
                f"them: take a share of {1 / max(means, 1):.3g} or more, or more cohorts"
            )
        if self.name == "multi-krum" and means < 2 * f + 3:
            raise SpecError(
                f"multi-krum needs 2 f + 3 means to withstand f: {means} are released, a share of {self.share} makes f "
                f"{f}: take more cohorts, a smaller share, or another rule"
            )
        if not self.works_on(means):
            raise SpecError(
                f"{self.name} over {means} released means has no majority to follow: at least {_FEWEST} are needed"
            )


MEAN = RuleSpec()
