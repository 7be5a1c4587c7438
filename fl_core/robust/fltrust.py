"""FLTrust: trust bootstrapped from what an agreed root set teaches (Cao et al., NDSS 2021)."""

from __future__ import annotations

import math

import numpy as np

from fl_core.errors import SpecError
from fl_core.robust.geometry import (
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

    Known noise is taken off squared lengths, so that a sum with noise is not scaled down for it.

    No share of the means breaks this rule down by itself: whatever passes has the root update's direction at an acute
    angle and at most its length. What it rests on is the root set, rows like those of the task that attackers did not
    choose; a bad root set misleads it, and where nothing passes the model stays.

    Args:
        means: float64 (k, d).
        votes: int64 (k,), weights above 0.
        root: float64 (d,), the root update.
        noise: float64 (k,), expected squared length of the noise in each mean; None for none.

    Raises:
        SpecError: see `check_means`; or a root update of another shape, not finite, or zero.
    """
    check_means(means, votes)
    return combination(means, trust_of(means, votes, root, noise))


def trust_of(
    means: Float64Array, votes: IntArray, root: Float64Array, noise: Float64Array | None = None
) -> list[float]:
    """What each mean is multiplied with in `fltrust`; zeros where nothing is trusted.

    Raises:
        SpecError: a root update of another shape, not finite, or zero.
    """
    if root.shape != means.shape[1:] or not np.isfinite(root).all():
        raise SpecError(
            f"root update of shape {root.shape} for means of {means.shape[1]}: finite, one entry each"
        )
    if not root.any():
        raise SpecError(
            "the root update is zero, so that it trusts nobody: check the root set and the step size"
        )
    products = gram(np.vstack([means, root]))
    length = root_of(float(products[-1, -1]))
    expected = np.zeros(len(means)) if noise is None else noise
    lengths = [
        max(root_of(float(square) - float(extra)), length)
        for square, extra in zip(np.diagonal(products)[:-1], expected, strict=True)
    ]
    # lengths are at least that of the root update: dividing by both cannot overflow
    trust = [
        share * max(float(product) / length / own, 0.0)
        for share, product, own in zip(shares_of(votes), products[:-1, -1], lengths, strict=True)
    ]
    everyone = math.fsum(trust)
    if everyone == 0:
        return [0.0] * len(means)
    return [t / everyone * (length / own) for t, own in zip(trust, lengths, strict=True)]
