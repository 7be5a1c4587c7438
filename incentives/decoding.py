"""Device quality decoded from cohort utilities: a sparse Bayesian linear model over a hospital's rounds.

Secure aggregation shows sums only, so a device is judged by the cohorts it was drawn into (cf. GroupSV, Ma
et al. 2021; Data Banzhaf, Wang & Jia 2023). With z_c the standardised utility of cohort c and a_i the public
weight of survivor i in it,

    z_c = mu + sum_i a_i d_i + e_c,     d_i ~ N(0, w_i),     e_c ~ N(0, s2 * sum_i a_i^2 / age discount).

The level mu takes up what all devices of the hospital share: it is paid through the hospital's own score,
and the prior would otherwise pull it into the d_i. Each prior variance w_i is re-estimated under an
inverse-gamma hyperprior, as in sparse Bayesian learning (Tipping, JMLR 2001; marginally d_i is Student's t),
because most devices are alike and few are far off: a plain ridge smears a poisoner's harm over whoever
shared cohorts with it. Cohorts with few effective members are noisier; old rounds count less.

Everything is a pure function of the history, so that an auditor recomputes it from the rounds' bundles.
Effects are rounded to millionths, mapped to scores in integers, and scores rounded to coarse steps, so that
the last bits of a linear solver do not show, but for a value that lies on a step's very edge.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from incentives.errors import IncentivesError
from incentives.reward_rule import FULL_SCORE
from incentives.scoring import MICRO, CohortKey, SpreadFloor, score, standing

_LEVEL_VARIANCE: Final = 100.0  # of mu: wide beside standardised utilities, which are clipped at 4

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CohortEvidence:
    """What a cohort of the hospital was worth in a round.

    Attributes:
        members: addresses (20 bytes) of the devices whose updates are in the sum.
        utility: combined standardised utility, millionths (see :func:`incentives.scoring.combine`).
        weights: public weight of each member in the mean; empty for equal weights.

    Raises:
        IncentivesError: if the cohort is empty, a member comes twice, or weights do not fit.
    """

    members: tuple[bytes, ...]
    utility: int
    weights: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.members or len(set(self.members)) != len(self.members):
            raise IncentivesError(f"a cohort of {len(self.members)} members is empty or names one twice")
        if self.weights and len(self.weights) != len(self.members):
            raise IncentivesError(
                f"{len(self.weights)} weights for {len(self.members)} members: give one each"
            )
        if any(weight < 1 for weight in self.weights):
            raise IncentivesError(f"member weight {min(self.weights)} is no weight: it must be at least 1")


@dataclass(frozen=True, slots=True)
class RoundEvidence:
    """The cohorts of one hospital in one round that were valued by enough others."""

    round: int
    cohorts: tuple[CohortEvidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderSettings:
    """Settings of the decoder, part of the spec. Variances are those of a typical cohort's standardised
    utility.

    Attributes:
        device_variance: part of it that comes from lasting differences between devices (prior).
        noise_variance: part of it that does not last.
        tail: degrees of freedom of the prior's tails; infinite for a plain ridge.
        sweeps: re-estimations of the prior variances.
        forgetting: factor a round by which evidence loses precision, in (0, 1].
        spread_floor: least spread of effects that is believed, in prior standard deviations.
        step: scores are rounded to multiples of this.

    Raises:
        IncentivesError: if a setting is out of range.
    """

    device_variance: float = 0.15
    noise_variance: float = 0.33
    tail: float = 2.0
    sweeps: int = 10
    forgetting: float = 0.99
    spread_floor: float = 1.0
    step: int = 100

    def __post_init__(self) -> None:
        for name in ("device_variance", "noise_variance", "tail", "spread_floor"):
            if not getattr(self, name) > 0:
                raise IncentivesError(f"decoder {name} is {getattr(self, name)}: it must be positive")
        if not 0 < self.forgetting <= 1:
            raise IncentivesError(f"decoder forgetting is {self.forgetting}: it must lie in (0, 1]")
        if self.sweeps < 0:
            raise IncentivesError(f"decoder sweeps is {self.sweeps}: it must not be negative")
        if not 1 <= self.step <= FULL_SCORE or FULL_SCORE % self.step:
            raise IncentivesError(f"decoder step is {self.step}: it must divide 10000")


@dataclass(frozen=True, slots=True)
class DeviceEffect:
    """Posterior of a device's lasting effect against its hospital's level, in prior deviations."""

    mean: float
    deviation: float


def round_evidence(
    round_number: int,
    hospital: int,
    members: Mapping[CohortKey, Sequence[bytes]],
    utilities: Mapping[CohortKey, int],
    weights: Mapping[bytes, int] | None = None,
) -> RoundEvidence:
    """Put together one hospital's evidence of a round.

    Args:
        round_number: the round.
        hospital: the hospital's id.
        members: survivors of each cohort, of any hospital.
        utilities: combined utilities; a cohort without one gives no evidence.
        weights: public weight of each device (its bucket of rows); equal weights without it.

    Raises:
        IncentivesError: if a member has no weight.
    """
    cohorts = []
    for key in sorted(utilities):
        if key.hospital != hospital or key not in members:
            continue
        survivors = tuple(members[key])
        if weights is not None and not weights.keys() >= set(survivors):
            raise IncentivesError(
                f"a member of cohort {key.cohort} of hospital {hospital} has no public weight"
            )
        shares = () if weights is None else tuple(weights[device] for device in survivors)
        cohorts.append(CohortEvidence(survivors, utilities[key], shares))
    return RoundEvidence(round_number, tuple(cohorts))


def effects(
    history: Sequence[RoundEvidence], settings: DecoderSettings | None = None
) -> dict[bytes, DeviceEffect]:
    """Posterior effect of each device that appears in a hospital's history, in prior standard deviations.

    Raises:
        IncentivesError: if the rounds are not in order.
    """
    chosen = settings or DecoderSettings()
    numbers = [item.round for item in history]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise IncentivesError(f"rounds {numbers} are not in order: give each round once, ascending")
    cohorts = [(item.round, cohort) for item in history for cohort in item.cohorts]
    devices = sorted({device for _, cohort in cohorts for device in cohort.members})
    if not devices:
        return {}
    design, utilities, precisions, prior = _linear_model(cohorts, devices, chosen)
    weighted = design.T * precisions
    gram, moment = weighted @ design, weighted @ utilities
    mean, variance = _posterior(gram, moment, np.full(len(devices), prior))
    if math.isfinite(chosen.tail):
        for _ in range(chosen.sweeps):
            own = (chosen.tail * prior + mean**2 + variance) / (chosen.tail + 1)
            mean, variance = _posterior(gram, moment, own)
    scale = math.sqrt(prior)
    return {
        device: DeviceEffect(float(mean[k]) / scale, math.sqrt(float(variance[k])) / scale)
        for k, device in enumerate(devices)
    }


def decode(
    history: Sequence[RoundEvidence],
    *,
    devices: Collection[bytes] = (),
    settings: DecoderSettings | None = None,
) -> dict[bytes, int]:
    """Quality scores (0..10,000) of a hospital's devices after the rounds given.

    Args:
        history: the hospital's evidence, round by round; a device without any is typical and gets full marks.
        devices: addresses to answer for beside those in the history.
        settings: the decoder's settings; the defaults without it.

    Raises:
        IncentivesError: if the rounds are not in order.
    """
    chosen = settings or DecoderSettings()
    found = effects(history, chosen)
    quality = dict.fromkeys(sorted({*devices, *found}), FULL_SCORE)
    if found:
        rounded = {device: round(effect.mean * MICRO) for device, effect in found.items()}
        floor = SpreadFloor(absolute=max(1, round(chosen.spread_floor * MICRO)))
        typical = standing(rounded.values(), floor)
        for device, value in rounded.items():
            quality[device] = _to_step(score(value, typical), chosen.step)
    return quality


def _to_step(value: int, step: int) -> int:
    return (value + step // 2) // step * step


def _linear_model(
    cohorts: Sequence[tuple[int, CohortEvidence]], devices: Sequence[bytes], settings: DecoderSettings
) -> tuple[_Floats, _Floats, _Floats, float]:
    """Design (cohorts x devices + level), utilities, precisions, and the prior variance of an effect."""
    column = {device: k for k, device in enumerate(devices)}
    design = np.zeros((len(cohorts), len(devices) + 1))
    design[:, -1] = 1.0
    for row, (_, cohort) in enumerate(cohorts):
        shares = cohort.weights or (1,) * len(cohort.members)
        total = sum(shares)
        for device, share in zip(cohort.members, shares, strict=True):
            design[row, column[device]] = share / total
    concentration = np.sum(design[:, :-1] ** 2, axis=1)  # one over the effective number of members
    typical_size = float(np.mean(1 / concentration))
    last = max(number for number, _ in cohorts)
    discount = np.array([settings.forgetting ** (last - number) for number, _ in cohorts])
    precisions = discount / (settings.noise_variance * typical_size * concentration)
    utilities = np.array([cohort.utility / MICRO for _, cohort in cohorts])
    return design, utilities, precisions, settings.device_variance * typical_size


def _posterior(gram: _Floats, moment: _Floats, prior: _Floats) -> tuple[_Floats, _Floats]:
    """Posterior mean and variance of the devices' effects, the level integrated out."""
    precision = gram.copy()
    precision[np.diag_indices_from(precision)] += 1 / np.append(prior, _LEVEL_VARIANCE)
    covariance = np.linalg.inv(precision)
    return (covariance @ moment)[:-1], np.diag(covariance)[:-1]
