"""What hospitals vote on, answered from the index with the same objects as from the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from chain.council import proposal_record
from chain.court import CaseRecord, ChallengeRecord, case_record, demand_record
from chain.errors import RecordError
from chain.index.store import Store
from chain.index.votes import Dispute
from chain.records import ProposalRecord


@dataclass(frozen=True)
class IndexVotes:
    """Proposals and disputes as of the last block that the index has read; see `chain.index.votes.Votes`.

    Attributes:
        store: the index.
    """

    store: Store

    def proposals(self) -> tuple[ProposalRecord, ...]:
        """All proposals, by id."""
        with self.store.database.reading() as connection:
            return self._proposals(connection)

    def proposal(self, number: int) -> ProposalRecord:
        """A proposal; RecordError where there is none of that id."""
        table = self.store.tables.states["proposal"].table
        with self.store.database.reading() as connection:
            found = self._proposals(connection, table.c.of_proposal == _id(number))
        if not found:
            raise RecordError(
                f"there is no proposal {number}: list them with `fediomt consortium list` (UnknownProposal)"
            )
        return found[0]

    def cases(self) -> tuple[CaseRecord, ...]:
        """All cases, by id."""
        with self.store.database.reading() as connection:
            return self._cases(connection)

    def dispute(self, case_id: int) -> Dispute:
        """A case with all that belongs to it; RecordError where there is none of that id."""
        states = self.store.tables.states
        cases, demands = states["case"].table, states["demand"].table
        challenges = states["challenge"].table
        with self.store.database.reading() as connection:
            found = self._cases(connection, cases.c.of_case_id == _id(case_id))
            if not found:
                raise RecordError(f"there is no case {case_id}: list them with `fediomt dispute list`")
            case = found[0]
            demanded = self.store.views(connection, "demand", demands.c.case_id == case_id)
            heard = self.store.views(connection, "challenge", challenges.c.case_id == case_id)
            convictions, unslashed = (
                connection.execute(
                    select(func.count()).where(table.c.round == case.round, table.c.hospital == case.hospital)
                ).scalar_one()
                for table in (
                    self.store.tables.event("court", name).table for name in ("Convicted", "SlashFailed")
                )
            )
        return Dispute(
            case=case,
            challenges=tuple(ChallengeRecord(number, **view) for (number,), view in heard),
            demands=tuple(demand_record(number, view) for (number,), view in demanded),
            convicted=convictions > unslashed,
        )

    def _proposals(self, connection: Connection, *conditions: Any) -> tuple[ProposalRecord, ...]:  # noqa: ANN401
        found = self.store.views(connection, "proposal", *conditions)
        return tuple(proposal_record(number, view) for (number,), view in found)

    def _cases(self, connection: Connection, *conditions: Any) -> tuple[CaseRecord, ...]:  # noqa: ANN401
        found = self.store.views(connection, "case", *conditions)
        return tuple(case_record(number, view) for (number,), view in found)


def _id(number: int) -> int:
    """The id as a column can hold it: 0, which nothing has, for what is no uint256."""
    return number if 0 <= number < 1 << 256 else 0
