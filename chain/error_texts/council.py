"""What the errors of Council mean, and what to do."""

from __future__ import annotations

COUNCIL_TEXTS = {
    "NoContract(address)": "there is no contract at {target}: propose a call of one of the deployed contracts",
    "InvalidCallLength(uint256,uint256)": (
        "a call of {length} bytes cannot be proposed: it takes a selector, and {maximum} bytes at most"
    ),
    "UnknownProposal(uint256)": ("there is no proposal {proposal}: list them with `fediomt consortium list`"),
    "NotInElectorate(uint256,uint16)": (
        "hospital {hospital} was not active when proposal {proposal} was made: it votes on later ones"
    ),
    "VoteUnchanged(uint256,uint16,bool)": (
        "the vote of hospital {hospital} on proposal {proposal} is that already: there is nothing to change"
    ),
    "VotingOver(uint256,uint64)": (
        "votes for proposal {proposal} were taken until {ended_at:time}: propose it again"
    ),
    "WrongState(uint256,uint8)": (
        "proposal {proposal} is {actual:proposal_state}, which does not allow this: see `fediomt consortium show`"
    ),
    "QueuedByAnother(uint256,bytes32)": (
        "the same call is queued by another proposal: have that executed, then queue proposal {proposal}"
    ),
    "NotProposer(uint256,address)": (
        "{caller} does not act for the hospital that made proposal {proposal}: only that one cancels it"
    ),
}
