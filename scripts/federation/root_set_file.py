"""The root set as a file that its holders can give an auditor, who then trains the root update again.

The rows are in no bundle: they are consented rows that the coordinator and the hospitals hold. The spec has the digests
of their raw values, of the schema and of the scaling that devices train under: none of them is the file's word.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fl_core.bundle import write_atomic
from fl_core.canonical import canonical_json, digest_json, parse_json
from fl_core.data import Encoder, Schema, Statistics, Table, root_digest
from fl_core.errors import FlError
from fl_core.models import Float32Array
from fl_core.robust import RootRows, root_update
from scripts.console.errors import CommandError
from scripts.federation.population import Population
from scripts.federation.record import RoundRecord

ROOT_SET_FILE = "root-set.json"


@dataclass(frozen=True, eq=False)
class RootSet:
    """The root set as it was agreed on.

    Attributes:
        table: its rows, raw.
        encoder: how columns become features: the agreed schema and scaling.
    """

    table: Table
    encoder: Encoder

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the rows, as the spec names them."""
        return root_digest(self.table, np.arange(len(self.table)))

    @property
    def schema_digest(self) -> str:
        """SHA-256 (hex) of the schema, as the spec names it."""
        return digest_json(self.encoder.schema.to_json()).hex()

    @property
    def scaling_digest(self) -> str:
        """SHA-256 (hex) of the scaling, as the spec names it."""
        return self.encoder.scaling_digest

    def update(self, record: RoundRecord) -> Float32Array:
        """What the rows teach in a round, float32 (d,).

        Raises:
            FlError: the rows do not fit the round's model, or training diverged.
        """
        spec = record.spec
        features = self.encoder.encode(self.table)
        return root_update(
            spec.model,
            record.model_before,
            RootRows(features, self.table.labels),
            spec.training,
            rows_each=spec.reference_rows,
            clip_norm=spec.clip_norm,
            beacon=record.beacon,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object; numbers as the hexadecimal digits of little-endian float64, row by row."""
        table = self.table
        return {
            "name": table.name,
            "numeric_names": list(table.numeric_names),
            "numeric": [row.astype("<f8").tobytes().hex() for row in table.numeric],
            "categorical_names": list(table.categorical_names),
            "categorical": table.categorical.tolist(),
            "labels": table.labels.tolist(),
            "class_names": list(table.class_names),
            "schema": self.encoder.schema.to_json(),
            "statistics": self.encoder.statistics.to_json(),
            "z_max": self.encoder.z_max,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RootSet:
        """What `to_json` gave.

        Raises:
            FlError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError: it is malformed.
        """
        labels = np.array(value["labels"], dtype=np.int64)
        numeric = [np.frombuffer(bytes.fromhex(row), dtype="<f8") for row in value["numeric"]]
        categorical = np.array(value["categorical"], dtype=object)
        columns = tuple(map(str, value["categorical_names"]))
        table = Table(
            name=str(value["name"]),
            source="a root set's file",
            numeric_names=tuple(map(str, value["numeric_names"])),
            numeric=np.array(numeric, dtype=np.float64).reshape(len(labels), len(value["numeric_names"])),
            categorical_names=columns,
            categorical=categorical.reshape(len(labels), len(columns)),
            labels=labels,
            class_names=tuple(map(str, value["class_names"])),
        )
        schema, statistics = Schema.from_json(value["schema"]), Statistics.from_json(value["statistics"])
        return cls(table, Encoder(schema, statistics, float(value["z_max"])))


def write_root_set(folder: Path, population: Population) -> None:
    """Write the root set of a run into its folder, for its owner's eyes, to be given to who is entitled.

    Raises:
        BundleError: the disk refuses.
    """
    assert population.encoder is not None
    whole, rows = population.table, population.root
    table = Table(
        name=whole.name,
        source=whole.source,
        numeric_names=whole.numeric_names,
        numeric=whole.numeric[rows],
        categorical_names=whole.categorical_names,
        categorical=whole.categorical[rows],
        labels=whole.labels[rows],
        class_names=whole.class_names,
    )
    held = RootSet(table, population.encoder)
    write_atomic(folder / ROOT_SET_FILE, canonical_json(held.to_json()), private=True)


def read_root_set(path: Path) -> RootSet:
    """A root set that was given.

    Raises:
        CommandError: the file is missing or holds none.
    """
    try:
        return RootSet.from_json(parse_json(path.read_bytes()))
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
    except (FlError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise CommandError(
            f"{path} holds no root set: name the {ROOT_SET_FILE} that `fediomt train` wrote: {error}"
        ) from error
