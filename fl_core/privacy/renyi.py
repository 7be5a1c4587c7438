"""Rényi privacy of Skellam noise, its composition, and the conversion to (epsilon, delta).

Agarwal, Kairouz and Liu, "The Skellam Mechanism for Differentially Private Federated Learning" (NeurIPS 2021), multi-
dimensional bound for noise of variance mu a coordinate and integer orders a > 1:

    D_a <= a l2^2 / (2 mu) + min( ((2 a - 1) l2^2 + 6 l1) / (4 mu^2),  3 l1 / (2 mu) )

(a - 1) D_a is convex in a and 0 at a = 1, so a chord bounds the orders between. Mixtures over what one device draws
itself (the rounding of its update) stay below the bound, since D_a is quasi-convex in both arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.privacy.sensitivity import Sensitivity

_OUTWARD = 1 + 2.0**-40  # far above the rounding errors of the few float operations in between
_DISTANCE_SHARE = 2.0**-20  # of delta, for the sampler's distance from true Skellam noise
_MAX_EXPONENT = 700.0


def _orders() -> tuple[float, ...]:
    fine = [1 + j / 16 for j in range(1, 144)]
    coarse = {int(10 * 1.07**j) for j in range(1, 115)}
    return (*fine, *(float(order) for order in sorted(coarse)))


ORDERS = _orders()
Float64Array = NDArray[np.float64]


def skellam_rdp(variance: float, sensitivity: Sensitivity) -> Float64Array:
    """Bound of the Rényi divergence at each of `ORDERS` between sums with and without a device, float64 (orders,).

    Args:
        variance: of the noise that is counted on, in squared integer steps; 0 gives infinity.
        sensitivity: of one device's vector, in the same steps.

    Raises:
        SpecError: the variance is negative or not a number.
    """
    if not variance >= 0:
        raise SpecError(f"noise variance {variance}: choose 0 or more")
    orders = np.array(ORDERS)
    if variance == 0:
        return np.full(orders.size, np.inf)
    low = np.floor(orders)
    part = orders - low
    cumulant = (1 - part) * _cumulant(low, variance, sensitivity) + part * _cumulant(
        low + 1, variance, sensitivity
    )
    return np.asarray(cumulant / (orders - 1) * _OUTWARD, dtype=np.float64)


def epsilon_of(rdp: Float64Array, delta: float, distance: float = 0.0) -> float:
    """Smallest epsilon known for composed Rényi bounds at `ORDERS`, rounded up.

    Conversion: Canonne, Kamath and Steinke 2020, Proposition 12, as in dp-accounting. Real noise is within `distance`
    of the noise that the bounds are about (total variation, both worlds, all draws), which costs (1 + e^epsilon)
    distance of delta; 2^-20 of delta is set aside for it. Infinity where that is not enough.

    Args:
        rdp: float64 (orders,), sums over what is composed.
        delta: in (0, 1).
        distance: statistical distance of everything drawn.

    Raises:
        SpecError: delta is not in (0, 1).
    """
    if not 0 < delta < 1:
        raise SpecError(f"delta {delta}: choose between 0 and 1, such as 1e-5")
    if not rdp.any():
        return 0.0
    known = [
        (order, value) for order, value in zip(ORDERS, rdp.tolist(), strict=True) if math.isfinite(value)
    ]
    if not known:
        return math.inf
    from dp_accounting.rdp import compute_epsilon  # noqa: PLC0415 - it takes seconds to import, without noise for nothing

    orders, values = zip(*known, strict=True)
    found, _ = compute_epsilon(orders, values, delta * (1 - 2 * _DISTANCE_SHARE))
    epsilon = float(found) * _OUTWARD + 1e-12
    if epsilon > _MAX_EXPONENT or (1 + math.exp(epsilon)) * distance > delta * _DISTANCE_SHARE:
        return math.inf
    return epsilon


def zcdp_rho(variance: float, sensitivity: Sensitivity) -> float:
    """Smallest rho with D_a <= rho a at the whole ones of `ORDERS` (2 and above), rounded up.

    Between whole orders, and below 2, the chords are not tight enough for such a figure.
    """
    orders = np.array(ORDERS)
    whole = orders == np.floor(orders)
    return float((skellam_rdp(variance, sensitivity)[whole] / orders[whole]).max()) * _OUTWARD


def composed(parts: Sequence[tuple[Float64Array, int]]) -> Float64Array:
    """Bounds of adaptively composed mechanisms: the sum, each `count` times, float64 (orders,)."""
    total = np.zeros(len(ORDERS))
    for rdp, count in parts:
        if count:
            total += rdp * (count * _OUTWARD)
    return total


def _cumulant(order: Float64Array, variance: float, sensitivity: Sensitivity) -> Float64Array:
    """(a - 1) D_a at integer orders; 0 at 1."""
    squared = sensitivity.l2 * sensitivity.l2
    second = ((2 * order - 1) * squared + 6 * sensitivity.l1) / (4 * variance * variance)
    divergence = order * squared / (2 * variance) + np.minimum(second, 3 * sensitivity.l1 / (2 * variance))
    return np.asarray((order - 1) * divergence, dtype=np.float64)
