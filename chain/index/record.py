"""What is asked of the record of rounds, answered from the chain or from the index, equally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chain.contracts import Contracts
from chain.distributor import PaidClaim
from chain.history import RoundHistory, read_round, read_rounds
from chain.records import EntryRecord, HospitalRecord, RoundRecord


@dataclass(frozen=True)
class EntryLine:
    """A hospital's part in a round, in short. Amounts in the token's smallest unit.

    Attributes:
        entry: the entry's view.
        share_e18: its share of the budget times 10^18; 0 before the close.
        amount: what it was allocated at the close, before any dispute.
        forfeited: whether its entry was not counted.
        paid_out: what was minted against it so far.
        skipped: how many claims against it were passed over.
    """

    entry: EntryRecord
    share_e18: int
    amount: int
    forfeited: bool
    paid_out: int
    skipped: int


@dataclass(frozen=True)
class RoundLine:
    """A round in short: its view, and a line a hospital active at its opening, by id."""

    record: RoundRecord
    entries: tuple[EntryLine, ...]


class Record(Protocol):
    """The record of rounds."""

    def line(self, round_number: int) -> RoundLine:
        """One round in short.

        Raises:
            RecordError: no such round was opened.
        """

    def lines(self) -> list[RoundLine]:
        """Every round in short."""

    def hospital_lines(self, hospital: int) -> list[EntryLine]:
        """A hospital's part in every round at whose opening it was active."""

    def hospital(self, hospital: int) -> HospitalRecord:
        """A hospital.

        Raises:
            RecordError: nobody was admitted under that id.
        """

    def claims_of(self, payee: str) -> list[PaidClaim]:
        """Leaves that were paid to an account of its own, in order."""

    def round(self, round_number: int) -> RoundHistory:
        """Everything about one round.

        Raises:
            RecordError: no such round was opened.
        """


@dataclass(frozen=True)
class ChainRecord:
    """The record as the contracts themselves tell it."""

    contracts: Contracts

    def line(self, round_number: int) -> RoundLine:
        """See `Record`."""
        return line_of(self.round(round_number))

    def lines(self) -> list[RoundLine]:
        """See `Record`."""
        return [line_of(history) for history in read_rounds(self.contracts)]

    def hospital_lines(self, hospital: int) -> list[EntryLine]:
        """See `Record`."""
        return [item for line in self.lines() for item in line.entries if item.entry.hospital == hospital]

    def hospital(self, hospital: int) -> HospitalRecord:
        """See `Record`."""
        return self.contracts.consortium.hospital(hospital)

    def claims_of(self, payee: str) -> list[PaidClaim]:
        """See `Record`."""
        start = self.contracts.deployment.block
        return list(self.contracts.distributor.claims(from_block=start, payee=payee))

    def round(self, round_number: int) -> RoundHistory:
        """See `Record`."""
        return read_round(self.contracts, round_number)


def line_of(history: RoundHistory) -> RoundLine:
    """A round's history in short."""
    allocations = {item.hospital: item for item in history.allocations}
    lines = []
    for entry in history.entries:
        allocation = allocations.get(entry.hospital)
        lines.append(
            EntryLine(
                entry=entry,
                share_e18=allocation.share_e18 if allocation else 0,
                amount=allocation.amount if allocation else 0,
                forfeited=entry.hospital in history.forfeited,
                paid_out=history.paid_out(entry.hospital),
                skipped=history.times_skipped(entry.hospital),
            )
        )
    return RoundLine(history.record, tuple(lines))
