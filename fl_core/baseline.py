"""The centralised baseline: the same model on all training rows in one place, scaled by their own statistics."""

from __future__ import annotations

from dataclasses import dataclass

from fl_core.models import Float32Array, ModelSpec, initial_vector
from fl_core.training import IntArray, LocalTraining, Metrics, evaluate, train_local

CENTRALISED_TRAINING = LocalTraining(epochs=200, batch_size=32, learning_rate=0.05, weight_decay=1e-2)


@dataclass(frozen=True, eq=False)
class Centralised:
    """A model trained on pooled rows.

    Attributes:
        vector: float32 (d,), for features scaled by the training rows' mean and deviation.
        test: its metrics on the test rows.
    """

    vector: Float32Array
    test: Metrics


def train_centralised(
    spec: ModelSpec,
    features: Float32Array,
    labels: IntArray,
    test_features: Float32Array,
    test_labels: IntArray,
    *,
    seed: int,
    training: LocalTraining = CENTRALISED_TRAINING,
) -> Centralised:
    """Train on pooled training rows until the loss has settled, and measure on the test rows.

    Features are scaled by the training rows' own mean and deviation: pooled rows have no need for public ranges.

    Raises:
        SpecError: shapes that do not fit the model.
        DataError: no rows.
        TrainingError: training diverged.
    """
    start = initial_vector(spec, seed)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation == 0] = 1
    vector = start + train_local(spec, start, (features - mean) / deviation, labels, training, seed)
    return Centralised(vector, evaluate(spec, vector, (test_features - mean) / deviation, test_labels))
