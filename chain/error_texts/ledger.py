"""What the errors of ContributionLedger mean, and what to do."""

from __future__ import annotations

LEDGER_TEXTS = {
    "InvalidParameter(string)": "deployment parameter {name} is out of range: correct it and deploy again",
    "RuleFieldTooLarge(uint256,uint256,uint256)": (
        "the reward rule's {field:rule_field} is {value}: give at most {maximum}"
    ),
    "WeightsMustSumTo10000(uint256)": "the reward rule's three weights sum to {sum}: they must sum to 10000",
    "SharesMustSumTo10000(uint256)": "the reward rule's two shares sum to {sum}: they must sum to 10000",
    "UnknownRule(uint16)": "there is no reward rule {rule_id}",
    "NotCoordinator(address)": (
        "{caller} is not the coordinator of the round: send with the coordinator's key"
    ),
    "HospitalNotActive(uint16)": "hospital {hospital} is not active: post its bond, or have it reinstated",
    "NotInRound(uint64,uint16)": (
        "hospital {hospital} was not active when round {round} opened: wait for the next round"
    ),
    "UnexpectedRound(uint64,uint64)": "round {round} cannot be opened: the next one is {expected}",
    "PreviousRoundOpen(uint64)": "round {round} is still open: close it first",
    "IdlePeriodRunning(uint64)": (
        "until {until:time} only the coordinator may open a round: wait or ask it to"
    ),
    "NoActiveHospitals()": "no hospital is active: admit hospitals and post their bonds first",
    "InvalidProfile(uint8)": "there is no profile {profile}: use 0 accountable, 1 hospital or 2 private",
    "RhoAboveCap(uint64,uint64)": (
        "declared rho of {rho_micro} millionths is above the cap of {cap_micro}: add noise or "
        "train fewer rounds"
    ),
    "ZeroDigest()": "a digest is zero: give the hash that is meant",
    "EmptyRoster()": "the roster is empty: enrol devices first",
    "EpochNotRegistered(uint16,uint64)": (
        "hospital {hospital} has not registered for epoch {epoch}: call registerEpoch first"
    ),
    "EpochAlreadyRegistered(uint16,uint64)": (
        "hospital {hospital} has registered for epoch {epoch} already: go on with what it registered"
    ),
    "EpochPassed(uint64,uint64)": "epoch {epoch} is over, the present one is {current}: register for that",
    "WrongPhase(uint64,uint8,uint8)": (
        "round {round} is in its {actual:phase} phase, this belongs to the {expected:phase} "
        "phase: act in the order of the round"
    ),
    "NotAdvanceable(uint64,uint8)": (
        "round {round} is in its {actual:phase} phase, which `advance` does not end: fix the "
        "beacon, or close the round"
    ),
    "AlreadyActed(uint64,uint8,uint16)": (
        "hospital {hospital} has already acted in the {phase:phase} phase of round {round}: "
        "nothing is left to do in it"
    ),
    "DeadlineNotReached(uint64,uint64)": (
        "not everybody has acted in round {round}, and its deadline is {deadline:time}: wait until then"
    ),
    "BeaconNotReady(uint64,uint256)": (
        "the beacon of round {round} is known from block {from_block} on: wait for that block"
    ),
    "NotCommitted(uint64,uint16)": (
        "hospital {hospital} has not committed scores in round {round}: there is nothing that it could reveal"
    ),
    "CommitmentMismatch(uint64,uint16)": (
        "what hospital {hospital} reveals in round {round} is not what it committed to: reveal "
        "the same scores, model score, digest and salt"
    ),
    "WrongScoreWords(uint256,uint256)": (
        "{given} words of scores where {expected} are needed: pack the scores for the hospitals of the round"
    ),
    "InvalidScores(uint256,uint256)": (
        "word {index} of the packed scores has a score above 10000 or for nobody: score the other "
        "hospitals of the round with 0..10000, nobody else"
    ),
    "SelfScored(uint16,uint256)": (
        "hospital {hospital} gives itself a score of {score}: leave its own score out"
    ),
    "InvalidModelScore(uint16)": "model score {score} is above 10000",
    "NotReady(uint64,uint16)": (
        "hospital {hospital} submitted no ready list in round {round}: it takes part again in the next round"
    ),
    "DisclosureOff()": (
        "this consortium did not choose at deployment that devices' scores may be disclosed: submit a "
        "plain entry"
    ),
    "TooFewDevices(uint256,uint256)": (
        "the entry sums {n} devices, the minimum is {k_min}: more devices must take part"
    ),
    "ImplausibleSums(uint256)": "the entry's sums cannot come from that many devices: rebuild the tree",
    "NotDisputeCourt(address)": (
        "{caller} is not the dispute court: only the court freezes and voids entries, and slashes bonds"
    ),
    "NoEntry(uint64,uint16)": "hospital {hospital} has no entry in round {round}",
    "AlreadyHeld(uint64,uint16)": (
        "the entry of hospital {hospital} in round {round} is frozen or voided already"
    ),
    "NotFrozen(uint64,uint16)": (
        "the entry of hospital {hospital} in round {round} is not frozen: freeze it first"
    ),
    "ChallengeWindowOver(uint64,uint64)": (
        "the challenge window of round {round} ended {ended_at:time}: its entries stand"
    ),
    "FreezeRunning(uint64,uint16,uint64)": (
        "the entry of hospital {hospital} in round {round} is frozen until {until:time}: only the"
        " court releases it before"
    ),
}
