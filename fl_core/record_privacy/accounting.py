"""The privacy of one record under DP-SGD on its device, composed over the steps that it is in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fl_core.errors import SpecError
from fl_core.record_privacy.settings import RecordPrivacy

_ROUNDED_UP = 1 + 2.0**-28
"""Far above the search's 1e-12 and what floating point loses in it."""

if TYPE_CHECKING:
    import dp_accounting  # seconds to load: only whoever accounts waits for it


def record_event(privacy: RecordPrivacy, steps: int) -> dp_accounting.DpEvent:
    """What one record went through, for composition with other events.

    Args:
        privacy: the settings.
        steps: steps that the record was in: one an epoch, so epochs times the rounds that its device took part in. The
            steps of other batches see it only through what is already noised.

    Raises:
        SpecError: fewer than 0 steps.
    """
    import dp_accounting  # noqa: PLC0415

    if steps < 0:
        raise SpecError(f"{steps} steps: a record is in 0 or more")
    return dp_accounting.SelfComposedDpEvent(dp_accounting.GaussianDpEvent(privacy.noise_multiplier), steps)


def record_epsilon(privacy: RecordPrivacy, rows: int, steps: int) -> float:
    """Epsilon of one record at the settings' delta, zero-out adjacency, without any amplification by sampling.

    Exact: `steps` Gaussian mechanisms of noise multiplier s are one of s / sqrt(steps) (Dong, Roth and Su, JRSS B 2022,
    corollary 3.3), whose epsilon is that of Balle and Wang (ICML 2018, theorem 8); rounded up by a relative 4e-9.

    Args:
        privacy: the settings.
        rows: records of the device; delta must be below 1 / rows to mean anything.
        steps: steps that the record was in, see `record_event`.

    Raises:
        SpecError: no rows, fewer than 0 steps, or a delta of at least 1 / rows (with one row, any delta will do).
    """
    import dp_accounting  # noqa: PLC0415

    if rows < 1 or steps < 0:
        raise SpecError(f"{rows} rows and {steps} steps: at least 1 row and 0 steps are needed")
    if privacy.delta * rows >= 1:
        raise SpecError(f"delta {privacy.delta} with {rows} records: choose one below {1 / rows:.3g}")
    if steps == 0:
        return 0.0
    found = dp_accounting.get_epsilon_gaussian(privacy.noise_multiplier / math.sqrt(steps), privacy.delta)
    return float(found) * _ROUNDED_UP


def noise_multiplier_for(epsilon: float, delta: float, steps: int) -> float:
    """The least noise multiplier with which `record_epsilon` of so many steps is at most epsilon, to a relative 1e-8.

    Raises:
        SpecError: epsilon is not positive and finite, delta not in (0, 1), or there is no step.
    """
    import dp_accounting  # noqa: PLC0415

    if not (math.isfinite(epsilon) and epsilon > 0):
        raise SpecError(f"epsilon {epsilon} of a record: choose a positive finite number, or leave it out")
    if not 0 < delta < 1:
        raise SpecError(f"delta {delta}: choose between 0 and 1, such as 1e-5")
    if steps < 1:
        raise SpecError(f"{steps} steps: at least 1 is needed")
    of_one_step = float(dp_accounting.get_sigma_gaussian(epsilon / _ROUNDED_UP, delta))
    return of_one_step * math.sqrt(steps) * _ROUNDED_UP
