"""Client of `ContributionLedger`: the calls of a round, and what is recorded about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from chain.clock import Clock, head
from chain.connect import chain_id_of
from chain.contract import Contract
from chain.errors import RecordError
from chain.packing import ids_of, pack_node, quality_commitment, unpack_rule
from chain.phases import Phase, Standing
from chain.receipts import Receipt
from chain.records import (
    ClaimTerms,
    EntryRecord,
    EpochRegistration,
    Lanes,
    LedgerParams,
    RoundRecord,
    RuleRecord,
)
from chain.sender import Sender
from chain.shapes import NodeLike, RuleLike

_ANCHOR_ATTEMPTS = 4


def epoch_of(round_number: int) -> int:
    """The epoch of 256 rounds that a round belongs to."""
    return round_number >> 8


class LedgerClient(Contract):
    """Rounds, entries, rules. Writes raise as `Sender.send` does; hashes and digests have 32 bytes."""

    contract = "ContributionLedger"

    @cached_property
    def chain_id(self) -> int:
        """Id of the chain that the ledger is on."""
        return chain_id_of(self.w3)

    def register_epoch(
        self, sender: Sender, epoch: int, roster_root: bytes, roster_size: int, noise_seed_commitment: bytes
    ) -> Receipt:
        """A hospital registers its roster and its noise seed, once an epoch."""
        return self.transact(sender, "registerEpoch", epoch, roster_root, roster_size, noise_seed_commitment)

    def set_rule(self, sender: Sender, rule: RuleLike) -> int:
        """Governance adds a reward rule for rounds opened from now on; returns its id."""
        return int(self.event_in(self.transact(sender, "setRule", rule), "RuleSet").values["rule_id"])

    def open_round(
        self,
        sender: Sender,
        round_number: int,
        *,
        profile: int,
        spec_hash: bytes,
        model_hash: bytes,
        rho_micro: int = 0,
    ) -> Receipt:
        """The coordinator (after the idle period any active hospital) opens the next round."""
        return self.transact(sender, "openRound", round_number, profile, spec_hash, model_hash, rho_micro)

    def submit_ready(self, sender: Sender, round_number: int, digest: bytes) -> Receipt:
        """A hospital submits the digest of its ready list."""
        return self.transact(sender, "submitReady", round_number, digest)

    def advance(self, sender: Sender, round_number: int) -> Receipt:
        """Anyone ends a phase whose deadline has passed."""
        return self.transact(sender, "advance", round_number)

    def fix_beacon(self, sender: Sender, round_number: int) -> bytes | None:
        """Anyone fixes the beacon; returns it, or None if its block was missed and it was anchored anew."""
        receipt = self.transact(sender, "fixBeacon", round_number)
        fixed = self.events_in(receipt, "BeaconFixed")
        return bytes(fixed[0].values["beacon"]) if fixed else None

    def await_beacon(self, sender: Sender, round_number: int, clock: Clock) -> bytes:
        """Wait for the beacon's block, fix the beacon, and return it (32 bytes).

        Raises:
            RecordError: its block was missed again and again.
        """
        for _ in range(_ANCHOR_ATTEMPTS):
            known_from = self.round(round_number).ready_block + 2
            missing = known_from - head(self.w3)[0]
            if missing > 0:
                clock.wait_blocks(missing)
            beacon = self.fix_beacon(sender, round_number)
            if beacon is not None:
                return beacon
        raise RecordError(
            f"the beacon of round {round_number} was missed {_ANCHOR_ATTEMPTS} times: call it sooner"
        )

    def publish_model(self, sender: Sender, round_number: int, model_hash_after: bytes) -> Receipt:
        """The coordinator (or the hospital that opened the round) publishes the model that came out."""
        return self.transact(sender, "publishModel", round_number, model_hash_after)

    def commit_quality(self, sender: Sender, round_number: int, commitment: bytes) -> Receipt:
        """A hospital commits to its scores of the others; see `commitment`."""
        return self.transact(sender, "commitQuality", round_number, commitment)

    def reveal_quality(
        self,
        sender: Sender,
        round_number: int,
        packed_scores: Sequence[int],
        *,
        model_score: int,
        utilities_digest: bytes,
        salt: bytes,
    ) -> Receipt:
        """A hospital reveals what it committed to."""
        return self.transact(
            sender, "revealQuality", round_number, packed_scores, model_score, utilities_digest, salt
        )

    def submit_entry(
        self, sender: Sender, round_number: int, left: NodeLike, right: NodeLike, bundle_digest: bytes
    ) -> Receipt:
        """A hospital submits the two children of its tree's root."""
        return self.transact(
            sender, "submitEntry", round_number, pack_node(left), pack_node(right), bundle_digest
        )

    def submit_disclosed_entry(
        self,
        sender: Sender,
        round_number: int,
        *,
        salt: bytes,
        devices: bytes,
        payees: bytes,
        bundle_digest: bytes,
    ) -> Receipt:
        """A hospital submits its devices' scores in clear; see `incentives.build_disclosed_entry`."""
        return self.transact(
            sender, "submitDisclosedEntry", round_number, salt, devices, payees, bundle_digest
        )

    def attest(self, sender: Sender, round_number: int, round_digest: bytes) -> Receipt:
        """A hospital attests the round's digest after recomputing it."""
        return self.transact(sender, "attest", round_number, round_digest)

    def close_round(self, sender: Sender, round_number: int) -> Receipt:
        """Anyone closes the round: medians, allocations, emission."""
        return self.transact(sender, "closeRound", round_number)

    def freeze_entry(self, sender: Sender, round_number: int, hospital: int) -> Receipt:
        """The dispute court holds an entry back."""
        return self.transact(sender, "freezeEntry", round_number, hospital)

    def release_entry(self, sender: Sender, round_number: int, hospital: int) -> Receipt:
        """The dispute court (later anyone) releases a frozen entry."""
        return self.transact(sender, "releaseEntry", round_number, hospital)

    def void_entry(self, sender: Sender, round_number: int, hospital: int) -> Receipt:
        """The dispute court voids a frozen entry."""
        return self.transact(sender, "voidEntry", round_number, hospital)

    def commitment(
        self,
        round_number: int,
        hospital: int,
        packed_scores: Sequence[int],
        *,
        model_score: int,
        utilities_digest: bytes,
        salt: bytes,
    ) -> bytes:
        """What `commit_quality` takes, computed here (32 bytes)."""
        return quality_commitment(
            chain_id=self.chain_id,
            ledger=self.address,
            round_number=round_number,
            hospital=hospital,
            packed_scores=packed_scores,
            model_score=model_score,
            utilities_digest=utilities_digest,
            salt=salt,
        )

    def params(self) -> LedgerParams:
        """What was fixed at deployment."""
        return LedgerParams(**self.call("params"))

    def current_round(self) -> int:
        """The last round opened; 0 before the first."""
        return int(self.call("currentRound"))

    def round(self, round_number: int) -> RoundRecord:
        """A round."""
        return self.rounds([round_number])[0]

    def rounds(self, numbers: Sequence[int]) -> tuple[RoundRecord, ...]:
        """Several rounds, in one request."""
        views = self.call_many([("round", [number]) for number in numbers])
        return tuple(round_record(number, view) for number, view in zip(numbers, views, strict=True))

    def entry(self, round_number: int, hospital: int) -> EntryRecord:
        """A hospital's part in a round."""
        return self.entries(round_number, [hospital])[0]

    def entries(self, round_number: int, hospitals: Sequence[int]) -> tuple[EntryRecord, ...]:
        """Several hospitals' parts in a round, in one request."""
        views = self.call_many([("entry", [round_number, hospital]) for hospital in hospitals])
        return tuple(
            entry_record(round_number, hospital, view)
            for hospital, view in zip(hospitals, views, strict=True)
        )

    def claim_terms(self, round_number: int, hospital: int) -> ClaimTerms:
        """What decides on a claim against a hospital's entry."""
        standing, scored, root, allocation, packed = self.call(
            "claimBasis", round_number, hospital, round_number
        )
        return ClaimTerms(Standing(standing), bool(scored), bytes(root), int(allocation), unpack_rule(packed))

    def rule(self, rule_id: int) -> RuleRecord:
        """A reward rule.

        Raises:
            ContractError: UnknownRule.
        """
        return RuleRecord(**self.call("rule", rule_id))

    def latest_rule_id(self) -> int:
        """The rule that the next round will freeze."""
        return int(self.call("latestRuleId"))

    def acted(self, round_number: int, phase: Phase, hospital: int) -> bool:
        """Whether a hospital has acted in a phase."""
        return bool(self.call("acted", round_number, int(phase), hospital))

    def commitment_of(self, round_number: int, hospital: int) -> bytes:
        """The open round's commitment of a hospital; zeros before the commit and after the reveal."""
        return bytes(self.call("commitmentOf", round_number, hospital))

    def attestations(self, round_number: int, round_digest: bytes) -> frozenset[int]:
        """The hospitals that attested a digest."""
        return ids_of(int(self.call("attestations", round_number, round_digest)))

    def total_allocated(self) -> int:
        """Everything allocated so far, less what was voided."""
        return int(self.call("totalAllocated"))

    def next_emission(self) -> int:
        """Base emission of the next round to close."""
        return int(self.call("nextEmission"))

    def rolled_over(self) -> int:
        """Base emission of unpaid rounds that waits for the next paid one."""
        return int(self.call("rolledOver"))

    def best_model_score(self) -> int | None:
        """The best median model score so far, or None before the first."""
        score, known = self.call("bestModelScore")
        return int(score) if known else None

    def last_quality(self, hospital: int) -> int:
        """The last quality accepted for a hospital; 10_000 for a newcomer."""
        return int(self.call("lastQuality", hospital))

    def epoch_registration(self, hospital: int, epoch: int) -> EpochRegistration:
        """A hospital's registration for an epoch; zeros without one."""
        return EpochRegistration(**self.call("epochRegistration", hospital, epoch))


def round_record(number: int, view: dict[str, Any]) -> RoundRecord:
    """A round from its view."""
    active = ids_of(view.pop("active_set"))
    return RoundRecord(**{**view, "round": number, "phase": Phase(view["phase"]), "active": active})


def entry_record(number: int, hospital: int, view: dict[str, Any]) -> EntryRecord:
    """A hospital's part in a round from its view."""
    return EntryRecord(**{**view, "round": number, "hospital": hospital, "lanes": Lanes(**view["lanes"])})
