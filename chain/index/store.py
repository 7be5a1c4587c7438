"""What the index keeps: whose it is, how far it has read, and the rows of a stretch of blocks, all or nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, bindparam, delete, func, insert, inspect, select, update

from chain.contract import Event
from chain.index.columns import from_row, to_row
from chain.index.database import Database
from chain.index.errors import IndexMismatch
from chain.index.node_source import BlockId
from chain.index.schema import EventTable, Schema, StateTable, schema
from chain.phases import CaseOutcome, ProposalState

REBUILD_HINT = "build it again with `fediomt ledger index --rebuild`, or name another with --index"
_ROWS_A_STATEMENT = 5_000
_MOVING = (ProposalState.OPEN, ProposalState.PASSED, ProposalState.QUEUED)


@dataclass(frozen=True)
class Identity:
    """Which chain and contracts an index is about."""

    chain_id: int
    genesis: bytes
    contracts: dict[str, str]
    first_block: int


@dataclass(frozen=True)
class Placed:
    """A decoded event, the table that it belongs to, and the hash of its block."""

    table: EventTable
    event: Event
    block_hash: bytes


@dataclass(frozen=True)
class Stretch:
    """What one transaction does to the index.

    Attributes:
        since: how far the index had read when this was prepared.
        keep: rows after this block go, for they are on no chain any more.
        until: how far it has read afterwards.
        events: rows to add, between `keep` and `until`.
        stale: states that the events touched, (name, key).
        states: views as of `until`, (name, key values, what it returned or None if there is none).
        current: whether `states` holds all that was stale: `until` is the chain's latest block.
    """

    since: BlockId
    keep: int
    until: BlockId
    events: Sequence[Placed]
    stale: frozenset[tuple[str, int]]
    states: Sequence[tuple[str, tuple[int, ...], dict[str, Any] | None]] = ()
    current: bool = False


@dataclass
class Store:
    """The tables in a database; what is asked and written, without knowing where it comes from."""

    database: Database
    tables: Schema = field(default_factory=schema)

    def open(self, identity: Identity) -> BlockId:
        """Make the tables if there are none, check whose index it is, and say how far it has read.

        Raises:
            IndexMismatch: it is about another chain or deployment, or was built by another version.
            IndexFault: the database cannot be used.
        """
        with self.database.writing() as connection:
            if not inspect(connection).has_table(self.tables.index_of.name):
                self._create(connection, identity)
            row = connection.execute(select(self.tables.index_of.c["layout"])).scalar_one_or_none()
            if row != self.tables.fingerprint:
                raise IndexMismatch(
                    f"the index {self.database} was built by another version (layout {row}, this one is "
                    f"{self.tables.fingerprint}): {REBUILD_HINT}"
                )
            found = connection.execute(select(self.tables.index_of)).mappings().one()
            self._require(found, identity)
            return BlockId(found["read_block"], found["read_hash"])

    def discard(self) -> None:
        """Drop every table of an index, whoever built it; the next `open` makes them anew."""
        with self.database.writing() as connection:
            names = [table.name for table in reversed(self.tables.metadata.sorted_tables)]
            present = set(inspect(connection).get_table_names())
            prefixes = tuple(f"{table.source}_" for table in self.tables.events.values())
            others = [n for n in present if n not in names and n.startswith((*prefixes, "state_"))]
            for name in [*others, *(name for name in names if name in present)]:
                connection.exec_driver_sql(f'DROP TABLE "{name}"')

    def read_until(self) -> BlockId:
        """How far the index has read."""
        with self.database.reading() as connection:
            return self._read_until(connection)

    def addresses(self, connection: Connection) -> dict[str, str]:
        """The contracts' addresses, by their field of `Deployment`."""
        text = connection.execute(select(self.tables.index_of.c.contracts)).scalar_one()
        return dict(json.loads(text))

    def known_blocks(self) -> list[BlockId]:
        """Every block whose hash is kept, in order."""
        blocks = self.tables.blocks
        with self.database.reading() as connection:
            rows = connection.execute(select(blocks).order_by(blocks.c.number))
            return [BlockId(row.number, row.hash) for row in rows]

    def touched_after(self, block: int) -> frozenset[tuple[str, int]]:
        """States that events after a block touched."""
        found: set[tuple[str, int]] = set()
        with self.database.reading() as connection:
            for item in self.tables.events.values():
                for state, column in touches(item):
                    key = item.table.c[column]
                    rows = connection.execute(select(key).where(item.table.c.at_block > block).distinct())
                    found |= {(state, int(value)) for value in rows.scalars()}
        return frozenset(found)

    def stale(self) -> frozenset[tuple[str, int]]:
        """States that have to be viewed again."""
        with self.database.reading() as connection:
            rows = connection.execute(select(self.tables.stale))
            return frozenset((row.state, int(row.key)) for row in rows)

    def moving(self, stale: frozenset[tuple[str, int]]) -> frozenset[tuple[str, int]]:
        """States that change without an event that names them: time ends proposals, a draw extends a case.

        Which votes count depends on which hospitals are active: with a hospital that changed, every proposal may have.
        """
        proposal, case = self.tables.states["proposal"].table, self.tables.states["case"].table
        proposals = select(proposal.c.of_proposal)
        if not any(name == "hospital" for name, _ in stale):
            proposals = proposals.where(proposal.c.state.in_(_MOVING))
        open_ones = {
            "proposal": proposals,
            "case": select(case.c.of_case_id).where(case.c.outcome == CaseOutcome.OPEN),
        }
        with self.database.reading() as connection:
            return frozenset(
                (name, int(number))
                for name, query in open_ones.items()
                for number in connection.execute(query).scalars()
            )

    def views(
        self,
        connection: Connection,
        name: str,
        *conditions: Any,  # noqa: ANN401 - SQLAlchemy's expressions
    ) -> list[tuple[tuple[int, ...], dict[str, Any]]]:
        """Rows of a state, by key: the key, and what the contract's view returned."""
        state = self.tables.states[name]
        keys = [state.table.c[f"of_{key}"] for key in state.keys]
        query = select(*keys, *(state.table.c[item.name] for item in state.fields)).order_by(*keys)
        count = len(keys)
        return [
            (tuple(row[:count]), from_row(state.fields, row[count:]))
            for row in connection.execute(query.where(*conditions)).all()
        ]

    def write(self, stretch: Stretch) -> bool:
        """Write a stretch; False, and nothing written, if another process has moved the index meanwhile.

        Raises:
            IndexFault: the database refuses; nothing was written.
        """
        with self.database.writing() as connection:
            if self._read_until(connection) != stretch.since:
                return False
            if stretch.keep < stretch.since.number:
                self._cut(connection, stretch.keep)
            self._add(connection, stretch)
            self._refresh(connection, stretch)
            connection.execute(
                update(self.tables.index_of).values(
                    read_block=stretch.until.number, read_hash=stretch.until.hash
                )
            )
        return True

    def _create(self, connection: Connection, identity: Identity) -> None:
        self.tables.metadata.create_all(connection)
        connection.execute(
            insert(self.tables.index_of).values(
                one=1,
                layout=self.tables.fingerprint,
                chain_id=identity.chain_id,
                genesis=identity.genesis,
                contracts=json.dumps(identity.contracts, sort_keys=True),
                first_block=identity.first_block,
                read_block=identity.first_block - 1,
                read_hash=b"",
            )
        )

    def _require(self, found: RowMapping, identity: Identity) -> None:
        kept = Identity(
            found["chain_id"], found["genesis"], json.loads(found["contracts"]), found["first_block"]
        )
        if kept == identity:
            return
        if (kept.chain_id, kept.genesis) != (identity.chain_id, identity.genesis):
            raise IndexMismatch(
                f"the index {self.database} belongs to another chain (chain {kept.chain_id}, genesis "
                f"{kept.genesis.hex()[:12]}; this is chain {identity.chain_id}, genesis "
                f"{identity.genesis.hex()[:12]}): {REBUILD_HINT}"
            )
        raise IndexMismatch(
            f"the index {self.database} belongs to another deployment on this chain (ledger "
            f"{kept.contracts.get('ledger')}, this one is {identity.contracts.get('ledger')}): {REBUILD_HINT}"
        )

    def _read_until(self, connection: Connection) -> BlockId:
        query = select(self.tables.index_of.c.read_block, self.tables.index_of.c.read_hash)
        row = connection.execute(query).one()
        return BlockId(row.read_block, row.read_hash)

    def _cut(self, connection: Connection, keep: int) -> None:
        for item in self.tables.events.values():
            connection.execute(delete(item.table).where(item.table.c.at_block > keep))
        connection.execute(delete(self.tables.blocks).where(self.tables.blocks.c.number > keep))

    def _add(self, connection: Connection, stretch: Stretch) -> None:
        hashes = {placed.event.block: placed.block_hash for placed in stretch.events}
        hashes[stretch.until.number] = stretch.until.hash
        if stretch.until.number > stretch.keep:
            rows = [{"number": number, "hash": hashes[number]} for number in sorted(hashes)]
            self._insert(connection, self.tables.blocks, rows)
        by_table: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        tables = {}
        for placed in stretch.events:
            tables[placed.table.table.name] = placed.table.table
            by_table[placed.table.table.name].append(_event_row(placed))
        for name, rows in by_table.items():
            self._insert(connection, tables[name], rows)

    def _refresh(self, connection: Connection, stretch: Stretch) -> None:
        stale = self.tables.stale
        known = {(row.state, int(row.key)) for row in connection.execute(select(stale))}
        rounds = {key for state, key in stretch.stale if state == "round"}
        self._sum_up(connection, sorted(rounds))
        if not stretch.current:
            rows = [{"state": state, "key": key} for state, key in sorted(stretch.stale - known)]
            self._insert(connection, stale, rows)
            return
        connection.execute(delete(stale))
        by_state: defaultdict[str, list[tuple[tuple[int, ...], dict[str, Any] | None]]] = defaultdict(list)
        for name, keys, view in stretch.states:
            by_state[name].append((keys, view))
        for name, views in by_state.items():
            self._replace(connection, self.tables.states[name], views)

    def _replace(
        self,
        connection: Connection,
        state: StateTable,
        views: Sequence[tuple[tuple[int, ...], dict[str, Any] | None]],
    ) -> None:
        """Put views in place of the rows under their keys; None deletes, also all rows under a key's beginning."""
        table = state.table
        for length in sorted({len(keys) for keys, _ in views}):
            names = [f"of_{key}" for key in state.keys[:length]]
            gone = [
                {f"gone_{name}": value for name, value in zip(names, keys, strict=True)}
                for keys, _ in views
                if len(keys) == length
            ]
            matches = [table.c[name] == bindparam(f"gone_{name}", type_=table.c[name].type) for name in names]
            connection.execute(delete(table).where(*matches), gone)
        rows = [
            {f"of_{key}": value for key, value in zip(state.keys, keys, strict=True)}
            | to_row(state.fields, view)
            for keys, view in views
            if view is not None
        ]
        self._insert(connection, table, rows)

    def _sum_up(self, connection: Connection, rounds: Sequence[int]) -> None:
        """Sum the parts of rounds up anew, from their rows: nothing is ever added twice."""
        part, event = self.tables.part, self.tables.event
        for number in rounds:
            connection.execute(delete(part).where(part.c.round == number))
            parts: defaultdict[int, dict[str, Any]] = defaultdict(
                lambda: {
                    "share_e18": 0,
                    "allocated": 0,
                    "forfeited": False,
                    "leaves": 0,
                    "paid": 0,
                    "skipped": 0,
                }
            )
            allocated, forfeited = event("ledger", "Allocated").table, event("ledger", "Forfeited").table
            for row in connection.execute(select(allocated).where(allocated.c.round == number)):
                parts[row.hospital] |= {"share_e18": row.share_e18, "allocated": row.amount}
            for row in connection.execute(select(forfeited).where(forfeited.c.round == number)):
                parts[row.hospital]["forfeited"] = True
            for name, leaves in (("Claimed", 1), ("TreasuryClaimed", 0)):
                table = event("distributor", name).table
                query = (
                    select(table.c.hospital, func.count(), self.exact_sum(table.c.amount))
                    .where(table.c.round == number)
                    .group_by(table.c.hospital)
                )
                for hospital, count, amount in connection.execute(query):
                    parts[hospital]["leaves"] += leaves * count
                    parts[hospital]["paid"] += int(amount)
            for name in ("ClaimSkipped", "TreasurySkipped"):
                table = event("distributor", name).table
                counted = select(table.c.hospital, func.count()).where(table.c.round == number)
                for hospital, count in connection.execute(counted.group_by(table.c.hospital)):
                    parts[hospital]["skipped"] += count
            self._insert(
                connection,
                part,
                [{"round": number, "hospital": h, **sums} for h, sums in sorted(parts.items())],
            )

    def exact_sum(self, column: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's expressions
        """The exact sum of a column of numbers, as SQL."""
        return func.exact_sum(column) if self.database.sqlite else func.sum(column)

    def _insert(self, connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        rows = list(rows)
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            connection.execute(insert(table), rows[start : start + _ROWS_A_STATEMENT])


def touches(item: EventTable) -> list[tuple[str, str]]:
    """Which states an event touches: (state's name, the event's column that holds its key)."""
    names = {field.name for field in item.fields}
    found = []
    if item.source in {"ledger", "distributor"} and "round" in names:
        found.append(("round", "round"))
    if item.source == "ledger" and item.member.name == "RuleSet":
        found.append(("rule", "rule_id"))
    if item.source == "consortium" and "hospital" in names:
        found.append(("hospital", "hospital"))
    if item.source == "council":
        found += [("proposal", "proposal")] * ("proposal" in names)
    if item.source == "court":
        found += [("case", "case_id")] * ("case_id" in names)
        found += [(state, "challenge_id") for state in ("challenge", "demand") if "challenge_id" in names]
    if item.source == "desk":
        found += [("service", "service_id")] * ("service_id" in names)
        found += [("order", "order_id")] * ("order_id" in names)
    return found


def _event_row(placed: Placed) -> dict[str, Any]:
    event = placed.event
    return {
        "at_block": event.block,
        "at_index": event.index,
        "at_tx": bytes.fromhex(event.transaction[2:]),
        **to_row(placed.table.fields, event.values),
    }
