"""The record of rounds, answered from the index with the same objects as from the chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from chain.consortium import hospital_record
from chain.contract import Event
from chain.distributor import PaidClaim, PaidTreasury
from chain.errors import RecordError
from chain.history import ROUND_EVENTS, RoundHistory, assemble_round
from chain.index.columns import from_row
from chain.index.record import EntryLine, RoundLine
from chain.index.schema import EventTable
from chain.index.store import Store
from chain.ledger import entry_record, round_record
from chain.records import EntryRecord, HospitalRecord, RoundRecord, RuleRecord


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
            query = select(state.table).where(state.table.c.of_hospital == max(hospital, 0))
            row = connection.execute(query).mappings().one_or_none()
            count = connection.execute(select(func.count()).select_from(state.table)).scalar_one()
        if row is None:
            raise RecordError(f"there is no hospital {hospital}: ids are 1 to {count}")
        return hospital_record(hospital, from_row(state.fields, row))

    def claims_of(self, payee: str) -> list[PaidClaim]:
        """Leaves that were paid to an account of its own, in order."""
        item = self.store.tables.event("distributor", "Claimed")
        with self.store.database.reading() as connection:
            events = self._events(connection, item, item.table.c.payee == payee)
        return [PaidClaim(**e.values, block=e.block, transaction=e.transaction) for e in events]

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
        state = self.store.tables.states["round"]
        query = select(state.table).order_by(state.table.c.of_round)
        if numbers is not None:
            query = query.where(state.table.c.of_round.in_(numbers))
        return [
            round_record(row["of_round"], from_row(state.fields, row))
            for row in connection.execute(query).mappings()
        ]

    def _entry_lines(
        self, connection: Connection, *, hospital: int | None = None, round_number: int | None = None
    ) -> list[EntryLine]:
        state, paid = self.store.tables.states["entry"], self.store.tables.paid
        allocated = self.store.tables.event("ledger", "Allocated").table
        forfeited = self.store.tables.event("ledger", "Forfeited").table
        entry = state.table
        query: Select[Any] = select(
            entry,
            allocated.c.share_e18.label("of_share"),
            allocated.c.amount.label("of_amount"),
            forfeited.c.at_block.label("of_forfeit"),
            paid.c.amount.label("of_paid"),
        )
        joined: Any = entry
        for table in (allocated, forfeited, paid):
            same = and_(table.c.round == entry.c.of_round, table.c.hospital == entry.c.of_hospital)
            joined = joined.outerjoin(table, same)
        query = query.select_from(joined).order_by(entry.c.of_round, entry.c.of_hospital)
        if hospital is not None:
            query = query.where(entry.c.of_hospital == max(hospital, 0))
        if round_number is not None:
            query = query.where(entry.c.of_round == round_number)
        return [
            EntryLine(
                entry=self._entry(row),
                share_e18=row["of_share"] or 0,
                amount=row["of_amount"] or 0,
                forfeited=row["of_forfeit"] is not None,
                paid_out=row["of_paid"] or 0,
            )
            for row in connection.execute(query).mappings()
        ]

    def _entry(self, row: Mapping[Any, Any]) -> EntryRecord:
        view = from_row(self.store.tables.states["entry"].fields, row)
        return entry_record(row["of_round"], row["of_hospital"], view)

    def _histories(self, connection: Connection, numbers: Sequence[int] | None) -> list[RoundHistory]:
        tables = self.store.tables
        records = self._records(connection, numbers)
        only = None if numbers is None else numbers[0]
        rules = {
            row["of_rule_id"]: RuleRecord(**from_row(tables.states["rule"].fields, row))
            for row in connection.execute(select(tables.states["rule"].table)).mappings()
        }
        entries: defaultdict[int, list[EntryRecord]] = defaultdict(list)
        for line in self._entry_lines(connection, round_number=only):
            entries[line.entry.round].append(line.entry)
        events: defaultdict[int, list[Event]] = defaultdict(list)
        for name in ROUND_EVENTS:
            for event in self._of_rounds(connection, tables.event("ledger", name), only):
                events[event.values["round"]].append(event)
        claims: defaultdict[int, list[PaidClaim]] = defaultdict(list)
        for event in self._of_rounds(connection, tables.event("distributor", "Claimed"), only):
            claim = PaidClaim(**event.values, block=event.block, transaction=event.transaction)
            claims[claim.round].append(claim)
        treasury: defaultdict[int, list[PaidTreasury]] = defaultdict(list)
        for event in self._of_rounds(connection, tables.event("distributor", "TreasuryClaimed"), only):
            part = PaidTreasury(**event.values, block=event.block, transaction=event.transaction)
            treasury[part.round].append(part)
        return [
            assemble_round(
                record,
                rules[record.rule_id],
                tuple(entries[record.round]),
                events=events[record.round],
                claims=claims[record.round],
                treasury=treasury[record.round],
            )
            for record in records
        ]

    def _of_rounds(self, connection: Connection, item: EventTable, only: int | None) -> list[Event]:
        return self._events(connection, item, *([] if only is None else [item.table.c.round == only]))

    def _events(self, connection: Connection, item: EventTable, *conditions: Any) -> list[Event]:  # noqa: ANN401
        table = item.table
        query = select(table).where(*conditions).order_by(table.c.at_block, table.c.at_index)
        address = self.store.addresses(connection)[item.source]
        return [_event(item, row, address) for row in connection.execute(query)]


def _event(item: EventTable, row: Row[Any], address: str) -> Event:
    values = row._mapping
    return Event(
        item.member.name,
        from_row(item.fields, values),
        address,
        values["at_block"],
        values["at_index"],
        "0x" + values["at_tx"].hex(),
    )
