"""The index that queries of the chain answer from: which one it is, and bringing it up to date first."""

# ruff: noqa: PLC0415 - SQLAlchemy is imported only where the index is used

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from chain.contracts import Contracts
from chain.index.record import ChainRecord, Record
from chain.index.votes import ChainVotes, Votes
from scripts.console.errors import CommandError
from scripts.console.on_chain import OnChain
from scripts.console.output import console

if TYPE_CHECKING:
    from chain.index.database import Database
    from chain.index.store import Store
    from chain.index.sync import Synced

INDEX_VARIABLE = "FEDIOMT_INDEX_URL"

Index = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="URL",
        help="The index: a SQLite file, or postgresql://user@host/database (its password in ~/.pgpass or "
        f"PGPASSWORD); or {INDEX_VARIABLE} in the environment.",
        show_default="a file under --home",
    ),
]
NoIndex = Annotated[bool, typer.Option("--no-index", help="Ask the contracts themselves, without an index.")]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Drop what is there and read the chain again.")]


@dataclass(frozen=True)
class Indexed(OnChain):
    """The deployment that a query reads, and the index that it answers from."""

    index: Index = None
    no_index: NoIndex = False

    @contextmanager
    def record(self) -> Iterator[Record]:
        """The record of rounds: from the index, brought up to date first, or from the contracts."""
        with self._store() as store:
            if store is None:
                yield ChainRecord(self.contracts)
                return
            from chain.index.queries import IndexRecord

            yield IndexRecord(store)

    @contextmanager
    def votes(self) -> Iterator[Votes]:
        """What hospitals vote on: from the index, brought up to date first, or from the contracts."""
        with self._store() as store:
            if store is None:
                yield ChainVotes(self.contracts)
                return
            from chain.index.vote_queries import IndexVotes

            yield IndexVotes(store)

    @contextmanager
    def _store(self) -> Iterator[Store | None]:
        if self.no_index:
            yield None
            return
        with open_index(self.contracts, self.home, self.index, quiet=self.as_json) as (store, _):
            yield store


def index_target(contracts: Contracts, home: Path, named: str | None) -> Path | str:
    """Where the index of a deployment is: as named, else as the environment says, else a file of its own.

    Raises:
        CommandError: a password was put on the command line, where everybody on the machine can read it.
    """
    if named is not None and _password(named):
        raise CommandError(
            f"--index: a password on a command line is public: put it into ~/.pgpass, PGPASSWORD or {INDEX_VARIABLE}"
        )
    return named or os.environ.get(INDEX_VARIABLE) or _own_file(contracts, home)


@contextmanager
def open_index(
    contracts: Contracts, home: Path, named: str | None, *, quiet: bool
) -> Iterator[tuple[Store, Synced]]:
    """The index, brought up to date, and what that took."""
    from chain.index.store import Store
    from chain.index.sync import Reader, synchronise

    database = _database(contracts, home, named)
    try:
        store = Store(database)
        with console(quiet=quiet).status("indexing") as status:
            synced = synchronise(
                store,
                Reader(contracts),
                progress=lambda done, of: status.update(f"indexing: block {done:,} of {of:,}"),
            )
        yield store, synced
    finally:
        database.close()


def rebuild_index(contracts: Contracts, home: Path, named: str | None) -> None:
    """Drop the index's tables; the next use reads the chain from the deployment on."""
    from chain.index.store import Store

    database = _database(contracts, home, named)
    try:
        Store(database).discard()
    finally:
        database.close()


def _own_file(contracts: Contracts, home: Path) -> Path:
    deployment = contracts.deployment
    name = f"{deployment.chain_id}-{deployment.genesis[2:10]}-{deployment.ledger[2:10].lower()}.sqlite"
    return home / "index" / name


def _database(contracts: Contracts, home: Path, named: str | None) -> Database:
    from chain.index.database import Database

    target = index_target(contracts, home, named)
    return Database(target, own=target == _own_file(contracts, home))


def _password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password) or "password=" in urlsplit(url).query
    except ValueError:
        return False
