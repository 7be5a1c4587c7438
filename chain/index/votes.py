"""What hospitals vote on, answered from the chain or from the index, equally: the council's proposals, and disputes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chain.contracts import Contracts
from chain.court import CaseRecord, ChallengeRecord, DemandRecord
from chain.records import ProposalRecord


@dataclass(frozen=True)
class Dispute:
    """A case, and what belongs to it.

    Attributes:
        case: the case.
        challenges: those that it hears, by id.
        demands: the demands of leaves among them.
        convicted: whether the hospital was slashed over the entry.
    """

    case: CaseRecord
    challenges: tuple[ChallengeRecord, ...]
    demands: tuple[DemandRecord, ...]
    convicted: bool


class Votes(Protocol):
    """Proposals and disputes."""

    def proposals(self) -> tuple[ProposalRecord, ...]:
        """All proposals, by id."""

    def proposal(self, number: int) -> ProposalRecord:
        """A proposal.

        Raises:
            ChainError: there is none of that id.
        """

    def cases(self) -> tuple[CaseRecord, ...]:
        """All cases, by id."""

    def dispute(self, case_id: int) -> Dispute:
        """A case with all that belongs to it.

        Raises:
            ChainError: there is none of that id.
        """


@dataclass(frozen=True)
class ChainVotes:
    """Proposals and disputes as the contracts themselves tell them."""

    contracts: Contracts

    def proposals(self) -> tuple[ProposalRecord, ...]:
        """See `Votes`."""
        return self.contracts.council.proposals()

    def proposal(self, number: int) -> ProposalRecord:
        """See `Votes`."""
        return self.contracts.council.proposal(number)

    def cases(self) -> tuple[CaseRecord, ...]:
        """See `Votes`."""
        return self.contracts.court.cases()

    def dispute(self, case_id: int) -> Dispute:
        """See `Votes`."""
        court = self.contracts.court
        case = court.case(case_id)
        return Dispute(
            case=case,
            challenges=tuple(item for item in court.challenges() if item.case_id == case_id),
            demands=court.demands_in(case_id),
            convicted=court.is_convicted(case.round, case.hospital),
        )
