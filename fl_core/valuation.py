"""What a cohort's mean update is worth on a hospital's own validation rows.

A utility is the mean over the rows of the loss saved by the update, each row's part clipped so that no single record
decides, and the whole rounded to a coarse step (DESIGN.md sections 5 and 12). Utilities are integers in millionths of
a nat, so that everything computed from them can be recomputed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import DataError
from fl_core.models import ModelSpec
from fl_core.training import evaluate, per_record_loss

UTILITY_UNIT = 1_000_000


def cohort_utilities(
    model: ModelSpec,
    start: NDArray[np.float32],
    mean_updates: Sequence[NDArray[np.float64]],
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    clip: float,
    step: int,
) -> list[int]:
    """Utilities of cohorts on one validator's rows.

    Args:
        model: architecture.
        start: parameters before the round, float32 (d,).
        mean_updates: one weighted mean update a cohort, float64 (d,) each.
        features: validation features, float32 (n, f).
        labels: validation labels, int64 (n,).
        clip: bound on one record's loss difference, in nats.
        step: rounding step, in millionths of a nat.

    Returns:
        One integer a cohort, a multiple of `step`, in millionths of a nat.

    Raises:
        DataError: there are no validation rows.
    """
    if len(labels) == 0:
        raise DataError("a validator without validation rows cannot value cohorts: give it some rows")
    before = per_record_loss(model, start, features, labels)
    utilities = []
    for update in mean_updates:
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # an update that explodes is worth the least, not an error
            after = per_record_loss(model, (start + update).astype(np.float32), features, labels)
            gain = np.nan_to_num(np.clip(before - after, -clip, clip), nan=-clip)
        utilities.append(round(float(gain.mean()) * UTILITY_UNIT / step) * step)
    return utilities


def model_score(
    model: ModelSpec, vector: NDArray[np.float32], features: NDArray[np.float32], labels: NDArray[np.int64]
) -> int:
    """Accuracy of a model on one validator's rows, 0..10_000."""
    return round(10_000 * evaluate(model, vector, features, labels).accuracy)
