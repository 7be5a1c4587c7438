"""A device's own say about its privacy: with whom it takes part, and what each round costs it."""

from __future__ import annotations

from fl_core.errors import SpecError
from fl_core.privacy import UPDATE, Accountant, Budget, Charge, RoundExposure
from fl_core.secagg import CohortPlan
from fl_core.spec import RoundSpec


class OwnAccount:
    """The privacy account of a device, and the rule that it follows: once noise was agreed on, no sum without."""

    def __init__(self, budget: Budget | None) -> None:
        """Start without a charge.

        Args:
            budget: what the device is ready to lose; None takes over that of the first spec with noise.
        """
        self.accountant = None if budget is None else Accountant(budget)

    def require_noise(self, spec: RoundSpec | None) -> None:
        """Refuse a sum without noise, whoever proposes it, once the device has an account.

        Args:
            spec: the round's; None where nothing is trained (the scaling statistics).

        Raises:
            SpecError: the sum would show the device's data exactly.
        """
        if self.accountant is not None and (spec is None or spec.exposure is None):
            raise SpecError(
                "this device takes part with noise only, and here is none: start a run of its own without noise"
            )

    def require(self, spec: RoundSpec, plan: CohortPlan, last_round: int | None) -> None:
        """Refuse an attempt before any work is done for it.

        Args:
            spec: the round's.
            plan: the attempt.
            last_round: the last round of the session that the device's journal claims, or None.

        Raises:
            SpecError: the sum would show the device's data exactly.
            PrivacyBudgetError: the attempt would overspend.
        """
        self.require_noise(spec)
        if spec.exposure is not None:
            charge = Charge(plan.round, plan.attempt, UPDATE, spec.exposure)
            self._caught_up(spec, spec.exposure, last_round).require(charge)

    def charge(self, spec: RoundSpec, plan: CohortPlan, last_round: int | None) -> None:
        """Commit what an attempt costs, before anything leaves; arguments and errors as of `require`."""
        self.require_noise(spec)
        if spec.exposure is not None:
            charge = Charge(plan.round, plan.attempt, UPDATE, spec.exposure)
            self._caught_up(spec, spec.exposure, last_round).charge(charge)

    def admit(self, spec: RoundSpec, round_number: int) -> None:
        """Note a round that was interrupted: nobody knows any more whether the masked input was sent."""
        if spec.exposure is not None:
            self._of(spec, spec.exposure).admit(Charge(round_number, 0, UPDATE, spec.exposure))

    def _of(self, spec: RoundSpec, exposure: RoundExposure) -> Accountant:
        if self.accountant is None:
            assert spec.noise is not None
            self.accountant = Accountant(Budget.of(spec.noise, exposure))
        return self.accountant

    def _caught_up(self, spec: RoundSpec, exposure: RoundExposure, last_round: int | None) -> Accountant:
        """The account, with every round that the journal may have seen since the last charge.

        A journal is on disk before a masked input leaves, the account may be an older image: then rounds are missing,
        and each that can be is charged.
        """
        account = self._of(spec, exposure)
        charged = account.last_round
        if charged is not None and last_round is not None:
            for missing in range(charged + 1, last_round + 1):
                account.admit(Charge(missing, 0, UPDATE, exposure))
        return account
