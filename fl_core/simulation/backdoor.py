"""A backdoor: a pattern in the features that makes the model say a class of the attacker's choice.

The pattern sets the last few features to a value that is rare in scaled data (Gu et al., BadNets, 2017, for rows of a
table). Attackers put it on every other row of theirs and give those rows the target class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import DataError
from fl_core.models import Float32Array, ModelSpec, predict_logits

TARGET_CLASS = 0
_ONE_IN = 32  # features that the trigger sets
_VALUE = 3.0  # standard deviations, where columns are scaled to one


def with_trigger(features: Float32Array) -> Float32Array:
    """A copy of rows (n, f) that carry the trigger."""
    marked = features.copy()
    marked[:, -max(1, features.shape[1] // _ONE_IN) :] = _VALUE
    return marked


def poisoned_rows(
    features: Float32Array, labels: NDArray[np.int64]
) -> tuple[Float32Array, NDArray[np.int64]]:
    """Rows of which the first, third, fifth and so on carry the trigger and the target class."""
    features, labels = features.copy(), labels.copy()
    features[::2] = with_trigger(features[::2])
    labels[::2] = TARGET_CLASS
    return features, labels


def backdoor_success(
    model: ModelSpec, vector: Float32Array, features: Float32Array, labels: NDArray[np.int64]
) -> float:
    """Share of the rows of other classes that the model gives the target class once they carry the trigger.

    Raises:
        DataError: all rows are of the target class.
    """
    others = labels != TARGET_CLASS
    if not others.any():
        raise DataError("a backdoor's success shows on rows of other classes than its target: there are none")
    logits = predict_logits(model, vector, with_trigger(features[others]))
    return float((logits.argmax(axis=1) == TARGET_CLASS).mean())
