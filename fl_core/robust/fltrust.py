"""FLTrust: trust bootstrapped from what an agreed root set teaches (Cao et al., NDSS 2021)."""

from __future__ import annotations

import math

import numpy as np

from fl_core.errors import SpecError
from fl_core.robust.geometry import (
    LARGEST,
    Float64Array,
    IntArray,
    check_means,
    combination,
    gram,
    root_of,
    shares_of,
)


def fltrust(
    means: Float64Array, votes: IntArray, root: Float64Array, noise: Float64Array | None = None
) -> Float64Array:
    """Means weighted by votes and trust, none longer than the root update, float64 (d,).

    With g the root update, the trust of a mean x is ReLU(cos(x, g)) (equation 2), and x counts as x |g| / |x|
    (equation 3) where it is longer than g. One that is shorter is not drawn out to that length as in the paper: its
    trust shrinks in its stead. Averages over cohorts are shorter the more their devices disagree, and drawing that out
    would draw out their disagreement, and any noise.

    Known noise is taken off squared lengths, so that a sum with noise is not scaled down for it. What noise, or an
    attacker in its place, adds along the root update earns nothing more: no trust is above 1, and no mean counts for
    more than the root update's length along it. Across, a mean that lacks the promised noise could still bring as much
    as the noise's length; only a hospital all of whose devices collude can hold such a mean in its hands.

    No breakdown point is proved. Whatever passes lies at an acute angle to the root update and has at most its length,
    so that attackers can bend the sum aside, round after round; once nearly every mean holds one, models end at chance.
    What the rule rests on is the root set, rows like those of the task that attackers did not choose; a bad root set
    misleads it, and where nothing passes the model stays.

    Args:
        means: float64 (k, d).
        votes: int64 (k,), weights above 0.
        root: float64 (d,), the root update.
        noise: float64 (k,), expected squared length of the noise in each mean; None for none.

    Raises:
        SpecError: see `check_means`; or a root update of another shape, not finite, beyond 1e150, or zero.
    """
    check_means(means, votes)
    return combination(means, trust_of(means, votes, root, noise))


def trust_of(
    means: Float64Array, votes: IntArray, root: Float64Array, noise: Float64Array | None = None
) -> list[float]:
    """What each mean is multiplied with in `fltrust`; zeros where nothing is trusted.

    Raises:
        SpecError: a root update of another shape, not finite, beyond 1e150, or zero.
    """
    expected = np.zeros(len(means)) if noise is None else noise
    products, scales = _bounded_scales(means, root, expected)
    length = root_of(float(products[-1, -1]))
    # a mean is scaled to a length of at most the root update's, so that this is its cosine or less
    trust = [
        share * max(float(product) * float(scale) / length / length, 0.0)
        for share, product, scale in zip(shares_of(votes), products[:-1, -1], scales, strict=True)
    ]
    everyone = math.fsum(trust)
    if everyone == 0:
        return [0.0] * len(means)
    return [t / everyone * float(scale) for t, scale in zip(trust, scales, strict=True)]


def _bounded_scales(
    means: Float64Array, root: Float64Array, noise: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Inner products of means and root update (k + 1, k + 1), and what makes no mean longer than the latter (k,).

    Noise is taken off squared lengths; what is left along the root update is held to its length as well.

    Args:
        means: float64 (k, d).
        root: float64 (d,), the root update.
        noise: float64 (k,), expected squared length of the noise in each mean.

    Raises:
        SpecError: a root update of another shape, not finite, beyond 1e150, or zero.
    """
    if root.shape != means.shape[1:] or not (np.abs(root) <= LARGEST).all():
        raise SpecError(
            f"root update of shape {root.shape} for means of {means.shape[1]}: one entry each, finite and at most "
            f"{LARGEST:.0e}"
        )
    products = gram(np.vstack([means, root]))
    length = root_of(float(products[-1, -1]))
    if length == 0:
        raise SpecError(
            "the root update is zero, so that it trusts nobody: check the root set and the step size"
        )
    scales = []
    for square, along, extra in zip(np.diagonal(products)[:-1], products[:-1, -1], noise, strict=True):
        own = max(root_of(float(square) - float(extra)), length)  # dividing by it cannot overflow
        scales.append(length / own / max(float(along) / length / own, 1.0))
    return products, np.array(scales)
