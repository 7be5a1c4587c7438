"""What the root set teaches in a round: the direction that FLTrust trusts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fl_core.batched import train_batch
from fl_core.canonical import sha256
from fl_core.errors import SpecError
from fl_core.models import Float32Array, ModelSpec
from fl_core.training import IntArray, LocalTraining

AGREES_WITHIN = 1e-4
"""Two trainings of the same root update may differ by so much of its length: machines round float32 differently."""

_TAG = b"FedIoMT.RootUpdate.v1"


@dataclass(frozen=True, eq=False)
class RootRows:
    """The root set as features and labels.

    Attributes:
        features: float32 (n, f).
        labels: int64 (n,).
    """

    features: Float32Array
    labels: IntArray


def root_update(
    model: ModelSpec,
    start: Float32Array,
    rows: RootRows,
    training: LocalTraining,
    *,
    rows_each: int,
    clip_norm: float,
    beacon: bytes,
) -> Float32Array:
    """The mean update of as many devices as the root set makes, float32 (d,).

    The rows are dealt, by the beacon, to devices of `rows_each` rows, which train as every device does but without
    noise on gradients, since the rows are public. The steps are then as many as a device takes, and the length is
    comparable to that of a cohort's mean, which one training on all root rows would exceed.

    Args:
        model: architecture.
        start: the round's model, float32 (d,).
        rows: the root set.
        training: the round's local training.
        rows_each: rows that make a weight of 1.
        clip_norm: L2 bound of a device's update.
        beacon: the round's beacon, 32 bytes.

    Raises:
        SpecError: no rows, or rows that do not fit the model.
        DataError: labels that the model does not have.
        TrainingError: training diverged.
    """
    count = len(rows.labels)
    if count == 0:
        raise SpecError("the root set is empty: it teaches nothing")
    seeds = np.random.SeedSequence(list(sha256(_TAG + beacon))).generate_state(2, np.uint64)
    order = np.random.default_rng(int(seeds[0])).permutation(count)
    parts = np.array_split(order, max(1, count // rows_each))
    deltas = train_batch(
        model,
        start,
        [rows.features[part] for part in parts],
        [rows.labels[part] for part in parts],
        replace(training, record_privacy=None),
        [(int(seeds[1]) >> 2) + index for index in range(len(parts))],
    ).astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", deltas, deltas))
    factors = np.minimum(1.0, clip_norm / np.maximum(lengths, clip_norm)) * [len(part) for part in parts]
    mean: NDArray[np.float64] = np.einsum("i,ij->j", factors, deltas) / count
    return mean.astype(np.float32)


def same_update(one: Float32Array, other: Float32Array) -> bool:
    """Whether two trainings of the same root update agree, but for last bits."""
    difference = one.astype(np.float64) - other.astype(np.float64)
    length = float(np.linalg.norm(one.astype(np.float64)))
    return bool(np.linalg.norm(difference) <= AGREES_WITHIN * length)
