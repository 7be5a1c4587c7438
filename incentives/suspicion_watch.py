"""The federation under watch: standings and evidence of all its devices in an epoch, advanced round by round.

A pure fold over the rounds' evidence, which edge, attesting hospitals and auditors compute alike.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from incentives.errors import IncentivesError
from incentives.scoring import MICRO
from incentives.suspicion import SuspicionSettings, log_e_values
from incentives.suspicion_standing import Standing, Status
from incentives.suspicion_views import JudgedCohort
from incentives.suspicion_wealth import Accounts, log_limit, tolerated


@dataclass(frozen=True, slots=True)
class HospitalEvidence:
    """What a round says of one hospital's devices.

    Attributes:
        hospital: its id.
        views: its cohorts, as each validator that revealed its utilities saw them.
        forecast: effects of its devices that were foretold before the round, from what validators agreed on.
        spread: how far its cohorts lay apart in the rounds before, in units of utility.
    """

    hospital: int
    views: Mapping[int, tuple[JudgedCohort, ...]]
    forecast: Mapping[bytes, int]
    spread: int = MICRO


@dataclass(frozen=True, slots=True)
class Decision:
    """That a device's status changes after a round.

    Attributes:
        device: its address of the epoch, 20 bytes.
        status: its status from the next round on.
        until: first round after a quarantine; 0 otherwise.
        evidence: log of what the accounts of bets against it say together, thousandths of a nat.
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
        hospitals: ids of the consortium when the epoch began; all but its own judge a device.
        standings: of the devices that are not free, or have been in quarantine.
        accounts: what was won against each device that was judged since its test began.

    Raises:
        IncentivesError: if nobody is enrolled.
    """

    settings: SuspicionSettings
    enrolled: int
    hospitals: frozenset[int]
    standings: Mapping[bytes, Standing] = field(default_factory=lambda: MappingProxyType({}))
    accounts: Mapping[bytes, Accounts] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        log_limit(self.settings.alpha, self.enrolled)

    def validators(self, hospital: int) -> frozenset[int]:
        """Who may judge a hospital's devices throughout the epoch, whether or not it reveals anything."""
        return self.hospitals - {hospital}

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
        bets = self._bets(evidence)
        standings, accounts = dict(self.standings), dict(self.accounts)
        decisions = []
        for device in sorted(bets.keys() | self.standings.keys()):
            now, limit, placed = self.standing(device), self.limit(device), bets.get(device)
            total, judged, suspected = 0, False, False
            if placed is not None:
                before = accounts.get(device) or Accounts(placed.validators)
                accounts[device] = after = before.after(placed.log_pays, self.settings)
                total = after.evidence(self.settings)
                suspected = total >= limit
                judged = suspected or len(placed.log_pays) > tolerated(placed.validators)
            then = now.after(round_number, judged=judged, suspected=suspected, settings=self.settings)
            if then.status is not now.status:
                accounts.pop(device, None)  # what follows is judged on fresh evidence alone
                decisions.append(Decision(device, then.status, then.until, total, limit))
            if then != _FREE:
                standings[device] = then
        return replace(self, standings=standings, accounts=accounts), tuple(decisions)

    def _bets(self, evidence: Iterable[HospitalEvidence]) -> dict[bytes, "_Bets"]:
        """The round's bets by device.

        Raises:
            IncentivesError: if a device is in two cohorts, or in those of two hospitals.
        """
        found: dict[bytes, _Bets] = {}
        for item in evidence:
            judges, own = self.validators(item.hospital), dict[bytes, _Bets]()
            for validator in sorted(judges & item.views.keys()):
                pays = log_e_values(item.views[validator], item.forecast, self.settings, spread=item.spread)
                for device, log_pay in pays.items():
                    own.setdefault(device, _Bets(len(judges), {})).log_pays[validator] = log_pay
            if not found.keys().isdisjoint(own):
                raise IncentivesError("a device is in cohorts of two hospitals: each is enrolled at one")
            found.update(own)
        return found


@dataclass(frozen=True, slots=True)
class _Bets:
    """What a round's bets on one device pay, by validator, and how many validators may bet."""

    validators: int
    log_pays: dict[int, tuple[int, ...]]


def took_part_in_quarantine(watch: Watch, ready: Collection[bytes]) -> tuple[bytes, ...]:
    """Devices of a ready list that are barred from the round, in order."""
    return tuple(sorted(watch.barred().intersection(ready)))
