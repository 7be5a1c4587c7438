"""The centralised baseline: the same model and encoder on all training rows in one place."""

from __future__ import annotations

from dataclasses import dataclass

from fl_core.models import Float32Array, ModelSpec, initial_vector
from fl_core.training import IntArray, LocalTraining, Metrics, evaluate, train_local

CENTRALISED_TRAINING = LocalTraining(epochs=200, batch_size=32, learning_rate=0.05, weight_decay=1e-2)


@dataclass(frozen=True, eq=False)
class Centralised:
    """A model trained on pooled rows.

    Attributes:
        vector: float32 (d,).
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

    Raises:
        SpecError: shapes that do not fit the model.
        DataError: no rows.
        TrainingError: training diverged.
    """
    start = initial_vector(spec, seed)
    vector = start + train_local(spec, start, features, labels, training, seed)
    return Centralised(vector, evaluate(spec, vector, test_features, test_labels))
