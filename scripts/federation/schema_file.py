"""The schema of a run beside its bundles, where it holds a projection: nobody could use the model without that.

Rounds name the schema by its digest, which is part of their spec; `schema.json` is what the digest is of.
"""

from __future__ import annotations

from pathlib import Path

from fl_core.bundle import write_atomic
from fl_core.canonical import canonical_json, parse_json, sha256
from fl_core.data import Schema
from fl_core.errors import BundleError, SpecError
from fl_core.stores import RunStore

SCHEMA_FILE = "schema.json"


def write_schema(folder: Path, schema: Schema) -> None:
    """Write a run's schema, whole or not at all."""
    write_atomic(folder / SCHEMA_FILE, canonical_json(schema.to_json()))


def read_schema(folder: Path) -> Schema | None:
    """The schema in a run's folder; None where there is none.

    Raises:
        BundleError: it cannot be read.
    """
    path = folder / SCHEMA_FILE
    try:
        return Schema.from_json(parse_json(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, SpecError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error


def schema_file_digest(store: RunStore) -> str | None:
    """SHA-256 (hex) of the schema's file as it lies in a run's store; None where there is none."""
    data = store.document(SCHEMA_FILE)
    return None if data is None else sha256(data).hex()
