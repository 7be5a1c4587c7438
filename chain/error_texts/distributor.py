"""What the errors of RewardDistributor mean, and what to do."""

from __future__ import annotations

DISTRIBUTOR_TEXTS = {
    "ClaimsPaused()": "claims are paused by the guardian: try again when the pause is over (7 days at most)",
    "NotClosed(uint64)": "round {round} is not closed: nothing can be claimed yet",
    "NotPaid(uint64)": "round {round} closed without a quorum: it pays nothing, its emission rolls over",
    "WindowOpen(uint64,uint64)": (
        "round {round} can be claimed from {claimable_at:time} on: wait for the challenge window"
    ),
    "InvalidProof(uint64,uint16,uint32)": (
        "the leaf at slot {slot} does not prove against the entry of hospital {hospital} in round"
        " {round}: check the receipt, or ask the hospital for a correct one"
    ),
    "AlreadyClaimed(uint64,uint16,uint32)": (
        "slot {slot} of hospital {hospital} was paid for round {round} already: leave that round out"
    ),
    "TreasuryAlreadyClaimed(uint64,uint16)": (
        "the treasury of hospital {hospital} was paid for round {round} already: leave that round out"
    ),
    "NotPayee(address,address)": (
        "the leaf pays {payee}, not {expected}: claim with the payee's key, or with its consent"
    ),
    "NotHospitalAccount(uint16,address)": (
        "{caller} does not act for hospital {hospital}: claim with the hospital's key"
    ),
    "OddSlot(uint32)": "slot {slot} is odd and holds a dummy, which is never paid: claim a real leaf",
    "LeafAboveCap(uint32,uint256,uint256)": (
        "the leaf at slot {slot} has a score of {score}, the cap is {cap}: the hospital's entry "
        "is wrong, report it"
    ),
    "UnknownDeviceClass(uint8)": "there is no device class {device_class}: use 0..3",
    "ConsentExpired(uint256)": "the consent expired {deadline:time}: ask the payee for a new one",
    "BadConsent(address)": (
        "the consent was not signed by {payee}: ask the payee to sign exactly what is sent"
    ),
    "NotRelayer(address,address)": (
        "the consent names {relayer} as relayer, not {caller}: send with that key"
    ),
    "RoundNotConsented(uint64,uint64,uint64)": (
        "the consent covers rounds {from_round} to {to_round}, not {round}: leave the round out "
        "or ask for a new consent"
    ),
}
