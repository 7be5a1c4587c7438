"""Evidence that a device harms the cohorts that it is in: bets that an honest device wins as often as it loses.

Cohorts are drawn at random after the ready lists are fixed, so chance decides beside whom a device is summed.
With z_c the standardised utility of cohort c, a_j the weight of member j in its mean and f_j the effect that
past rounds foretell of j (:mod:`incentives.suspicion_forecast`), let

    r_c = z_c - sum of a_j f_j over its members j,
    s_i = r_c + a_i (f_i - mean f of the others),  c the cohort of device i:

what the past does not explain of each cohort, i itself taken for a typical device. A bet with stake b that i's
cohort is behind pays

    e_i = N exp(-b (s_i + m_i)) / (n_c exp(-b (s_i + m_i)) + sum over other cohorts k of n_k exp(-b r_k)),

where n_k counts the members of a cohort and N those of all, and m_i = margin * a_i / sqrt(sum of a_j^2) is what
the margin allows of i. If what is unexplained of i is exchangeable with what is of the others, and the margin
0, then i is in cohort k with probability n_k / N whatever the r are, so that e_i has mean 1, heavy tails or
not. e_i falls as s_i rises: the mean is at most 1 for every device whose cohorts do worse by no more than m_i
than with such a device in its stead. (Conditional randomisation e-values: cf. Shafer, JRSS A 2021; Ramdas and
Wang, Hypothesis Testing with E-values, 2025.)

The product of the e_i over rounds is then a test supermartingale; so is any mixture over stakes and over
rounds to begin at that is fixed beforehand. By Ville's inequality it ever reaches N_all / alpha with
probability at most alpha / N_all, and by the union bound *any* of N_all honest devices is ever suspected with
probability at most alpha. docs/quarantine.md states what is assumed, and what is not covered.

Everything is a function of the rounds' bundles. Logarithms are rounded down to millionths, so that the last
bits of an exponential do not show.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from incentives.errors import IncentivesError
from incentives.evidence import RoundEvidence
from incentives.scoring import MICRO, STANDARD_LIMIT

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

_FIRST: Final = 0.5  # of the wealth is staked in the first round, the rest spread over later ones
_LARGEST_STAKE: Final = 10.0
_LARGEST_LOG: Final = 600.0  # beyond some 700 exp() leaves the doubles

FORECAST_UNIT: Final = 1_000
"""One spread, in the whole numbers of forecasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspicionSettings:
    """When a device is suspected, and what follows; part of the spec's scoring settings.

    Attributes:
        alpha: probability that any honest device of the federation is ever suspected in an epoch, at most.
        margin: how far behind a typical device one may be and still count as honest, in standard deviations that
            single devices would have if a round's cohorts differed by nothing else.
        stakes: bets that are placed side by side; small ones find small harm, large ones great harm sooner.
        horizon: rounds over which bets begin, at least 2: those of an epoch.
        quarantine_rounds: rounds of the first quarantine; each later one of the epoch is twice as long.
        probation_rounds: rounds with evidence that a device must pass before it is paid again.
        probation_alpha: probability that an honest device fails its probation, at most.

    Raises:
        IncentivesError: if a setting is out of range.
    """

    alpha: float = 0.01
    margin: float = 1.5
    stakes: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    horizon: int = 256
    quarantine_rounds: int = 8
    probation_rounds: int = 8
    probation_alpha: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "stakes", tuple(self.stakes))
        for name in ("alpha", "probation_alpha"):
            if not 0 < getattr(self, name) < 1:
                raise IncentivesError(
                    f"suspicion {name} is {getattr(self, name)}: it must lie between 0 and 1"
                )
        if not 0 <= self.margin < math.inf:
            raise IncentivesError(f"suspicion margin is {self.margin}: it must be at least 0")
        if not self.stakes or not all(0 < stake <= _LARGEST_STAKE for stake in self.stakes):
            raise IncentivesError(f"suspicion stakes are {self.stakes}: give some, each above 0, at most 10")
        if self.horizon < 2:
            raise IncentivesError(f"suspicion horizon is {self.horizon} rounds: it must be at least 2")
        for name in ("quarantine_rounds", "probation_rounds"):
            if getattr(self, name) < 1:
                raise IncentivesError(f"suspicion {name} is {getattr(self, name)}: it must be at least 1")


@dataclass(frozen=True, slots=True)
class JudgedCohort:
    """A valued cohort, with what was fixed before its utility was known.

    Attributes:
        members: addresses (20 bytes) of the devices whose updates are in the sum.
        weights: public weight of each in the mean, at least 1.
        utility: combined standardised utility, millionths.
        pool: which devices were drawn together; cohorts are compared within a pool (its link class).

    Raises:
        IncentivesError: if the cohort is empty, names a member twice, or weights do not fit.
    """

    members: tuple[bytes, ...]
    weights: tuple[int, ...]
    utility: int
    pool: int = 0

    def __post_init__(self) -> None:
        if not self.members or len(set(self.members)) != len(self.members):
            raise IncentivesError(f"a cohort of {len(self.members)} members is empty or names one twice")
        if len(self.weights) != len(self.members) or min(self.weights) < 1:
            raise IncentivesError(
                f"weights {self.weights} for {len(self.members)} members: give each one of at least 1"
            )


def judged_cohorts(evidence: RoundEvidence, pools: Sequence[int] = ()) -> tuple[JudgedCohort, ...]:
    """What a round says of a hospital, as the test sees it: in spreads of the round, clipped at four.

    Args:
        evidence: the hospital's valued cohorts.
        pools: of each of them, in their order; all were drawn together without it.

    Raises:
        IncentivesError: if pools do not fit.
    """
    drawn = tuple(pools) or (0,) * len(evidence.cohorts)
    if len(drawn) != len(evidence.cohorts):
        raise IncentivesError(f"{len(drawn)} pools for {len(evidence.cohorts)} cohorts: give each its own")
    found = []
    for cohort, pool in zip(evidence.cohorts, drawn, strict=True):
        utility = cohort.utility * MICRO // evidence.scale
        bounded = min(max(utility, -STANDARD_LIMIT), STANDARD_LIMIT)
        weights = cohort.weights or (1,) * len(cohort.members)
        found.append(JudgedCohort(cohort.members, weights, bounded, pool))
    return tuple(found)


def log_e_values(
    cohorts: Iterable[JudgedCohort], forecast: Mapping[bytes, int], settings: SuspicionSettings
) -> dict[bytes, tuple[int, ...]]:
    """What a round's bets against each device of a hospital pay.

    Args:
        cohorts: the hospital's valued cohorts of the round.
        forecast: effect of each device on a sum that is its own alone, in thousandths of a spread, foretold
            from earlier rounds; a device without one counts as typical (0).
        settings: stakes and margin.

    Returns:
        By device, the logarithm of the pay of each stake in millionths, rounded down. Devices of a pool with
        one valued cohort are left out: nothing is learnt of them.

    Raises:
        IncentivesError: if a device is in two cohorts.
    """
    pools: dict[int, list[JudgedCohort]] = {}
    for cohort in cohorts:
        pools.setdefault(cohort.pool, []).append(cohort)
    found: dict[bytes, tuple[int, ...]] = {}
    for _, together in sorted(pools.items()):
        if len(together) < 2:
            continue
        devices = [device for cohort in together for device in cohort.members]
        if len(set(devices)) != len(devices) or not found.keys().isdisjoint(devices):
            raise IncentivesError("a device is in two cohorts of a round: each is drawn into one")
        foretold = np.array([forecast.get(device, 0) / FORECAST_UNIT for device in devices])
        logs = _log_pays(_Pool.of(together), foretold, settings)
        floored = np.floor(logs * MICRO).astype(np.int64)
        found.update((device, tuple(map(int, floored[:, k]))) for k, device in enumerate(devices))
    return found


@dataclass(frozen=True, slots=True)
class _Pool:
    """Cohorts that were drawn together: sizes and utilities of them, home and share of each device."""

    sizes: _Ints
    utilities: _Floats
    homes: _Ints
    shares: _Floats

    @classmethod
    def of(cls, cohorts: list[JudgedCohort]) -> "_Pool":
        sizes = np.array([len(cohort.members) for cohort in cohorts])
        shares = [weight / sum(cohort.weights) for cohort in cohorts for weight in cohort.weights]
        utilities = np.array([cohort.utility / MICRO for cohort in cohorts])
        return cls(sizes, utilities, np.repeat(np.arange(len(cohorts)), sizes), np.array(shares))


def _log_pays(pool: _Pool, foretold: _Floats, settings: SuspicionSettings) -> _Floats:
    """Log e of each stake (rows) and device: log N - log(n_c + sum of n_k exp(b (s_i + m_i - r_k)))."""
    unexplained = pool.utilities - np.bincount(pool.homes, pool.shares * foretold)
    of_others = (foretold.sum() - foretold) / (len(foretold) - 1)
    effective = 1 / np.bincount(pool.homes, pool.shares**2)
    allowed = settings.margin * pool.shares * np.sqrt(effective[pool.homes])
    own = unexplained[pool.homes] + pool.shares * (foretold - of_others) + allowed
    elsewhere = pool.homes[:, None] != np.arange(len(pool.sizes))
    ahead = own[:, None] - unexplained
    rows = []
    for stake in settings.stakes:
        terms = np.where(elsewhere, np.exp(np.clip(stake * ahead, -_LARGEST_LOG, _LARGEST_LOG)), 1.0)
        rows.append(math.log(len(foretold)) - np.log(terms @ pool.sizes))
    return np.stack(rows)


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
            log_pay: what :func:`log_e_values` says of the device.
            settings: those of the test.
        """
        placed = _placed(self.rounds, settings.horizon)
        stakes = tuple(
            (wealth + placed) * math.exp(pay / MICRO)
            for wealth, pay in zip(self.stakes, log_pay, strict=True)
        )
        return Wealth(self.rounds + 1, stakes)

    def log_wealth(self, settings: SuspicionSettings) -> int:
        """Natural logarithm of the whole, in thousandths, rounded down."""
        waiting = 1 - sum(_placed(k, settings.horizon) for k in range(self.rounds))
        whole = sum(self.stakes) / len(self.stakes) + max(0.0, waiting)
        return math.floor(1_000 * math.log(whole)) if whole > 0 else -1_000 * 1_000


def _placed(rounds: int, horizon: int) -> float:
    """Part of the wealth that a bet which begins after so many rounds starts with."""
    if rounds == 0:
        return _FIRST
    return (1 - _FIRST) / (horizon - 1) if rounds < horizon else 0.0


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
