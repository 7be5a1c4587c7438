"""The devices of the valuation benchmark: who holds what, and who does what with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from benchmarks.tradeoff_federation import Recipe
from fl_core.data import (
    Encoder,
    Schema,
    Statistics,
    Table,
    derive_schema,
    discriminant_projection,
    partition_dirichlet,
    set_aside_root,
    split,
)
from fl_core.models import Float32Array, ModelSpec
from fl_core.simulation.behaviours import Behaviour, labels_as_used

IntArray = NDArray[np.int64]
Rows = tuple[Float32Array, IntArray]

ROOT_SHARE = 0.02


class Kind(StrEnum):
    """What a device of the benchmark does."""

    CLEAN = "clean"
    FLIPPER = "flips labels"
    ZEROS = "sends zeros"
    NOISE = "sends noise"
    LABELS_10 = "10% random labels"
    LABELS_25 = "25% random labels"
    LABELS_50 = "50% random labels"


SHARES = {
    Kind.FLIPPER: 0.10,
    Kind.ZEROS: 0.05,
    Kind.NOISE: 0.05,
    Kind.LABELS_10: 0.05,
    Kind.LABELS_25: 0.05,
    Kind.LABELS_50: 0.05,
}
"""Share of the devices of each kind; all others are clean."""

BAD = (Kind.FLIPPER, Kind.ZEROS, Kind.NOISE)
"""Who is to be found: flippers and free riders. Devices with some random labels are not bad; they are worth less."""

_RANDOM_LABELS = {Kind.LABELS_10: 0.10, Kind.LABELS_25: 0.25, Kind.LABELS_50: 0.50}


@dataclass(frozen=True, eq=False)
class World:
    """One seed's devices.

    Attributes:
        model: architecture.
        hospitals: how many there are.
        features: of each device, hospital by hospital, float32 (n_i, f).
        labels: of each device as it uses them, int64 (n_i,).
        kinds: what each device does.
        home: hospital of each device, from 0.
        validation: rows of each hospital.
        truth: rows that nobody else holds: what a device is truly worth is measured on them.
        root: public rows, of which the projection is learnt.
        schema: the agreed schema.
    """

    model: ModelSpec
    hospitals: int
    features: tuple[Float32Array, ...]
    labels: tuple[IntArray, ...]
    kinds: tuple[Kind, ...]
    home: IntArray
    validation: tuple[Rows, ...]
    truth: Rows
    root: Rows
    schema: Schema

    def of_kind(self, *kinds: Kind) -> NDArray[np.bool_]:
        """Which devices are of one of some kinds, bool (devices,)."""
        return np.array([kind in kinds for kind in self.kinds])


def build_world(
    table: Table,
    recipe: Recipe,
    *,
    alpha: float,
    seed: int,
    hospitals: int,
    devices_each: int,
    attacked: bool = True,
) -> World:
    """Deal a table's training rows to devices, and give each a behaviour.

    Single rows are dealt, whatever subject they are of: alike (alpha infinite) or by a Dirichlet draw of each class
    over the devices of a hospital. What validates and what tells the truth are rows of other subjects.

    Args:
        table: the data.
        recipe: the model and its public projection.
        alpha: of the Dirichlet draw; infinite for none.
        seed: of everything.
        hospitals: how many there are.
        devices_each: devices of each.
        attacked: False for clean devices alone.

    Raises:
        DataError: more devices than training rows.
    """
    rng = np.random.default_rng((seed, 41))
    parts = split(table, hospitals=hospitals, rng=rng)
    root, parts = set_aside_root(table, parts, rows=math.ceil(ROOT_SHARE * len(table)), rng=rng)
    federation = partition_dirichlet(
        replace(table, groups=None, held_out=None, divisible_groups=False),
        parts,
        devices=devices_each,
        rng=rng,
        alpha=alpha,
    )
    schema = derive_schema(table, federation.training_rows)
    # har comes normalised to -1..1; elsewhere what a secure sum over all devices gives before the first round
    scaled = table.groups is None
    scaling = _scaling_of(table, federation.training_rows) if scaled else Statistics.unscaled(schema)
    if recipe.directions:
        projection = discriminant_projection(
            Encoder(schema, scaling).encode(table, root),
            table.labels[root],
            recipe.directions,
            learnt_from=f"root set of {len(root)} rows, seed {seed}",
        )
        schema = replace(schema, projection=projection)
    encoder = Encoder(schema, scaling)
    held = [rows for hospital in federation.devices for rows in hospital]
    kinds = _kinds(len(held), rng) if attacked else (Kind.CLEAN,) * len(held)
    return World(
        model=recipe.model(schema.features, table.classes),
        hospitals=hospitals,
        features=tuple(encoder.encode(table, rows) for rows in held),
        labels=tuple(
            _labels_as_used(kind, table.labels[rows], table.classes, rng)
            for kind, rows in zip(kinds, held, strict=True)
        ),
        kinds=kinds,
        home=np.repeat(np.arange(hospitals), devices_each),
        validation=tuple((encoder.encode(table, rows), table.labels[rows]) for rows in federation.validation),
        truth=(encoder.encode(table, federation.test), table.labels[federation.test]),
        root=(encoder.encode(table, root), table.labels[root]),
        schema=schema,
    )


def _kinds(count: int, rng: np.random.Generator) -> tuple[Kind, ...]:
    order, kinds, at = rng.permutation(count), [Kind.CLEAN] * count, 0
    for kind, share in SHARES.items():
        many = round(share * count)
        for index in order[at : at + many]:
            kinds[index] = kind
        at += many
    return tuple(kinds)


def _labels_as_used(kind: Kind, labels: IntArray, classes: int, rng: np.random.Generator) -> IntArray:
    if kind is Kind.FLIPPER:
        return labels_as_used(Behaviour.LABEL_FLIP, labels, classes)
    if kind not in _RANDOM_LABELS:
        return labels
    drawn = rng.random(len(labels)) < _RANDOM_LABELS[kind]
    return np.where(drawn, rng.integers(0, classes, len(labels)), labels)


def _scaling_of(table: Table, rows: IntArray) -> Statistics:
    """Mean and deviation of some rows."""
    values = table.numeric[rows]
    return Statistics(np.full(values.shape[1], len(rows)), values.mean(axis=0), values.std(axis=0))
