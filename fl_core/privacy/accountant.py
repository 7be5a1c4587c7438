"""A device's privacy account: charges are committed before anything is sent, and refused before they overspend."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from fl_core.errors import FlError, SpecError
from fl_core.json_fields import from_fields
from fl_core.privacy.exposure import RoundExposure
from fl_core.privacy.loss import PrivacyLoss, composed_loss, composed_person_loss
from fl_core.privacy.noise_spec import NoiseSpec, check_target

UPDATE = "update"


class PrivacyBudgetError(FlError):
    """A round would take more privacy than a device may lose."""


@dataclass(frozen=True)
class Budget:
    """What a device may lose.

    Attributes:
        epsilon: at release.
        delta: of all figures.
        rounds: most updates that the account is charged for; statistics do not count, but their loss does.
        edge_epsilon: at the edge; None where only the release is capped.
    """

    epsilon: float
    delta: float
    rounds: int
    edge_epsilon: float | None = None

    def __post_init__(self) -> None:
        """Check the targets.

        Raises:
            SpecError: one cannot be.
        """
        check_target(self.epsilon, self.delta, self.rounds)
        if self.edge_epsilon is not None:
            check_target(self.edge_epsilon, self.delta, self.rounds)

    @classmethod
    def of(cls, noise: NoiseSpec, exposure: RoundExposure) -> Budget:
        """The budget that a noise was calibrated for; at the edge what its rounds come to there, where it is finite."""
        edge = composed_loss([(exposure, noise.rounds)], noise.delta).edge
        return cls(noise.epsilon, noise.delta, noise.rounds, edge if math.isfinite(edge) else None)


@dataclass(frozen=True)
class Charge:
    """One line of the account.

    Attributes:
        round_number: the round.
        attempt: the attempt whose masked input was sent; one that failed is charged like any other.
        purpose: what was summed: "update", or something else such as "statistics".
        exposure: what it shows of the device.
    """

    round_number: int
    attempt: int
    purpose: str
    exposure: RoundExposure


class Accountant:
    """The account of one device."""

    def __init__(self, budget: Budget, charges: tuple[Charge, ...] = ()) -> None:
        """An account with the charges it already holds.

        Args:
            budget: what may be lost.
            charges: committed before; they are not judged again.
        """
        self._budget = budget
        self._charges: list[Charge] = []
        self._times: Counter[RoundExposure] = Counter()
        self._updates = 0
        for charge in charges:
            self.admit(charge)

    @property
    def budget(self) -> Budget:
        """What may be lost."""
        return self._budget

    @property
    def charges(self) -> tuple[Charge, ...]:
        """The committed charges, oldest first."""
        return tuple(self._charges)

    @property
    def last_round(self) -> int | None:
        """The last round charged for, or None."""
        return self._charges[-1].round_number if self._charges else None

    def loss(self, *further: Charge) -> PrivacyLoss:
        """What was lost so far, were `further` charges added."""
        times = self._times
        if further:
            times = times + Counter(charge.exposure for charge in further)
        return composed_loss(times.items(), self._budget.delta)

    def would_exceed(self, charge: Charge) -> bool:
        """Whether the charge would overspend; nothing is committed."""
        return self._objection(charge) is not None

    def require(self, charge: Charge) -> None:
        """Refuse a round before any work is done for it; nothing is committed.

        Raises:
            PrivacyBudgetError: the charge would overspend.
        """
        objection = self._objection(charge)
        if objection is not None:
            raise PrivacyBudgetError(objection)

    def charge(self, charge: Charge) -> PrivacyLoss:
        """Commit a charge, before the masked input is sent; returns what is lost with it.

        Raises:
            PrivacyBudgetError: it would overspend; nothing was committed.
        """
        self.require(charge)
        self.admit(charge)
        return self.loss()

    def admit(self, charge: Charge) -> None:
        """Commit a charge for what has happened already, whatever it comes to; later ones are refused accordingly."""
        self._charges.append(charge)
        self._times[charge.exposure] += 1
        self._updates += charge.purpose == UPDATE

    def to_json(self) -> dict[str, Any]:
        """The account as a JSON object, for checkpoints."""
        return {"budget": asdict(self._budget), "charges": [asdict(charge) for charge in self._charges]}

    @classmethod
    def from_json(cls, value: object) -> Accountant:
        """The account that `to_json` wrote.

        Raises:
            SpecError: it is malformed.
        """
        if not isinstance(value, dict) or set(value) != {"budget", "charges"}:
            raise SpecError("privacy account: an object of budget and charges is needed")
        budget, charges = value["budget"], value["charges"]
        if not isinstance(budget, dict) or not isinstance(charges, list):
            raise SpecError("privacy account: budget must be an object and charges a list")
        caps = dict(budget)
        edge = caps.pop("edge_epsilon", math.nan)
        if edge is not None and not (type(edge) in (int, float) and math.isfinite(edge)):
            raise SpecError(f"privacy account: edge epsilon {edge!r}: a number or null is needed")
        capped = from_fields(_Caps, caps)
        return cls(
            Budget(capped.epsilon, capped.delta, capped.rounds, edge),
            tuple(from_fields(Charge, item) for item in charges),
        )

    def _objection(self, charge: Charge) -> str | None:
        cap = self._budget
        if charge.purpose == UPDATE and self._updates >= cap.rounds:
            return f"round {charge.round_number}: the device has taken part in its {cap.rounds} rounds"
        loss = self.loss(charge)
        for what, lost, allowed in (
            ("release", loss.release, cap.epsilon),
            ("the edge", loss.edge, cap.edge_epsilon),
        ):
            if allowed is not None and not lost <= allowed:
                return (
                    f"round {charge.round_number} would bring epsilon at {what} to {lost:.4g}, of {allowed:.4g} "
                    "allowed: stop here, or start with more noise"
                )
        return None


def person_loss(accounts: Collection[Accountant]) -> PrivacyLoss:
    """What a person has lost through all devices of theirs, given the devices' accounts, at least one.

    Charges of different devices for the same round and purpose are one change of that round's sums.

    Raises:
        SpecError: accounts of different deltas, or devices that one and the same sum was charged to differently.
    """
    deltas = {account.budget.delta for account in accounts}
    if len(deltas) != 1:
        raise SpecError(
            f"a person's devices have accounts of delta {sorted(deltas)}: one is needed, the same for all"
        )
    exposures: dict[tuple[int, str], RoundExposure] = {}
    devices: Counter[tuple[int, str]] = Counter()
    for charge in (charge for account in accounts for charge in account.charges):
        key = charge.round_number, charge.purpose
        if exposures.setdefault(key, charge.exposure) != charge.exposure:
            raise SpecError(
                f"a person's devices were charged differently for the {charge.purpose} of round {key[0]}"
            )
        devices[key] += 1
    rounds = Counter((exposures[key], count) for key, count in devices.items())
    return composed_person_loss(
        [(exposure, count, times) for (exposure, count), times in rounds.items()], deltas.pop()
    )


@dataclass(frozen=True)
class _Caps:
    epsilon: float
    delta: float
    rounds: int
