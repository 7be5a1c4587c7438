"""The centralised baseline of the trade-off benchmark: the same model on all devices' rows in one place, tuned."""

from __future__ import annotations

import itertools
import math

import numpy as np

from benchmarks.tradeoff_federation import Recipe, Rows, TrialFederation
from fl_core.baseline import train_centralised
from fl_core.errors import TrainingError
from fl_core.models import ModelSpec
from fl_core.training import LocalTraining

STEPS = 6_000
BATCH_SIZE = 32
_LEARNING_RATES = (0.01, 0.03, 0.1)
_WEIGHT_DECAYS = (0.0, 1e-3)
TRIES = len(_LEARNING_RATES) * len(_WEIGHT_DECAYS)


def centralised_accuracy(
    federation: TrialFederation, recipe: Recipe, *, projected: bool, seed: int, tries: int = TRIES
) -> float:
    """Test accuracy of the baseline, its step and weight decay chosen on a fifth of the hospitals.

    A subject is at one hospital only, so that settings are chosen on other subjects than they are trained on.

    Args:
        federation: whose rows.
        recipe: which model.
        projected: on the public projection that devices use; otherwise on all encoded columns.
        seed: of initial model and shuffling.
        tries: how many settings are tried, the smallest steps first.
    """
    devices = [rows for hospital in federation.devices for rows in hospital]
    home = np.repeat(np.arange(len(federation.devices)), [len(h) for h in federation.devices])
    of_row = np.repeat(home, [len(y) for _, y in devices])
    train, test = federation.train_raw, federation.test_raw
    if projected:
        train = np.concatenate([x for x, _ in devices]), np.concatenate([y for _, y in devices])
        test = federation.test
    held = of_row < max(1, len(federation.devices) // 5)
    model = recipe.model(train[0].shape[1], federation.classes)
    inner = (train[0][~held], train[1][~held])
    outer = (train[0][held], train[1][held])
    epochs = math.ceil(STEPS * BATCH_SIZE / len(train[1]))
    settings = [
        LocalTraining(
            epochs=epochs, batch_size=BATCH_SIZE, learning_rate=rate, momentum=0.9, weight_decay=decay
        )
        for rate, decay in itertools.product(_LEARNING_RATES, _WEIGHT_DECAYS)
    ]
    chosen = max(settings[:tries], key=lambda training: _accuracy(model, inner, outer, training, seed))
    return _accuracy(model, train, test, chosen, seed)


def _accuracy(model: ModelSpec, train: Rows, test: Rows, training: LocalTraining, seed: int) -> float:
    try:
        return train_centralised(model, *train, *test, seed=seed, training=training).test.accuracy
    except TrainingError:  # too large a step: the worst choice
        return 0.0
