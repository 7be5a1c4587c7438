"""A starting model from public rows: what needs no private data need not be learnt from them."""

from __future__ import annotations

from fl_core.models import Float32Array, ModelSpec, initial_vector
from fl_core.training import IntArray, LocalTraining, train_local

ROOT_TRAINING = LocalTraining(epochs=150, batch_size=32, learning_rate=0.05, momentum=0.9, weight_decay=0.05)


def start_from_root(
    spec: ModelSpec,
    features: Float32Array,
    labels: IntArray,
    *,
    seed: int,
    training: LocalTraining = ROOT_TRAINING,
) -> Float32Array:
    """Parameters trained on the root set from the seeded initial ones, float32 (d,); the same for the same arguments.

    Args:
        spec: the model.
        features: encoded rows of the root set, float32 (n, features).
        labels: int64 (n,).
        seed: of the initial model and the shuffling.
        training: epochs, steps and the pull towards zero that few rows need.

    Raises:
        SpecError: shapes that do not fit the model.
        DataError: no rows.
        TrainingError: training diverged.
    """
    start = initial_vector(spec, seed)
    return start + train_local(spec, start, features, labels, training, seed)
