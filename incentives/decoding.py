"""Device quality decoded from what cohorts were worth: a Bayesian linear model over a hospital's rounds.

Secure aggregation shows sums only, so a device is judged by the cohorts it was drawn into (cf. GroupSV, Ma
et al. 2021; Data Banzhaf, Wang & Jia 2023). With y_c the worth of cohort c beyond the round's typical one, s_t the
round's scale and a_i the public weight of survivor i in the cohort's mean,

    y_c / s_t = level_t + sum_i a_i z_i(t) + e_c.

Devices' comparisons z_i drift (`incentives.drifting`), rounds in which more is at stake count more, cohorts with few
effective members are noisier, and what a device did over the rounds is alike for most and far off for few
(`incentives.mixture`).

Everything is a pure function of the history, so that an auditor recomputes it from the rounds' bundles.
Effects are rounded to millionths, mapped to scores in integers, and scores rounded to coarse steps, so that
the last bits of a linear solver do not show, but for a value that lies on a step's very edge.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from incentives.drifting import Drift, likelihood
from incentives.errors import IncentivesError
from incentives.evidence import CohortEvidence, RoundEvidence, round_evidence
from incentives.mixture import Part, gaussian_posterior, mixture_posterior
from incentives.reward_rule import FULL_SCORE
from incentives.scoring import MICRO, SpreadFloor, score, standing

__all__ = [
    "CohortEvidence",
    "DecoderSettings",
    "DeviceEffect",
    "RoundEvidence",
    "decode",
    "effects",
    "quality_scores",
    "round_evidence",
]

_MOST_SWEEPS = 1_000  # settings come with a bundle: they must not keep an auditor busy for ever
_TRUST = 0.25  # of the prior's parts, beside what a hospital's devices say of them


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderSettings:
    """Settings of the decoder, part of the spec. Variances are in squared scales of a round's cohorts.

    Attributes:
        device_variance: of a typical cohort's worth, by its devices' differences (prior).
        noise_variance: of it, by what no device accounts for.
        level_variance: of a round's level, once the typical cohort's worth is taken off.
        drift: correlation of how a device compares with how it did the round before, in (0, 1).
        forgetting: factor a round by which old rounds lose weight, in (0, 1].
        bad_share: share of devices that are expected to be far off, in (0, 1).
        bad_mean: where they lie, in prior deviations.
        bad_variance: how far they lie apart.
        good_mean: where all others lie.
        good_variance: how far these lie apart.
        sweeps: of expectation propagation; 0 for a plain Gaussian prior.
        spread_floor: least spread of effects that is believed, in prior standard deviations.
        step: scores are rounded to multiples of this.

    Raises:
        IncentivesError: if a setting is out of range.
    """

    device_variance: float = 1.0
    noise_variance: float = 0.03
    level_variance: float = 0.1
    drift: float = 0.98
    forgetting: float = 0.99
    bad_share: float = 0.2
    bad_mean: float = -1.2
    bad_variance: float = 1.0
    good_mean: float = 0.3
    good_variance: float = 0.4
    sweeps: int = 12
    spread_floor: float = 0.8
    step: int = 100

    def __post_init__(self) -> None:
        positive = ("device_variance", "noise_variance", "level_variance", "bad_variance", "good_variance")
        for name in (*positive, "spread_floor"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise IncentivesError(f"decoder {name} is {getattr(self, name)}: it must be positive")
        if not 0 < self.forgetting <= 1:
            raise IncentivesError(f"decoder forgetting is {self.forgetting}: it must lie in (0, 1]")
        for name in ("drift", "bad_share"):
            if not 0 < getattr(self, name) < 1:
                raise IncentivesError(f"decoder {name} is {getattr(self, name)}: it must lie in (0, 1)")
        if not 0 <= self.sweeps <= _MOST_SWEEPS:
            raise IncentivesError(f"decoder sweeps is {self.sweeps}: it must lie in 0..{_MOST_SWEEPS}")
        if not 1 <= self.step <= FULL_SCORE or FULL_SCORE % self.step:
            raise IncentivesError(f"decoder step is {self.step}: it must divide 10000")

    @property
    def prior(self) -> tuple[Part, Part]:
        """The prior's parts: most devices, and those that are far off."""
        return (
            Part(1 - self.bad_share, self.good_mean, self.good_variance),
            Part(self.bad_share, self.bad_mean, self.bad_variance),
        )


@dataclass(frozen=True, slots=True)
class DeviceEffect:
    """Posterior of what a device was worth a unit of weight, beside the typical one, in prior deviations."""

    mean: float
    deviation: float


def effects(
    history: Sequence[RoundEvidence], settings: DecoderSettings | None = None
) -> dict[bytes, DeviceEffect]:
    """Posterior effect of each device that appears in a hospital's history, in prior standard deviations.

    Raises:
        IncentivesError: if the rounds are not in order.
    """
    return dict(_effects(tuple(history), settings or DecoderSettings()))


def forget_effects() -> None:
    """Drop what was decoded before: whoever is to recompute it by itself would only look it up."""
    _effects.cache_clear()


@lru_cache(maxsize=128)
def _effects(history: tuple[RoundEvidence, ...], chosen: DecoderSettings) -> Mapping[bytes, DeviceEffect]:
    """The same, kept: what a round decodes is what the next one foretells from."""
    numbers = [item.round for item in history]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise IncentivesError(f"rounds {numbers} are not in order: give each round once, ascending")
    devices = sorted({device for item in history for cohort in item.cohorts for device in cohort.members})
    if not devices:
        return {}
    drift = Drift(
        chosen.device_variance,
        chosen.noise_variance,
        chosen.level_variance,
        chosen.drift,
        chosen.forgetting,
    )
    precision, moment = likelihood(history, devices, drift)
    if chosen.sweeps:
        mean, variance = mixture_posterior(
            precision, moment, chosen.prior, sweeps=chosen.sweeps, trust=_TRUST
        )
    else:
        mean, variance = gaussian_posterior(precision, moment)
    return {
        device: DeviceEffect(float(mean[k]), math.sqrt(float(variance[k])))
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
    return quality_scores(effects(history, chosen), devices=devices, settings=chosen)


def quality_scores(
    found: Mapping[bytes, DeviceEffect],
    *,
    devices: Collection[bytes] = (),
    settings: DecoderSettings | None = None,
) -> dict[bytes, int]:
    """Quality scores (0..10,000) from the effects that were found.

    Args:
        found: what `effects` says; a device that is not in it is typical and gets full marks.
        devices: addresses to answer for beside those.
        settings: the decoder's settings; the defaults without it.
    """
    chosen = settings or DecoderSettings()
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
