"""Federated averaging with nothing around it: what a federation of plain devices reaches, for claims about defaults."""

from dataclasses import dataclass

import numpy as np

from fl_core.baseline import train_centralised
from fl_core.data import Encoder, derive_schema
from fl_core.models import ModelSpec, initial_vector
from fl_core.simulation import Behaviour, labels_as_used, update_as_sent
from fl_core.statistics import pooled_statistics
from fl_core.training import LocalTraining, evaluate, train_local


@dataclass
class Experiment:
    """Encoded data of one federation, and the model to train on it."""

    table: object
    federation: object
    kind: str = "logistic"
    hidden: tuple = ()

    def __post_init__(self):
        rows = self.federation.training_rows
        schema = derive_schema(self.table, rows)
        self.features = Encoder(schema, pooled_statistics(self.table.numeric[rows], schema)).encode(
            self.table
        )
        self.labels = self.table.labels
        self.spec = ModelSpec(self.kind, schema.features, schema.classes, self.hidden)

    def federated(self, seed, *, rounds=10, training=None, behaviours=None):
        """The model after some rounds; behaviours by device number, honest where not named."""
        training = training or LocalTraining()
        devices = [rows for hospital in self.federation.devices for rows in hospital]
        vector = initial_vector(self.spec, seed)
        weights = np.array([len(rows) for rows in devices], dtype=np.float64)
        for number in range(rounds):
            total = np.zeros(len(vector))
            for i, rows in enumerate(devices):
                behaviour = (behaviours or {}).get(i, Behaviour.HONEST)
                labels = labels_as_used(behaviour, self.labels[rows], self.spec.classes)
                device_seed = (seed * 1000 + number) * 1000 + i
                delta = train_local(self.spec, vector, self.features[rows], labels, training, device_seed)
                total += weights[i] * update_as_sent(behaviour, delta)
            vector = (vector + total / weights.sum()).astype(np.float32)
        return vector

    def test_metrics(self, vector):
        rows = self.federation.test
        return evaluate(self.spec, vector, self.features[rows], self.labels[rows])

    def centralised(self, seed):
        rows, test = self.federation.training_rows, self.federation.test
        return train_centralised(
            self.spec,
            self.features[rows],
            self.labels[rows],
            self.features[test],
            self.labels[test],
            seed=seed,
        )
