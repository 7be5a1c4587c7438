"""The gain: the loss that a cohort's mean update saves by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl_core.models import ModelSpec, features_tensor
from fl_core.threads import one_thread
from fl_core.training import check_rows, cross_entropies, evaluate
from fl_core.valuation.quantised import check_quantisation, quantised_means, require_rows
from fl_core.valuation.stacked import blocks, stacked_logits


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
        SpecError: a clip or step that is none, or shapes that do not fit the model.
    """
    require_rows(labels)
    check_rows(model, features, labels)
    check_quantisation(clip=clip, step=step)
    utilities: list[int] = []
    with one_thread():
        rows = features_tensor(model, features)
        before = cross_entropies(stacked_logits(model, [start], rows).numpy()[0], labels)
        for block in blocks(mean_updates, len(labels), model.classes):
            # an update that explodes is worth the least, not an error
            with np.errstate(over="ignore", invalid="ignore"):
                vectors = [(start + update).astype(np.float32) for update in block]
                after = cross_entropies(stacked_logits(model, vectors, rows).numpy(), labels)
                utilities += quantised_means(before - after, clip=clip, step=step)
    return utilities


def model_score(
    model: ModelSpec, vector: NDArray[np.float32], features: NDArray[np.float32], labels: NDArray[np.int64]
) -> int:
    """Accuracy of a model on one validator's rows, 0..10_000."""
    return round(10_000 * evaluate(model, vector, features, labels).accuracy)
