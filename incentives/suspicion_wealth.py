"""What bets against a device have won: an account for each validator, and the evidence that the accounts are together.

Let v validators judge a device, of whom f may lie in any way, with any knowledge of the draw. The evidence is

    T = the mean of the v - f smallest accounts.

For each set H of v - f validators the mean of the accounts in H is a supermartingale that starts at 1 if all of H
value without looking at the draw and the device is honest (whatever else ties the accounts together). T is the
least of these means, so it never exceeds that of v - f validators who are honest. By Ville's inequality T ever
reaches 1 / p with probability at most p, whoever the f are, whatever they say, and whether they say anything; no
allowance for the number of validators is needed. And T reaches 1 / p wherever the (f + 1)-th largest account
reaches (v - f) / p, which is what counting accounts above a limit would ask for, so that it finds more.

With f = (v - 1) // 2 honest validators are v - f > f: liars can neither bring about a suspicion alone, nor
prevent one on which all the honest accounts are sure.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from incentives.errors import IncentivesError
from incentives.scoring import MICRO
from incentives.suspicion import SuspicionSettings

_FIRST: Final = 0.5  # of the wealth is staked in the first round, the rest spread over later ones


@dataclass(frozen=True, slots=True)
class Wealth:
    """What has been won by betting against a device since its test began, from 1.

    Attributes:
        rounds: rounds that bets were placed in.
        stakes: wealth of each stake, over all rounds that bets began at; what waits to be staked is beside it.
    """

    rounds: int
    stakes: tuple[float, ...]

    @classmethod
    def initial(cls, settings: SuspicionSettings) -> "Wealth":
        """Nothing placed yet: a wealth of 1."""
        return cls(0, (0.0,) * len(settings.stakes))

    def after(self, log_pay: tuple[int, ...], settings: SuspicionSettings) -> "Wealth":
        """The wealth after a round's bets.

        Args:
            log_pay: what :func:`incentives.suspicion.log_e_values` says of the device.
            settings: those of the test.
        """
        placed = _placed(self.rounds, settings.horizon)
        stakes = tuple(
            (wealth + placed) * math.exp(pay / MICRO)
            for wealth, pay in zip(self.stakes, log_pay, strict=True)
        )
        return Wealth(self.rounds + 1, stakes)

    def total(self, settings: SuspicionSettings) -> float:
        """The whole: what the stakes are worth on average, and what waits."""
        return sum(self.stakes) / len(self.stakes) + _waiting(self.rounds, settings.horizon)


@dataclass(frozen=True, slots=True)
class Accounts:
    """What each validator's view has won against one device since its test began.

    Attributes:
        validators: how many could judge the device, fixed when the epoch began.
        wealth: by validator; one that has placed no bet yet still has its 1.

    Raises:
        IncentivesError: if more have bet than there are.
    """

    validators: int
    wealth: Mapping[int, Wealth] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if len(self.wealth) > self.validators:
            raise IncentivesError(f"{len(self.wealth)} validators bet where {self.validators} may")

    def after(self, log_pays: Mapping[int, tuple[int, ...]], settings: SuspicionSettings) -> "Accounts":
        """The accounts after a round.

        Args:
            log_pays: what the bets pay on each validator's view; who revealed none places no bet.
            settings: those of the test.

        Raises:
            IncentivesError: if more have bet than there are.
        """
        wealth = dict(self.wealth)
        for validator, log_pay in sorted(log_pays.items()):
            held = wealth.get(validator) or Wealth.initial(settings)
            wealth[validator] = held.after(log_pay, settings)
        return Accounts(self.validators, wealth)

    def evidence(self, settings: SuspicionSettings) -> int:
        """Logarithm of the mean of the smallest accounts but `tolerated`, in thousandths, rounded down."""
        totals = [account.total(settings) for account in self.wealth.values()]
        totals += [1.0] * (self.validators - len(totals))
        kept = sorted(totals)[: self.validators - tolerated(self.validators)]
        mean = sum(kept) / len(kept)
        return math.floor(1_000 * math.log(mean)) if mean > 0 else -1_000 * 1_000


def tolerated(validators: int) -> int:
    """How many of a device's validators may lie: (v - 1) // 2, the largest minority. Of one or two, none.

    Raises:
        IncentivesError: if there are none.
    """
    if validators < 1:
        raise IncentivesError(f"{validators} validators: at least one must judge a device")
    return (validators - 1) // 2


def log_limit(probability: float, tests: int) -> int:
    """What a logarithm of wealth, in thousandths, must reach for suspicion: log(tests / probability), rounded up.

    Args:
        probability: of suspecting any honest one, at most.
        tests: how many are tested beside each other.

    Raises:
        IncentivesError: if nothing is tested, or the probability is none.
    """
    if tests < 1 or not 0 < probability < 1:
        raise IncentivesError(f"{tests} tests at {probability}: test at least 1, between 0 and 1")
    return math.ceil(1_000 * math.log(tests / probability))


def _placed(rounds: int, horizon: int) -> float:
    """Part of the wealth that a bet which begins after so many rounds starts with."""
    if rounds == 0:
        return _FIRST
    return (1 - _FIRST) / (horizon - 1) if rounds < horizon else 0.0


def _waiting(rounds: int, horizon: int) -> float:
    """Part of the wealth that is not staked after so many rounds."""
    if rounds == 0:
        return 1.0
    return (1 - _FIRST) * max(0, horizon - rounds) / (horizon - 1)
