"""The record of rounds, answered from the index with the same objects as from the chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast

from sqlalchemy import Column, Connection, Select, Table, and_, func, select

from chain.consortium import IDS, hospital_record
from chain.contract import Event
from chain.distributor import SETTLED, PaidClaim, Settled
from chain.errors import RecordError
from chain.history import ROUND_EVENTS, RoundHistory, assemble_round
from chain.index.columns import from_row
from chain.index.record import EntryLine, RoundLine
from chain.index.schema import EventTable
from chain.index.store import Store
from chain.ledger import round_record
from chain.records import EntryRecord, HospitalRecord, Lanes, RoundRecord, RuleRecord

Kind = TypeVar("Kind", bound=Settled)

_ENTRY = [field.name for field in fields(EntryRecord)]
_LANES_AT, _LANES_END = _ENTRY.index("lanes"), _ENTRY.index("lanes") + len(fields(Lanes))
_SUMS = ("share_e18", "allocated", "forfeited", "paid", "skipped")


@dataclass(frozen=True)
class IndexRecord:
    """The record as of the last block that the index has read; see `chain.index.record.Record`.

    Attributes:
        store: the index.
    """

    store: Store

    def line(self, round_number: int) -> RoundLine:
        """One round in short; RecordError where it was not opened."""
        with self.store.database.reading() as connection:
            record = self._records(connection, [self._opened(connection, round_number)])[0]
            lines = self._entry_lines(connection, round_number=round_number)
        return RoundLine(record, tuple(lines))

    def lines(self) -> list[RoundLine]:
        """Every round in short."""
        with self.store.database.reading() as connection:
            records = self._records(connection)
            lines: defaultdict[int, list[EntryLine]] = defaultdict(list)
            for line in self._entry_lines(connection):
                lines[line.entry.round].append(line)
        return [RoundLine(record, tuple(lines[record.round])) for record in records]

    def hospital_lines(self, hospital: int) -> list[EntryLine]:
        """A hospital's part in every round at whose opening it was active."""
        with self.store.database.reading() as connection:
            return self._entry_lines(connection, hospital=hospital)

    def hospital(self, hospital: int) -> HospitalRecord:
        """A hospital; RecordError where nobody was admitted under that id."""
        state = self.store.tables.states["hospital"]
        with self.store.database.reading() as connection:
            same = state.table.c.of_hospital == (hospital if hospital in IDS else 0)
            found = self.store.views(connection, "hospital", same)
            count = connection.execute(select(func.count()).select_from(state.table)).scalar_one()
        if not found:
            raise RecordError(f"there is no hospital {hospital}: ids are 1 to {count}")
        return hospital_record(hospital, found[0][1])

    def claims_of(self, payee: str) -> list[PaidClaim]:
        """Leaves that were paid to an account of its own, in order."""
        claimed = self.store.tables.event("distributor", "Claimed").table
        with self.store.database.reading() as connection:
            return self._settled(connection, PaidClaim, claimed, claimed.c.payee == payee)

    def round(self, round_number: int) -> RoundHistory:
        """Everything about one round; RecordError where it was not opened."""
        with self.store.database.reading() as connection:
            return self._histories(connection, [self._opened(connection, round_number)])[0]

    def rounds(self) -> list[RoundHistory]:
        """Everything about every round."""
        with self.store.database.reading() as connection:
            return self._histories(connection, None)

    def _opened(self, connection: Connection, round_number: int) -> int:
        rounds = self.store.tables.states["round"].table
        last = connection.execute(select(func.count()).select_from(rounds)).scalar_one()
        if not 1 <= round_number <= last:
            raise RecordError(f"round {round_number} was not opened: the last one is {last}")
        return round_number

    def _records(self, connection: Connection, numbers: Sequence[int] | None = None) -> list[RoundRecord]:
        table = self.store.tables.states["round"].table
        found = self.store.views(
            connection, "round", *([] if numbers is None else [table.c.of_round.in_(numbers)])
        )
        return [round_record(number, view) for (number,), view in found]

    def _entry_lines(
        self, connection: Connection, *, hospital: int | None = None, round_number: int | None = None
    ) -> list[EntryLine]:
        entry, part = self.store.tables.states["entry"].table, self.store.tables.part
        names = [f"of_{name}" if name in {"round", "hospital"} else name for name in _ENTRY]
        names[_LANES_AT : _LANES_AT + 1] = [f"lanes_{field.name}" for field in fields(Lanes)]
        same = and_(part.c.round == entry.c.of_round, part.c.hospital == entry.c.of_hospital)
        query: Select[Any] = (
            select(*(entry.c[name] for name in names), *(part.c[name] for name in _SUMS))
            .select_from(entry.outerjoin(part, same))
            .order_by(entry.c.of_round, entry.c.of_hospital)
        )
        if hospital is not None:
            query = query.where(entry.c.of_hospital == (hospital if hospital in IDS else 0))
        if round_number is not None:
            query = query.where(entry.c.of_round == round_number)
        return [_line(row) for row in connection.execute(query).all()]

    def _histories(self, connection: Connection, numbers: Sequence[int] | None) -> list[RoundHistory]:
        tables = self.store.tables
        records = self._records(connection, numbers)
        only = None if numbers is None else numbers[0]
        rules = {number: RuleRecord(**view) for (number,), view in self.store.views(connection, "rule")}
        entries: defaultdict[int, list[EntryRecord]] = defaultdict(list)
        for line in self._entry_lines(connection, round_number=only):
            entries[line.entry.round].append(line.entry)
        events: defaultdict[int, list[Event]] = defaultdict(list)
        for name in ROUND_EVENTS:
            for event in self._of_rounds(connection, tables.event("ledger", name), only):
                events[event.values["round"]].append(event)
        settled: defaultdict[int, list[Settled]] = defaultdict(list)
        for name, kind in SETTLED.items():
            table = tables.event("distributor", name).table
            of_round = [] if only is None else [table.c.round == only]
            for item in self._settled(connection, kind, table, *of_round):
                settled[item.round].append(item)
        return [
            assemble_round(
                record,
                rules[record.rule_id],
                tuple(entries[record.round]),
                events=events[record.round],
                settled=settled[record.round],
            )
            for record in records
        ]

    def _of_rounds(self, connection: Connection, item: EventTable, only: int | None) -> list[Event]:
        table = item.table
        query = _in_order(table, table.c.at_block, table.c.at_index, table.c.at_tx, *_values(item))
        if only is not None:
            query = query.where(table.c.round == only)
        address = self.store.addresses(connection)[item.source]
        return [
            Event(item.member.name, from_row(item.fields, values), address, block, index, "0x" + tx.hex())
            for block, index, tx, *values in connection.execute(query).all()
        ]

    def _settled(
        self,
        connection: Connection,
        kind: Callable[..., Kind],
        table: Table,
        *conditions: Any,  # noqa: ANN401 - SQLAlchemy's expressions
    ) -> list[Kind]:
        """What became of claims, in order; a kind's fields are the event's values, block and transaction."""
        *values, _, _ = (field.name for field in fields(cast("Any", kind)))
        query = _in_order(table, *(table.c[name] for name in values), table.c.at_block, table.c.at_tx)
        rows = connection.execute(query.where(*conditions)).all()
        return [kind(*row[:-1], "0x" + row[-1].hex()) for row in rows]


def _values(item: EventTable) -> list[Column[Any]]:
    return [item.table.c[field.name] for field in item.fields]


def _in_order(table: Table, *columns: Column[Any]) -> Select[Any]:
    return select(*columns).order_by(table.c.at_block, table.c.at_index)


def _line(row: Sequence[Any]) -> EntryLine:
    """A line from an entry's values, those of its lanes among them, and its sums: none where nothing happened yet."""
    *entry, share, allocated, forfeited, paid, skipped = row
    entry[_LANES_AT:_LANES_END] = [Lanes(*entry[_LANES_AT:_LANES_END])]
    return EntryLine(
        entry=EntryRecord(*entry),
        share_e18=share or 0,
        amount=allocated or 0,
        forfeited=bool(forfeited),
        paid_out=paid or 0,
        skipped=skipped or 0,
    )
