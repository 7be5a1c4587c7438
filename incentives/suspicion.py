"""Evidence that a device harms the cohorts that it is in: bets that an honest device wins as often as it loses.

Cohorts are drawn at random after the ready lists are fixed, so chance decides beside whom a device is summed.
With z_c the standardised utility of cohort c as one validator saw it, a_j the weight of member j in its mean
and f_j the effect that past rounds foretell of j (:mod:`incentives.suspicion_forecast`), let

    r_c = z_c - sum of a_j f_j over its members j,
    s_i = r_c + a_i (f_i - mean f of the others),  c the cohort of device i:

what the past does not explain of each cohort, i itself taken for a typical device. A bet with stake b that i's
cohort is behind pays

    e_i = N exp(-b (s_i + m_i)) / (n_c exp(-b (s_i + m_i)) + sum over other cohorts k of n_k exp(-b r_k)),

where n_k counts the members of a cohort and N those of all, and

    m_i = margin * a_i sqrt(K / (K - 1)) / sqrt(sum of a_j^2)

is what the margin allows of i: means of K cohorts that share out a whole pool of devices spread by only
sqrt((K - 1) / K) of what means of as many independent devices would (finite population correction: Cochran,
Sampling Techniques, 3rd ed., section 2.6). If what is unexplained of i is exchangeable with what is of the
others, and the margin 0, then i is in cohort k with probability n_k / N whatever the r are, so that e_i has
mean 1, heavy tails or not. e_i falls as s_i rises: the mean is at most 1 for every device whose cohorts do
worse by no more than m_i than with such a device in its stead. (Conditional randomisation e-values: cf.
Shafer, JRSS A 2021; Ramdas and Wang, Hypothesis Testing with E-values, 2025.)

The product of the e_i over rounds is then a test supermartingale; so is any mixture over stakes and over
rounds to begin at that is fixed beforehand. Each validator's view feeds an account of its own; what the
accounts say together (:mod:`incentives.suspicion_wealth`) ever reaches N_all / alpha with probability at most
alpha / N_all, whatever a minority of validators says. By the union bound *any* of N_all honest devices is ever
suspected with probability at most alpha. docs/quarantine.md states what is assumed, and what is not covered.

Everything is a function of the rounds' bundles. Logarithms are rounded down to millionths, so that the last
bits of an exponential do not show.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from incentives.errors import IncentivesError
from incentives.scoring import MICRO
from incentives.suspicion_views import JudgedCohort

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

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
            single devices would have if a round's cohorts differed by nothing else but who is in them.
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


def log_e_values(
    cohorts: Iterable[JudgedCohort], forecast: Mapping[bytes, int], settings: SuspicionSettings
) -> dict[bytes, tuple[int, ...]]:
    """What a round's bets against each device of a hospital pay.

    Args:
        cohorts: the hospital's cohorts of the round, as one validator saw them.
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
        pools.setdefault(cohort.drawn.pool, []).append(cohort)
    found: dict[bytes, tuple[int, ...]] = {}
    for _, together in sorted(pools.items()):
        if len(together) < 2:
            continue
        devices = [device for cohort in together for device in cohort.drawn.members]
        if len(set(devices)) != len(devices) or not found.keys().isdisjoint(devices):
            raise IncentivesError("a device is in two cohorts of a round: each is drawn into one")
        foretold = np.array([forecast.get(device, 0) / FORECAST_UNIT for device in devices])
        logs = _log_pays(_Pool.of(together), foretold, settings)
        floored = np.floor(logs * MICRO).astype(np.int64).T.tolist()
        found.update(zip(devices, map(tuple, floored), strict=True))
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
        weights = [np.array(cohort.drawn.weights, dtype=np.float64) for cohort in cohorts]
        sizes = np.array([len(own) for own in weights])
        shares = np.concatenate([own / own.sum() for own in weights])
        utilities = np.array([cohort.utility / MICRO for cohort in cohorts])
        return cls(sizes, utilities, np.repeat(np.arange(len(cohorts)), sizes), shares)


def _log_pays(pool: _Pool, foretold: _Floats, settings: SuspicionSettings) -> _Floats:
    """Log e of each stake (rows) and device: log N - log(n_c + sum of n_k exp(b (s_i + m_i - r_k)))."""
    unexplained = pool.utilities - np.bincount(pool.homes, pool.shares * foretold)
    of_others = (foretold.sum() - foretold) / (len(foretold) - 1)
    effective = 1 / np.bincount(pool.homes, pool.shares**2)
    cohorts = len(pool.sizes)
    unit = math.sqrt(cohorts / (cohorts - 1))
    allowed = settings.margin * unit * pool.shares * np.sqrt(effective[pool.homes])
    own = unexplained[pool.homes] + pool.shares * (foretold - of_others) + allowed
    elsewhere = pool.homes[:, None] != np.arange(cohorts)
    ahead = own[:, None] - unexplained
    rows = []
    for stake in settings.stakes:
        terms = np.where(elsewhere, np.exp(np.clip(stake * ahead, -_LARGEST_LOG, _LARGEST_LOG)), 1.0)
        rows.append(math.log(len(foretold)) - np.log(terms @ pool.sizes))
    return np.stack(rows)
