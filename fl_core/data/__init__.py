"""Data: tables, loaders, splits, partitions over hospitals and devices, the encoding of rows as features."""

from fl_core.data.csv_file import load_csv
from fl_core.data.declared import DeclaredColumns
from fl_core.data.encoding import Encoder
from fl_core.data.har import HarSignals, load_har, load_har_signals
from fl_core.data.partitioning import (
    Federation,
    partition_by_group,
    partition_dirichlet,
    partition_within_groups,
)
from fl_core.data.projection import Projection, discriminant_projection
from fl_core.data.root_set import root_digest, set_aside_root
from fl_core.data.schema import CategoricalColumn, NumericColumn, Schema, Statistics, derive_schema
from fl_core.data.sources import known_data, load
from fl_core.data.splitting import Split, split
from fl_core.data.tables import Table

__all__ = [
    "CategoricalColumn",
    "DeclaredColumns",
    "Encoder",
    "Federation",
    "HarSignals",
    "NumericColumn",
    "Projection",
    "Schema",
    "Split",
    "Statistics",
    "Table",
    "derive_schema",
    "discriminant_projection",
    "known_data",
    "load",
    "load_csv",
    "load_har",
    "load_har_signals",
    "partition_by_group",
    "partition_dirichlet",
    "partition_within_groups",
    "root_digest",
    "set_aside_root",
    "split",
]
