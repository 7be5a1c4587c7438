"""What all utilities share: rows to value on, the clip of a record's part, the rounding of the mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import DataError, SpecError

UTILITY_UNIT = 1_000_000


def require_rows(labels: NDArray[np.int64]) -> None:
    """Refuse to value on nothing.

    Raises:
        DataError: there are no validation rows.
    """
    if len(labels) == 0:
        raise DataError("a validator without validation rows cannot value cohorts: give it some rows")


def unseen_classes(labels: NDArray[np.int64], classes: int) -> tuple[int, ...]:
    """Classes of which a validator has no row.

    It can value all the same, but what a cohort does for these classes alone it sees only as far as other classes are
    mistaken for them. The median over validators leaves a class out only if most of them lack it.
    """
    return tuple(int(k) for k in np.flatnonzero(np.bincount(labels, minlength=classes) == 0))


def quantised_means(parts: NDArray[np.float64], *, clip: float, step: int) -> list[int]:
    """Means over rows of each row's part, clipped to `clip` nats, as multiples of `step` millionths of a nat.

    A part that is not a number, which only an update or a model that exploded gives, counts as the worst.

    Args:
        parts: float64 (cohorts, n), what each row saves by each cohort, in nats.
        clip: bound on one row's part, in nats.
        step: rounding step, in millionths of a nat.
    """
    bounded = np.clip(parts, -clip, clip)
    bounded[np.isnan(bounded)] = -clip
    return [round(float(mean) * UTILITY_UNIT / step) * step for mean in bounded.mean(axis=1)]


def check_quantisation(*, clip: float, step: int) -> None:
    """Refuse bounds that bound nothing.

    Raises:
        SpecError: a clip or step that is none.
    """
    if not (np.isfinite(clip) and clip > 0) or step < 1:
        raise SpecError(f"utilities clipped at {clip} in steps of {step}: choose a positive clip and a step")
