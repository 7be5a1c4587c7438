"""What the errors of DisputeCourt mean, and what to do."""

from __future__ import annotations

COURT_TEXTS = {
    "NotInOffice()": "this court is not the consortium's any more: use the one that `fediomt deploy` recorded",
    "OwnEntry(uint16)": "hospital {hospital} cannot challenge its own entry: send with another key",
    "UnknownCase(uint256)": "there is no case {case_id}: list them with `fediomt dispute list`",
    "UnknownChallenge(uint256)": "there is no challenge {challenge_id}: list them with `fediomt dispute list`",
    "CaseOver(uint256)": "case {case_id} has ended: look at it with `fediomt dispute show`",
    "CaseDeadlinePassed(uint256,uint64)": (
        "the deadline of case {case_id} was {deadline:time}: end it with `fediomt dispute conclude`"
    ),
    "CaseRunning(uint256,uint64)": "case {case_id} is open until {deadline:time}: wait until then",
    "NotElector(uint256,address)": (
        "{caller} does not vote on case {case_id}: hospitals active at the challenge do, but for accused and challenger"
    ),
    "AlreadyVoted(uint256,uint16)": "hospital {hospital} has voted on case {case_id}: once is enough",
    "AlreadySettled(uint256)": "the bond of challenge {challenge_id} was paid out already",
    "NoSuchEntry(uint64,uint16)": "hospital {hospital} has no entry in round {round}: there is nothing to dispute",
    "NotInTree(uint64,uint16)": (
        "what was shown does not lead to the root of hospital {hospital} in round {round}: take leaf, lanes and "
        "siblings from its own tree"
    ),
    "NoFault()": "what was shown is in order: there is no fault to prove",
    "AlreadyConvicted(uint64,uint16)": (
        "hospital {hospital} was convicted over round {round} already: an entry is slashed once"
    ),
    "NotSignedByHospital(uint16,address)": (
        "the receipt is signed by {signer}, which was not the account of hospital {hospital} in that round"
    ),
    "AlreadyDemanded(uint64,uint16,uint16)": (
        "leaves of hospital {hospital} in round {round} are demanded or drawn already by hospital {by} (0: by anybody "
        "who is none): each hospital has one draw, so ask another one to demand"
    ),
    "NothingToOpen(uint64,uint16)": (
        "no leaf of hospital {hospital} in round {round} has weight, volume or compute: there is nothing to open"
    ),
    "OpeningsUnavailable()": (
        "this consortium takes entries in clear, whose leaves are bound to no device: open a dispute instead "
        "(`fediomt dispute open`)"
    ),
    "NothingToDraw(uint256)": (
        "challenge {challenge_id} demands no leaves, or they are drawn: `fediomt dispute demand` makes one that does"
    ),
    "DrawNotReady(uint256)": "leaves can be drawn from block {from_block} on: wait for it",
    "NotAsked(uint256,uint256)": (
        "challenge {challenge_id} does not ask for leaf {index}, or not any more: see `fediomt dispute show`"
    ),
    "WrongLeaf(uint256,uint256,uint256)": (
        "the drawn point {point} is not on this leaf, which covers {size} from {before} on: open the one that has it"
    ),
    "NotBound(address)": "the leaf was not made for {account}: open it with the account that its salt names",
    "AccountReused(address,uint32)": "{account} was shown for slot {slot} already: a device stands for one leaf",
    "NotOnRoster(address)": "{account} is not on the roster that the hospital registered with these keys and path",
    "WrongPlan()": "the plan is of another round or hospital: take the cohort's own",
    "NotSignedByDevice(address,address)": "{signer} signed this, not {account}: take the device's own signature",
}
