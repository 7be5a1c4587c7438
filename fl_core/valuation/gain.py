"""The gain: the loss that a cohort's mean update saves by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl_core.models import ModelSpec
from fl_core.training import evaluate, per_record_loss
from fl_core.valuation.quantised import quantised_mean, require_rows


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
    """Gains of cohorts on one validator's rows.

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
        SpecError: a clip or step that is none.
    """
    require_rows(labels)
    before = per_record_loss(model, start, features, labels)
    utilities = []
    for update in mean_updates:
        # an update that explodes is worth the least, not an error
        with np.errstate(over="ignore", invalid="ignore"):
            after = per_record_loss(model, (start + update).astype(np.float32), features, labels)
            utilities.append(quantised_mean(before - after, clip=clip, step=step))
    return utilities


def model_score(
    model: ModelSpec, vector: NDArray[np.float32], features: NDArray[np.float32], labels: NDArray[np.int64]
) -> int:
    """Accuracy of a model on one validator's rows, 0..10_000."""
    return round(10_000 * evaluate(model, vector, features, labels).accuracy)
