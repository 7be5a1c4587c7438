"""The federation under watch: standings and evidence of all its devices in an epoch, advanced round by round.

A pure fold over the rounds' evidence, which edge, attesting hospitals and auditors compute alike.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from incentives.errors import IncentivesError
from incentives.suspicion import JudgedCohort, SuspicionSettings, Wealth, log_e_values, log_limit
from incentives.suspicion_standing import Standing, Status


@dataclass(frozen=True, slots=True)
class HospitalEvidence:
    """What a round says of one hospital's devices: its valued cohorts, and what was foretold before."""

    cohorts: tuple[JudgedCohort, ...]
    forecast: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Decision:
    """That a device's status changes after a round.

    Attributes:
        device: its address of the epoch, 20 bytes.
        status: its status from the next round on.
        until: first round after a quarantine; 0 otherwise.
        evidence: log of the wealth won by betting against it, thousandths of a nat.
        limit: what evidence must reach for suspicion, likewise.
    """

    device: bytes
    status: Status
    until: int
    evidence: int
    limit: int


_FREE = Standing()


@dataclass(frozen=True, slots=True)
class Watch:
    """Standings and evidence after some rounds of an epoch.

    Attributes:
        settings: those of the spec.
        enrolled: devices of the whole federation in this epoch: as many tests are made.
        standings: of the devices that are not free, or have been in quarantine.
        wealth: what was won against each device that was judged since its test began.

    Raises:
        IncentivesError: if nobody is enrolled.
    """

    settings: SuspicionSettings
    enrolled: int
    standings: Mapping[bytes, Standing] = field(default_factory=lambda: MappingProxyType({}))
    wealth: Mapping[bytes, Wealth] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        log_limit(self.settings.alpha, self.enrolled)

    def standing(self, device: bytes) -> Standing:
        """Where a device stands for the next round."""
        return self.standings.get(device, _FREE)

    def barred(self) -> frozenset[bytes]:
        """Devices that may be on no ready list of the next round."""
        return frozenset(device for device, found in self.standings.items() if not found.takes_part)

    def unpaid(self) -> frozenset[bytes]:
        """Devices that earn nothing in the next round."""
        return frozenset(device for device, found in self.standings.items() if not found.paid)

    def limit(self, device: bytes) -> int:
        """What the evidence against a device must reach, thousandths of a nat.

        On probation a device is one test of its own, at its own probability.
        """
        if self.standing(device).status is Status.PROBATION:
            return log_limit(self.settings.probation_alpha, 1)
        return log_limit(self.settings.alpha, self.enrolled)

    def after(
        self, round_number: int, evidence: Iterable[HospitalEvidence]
    ) -> tuple["Watch", tuple[Decision, ...]]:
        """The watch after a round, and what it decides, in order of addresses.

        Args:
            round_number: the round that ended; rounds are given ascending.
            evidence: what the round says of each hospital.

        Raises:
            IncentivesError: if a device comes twice, or took part in quarantine.
        """
        pays: dict[bytes, tuple[int, ...]] = {}
        for item in evidence:
            found = log_e_values(item.cohorts, item.forecast, self.settings)
            if not pays.keys().isdisjoint(found):
                raise IncentivesError("a device is in cohorts of two hospitals: each is enrolled at one")
            pays.update(found)
        standings, wealth = dict(self.standings), dict(self.wealth)
        decisions = []
        for device in sorted(pays.keys() | self.standings.keys()):
            now, log_pay = self.standing(device), pays.get(device)
            won = wealth.get(device, Wealth.initial(self.settings))
            if log_pay is not None:
                won = wealth[device] = won.after(log_pay, self.settings)
            total, limit = won.log_wealth(self.settings), self.limit(device)
            then = now.after(
                round_number,
                judged=log_pay is not None,
                suspected=log_pay is not None and total >= limit,
                settings=self.settings,
            )
            if then.status is not now.status:
                wealth.pop(device, None)  # what follows is judged on fresh evidence alone
                decisions.append(Decision(device, then.status, then.until, total, limit))
            if then != _FREE:
                standings[device] = then
        return Watch(self.settings, self.enrolled, standings, wealth), tuple(decisions)


def took_part_in_quarantine(watch: Watch, ready: Collection[bytes]) -> tuple[bytes, ...]:
    """Devices of a ready list that are barred from the round, in order."""
    return tuple(sorted(watch.barred().intersection(ready)))
