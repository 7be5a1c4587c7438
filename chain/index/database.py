"""The index's database: opening it, transactions, and one readable error for whatever goes wrong in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from chain.index.errors import IndexFault
from chain.index.numbers import register_exact_sum

_LOCK_PATIENCE_S = 60.0
_SQLITE_CACHE_KIB = 32_768
_DISK_FULL_STATES = {"53100", "53200"}
_POSTGRES_LOCK = "SELECT pg_advisory_xact_lock(hashtext('fediomt index ' || coalesce(current_schema(), '')))"


class Database:
    """A SQLite file or a PostgreSQL database.

    Args:
        target: a path, or a URL such as `postgresql://user@host/database`. PostgreSQL's driver takes what the URL
            leaves out, above all the password, from the environment (PGPASSWORD) or ~/.pgpass.
        own: whether the place was chosen here and not by the user, so that a damaged file there may be deleted.

    Raises:
        IndexFault: the URL is none, or names another kind of database.
    """

    def __init__(self, target: Path | str, *, own: bool = False) -> None:
        self._own = own
        self.url = _url_of(target)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._engine()

    def __str__(self) -> str:
        return str(self.url.database) if self.sqlite else self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database throughout."""
        with self._readable(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is kept whole or not at all; writers go one after the other."""
        options = {"writes": True} if self.sqlite else {"isolation_level": "READ COMMITTED"}
        with (
            self._readable(),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            if not self.sqlite:
                connection.exec_driver_sql(_POSTGRES_LOCK)
            yield connection

    def _engine(self) -> Engine:
        if not self.sqlite:
            return create_engine(
                self.url, isolation_level="REPEATABLE READ", connect_args={"connect_timeout": 10}
            )
        path = Path(str(self.url.database))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexFault(
                f"cannot use {path.parent} for the index: {error.strerror or error}: name another place with --index"
            ) from error
        engine = create_engine(self.url, connect_args={"timeout": _LOCK_PATIENCE_S})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._fault(error) from error

    def _fault(self, error: SQLAlchemyError) -> IndexFault:
        original = error.orig if isinstance(error, DBAPIError) else None
        said = " ".join(str(original or error).split())[:200]
        state = str(getattr(original, "sqlstate", None) or "")
        if "disk is full" in said or "disk I/O error" in said or state in _DISK_FULL_STATES:
            return IndexFault(
                f"the disk is full while writing the index {self} ({said}): what was indexed before is kept; "
                "make room and run the command again"
            )
        if "not a database" in said or "malformed" in said:
            remedy = (
                "delete it and run the command again, the chain has everything"
                if self._own
                else "name another with --index"
            )
            return IndexFault(f"{self} is damaged or no index: {remedy}")
        if "locked" in said or state == "55P03":
            return IndexFault(
                f"the index {self} is being written by another command: run this again when it is done"
            )
        if "unable to open" in said or "readonly" in said:
            return IndexFault(
                f"cannot write the index {self} ({said}): check the folder, or name another place with --index"
            )
        if not self.sqlite and (original is None or not state or state.startswith(("08", "28", "3D", "57"))):
            return IndexFault(
                f"the index's database {self} does not let us in or went away ({said}): check that it runs, its URL, "
                "and the password in ~/.pgpass or PGPASSWORD"
            )
        return IndexFault(f"the index {self} refused: {said}")


def _url_of(target: Path | str) -> URL:
    if isinstance(target, Path) or "://" not in target:
        return URL.create("sqlite+pysqlite", database=str(target))
    try:
        url = make_url(target)
        backend = url.get_backend_name()
        if backend == "sqlite":
            return url.set(drivername="sqlite+pysqlite")
        if backend in {"postgresql", "postgres"}:
            return url.set(drivername="postgresql+psycopg")
    except (ArgumentError, NoSuchModuleError, ValueError):
        pass
    raise IndexFault(
        "the index's URL is of no known kind: give a file, or postgresql://user@host/database (no password in it)"
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    connection.isolation_level = None  # transactions are begun below, not by the driver's guess
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{_SQLITE_CACHE_KIB}")
    register_exact_sum(connection)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
