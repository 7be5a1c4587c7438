"""How far noise reaches: what a ring must leave room for."""

from __future__ import annotations

import math

from fl_core.errors import SpecError

WRAP_BITS = 40
_SLACK = 1e-9


def noise_reach(variance: float, *, entries: int, summands: int = 1) -> int:
    """An r with P(some entry of the noise is beyond r in magnitude) <= 2^-40.

    Noise of total variance V has P(|X| > r) <= P(|X| >= r + 1) <= 2 exp(-((r + 1) asinh((r + 1) / V) - sqrt((r + 1)^2 +
    V^2) + V)): Chernoff's bound with log E e^{tX} = V (cosh t - 1). A union bound covers the entries; the sampler's
    statistical distance is covered by a further factor of two.

    Args:
        variance: Skellam variance of one summand, in squared integer steps.
        entries: length of the vector.
        summands: how many such noises are summed.

    Raises:
        SpecError: a variance or count that cannot be.
    """
    if not (math.isfinite(variance) and variance >= 0) or entries < 1 or summands < 0:
        raise SpecError(
            f"noise of variance {variance} times {summands} on {entries} entries: choose positive numbers"
        )
    total = variance * summands * (1 + _SLACK)
    if total == 0:
        return 0
    nats = (WRAP_BITS + 2) * math.log(2) + math.log(entries)
    low, high = -1, math.ceil(nats / 3 + math.sqrt(nats * nats / 9 + 2 * nats * total)) + 1
    while high - low > 1:  # Bernstein's inequality reaches at `high`; the exponent grows with r
        middle = (low + high) // 2
        if _exponent(middle + 1, total) * (1 - _SLACK) - _SLACK >= nats:
            high = middle
        else:
            low = middle
    return high


def _exponent(k: int, variance: float) -> float:
    """The exponent k asinh(k / V) - (sqrt(k^2 + V^2) - V), without cancellation."""
    root = math.hypot(k, variance)
    return k * math.asinh(k / variance) - k * k / (root + variance)
