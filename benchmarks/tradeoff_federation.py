"""The federations of the trade-off benchmark: who holds what, which rows are public, and what is tuned for each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fl_core.data import (
    Encoder,
    Schema,
    Statistics,
    Table,
    derive_schema,
    discriminant_projection,
    partition_dirichlet,
    partition_within_groups,
    set_aside_root,
    split,
)
from fl_core.models import Float32Array, ModelSpec
from fl_core.training import LocalTraining

IntArray = NDArray[np.int64]
Rows = tuple[Float32Array, IntArray]

ROOT_SHARE = 0.02
_WHOLE_BATCH = 1_024  # more rows than a device has: a local step sees all of them


@dataclass(frozen=True)
class Layout:
    """How N devices are spread: hospitals, cohorts, and who may be missing."""

    hospitals: int
    cohort_size: int
    k_min: int


LAYOUTS = {1_000: Layout(10, 24, 16), 300: Layout(6, 24, 16), 100: Layout(4, 12, 8)}


@dataclass(frozen=True)
class Recipe:
    """What is run on a data set and model.

    The form (one full-batch step a round from a public start, on a public projection) was found in a sketch, at first
    with test subjects in sight. Clip and step are tuned for each federation on its validation rows.

    Attributes:
        data: "har" or "wdbc".
        kind: "logistic" or "mlp".
        hidden: hidden layers of an mlp.
        directions: dimensions of the public projection; 0 for none.
        clip_norm: L2 bound of a device's weighted update.
        training: what a device does.
    """

    data: str
    kind: str
    hidden: tuple[int, ...]
    directions: int
    clip_norm: float
    training: LocalTraining

    def choices(self) -> tuple[Recipe, ...]:
        """What is tried when it is tuned."""
        return tuple(
            replace(
                self,
                clip_norm=clip * self.clip_norm,
                training=replace(self.training, learning_rate=rate * self.training.learning_rate),
            )
            for rate, clip in product((0.5, 1.0, 2.0), (0.5, 1.0))
        )

    @property
    def label(self) -> str:
        """The model in a word."""
        return "mlp" if self.kind == "mlp" else "lite"

    def model(self, features: int, classes: int) -> ModelSpec:
        """The model on so many features."""
        if self.kind == "mlp":
            return ModelSpec("mlp", features, classes, self.hidden)
        return ModelSpec("logistic", features, classes)


def _full_batch(learning_rate: float, epochs: int = 1) -> LocalTraining:
    return LocalTraining(epochs=epochs, batch_size=_WHOLE_BATCH, learning_rate=learning_rate)


HAR_LITE = Recipe("har", "logistic", (), 160, 0.5, _full_batch(1.0))
HAR_MLP = Recipe("har", "mlp", (32,), 160, 0.5, _full_batch(0.5))
WDBC_LITE = Recipe("wdbc", "logistic", (), 8, 0.5, _full_batch(1.0))


@dataclass(frozen=True, eq=False)
class TrialFederation:
    """One seed's federation, encoded.

    Attributes:
        layout: hospitals and cohorts.
        devices: per hospital, per device, its rows.
        validation: per hospital, its rows.
        root: the public rows.
        test: rows that nobody holds.
        train_raw: all devices' rows in their order, before the projection: for the centralised baseline.
        test_raw: the test rows likewise.
        classes: number of classes.
        schema: the agreed schema.
    """

    layout: Layout
    devices: tuple[tuple[Rows, ...], ...]
    validation: tuple[Rows, ...]
    root: Rows
    test: Rows
    train_raw: Rows
    test_raw: Rows
    classes: int
    schema: Schema

    @property
    def all_validation(self) -> Rows:
        """The validation rows of all hospitals."""
        return np.concatenate([x for x, _ in self.validation]), np.concatenate(
            [y for _, y in self.validation]
        )


def build_federation(
    table: Table, recipe: Recipe, devices: int, seed: int, layout: Layout | None = None
) -> TrialFederation:
    """Split, set the root set aside, learn the public encoding from it, and deal the rest to `devices` devices.

    HAR: about half of the nine held-out subjects validate (and give the root set), the others are for test, drawn
    anew for each seed; features come normalised to -1..1 and are not scaled. WDBC: a fifth of the rows validates, a
    fifth is for test; scaling is by the root set's mean and deviation.

    Raises:
        DataError: more devices than training rows.
    """
    layout = layout or LAYOUTS[devices]
    rng = np.random.default_rng((seed, 23))
    grouped = table.groups is not None
    parts = split(
        table,
        hospitals=layout.hospitals,
        rng=rng,
    )
    root, parts = set_aside_root(table, parts, rows=math.ceil(ROOT_SHARE * len(table)), rng=rng)
    deal = partition_within_groups if grouped else partition_dirichlet
    federation = deal(table, parts, devices=devices // layout.hospitals, rng=rng)
    schema = derive_schema(table, federation.training_rows)
    scaling = Statistics.unscaled(schema) if grouped else _scaling_of(table, root)
    plain = Encoder(schema, scaling)
    if recipe.directions:
        projection = discriminant_projection(
            plain.encode(table, root),
            table.labels[root],
            recipe.directions,
            learnt_from=f"root set of {len(root)} rows, seed {seed}",
        )
        schema = replace(schema, projection=projection)
    encoder = Encoder(schema, scaling)

    def rows_of(rows: IntArray) -> Rows:
        return encoder.encode(table, rows), table.labels[rows]

    def raw_rows_of(rows: IntArray) -> Rows:
        return plain.encode(table, rows), table.labels[rows]

    return TrialFederation(
        layout=layout,
        devices=tuple(tuple(rows_of(rows) for rows in hospital) for hospital in federation.devices),
        validation=tuple(rows_of(rows) for rows in federation.validation),
        root=rows_of(root),
        test=rows_of(federation.test),
        train_raw=raw_rows_of(np.concatenate([rows for hospital in federation.devices for rows in hospital])),
        test_raw=raw_rows_of(federation.test),
        classes=table.classes,
        schema=schema,
    )


def _scaling_of(table: Table, rows: IntArray) -> Statistics:
    """Mean and deviation of public rows."""
    values = table.numeric[rows]
    return Statistics(np.full(values.shape[1], len(rows)), values.mean(axis=0), values.std(axis=0))
