"""Data: tables, loaders, splits, partitions over hospitals and devices, the encoding of rows as features."""

from fl_core.data.csv_file import load_csv
from fl_core.data.encoding import Encoder
from fl_core.data.partitioning import Federation, partition_by_group, partition_dirichlet
from fl_core.data.schema import CategoricalColumn, NumericColumn, Schema, Statistics, derive_schema
from fl_core.data.sources import known_data, load
from fl_core.data.splitting import Split, split
from fl_core.data.tables import Table

__all__ = [
    "CategoricalColumn",
    "Encoder",
    "Federation",
    "NumericColumn",
    "Schema",
    "Split",
    "Statistics",
    "Table",
    "derive_schema",
    "known_data",
    "load",
    "load_csv",
    "partition_by_group",
    "partition_dirichlet",
    "split",
]
