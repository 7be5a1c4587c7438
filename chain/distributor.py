"""Client of `RewardDistributor`: claims of devices, of relayers and of treasuries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eth_utils.address import to_canonical_address

from chain.connect import chain_id_of
from chain.contract import Contract, Event
from chain.keys import Key
from chain.packing import pack_node
from chain.receipts import Receipt
from chain.records import Claim, Consent
from chain.sender import Sender
from chain.signing import Domain, EthereumSigner, TypedMessage


@dataclass(frozen=True)
class PaidClaim:
    """A leaf that was paid. `amount` in the token's smallest unit."""

    round: int
    hospital: int
    slot: int
    payee: str
    amount: int
    block: int
    transaction: str


@dataclass(frozen=True)
class PaidTreasury:
    """A treasury's part of a round that was paid."""

    round: int
    hospital: int
    account: str
    amount: int
    block: int
    transaction: str


@dataclass(frozen=True)
class SkippedClaim:
    """A leaf whose claim was passed over: its entry is frozen (and can pay later), voided, missing or forfeited."""

    round: int
    hospital: int
    slot: int
    block: int
    transaction: str


@dataclass(frozen=True)
class SkippedTreasury:
    """A treasury's claim that was passed over, for the reasons that leaves are."""

    round: int
    hospital: int
    block: int
    transaction: str


Settled = PaidClaim | PaidTreasury | SkippedClaim | SkippedTreasury
"""What became of a claim."""

SETTLED: dict[str, type[Settled]] = {
    "Claimed": PaidClaim,
    "TreasuryClaimed": PaidTreasury,
    "ClaimSkipped": SkippedClaim,
    "TreasurySkipped": SkippedTreasury,
}
"""By the event that says so."""


@dataclass(frozen=True)
class Payout:
    """What a claiming transaction did.

    Attributes:
        receipt: of the transaction.
        claims: leaves that were paid.
        treasury: treasury parts that were paid.
        skipped: (round, hospital) of entries that are frozen or voided.
    """

    receipt: Receipt
    claims: tuple[PaidClaim, ...] = ()
    treasury: tuple[PaidTreasury, ...] = ()
    skipped: tuple[tuple[int, int], ...] = ()

    @property
    def amount(self) -> int:
        """What was minted."""
        return sum(item.amount for item in self.claims) + sum(item.amount for item in self.treasury)


class DistributorClient(Contract):
    """Pays allocations out. Writes raise as `Sender.send` does."""

    contract = "RewardDistributor"

    def claim(self, sender: Sender, claims: Sequence[Claim]) -> Payout:
        """The payee claims leaves; one bad claim refuses all."""
        return self.payout(self.transact(sender, "claim", [claim_tuple(item) for item in claims]))

    def claim_for(
        self, sender: Sender, claims: Sequence[Claim], consent: Consent, signature: bytes
    ) -> Payout:
        """A relayer claims leaves for their payee, who gets what is minted."""
        packed = [claim_tuple(item) for item in claims]
        return self.payout(self.transact(sender, "claimFor", packed, consent, signature))

    def claim_treasury(self, sender: Sender, hospital: int, rounds: Sequence[int]) -> Payout:
        """The hospital claims the operator's share and the leaves without a payee."""
        return self.payout(self.transact(sender, "claimTreasury", hospital, list(rounds)))

    def pause_claims(self, sender: Sender) -> Receipt:
        """The consortium's guardian pauses claims for seven days at most."""
        return self.transact(sender, "pauseClaims")

    def unpause_claims(self, sender: Sender) -> Receipt:
        """The consortium's guardian lifts the pause."""
        return self.transact(sender, "unpauseClaims")

    def claims_paused(self) -> bool:
        """Whether claims are paused now."""
        return bool(self.call("claimsPaused"))

    def pause_state(self) -> tuple[int, int]:
        """Until when claims are paused, and from when they may be paused again (unix seconds)."""
        until, next_pause = self.call("pauseState")
        return int(until), int(next_pause)

    def claimable_up_to(self) -> int:
        """The last round that a claim has found claimable; 0 before the first."""
        return int(self.call("claimableUpTo"))

    def is_claimed(self, round_number: int, hospital: int, slot: int) -> bool:
        """Whether a leaf was paid."""
        return bool(self.call("isClaimed", round_number, hospital, slot))

    def is_treasury_claimed(self, round_number: int, hospital: int) -> bool:
        """Whether a treasury was paid for a round."""
        return bool(self.call("isTreasuryClaimed", round_number, hospital))

    def claimed_rounds(self, hospital: int, epoch: int, slot: int) -> frozenset[int]:
        """The rounds of an epoch in which a slot was paid."""
        return _rounds(epoch, int(self.call("claimedWord", hospital, epoch, slot)))

    def treasury_claimed_rounds(self, hospital: int, epoch: int) -> frozenset[int]:
        """The rounds of an epoch in which a treasury was paid."""
        return _rounds(epoch, int(self.call("treasuryClaimedWord", hospital, epoch)))

    def consent_message(self, consent: Consent) -> TypedMessage:
        """The EIP-712 message that a payee signs."""
        return consent_message(consent, chain_id=chain_id_of(self.w3), distributor=self.address)

    def sign_consent(self, key: Key, consent: Consent) -> bytes:
        """A payee's signature over its consent (65 bytes)."""
        return EthereumSigner(key).sign(self.consent_message(consent))

    def claims(
        self,
        *,
        from_block: int = 0,
        round_number: int | None = None,
        hospital: int | None = None,
        payee: str | None = None,
    ) -> Iterator[PaidClaim]:
        """Leaves paid so far, optionally of one round, hospital or payee."""
        for event in self.read_events(
            "Claimed", from_block=from_block, indexed=[round_number, hospital, payee]
        ):
            yield _paid_claim(event)

    def treasury_claims(
        self, *, from_block: int = 0, round_number: int | None = None, hospital: int | None = None
    ) -> Iterator[PaidTreasury]:
        """Treasury parts paid so far, optionally of one round or hospital."""
        for event in self.read_events(
            "TreasuryClaimed", from_block=from_block, indexed=[round_number, hospital]
        ):
            yield _paid_treasury(event)

    def settled(self, *, from_block: int = 0, round_number: int | None = None) -> Iterator[Settled]:
        """What became of every claim so far, optionally of one round, in the chain's order."""
        for event in self.read_events(*SETTLED, from_block=from_block, indexed=[round_number]):
            yield SETTLED[event.name](**event.values, block=event.block, transaction=event.transaction)

    def payout(self, receipt: Receipt) -> Payout:
        """What a claiming transaction did, from its events."""
        skipped = self.events_in(receipt, "ClaimSkipped", "TreasurySkipped")
        return Payout(
            receipt=receipt,
            claims=tuple(_paid_claim(event) for event in self.events_in(receipt, "Claimed")),
            treasury=tuple(_paid_treasury(event) for event in self.events_in(receipt, "TreasuryClaimed")),
            skipped=tuple((event.values["round"], event.values["hospital"]) for event in skipped),
        )


def claim_tuple(claim: Claim) -> tuple[int, int, object, list[tuple[bytes, int]]]:
    """A claim as the distributor's ABI takes it."""
    return claim.round, claim.hospital, claim.leaf, [pack_node(node) for node in claim.siblings]


def consent_message(consent: Consent, *, chain_id: int, distributor: str) -> TypedMessage:
    """The EIP-712 message that a payee signs, on a given chain and distributor."""
    domain = Domain("FedIoMT RewardDistributor", "1", chain_id, to_canonical_address(distributor))
    return TypedMessage(
        domain,
        "Consent",
        (
            ("payee", "address", to_canonical_address(consent.payee)),
            ("relayer", "address", to_canonical_address(consent.relayer)),
            ("fromRound", "uint64", consent.from_round),
            ("toRound", "uint64", consent.to_round),
            ("deadline", "uint256", consent.deadline),
        ),
    )


def _paid_claim(event: Event) -> PaidClaim:
    return PaidClaim(**event.values, block=event.block, transaction=event.transaction)


def _paid_treasury(event: Event) -> PaidTreasury:
    return PaidTreasury(**event.values, block=event.block, transaction=event.transaction)


def _rounds(epoch: int, word: int) -> frozenset[int]:
    return frozenset(epoch * 256 + bit for bit in range(256) if word >> bit & 1)
