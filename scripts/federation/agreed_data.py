"""What is agreed on about the data before a run: who holds which rows, which are public, how rows become features."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fl_core.data import (
    Encoder,
    Federation,
    Projection,
    Schema,
    Table,
    derive_schema,
    discriminant_projection,
    partition_by_group,
    partition_dirichlet,
    set_aside_root,
    split,
)
from fl_core.data.tables import IntArray
from fl_core.errors import SpecError
from fl_core.statistics import pooled_statistics
from scripts.federation.public_ranges import known_ranges
from scripts.federation.settings import RunSettings

Place = tuple[int, int]
"""A device by its hospital, from 1, and its index there."""


@dataclass(frozen=True, eq=False)
class AgreedData:
    """The data of a run, and what is public about them.

    Attributes:
        table: the data.
        federation: who holds which rows.
        root: rows that the coordinator holds, public to all who take part; empty where none are set aside.
        schema: the agreed schema.
        encoder: the agreed scaling where it is public; None where its statistics are summed before the first round.
    """

    table: Table
    federation: Federation
    root: IntArray
    schema: Schema
    encoder: Encoder | None

    @property
    def persons(self) -> tuple[tuple[Place, ...], ...]:
        """The devices that hold rows of a person, for each person whose devices are not just those of another."""
        places = [
            ((h, i), rows)
            for h, hospital in enumerate(self.federation.devices, start=1)
            for i, rows in enumerate(hospital)
        ]
        if self.table.groups is None:
            return tuple((place,) for place, _ in places)
        held: dict[int, list[Place]] = {}
        for place, rows in places:
            for group in np.unique(self.table.groups[rows]).tolist():
                held.setdefault(group, []).append(place)
        return tuple(sorted({tuple(devices) for devices in held.values()}))


def agree_on_data(
    settings: RunSettings, rng: np.random.Generator, known: Projection | None = None
) -> AgreedData:
    """Load the data, set the root set aside, deal the rest, and fix what is public about the columns.

    Args:
        settings: what the user chose.
        rng: source of split and partition.
        known: the projection that the run began with, where it goes on; otherwise one is learnt where it is asked for.

    Raises:
        DataError: the data cannot be used or split that way, or the root set is too small for the projection.
        SpecError: noise or a projection without public scaling.
    """
    table = settings.load()
    parts = split(table, hospitals=settings.hospitals, rng=rng)
    root: IntArray = np.zeros(0, dtype=np.int64)
    if settings.root_share > 0:
        rows = math.ceil(settings.root_share * len(table))
        root, parts = set_aside_root(table, parts, rows=rows, rng=np.random.default_rng((settings.seed, 19)))
    encoder = _public_encoder(settings, table, root)
    if table.groups is not None or table.sites is not None:
        federation = partition_by_group(table, parts, devices=settings.devices, rng=rng)
    else:
        federation = partition_dirichlet(
            table, parts, devices=settings.devices, rng=rng, alpha=settings.alpha
        )
    if encoder is None:
        return AgreedData(table, federation, root, derive_schema(table, federation.training_rows), None)
    if settings.projection:
        projection = known or discriminant_projection(
            encoder.encode(table, root),
            table.labels[root],
            settings.projection,
            learnt_from=f"root set of {len(root)} rows, seed {settings.seed}",
        )
        encoder = replace(encoder, schema=replace(encoder.schema, projection=projection))
    return AgreedData(table, federation, root, encoder.schema, encoder)


def _public_encoder(settings: RunSettings, table: Table, root: IntArray) -> Encoder | None:
    """The encoder that follows from what is public; None where scaling statistics are summed instead.

    With noise on an un-noised sum would tell more than the claim allows, and a projection must be known before it.
    Named ranges come first, then published ones, then the root set.
    """
    declared = settings.declared()
    if declared is not None:
        return declared.encoder(table)
    if not settings.draws_noise and not settings.projection:
        return None
    published = known_ranges(table) if settings.csv is None else None
    if published is not None:
        return published.encoder(table)
    if len(root):
        schema = derive_schema(table, root)
        return Encoder(schema, pooled_statistics(table.numeric[root], schema))
    raise SpecError(
        f"with noise, the scaling of {table.name} must come from what is public: declare its columns with --ranges "
        "FILE (--write-ranges FILE writes a draft), or set rows aside that are public (--root-share 0.02), or turn "
        "noise off with --epsilon inf"
    )
