"""Where indexes are kept in tests: a SQLite file, and a schema of its own in PostgreSQL where there is one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

from chain.index.database import Database
from chain.index.store import Store

POSTGRES_VARIABLE = "FEDIOMT_TEST_POSTGRES_URL"


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[Database]:
    """An empty database of a kind ("sqlite" or "postgresql"); the test is skipped where there is no server."""
    if kind == "sqlite":
        database = Database(folder / "index.sqlite")
        yield database
        database.close()
        return
    url = os.environ.get(POSTGRES_VARIABLE)
    if not url:
        pytest.skip(f"{POSTGRES_VARIABLE} names no PostgreSQL (`.ci/postgres start FOLDER` starts one)")
    name = f"test_{secrets.token_hex(6)}"
    server = Database(url)
    with server.writing() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    database = Database(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}")
    try:
        yield database
    finally:
        database.close()
        with server.writing() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        server.close()


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the notes of what is stale, sorted: what two indexes of a chain share."""
    with store.database.reading() as connection:
        assert inspect(connection).has_table("index_of")
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in store.tables.metadata.sorted_tables
            if table.name not in {"stale", "blocks"}
        }
