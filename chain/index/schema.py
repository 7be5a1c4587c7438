"""The index's tables, derived from the contracts' ABIs, so that a new event or field needs no code here.

- `CONTRACT_EVENT`, e.g. `distributor_claimed`: a table an event, a column a value (a struct's members one by
  one), and `at_block`, `at_index`, `at_tx`. What the contract indexes is indexed.
- `blocks`: number and hash of every block that an event row lies in, and of the last one read. A block is
  there under one hash, so `(at_block, at_index)`, the primary key of an event, is unique by block hash and log index.
- `state_round`, `state_entry`, ...: the contracts' views of what events touched, as of the last block read.
- `part`: a hospital's part in a round, summed up from the rows: what it was allocated, whether its entry was not
  counted, what was minted against it so far, how many claims were passed over. `stale`: what has to be viewed again.
- `index_of`: one row: which chain and contracts this is the index of, and how far it has read.

In SQLite a table lies in the order of its primary key: events as the chain has them, views and parts by hospital. The
claims of an account lie together in an index that has all of their columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from chain.abi import Member, abi_of, snake
from chain.index.columns import Field, fields_of, sql_type
from chain.index.numbers import Uint
from chain.index.words import WordDecoder, word_decoder

SCHEMA_VERSION = 2
"""Raised when tables change that do not come from an ABI."""

SOURCES = {
    "authority": "AccessManager",
    "consortium": "Consortium",
    "council": "Council",
    "token": "ParticipationToken",
    "ledger": "ContributionLedger",
    "distributor": "RewardDistributor",
    "desk": "RedemptionDesk",
    "court": "DisputeCourt",
}
"""Contracts whose events are read, by their field of `Deployment`. The settlement ERC-20 is left out: it is
anybody's token, with transfers that have nothing to do with the consortium."""

_HISTORIES = {("distributor", "Claimed"): "payee"}
"""Events that are asked for by account, and the column that has it."""

_VIEWS = {
    "round": ("ledger", "round", ("round",)),
    "entry": ("ledger", "entry", ("round", "hospital")),
    "rule": ("ledger", "rule", ("rule_id",)),
    "hospital": ("consortium", "hospital", ("hospital",)),
    "service": ("desk", "service", ("service_id",)),
    "order": ("desk", "order", ("order_id",)),
    "proposal": ("council", "proposal", ("proposal",)),
    "case": ("court", "caseOf", ("case_id",)),
    "challenge": ("court", "challengeOf", ("challenge_id",)),
    "demand": ("court", "demandOf", ("challenge_id",)),
}


@dataclass(frozen=True)
class EventTable:
    """The table of one event of one contract."""

    source: str
    member: Member
    fields: tuple[Field, ...]
    table: Table
    words: WordDecoder | None

    def values(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """The event's values by name, from a log.

        Raises:
            RecordError: the log does not fit.
        """
        return (self.words or self.member).decode_log(topics, data)


@dataclass(frozen=True)
class StateTable:
    """The table of one view: its contract and function, the arguments that are its key, and what it returns."""

    name: str
    source: str
    function: str
    keys: tuple[str, ...]
    fields: tuple[Field, ...]
    table: Table


@dataclass(frozen=True)
class Schema:
    """All tables.

    Attributes:
        metadata: SQLAlchemy's.
        index_of: identity and progress, one row.
        blocks: number and hash.
        stale: states that have to be viewed again.
        part: sums by hospital and round.
        events: by source and topic.
        states: by name.
        fingerprint: tells this layout from any other (16 hex digits).
    """

    metadata: MetaData
    index_of: Table
    blocks: Table
    stale: Table
    part: Table
    events: dict[tuple[str, bytes], EventTable]
    states: dict[str, StateTable]
    fingerprint: str

    def event(self, source: str, name: str) -> EventTable:
        """The table of an event by its Solidity name."""
        return next(
            item for item in self.events.values() if (item.source, item.member.name) == (source, name)
        )


@cache
def schema() -> Schema:
    """The tables of the contracts that this version knows."""
    metadata = MetaData()
    index_of = Table(
        "index_of",
        metadata,
        Column("one", Integer, primary_key=True, autoincrement=False),
        Column("layout", String(16), nullable=False),
        Column("chain_id", Uint, nullable=False),
        Column("genesis", LargeBinary, nullable=False),
        Column("contracts", Text, nullable=False),
        Column("first_block", BigInteger, nullable=False),
        Column("read_block", BigInteger, nullable=False),
        Column("read_hash", LargeBinary, nullable=False),
    )
    blocks = Table(
        "blocks",
        metadata,
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("hash", LargeBinary, nullable=False, unique=True),
    )
    stale = Table(
        "stale",
        metadata,
        Column("state", String(16), primary_key=True),
        Column("key", Uint, primary_key=True),
    )
    part = Table(
        "part",
        metadata,
        Column("hospital", BigInteger, nullable=False),
        Column("round", Uint, nullable=False),
        Column("share_e18", Uint, nullable=False),
        Column("allocated", Uint, nullable=False),
        Column("forfeited", Boolean, nullable=False),
        Column("leaves", BigInteger, nullable=False),
        Column("paid", Uint, nullable=False),
        Column("skipped", BigInteger, nullable=False),
        PrimaryKeyConstraint("hospital", "round"),
        sqlite_with_rowid=False,
    )
    events = {
        (source, topic): _event_table(metadata, source, member)
        for source, contract in SOURCES.items()
        for topic, member in abi_of(contract).events.items()
    }
    states = {name: _state_table(metadata, name, *view) for name, view in _VIEWS.items()}
    return Schema(metadata, index_of, blocks, stale, part, events, states, _fingerprint(metadata))


def _event_table(metadata: MetaData, source: str, member: Member) -> EventTable:
    fields = fields_of(member.inputs)
    name = f"{source}_{snake(member.name)}"
    table = Table(
        name,
        metadata,
        Column("at_block", BigInteger, ForeignKey("blocks.number"), nullable=False),
        Column("at_index", BigInteger, nullable=False),
        Column("at_tx", LargeBinary, nullable=False),
        *(field.column() for field in fields),
        PrimaryKeyConstraint("at_block", "at_index"),
        sqlite_with_rowid=False,
    )
    indexed = [field.name for field in fields if field.parameter.indexed]
    history = _HISTORIES.get((source, member.name))
    for column in indexed:
        if column == history:
            rest = [
                other.name for other in table.columns if other.name not in {"at_block", "at_index", column}
            ]
            key = (column, "at_block", "at_index")
            Index(f"{name}_of_{column}", *(table.c[part] for part in (*key, *rest))).ddl_if(dialect="sqlite")
            Index(f"{name}_by_{column}", *(table.c[part] for part in key)).ddl_if(dialect="postgresql")
        else:  # a hospital is asked about round by round
            also = ["round"] if column == "hospital" and "round" in indexed else []
            Index(f"{name}_by_{column}", *(table.c[part] for part in (column, *also)))
    return EventTable(source, member, fields, table, word_decoder(member))


def _state_table(
    metadata: MetaData, name: str, source: str, function: str, keys: tuple[str, ...]
) -> StateTable:
    member = abi_of(SOURCES[source]).function(function)
    fields = fields_of(member.outputs[0].components or member.outputs)
    table = Table(
        f"state_{name}",
        metadata,
        *(
            Column(f"of_{key}", sql_type(argument), nullable=False)
            for key, argument in zip(keys, member.inputs, strict=True)
        ),
        *(field.column() for field in fields),
        PrimaryKeyConstraint(*(f"of_{key}" for key in reversed(keys))),
        sqlite_with_rowid=False,
    )
    if name == "entry":
        Index("state_entry_by_round", table.c.of_round)
    return StateTable(name, source, function, keys, fields, table)


def _fingerprint(metadata: MetaData) -> str:
    lines = [f"version {SCHEMA_VERSION}"]
    for table in sorted(metadata.tables.values(), key=lambda item: item.name):
        lines += [f"{table.name} {column.name} {column.type!r}" for column in table.columns]
        lines += sorted(str(index.name) for index in table.indexes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
