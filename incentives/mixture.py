"""Posterior of many numbers that are alike but for a few: a Gaussian likelihood under a two-part mixture prior.

Most devices do what the others do, and a few stand far off: below, in general. Under such a prior, sums over
overlapping sets can name those few long before there are as many sums as devices. The posterior is found by expectation
propagation (Minka, UAI 2001; for sparse linear models Hernandez-Lobato et al., JMLR 2013), all sites side by side,
with the parts' shares, means and variances re-estimated from the posterior under a prior of their own.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from incentives.errors import IncentivesError

_Floats = npt.NDArray[np.float64]

_DAMPING: Final = 0.7
_SETTLED: Final = 5  # sweeps before the parts are re-estimated
_LEAST_CAVITY: Final = 1e-3
_LEAST_SITE: Final = 1e-2


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the mixture, in prior deviations of a device's effect.

    Attributes:
        share: of the devices, in (0, 1).
        mean: where it lies.
        variance: how far its devices lie apart.

    Raises:
        IncentivesError: if a value is out of range.
    """

    share: float
    mean: float
    variance: float

    def __post_init__(self) -> None:
        if not (0 < self.share < 1 and self.variance > 0 and np.isfinite(self.mean)):
            raise IncentivesError(f"{self} is no part of a mixture: share in (0, 1), variance above 0")


def gaussian_posterior(precision: _Floats, moment: _Floats) -> tuple[_Floats, _Floats]:
    """Posterior means and variances of n numbers under a standard normal prior; arguments as below."""
    covariance = np.linalg.inv(precision + np.eye(len(moment)))
    return covariance @ moment, np.diag(covariance).copy()


def mixture_posterior(
    precision: _Floats, moment: _Floats, parts: tuple[Part, ...], *, sweeps: int, trust: float
) -> tuple[_Floats, _Floats]:
    """Posterior means and variances of n numbers.

    Args:
        precision: float64 (n, n), of the Gaussian likelihood.
        moment: float64 (n,), precision times the likelihood's mean.
        parts: what the prior is made of; shares sum to 1.
        sweeps: of expectation propagation.
        trust: how much `parts` weigh against what is found, as a share of n.
    """
    share, mean, variance = (np.array(values) for values in zip(*map(_values, parts), strict=True))
    first_share, first_mean, first_variance = share, mean, variance
    pull = trust * len(moment)
    site_precision, site_moment = np.ones(len(moment)), np.zeros(len(moment))
    found, spread = np.zeros(len(moment)), np.ones(len(moment))
    for sweep in range(sweeps):
        covariance = np.linalg.inv(precision + np.diag(site_precision))
        marginal = np.diag(covariance)
        center = covariance @ (moment + site_moment)
        cavity = np.maximum(1 / marginal - site_precision, _LEAST_CAVITY)
        cavity_mean = (center / marginal - site_moment) / cavity
        total = 1 / cavity[:, None] + variance
        log_weight = np.log(share) - 0.5 * np.log(total) - 0.5 * (cavity_mean[:, None] - mean) ** 2 / total
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        own_variance = 1 / (cavity[:, None] + 1 / variance)
        own_mean = own_variance * ((cavity * cavity_mean)[:, None] + mean / variance)
        found = (weight * own_mean).sum(axis=1)
        spread = (weight * (own_variance + own_mean**2)).sum(axis=1) - found**2
        new_precision = np.maximum(1 / spread - cavity, _LEAST_SITE)
        new_moment = found / spread - cavity * cavity_mean
        site_precision = (1 - _DAMPING) * site_precision + _DAMPING * new_precision
        site_moment = (1 - _DAMPING) * site_moment + _DAMPING * new_moment
        if sweep > _SETTLED:
            count = weight.sum(axis=0)
            share = (count + pull * first_share) / (len(moment) + pull)
            held = count + pull * first_share
            mean = ((weight * own_mean).sum(axis=0) + pull * first_share * first_mean) / held
            around = (weight * (own_variance + (own_mean - mean) ** 2)).sum(axis=0)
            variance = (around + pull * first_share * first_variance) / held
    return found, spread


def _values(part: Part) -> tuple[float, float, float]:
    return part.share, part.mean, part.variance
