"""What cohorts' worths say of devices whose worth drifts from round to round.

In round t a device is worth s_t z_i(t): s_t says how much is to be gained in the round, z_i(t) how the device compares.
A device does not change at once, nor does it stay the same for ever, so z_i is an Ornstein-Uhlenbeck process: rounds
that lie k apart correlate by drift^k. What is sought is how the device did over the rounds in nats, sum_t v_t z_i(t),
where v_t = s_t forgetting^(last - t): rounds in which more was at stake count more. The rest of z_i, what does not go
into that sum, is correlated noise here, and integrated out.

How much of what is seen is noise, above all the noise of privacy, is not told but found: of a few assumptions, some
of it the same in all rounds, some a share of the rest, the one under which the evidence is most probable is taken;
sixteen rounds, evenly spread, tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

from incentives.evidence import CohortEvidence, RoundEvidence

_Floats = npt.NDArray[np.float64]
_SMOOTHING_ROUNDS = 1.0
_LARGEST = 4.0  # scales of a round: one cohort of one round is not held against its members for ever
_SAMPLED_ROUNDS = 16
_CONSTANT = (0.0, 0.7, 0.95)
_PROPORTIONAL = (0.0, 0.4, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Drift:
    """How devices' worth varies, in squared scales of a round's cohorts.

    Attributes:
        device_variance: of a typical cohort's worth, by its devices' differences.
        noise_variance: of it, by what no device accounts for.
        level_variance: of a round's level, once the typical cohort's worth is taken off.
        drift: correlation of a device's comparison with that of the round before.
        forgetting: factor a round by which old rounds lose weight in what is sought.
    """

    device_variance: float
    noise_variance: float
    level_variance: float
    drift: float
    forgetting: float


def likelihood(
    history: Sequence[RoundEvidence], devices: Sequence[bytes], settings: Drift
) -> tuple[_Floats, _Floats]:
    """Precision (n, n) and moment (n,) of the devices' worth over the rounds, in prior deviations.

    Args:
        history: the evidence, with at least one cohort.
        devices: all devices in it.
        settings: how worth varies.
    """
    rounds = [item for item in history if item.cohorts]
    sample = np.unique(np.linspace(0, len(rounds) - 1, _SAMPLED_ROUNDS).round().astype(np.int64))
    few = _seen([rounds[index] for index in sample], devices, settings)
    assumptions = list(product(_CONSTANT, _PROPORTIONAL))
    constant, proportional = max(assumptions, key=lambda item: _assume(few, *item).evidence())
    best = _assume(_seen(rounds, devices, settings), constant, proportional)
    columns = best.columns
    weighed = np.linalg.solve(best.noise, columns)
    return columns.T @ weighed, weighed.T @ best.values


@dataclass(frozen=True, eq=False)
class _Seen:
    """The evidence as arrays: by round its number and scale, by cohort its members' weights, round and worth."""

    numbers: _Floats
    scales: _Floats
    design: _Floats
    of_row: npt.NDArray[np.int64]
    values: _Floats
    settings: Drift

    @cached_property
    def shared(self) -> _Floats:
        """How much each two cohorts have in common, (cohorts, cohorts)."""
        common: _Floats = self.design @ self.design.T
        return common

    @cached_property
    def concentration(self) -> _Floats:
        """One over the effective number of members, (cohorts,)."""
        return np.diag(self.shared)

    @cached_property
    def typical_size(self) -> float:
        """Effective number of members of a typical cohort."""
        return 1 / float(np.mean(self.concentration))

    @cached_property
    def variance(self) -> float:
        """Of a device's comparison."""
        return self.settings.device_variance * self.typical_size

    @cached_property
    def kernel(self) -> _Floats:
        """How devices' comparisons of each two rounds correlate, (rounds, rounds)."""
        correlation: _Floats = self.settings.drift ** np.abs(np.subtract.outer(self.numbers, self.numbers))
        return correlation

    @cached_property
    def signal(self) -> _Floats:
        """Covariance (cohorts, cohorts) of what devices and levels account for, whatever is taken to be noise."""
        together = self.variance * self.shared * self.kernel[np.ix_(self.of_row, self.of_row)]
        together += self.settings.level_variance * (self.of_row[:, None] == self.of_row)
        return together


def _seen(rounds: Sequence[RoundEvidence], devices: Sequence[bytes], settings: Drift) -> _Seen:
    numbers = np.array([item.round for item in rounds], dtype=np.float64)
    cohorts = [cohort for item in rounds for cohort in item.cohorts]
    scales = _smoothed(np.array([float(item.scale) for item in rounds]), numbers)
    of_row = np.repeat(np.arange(len(rounds)), [len(item.cohorts) for item in rounds])
    bound = _LARGEST * scales[of_row]
    return _Seen(
        numbers=numbers,
        scales=scales,
        design=_design(cohorts, devices),
        of_row=of_row,
        values=np.clip([float(cohort.utility) for cohort in cohorts], -bound, bound),
        settings=settings,
    )


@dataclass(frozen=True, eq=False)
class _Assumed:
    """What one assumption on the noise makes of the evidence.

    Attributes:
        together: covariance (cohorts, cohorts) of what is seen, in scales of the signal.
        part: (cohorts,), what each cohort's devices show in it of what is sought.
        seen: the evidence.
        values: (cohorts,), worths in scales of the signal.
        log_scale: logarithm of these scales, added up.
    """

    together: _Floats
    part: _Floats
    seen: _Seen
    values: _Floats
    log_scale: float

    @property
    def columns(self) -> _Floats:
        """What each cohort shows of what is sought of each device, (cohorts, devices)."""
        return self.seen.design * self.part[:, None]

    @property
    def noise(self) -> _Floats:
        """Covariance of all that is not sought."""
        rest: _Floats = self.together - np.outer(self.part, self.part) * self.seen.shared
        return rest

    def evidence(self) -> float:
        """Logarithm of the probability of what is seen, rounded: a tie goes to the first assumption."""
        factor = np.linalg.cholesky(self.together)
        residual = np.linalg.solve(factor, self.values)
        spread = np.log(np.diag(factor)).sum() + self.log_scale
        return round(-float(spread + residual @ residual / 2), 6)


def _assume(seen: _Seen, constant: float, proportional: float) -> _Assumed:
    """Take `constant` times the least scale as noise of every round, and a share of the variance left as well."""
    settings, kernel, of_row = seen.settings, seen.kernel, seen.of_row
    noise_variance = (constant * seen.scales.min()) ** 2
    scales = np.sqrt((seen.scales**2 - noise_variance) * (1 - proportional))
    sought = scales * settings.forgetting ** (seen.numbers[-1] - seen.numbers)
    sought = sought / sought.max()
    share = (kernel @ sought) / np.sqrt(
        sought @ kernel @ sought
    )  # correlation of each round with what is sought

    together = seen.signal.copy()
    own = settings.noise_variance + noise_variance / scales**2 + proportional / (1 - proportional)
    together[np.diag_indices_from(together)] += own[of_row] * seen.typical_size * seen.concentration
    return _Assumed(
        together,
        np.sqrt(seen.variance) * share[of_row],
        seen,
        seen.values / scales[of_row],
        float(np.log(scales[of_row]).sum()),
    )


def _design(cohorts: Sequence[CohortEvidence], devices: Sequence[bytes]) -> _Floats:
    """Weight of each device in each cohort's mean, (cohorts, devices)."""
    column = {device: k for k, device in enumerate(devices)}
    design = np.zeros((len(cohorts), len(devices)))
    for row, cohort in enumerate(cohorts):
        shares = cohort.weights or (1,) * len(cohort.members)
        columns = [column[device] for device in cohort.members]
        design[row, columns] = np.array(shares, dtype=np.float64) / sum(shares)
    return design


def _smoothed(scales: _Floats, numbers: _Floats) -> _Floats:
    """Scales averaged over neighbouring rounds, as logarithms: one round's is estimated from few cohorts."""
    near = np.exp(-np.abs(np.subtract.outer(numbers, numbers)) / _SMOOTHING_ROUNDS)
    smoothed: _Floats = np.exp(near @ np.log(scales) / near.sum(axis=1))
    return smoothed
