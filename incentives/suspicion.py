"""Evidence that a device harms the cohorts that it is in: bets that an honest device wins as often as it loses.

Cohorts are drawn at random after the ready lists are fixed, so chance decides beside whom a device is summed.
Utilities of a hospital's cohorts are divided by the spread of its cohorts in earlier rounds, and effects f_j that
earlier rounds foretell are in the same unit (:mod:`incentives.suspicion_forecast`): all of it is fixed before the
draw, so that no other hospital's cohorts enter. With y_c the utility of cohort c as one validator saw it, in that
unit, and a_j the weight of member j in its mean,

    r_c = y_c - sum of a_j f_j over its members j,
    s_i = r_c + a_i (f_i - mean f of the others),  c the cohort of device i:

what the past does not explain of each cohort, i itself taken for a typical device; both are clipped at four from
the lower median of the r. A bet with stake b that i's cohort is behind pays

    e_i = N exp(-b (s_i + m_i)) / (n_c exp(-b (s_i + m_i)) + sum over other cohorts k of n_k exp(-b r_k)),

where n_k counts the members of a cohort and N those of all, and

    m_i = margin * max(1, S) * a_i / sqrt(sum of a_j^2)

is what the margin allows of i, S the standard deviation of the hospital's y_c in this very round (divisor K - 1 for
K cohorts, as in the spread of earlier rounds): a round in which cohorts lie further apart allows more. If what is
unexplained of i is exchangeable with what is of the others, and the margin 0, then i is in cohort k with probability
n_k / N whatever the r are, so that e_i has mean 1, heavy tails or not. e_i falls as s_i rises: the mean is at most 1
for every device whose cohorts do worse by no more than m_i than with such a device in its stead. That is the
hypothesis, up to what docs/quarantine.md names as approximations: errors of forecasts and of the spread.
(Conditional randomisation e-values: cf. Shafer, JRSS A 2021; Ramdas and Wang, Hypothesis Testing with E-values, 2025.)

The product of such e_i over rounds is then a test supermartingale; so is any mixture over stakes and over
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
from incentives.reward_rule import lower_median
from incentives.scoring import MICRO, STANDARD_LIMIT
from incentives.suspicion_views import JudgedCohort

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

_LARGEST_STAKE: Final = 10.0
_FURTHEST: Final = STANDARD_LIMIT / MICRO
_FAR: Final = 1_000_000  # spreads, beyond all that is foretold: told utilities may be integers of any size
_LARGEST_LOG: Final = 600.0  # beyond some 700 exp() leaves the doubles

FORECAST_UNIT: Final = 1_000
"""One spread, in the whole numbers of forecasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspicionSettings:
    """When a device is suspected, and what follows; part of the spec's scoring settings.

    Attributes:
        alpha: probability that any honest device of the federation is ever suspected in an epoch, at most.
        margin: how far behind a typical device one may be and still count as honest, in standard deviations that
            single devices of its hospital would have if its cohorts differed by nothing else but who is in them.
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
    cohorts: Iterable[JudgedCohort],
    forecast: Mapping[bytes, int],
    settings: SuspicionSettings,
    *,
    spread: int = MICRO,
) -> dict[bytes, tuple[int, ...]]:
    """What a round's bets against each device of a hospital pay.

    Args:
        cohorts: the hospital's cohorts of the round, as one validator saw them.
        forecast: effect of each device on a sum that is its own alone, in thousandths of a spread, foretold
            from earlier rounds; a device without one counts as typical (0).
        settings: stakes and margin.
        spread: how far the hospital's cohorts lay apart in earlier rounds, in units of utility, at least 1.

    Returns:
        By device, the logarithm of the pay of each stake in millionths, rounded down. Devices of a pool with
        one valued cohort are left out: nothing is learnt of them.

    Raises:
        IncentivesError: if a device is in two cohorts, or the spread is none.
    """
    if spread < 1:
        raise IncentivesError(f"a spread of {spread} is none: it must be at least 1")
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
        logs = _log_pays(_Pool.of(together, spread), foretold, settings)
        floored = np.floor(logs * MICRO).astype(np.int64).T.tolist()
        found.update(zip(devices, map(tuple, floored), strict=True))
    return found


@dataclass(frozen=True, slots=True)
class _Pool:
    """Cohorts that were drawn together: sizes and utilities of them in spreads, home and share of each device."""

    sizes: _Ints
    utilities: _Floats
    homes: _Ints
    shares: _Floats

    @classmethod
    def of(cls, cohorts: list[JudgedCohort], spread: int) -> "_Pool":
        weights = [np.array(cohort.drawn.weights, dtype=np.float64) for cohort in cohorts]
        sizes = np.array([len(own) for own in weights])
        shares = np.concatenate([own / own.sum() for own in weights])
        typical = lower_median([cohort.utility for cohort in cohorts])
        reach = _FAR * spread
        worths = [min(max(cohort.utility - typical, -reach), reach) for cohort in cohorts]
        utilities = np.array([worth / spread for worth in worths])
        return cls(sizes, utilities, np.repeat(np.arange(len(cohorts)), sizes), shares)


def _log_pays(pool: _Pool, foretold: _Floats, settings: SuspicionSettings) -> _Floats:
    """Log e of each stake (rows) and device: log N - log(n_c + sum of n_k exp(b (s_i + m_i - r_k)))."""
    raw = pool.utilities - np.bincount(pool.homes, pool.shares * foretold)
    typical = np.sort(raw)[(len(raw) - 1) // 2]
    unexplained = np.clip(raw - typical, -_FURTHEST, _FURTHEST)
    of_others = (foretold.sum() - foretold) / (len(foretold) - 1)
    without = (raw - typical)[pool.homes] + pool.shares * (foretold - of_others)
    effective = 1 / np.bincount(pool.homes, pool.shares**2)
    cohorts = len(pool.sizes)
    apart = max(1.0, float(np.std(np.clip(pool.utilities, -_FURTHEST, _FURTHEST), ddof=1)))
    allowed = settings.margin * apart * pool.shares * np.sqrt(effective[pool.homes])
    own = np.clip(without, -_FURTHEST, _FURTHEST) + allowed
    elsewhere = pool.homes[:, None] != np.arange(cohorts)
    ahead = own[:, None] - unexplained
    rows = []
    for stake in settings.stakes:
        terms = np.where(elsewhere, np.exp(np.clip(stake * ahead, -_LARGEST_LOG, _LARGEST_LOG)), 1.0)
        rows.append(math.log(len(foretold)) - np.log(terms @ pool.sizes))
    return np.stack(rows)
