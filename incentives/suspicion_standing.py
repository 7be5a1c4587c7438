"""Where a device stands: free, in quarantine, or on probation; a table of transitions and nothing else.

    free        -- suspected -->                          quarantine
    quarantine  -- its rounds are over -->                probation, on fresh evidence
    probation   -- suspected -->                          quarantine, twice as long
    probation   -- enough rounds with evidence passed --> free, on fresh evidence

In quarantine a device is on no ready list. On probation it takes part and earns nothing. Accounts are drawn
anew each epoch, so that a standing ends with its epoch.
"""

from dataclasses import dataclass
from enum import Enum

from incentives.errors import IncentivesError
from incentives.suspicion import SuspicionSettings


class Status(Enum):
    """What a device may do in a round."""

    FREE = "free"
    QUARANTINE = "quarantine"
    PROBATION = "probation"


@dataclass(frozen=True, slots=True)
class Standing:
    """A device's standing for the next round.

    Attributes:
        status: what it may do.
        until: the first round after its quarantine; 0 outside one.
        passed: rounds of its probation that it has passed.
        strikes: quarantines of the epoch so far.

    Raises:
        IncentivesError: if the parts contradict each other.
    """

    status: Status = Status.FREE
    until: int = 0
    passed: int = 0
    strikes: int = 0

    def __post_init__(self) -> None:
        bound = self.status is Status.QUARANTINE
        if bound != (self.until > 0) or (self.passed > 0 and self.status is not Status.PROBATION):
            raise IncentivesError(
                f"{self} contradicts itself: only a quarantine ends, only probation is passed"
            )
        if self.strikes < 0 or self.passed < 0 or (self.status is not Status.FREE and self.strikes == 0):
            raise IncentivesError(f"{self} contradicts itself: quarantine and probation begin with a strike")

    @property
    def takes_part(self) -> bool:
        """Whether it may be on a ready list."""
        return self.status is not Status.QUARANTINE

    @property
    def paid(self) -> bool:
        """Whether it earns anything."""
        return self.status is Status.FREE

    def after(
        self, round_number: int, *, judged: bool, suspected: bool, settings: SuspicionSettings
    ) -> "Standing":
        """The standing after a round.

        Args:
            round_number: the round that ended.
            judged: whether the round gave evidence of the device.
            suspected: whether its evidence has reached the limit.
            settings: lengths of quarantine and probation.

        Raises:
            IncentivesError: if it is suspected without evidence, or was judged in quarantine.
        """
        if suspected and not judged:
            raise IncentivesError("a device is suspected in a round that gave no evidence of it")
        if judged and not self.takes_part:
            raise IncentivesError(
                f"a device was in a cohort of round {round_number}, and in quarantine until {self.until}"
            )
        if suspected:
            length = settings.quarantine_rounds << self.strikes
            return Standing(Status.QUARANTINE, round_number + 1 + length, 0, self.strikes + 1)
        if self.status is Status.QUARANTINE and round_number + 1 >= self.until:
            return Standing(Status.PROBATION, strikes=self.strikes)
        if self.status is Status.PROBATION and judged:
            if self.passed + 1 >= settings.probation_rounds:
                return Standing(strikes=self.strikes)
            return Standing(Status.PROBATION, passed=self.passed + 1, strikes=self.strikes)
        return self
