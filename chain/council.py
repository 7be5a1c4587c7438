"""Client of `Council`: what hospitals propose, vote for and have executed."""

from __future__ import annotations

from typing import Any

from chain.contract import Contract
from chain.packing import ids_of
from chain.phases import ProposalState
from chain.receipts import Call, Receipt
from chain.records import ProposalRecord
from chain.sender import Sender


class CouncilClient(Contract):
    """Proposals, one call each. Writes raise as `Sender.send` does."""

    contract = "Council"

    def propose(self, sender: Sender, call: Call) -> int:
        """An active hospital proposes a call (as `prepare` of another client makes it), which is its vote for it too.

        Returns:
            The proposal's id.
        """
        receipt = self.transact(sender, "propose", call.to, call.data)
        return int(self.event_in(receipt, "Proposed").values["proposal"])

    def vote(self, sender: Sender, proposal: int, *, support: bool = True) -> Receipt:
        """An active hospital gives its vote, or takes it back."""
        return self.transact(sender, "vote", proposal, support)

    def queue(self, sender: Sender, proposal: int) -> Receipt:
        """Anyone queues what passed, which starts its delay."""
        return self.transact(sender, "queue", proposal)

    def execute(self, sender: Sender, proposal: int) -> Receipt:
        """Anyone has the call made, once its delay is over."""
        return self.transact(sender, "execute", proposal)

    def cancel(self, sender: Sender, proposal: int) -> Receipt:
        """The proposer cancels what is open; anyone what is queued and lost its votes."""
        return self.transact(sender, "cancel", proposal)

    def proposal(self, proposal: int) -> ProposalRecord:
        """A proposal.

        Raises:
            ContractError: UnknownProposal.
        """
        return self._proposals([proposal])[0]

    def proposals(self) -> tuple[ProposalRecord, ...]:
        """All proposals, by id."""
        return self._proposals(range(1, int(self.call("proposalCount")) + 1))

    def voting_seconds(self) -> int:
        """How long votes are taken."""
        return int(self.call("votingSeconds"))

    def execution_delay(self) -> int | None:
        """Seconds that a passed call is public before it is made; None if the council does not govern."""
        governs, seconds = self.call("executionDelay")
        return int(seconds) if governs else None

    def _proposals(self, ids: range | list[int]) -> tuple[ProposalRecord, ...]:
        views = self.call_many([("proposal", [number]) for number in ids])
        return tuple(proposal_record(number, view) for number, view in zip(ids, views, strict=True))


def proposal_record(number: int, view: dict[str, Any]) -> ProposalRecord:
    """A proposal from its view."""
    return ProposalRecord(
        **{
            **view,
            "id": number,
            "state": ProposalState(view["state"]),
            "electorate": ids_of(view["electorate"]),
            "supporters": ids_of(view["supporters"]),
        }
    )
