"""What the cohorts of a hospital were worth, round by round: all that the decoder of device quality sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incentives.errors import IncentivesError
from incentives.scoring import MICRO, CohortKey


@dataclass(frozen=True, slots=True)
class CohortEvidence:
    """What a cohort of the hospital was worth in a round.

    Attributes:
        members: addresses (20 bytes) of the devices whose updates are in the sum.
        utility: its worth beyond the round's typical cohort, in the units of the round's scale.
        weights: public weight of each member in the mean; empty for equal weights.

    Raises:
        IncentivesError: if the cohort is empty, a member comes twice, or weights do not fit.
    """

    members: tuple[bytes, ...]
    utility: int
    weights: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.members or len(set(self.members)) != len(self.members):
            raise IncentivesError(f"a cohort of {len(self.members)} members is empty or names one twice")
        if self.weights and len(self.weights) != len(self.members):
            raise IncentivesError(
                f"{len(self.weights)} weights for {len(self.members)} members: give one each"
            )
        if any(weight < 1 for weight in self.weights):
            raise IncentivesError(f"member weight {min(self.weights)} is no weight: it must be at least 1")


@dataclass(frozen=True, slots=True)
class RoundEvidence:
    """The cohorts of one hospital in one round that were valued by enough others.

    Attributes:
        round: the round.
        cohorts: in any order.
        scale: how far cohorts of this round typically lie apart, of all hospitals, in the same units: at least 1.

    Raises:
        IncentivesError: if the scale is none.
    """

    round: int
    cohorts: tuple[CohortEvidence, ...]
    scale: int = MICRO

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise IncentivesError(
                f"round {self.round}: a scale of {self.scale} is none: it must be at least 1"
            )


def round_evidence(  # noqa: PLR0917 - what a round says of a hospital
    round_number: int,
    hospital: int,
    members: Mapping[CohortKey, Sequence[bytes]],
    utilities: Mapping[CohortKey, int],
    weights: Mapping[bytes, int] | None = None,
    scale: int = MICRO,
) -> RoundEvidence:
    """Put together one hospital's evidence of a round.

    Args:
        round_number: the round.
        hospital: the hospital's id.
        members: survivors of each cohort, of any hospital.
        utilities: combined utilities; a cohort without one gives no evidence.
        weights: public weight of each device (its bucket of rows); equal weights without it.
        scale: how far the round's cohorts lie apart.

    Raises:
        IncentivesError: if a member has no weight, or the scale is none.
    """
    cohorts = []
    for key in sorted(utilities):
        if key.hospital != hospital or key not in members:
            continue
        survivors = tuple(members[key])
        if weights is not None and not weights.keys() >= set(survivors):
            raise IncentivesError(
                f"a member of cohort {key.cohort} of hospital {hospital} has no public weight"
            )
        shares = () if weights is None else tuple(weights[device] for device in survivors)
        cohorts.append(CohortEvidence(survivors, utilities[key], shares))
    return RoundEvidence(round_number, tuple(cohorts), scale)
