"""Federated learning for devices and hospitals: data, models, training, secure aggregation, rounds. Knows no chain."""
