"""Numeric privacy losses that the Rényi bounds are checked against; no claim rests on them.

A privacy-loss distribution of Skellam noise is exact (up to a stated grid) for one given difference between the two
worlds, while claims need the worst difference of a given length. They are imported from where they are used only:
dp-accounting's distributions take seconds to import.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from fl_core.privacy.skellam_table import WEIGHT_BITS, magnitude_weights

_NORMAL = NormalDist()


def skellam_log_pmf(variance: float) -> dict[int, float]:
    """Natural logarithms of P(k) of Skellam noise, by k, as far as its exact table reaches."""
    whole = WEIGHT_BITS * math.log(2)
    magnitudes = [math.log(weight) - whole if weight else -math.inf for weight in magnitude_weights(variance)]
    known = {
        m: value - (math.log(2) if m else 0.0) for m, value in enumerate(magnitudes) if value > -math.inf
    }
    return {sign * m: value for m, value in known.items() for sign in (1, -1)}


def skellam_epsilon(
    variance: float,
    shifts: Sequence[int],
    rounds: int,
    delta: float,
    *,
    interval: float = 1e-4,
    pessimistic: bool = True,
) -> float:
    """Epsilon at delta of `rounds` sums that one device moves by the vector `shifts`, numerically.

    Args:
        variance: of the noise, in squared integer steps.
        shifts: integer steps by which each entry moves.
        rounds: how many times.
        delta: in (0, 1).
        interval: grid of the losses (dp-accounting's value discretisation).
        pessimistic: round losses up, so that the figure is an upper bound; else down, a lower one.
    """
    from dp_accounting.pld import privacy_loss_distribution as pld  # noqa: PLC0415

    log_pmf = skellam_log_pmf(variance)
    composed = None
    for shift in shifts:
        moved = {k + shift: value for k, value in log_pmf.items()}
        one = pld.from_two_probability_mass_functions(
            log_pmf, moved, pessimistic_estimate=pessimistic, value_discretization_interval=interval
        )
        composed = one if composed is None else composed.compose(one)
    if composed is None:
        return 0.0
    return float(composed.self_compose(rounds).get_epsilon_for_delta(delta))


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Epsilon at delta of Gaussian noise of standard deviation 1 / mu on a sensitivity of 1, to 1e-9.

    Dong, Roth and Su 2022, Corollary 2.13: delta(eps) = Phi(mu / 2 - eps / mu) - e^eps Phi(-mu / 2 - eps / mu).
    """
    if mu <= 0:
        return 0.0

    def delta_of(epsilon: float) -> float:
        reversed_tail = _NORMAL.cdf(-mu / 2 - epsilon / mu)
        return _NORMAL.cdf(mu / 2 - epsilon / mu) - (
            math.exp(epsilon) * reversed_tail if reversed_tail else 0.0
        )

    low, high = 0.0, mu * mu / 2 + mu * 40
    if delta_of(low) <= delta:
        return 0.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle) > delta else (low, middle)
    return high
