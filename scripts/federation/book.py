"""Where a run's rounds are recorded: an interface, and its form without a chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fl_core.cohorts import beacon_of_run
from fl_core.round_plan import RoundPlan
from fl_core.secagg import Roster
from incentives import Finding, HospitalEntry, RewardRule
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import RoundRecord, ValidatorRecord


@dataclass(frozen=True)
class Submission:
    """What a hospital submits for a round: its entry, and the digest of its part of the bundle (32 bytes)."""

    entry: HospitalEntry
    bundle_digest: bytes


@dataclass(frozen=True)
class Registration:
    """What a hospital fixes for an epoch: its roster, and a commitment to its own keys and noise seed (32 bytes)."""

    roster: Roster
    commitment: bytes


class RoundBook(Protocol):
    """The record of rounds that all hospitals share, in the order of DESIGN.md section 12."""

    @property
    def chain_id(self) -> int:
        """Id of the chain, 0 without one."""

    @property
    def ledger(self) -> bytes:
        """Address of the ledger, 20 bytes; zeros without a chain."""

    @property
    def next_round(self) -> int:
        """The round that `open` will open."""

    @property
    def rule(self) -> RewardRule:
        """The reward rule that the next round freezes."""

    def register_epoch(self, epoch: int, registrations: Mapping[int, Registration]) -> None:
        """Record what each hospital fixes for an epoch."""

    def open(self, plan: RoundPlan) -> None:
        """Open a round."""

    def ready(self, round_number: int, digests: Mapping[int, bytes]) -> bytes:
        """Record the ready lists' digests, then return the beacon (32 bytes) that nobody knew before."""

    def publish(self, round_number: int, model_hash: bytes) -> None:
        """Record the hash of the new model."""

    def value(self, round_number: int, said: Mapping[int, ValidatorRecord]) -> None:
        """Commit and then reveal what each hospital says of the others' cohorts."""

    def begin_signing(self, round_number: int, hospitals: Collection[int]) -> frozenset[int]:
        """Those of the hospitals that may sign what they say of a round; the others have, before they were killed."""

    def enter(self, round_number: int, entries: Mapping[int, Submission]) -> None:
        """Record each hospital's entry."""

    def facts(self, round_number: int) -> LedgerFacts | None:
        """The round as recorded so far, or None without a chain."""

    def object_to(
        self, record: RoundRecord, held: Mapping[int, Sequence[Finding]], objectors: Collection[int]
    ) -> None:
        """Have the entries voided that the objectors hold something against, before the round is closed."""

    def attest(self, round_number: int, digests: Mapping[int, bytes]) -> None:
        """Record each hospital's attestation of the round's bundle."""

    def close(self, round_number: int) -> None:
        """Close the round."""


class OfflineBook:
    """The record of a run without a chain: beacons come from the run's seed, bundles are all there is."""

    def __init__(self, *, seed: int, rule: RewardRule, rounds_done: int = 0) -> None:
        """Start after the rounds done."""
        self._seed = seed
        self._rule = rule
        self._next_round = rounds_done + 1

    @property
    def chain_id(self) -> int:
        """There is no chain."""
        return 0

    @property
    def ledger(self) -> bytes:
        """There is no ledger."""
        return bytes(20)

    @property
    def next_round(self) -> int:
        """The round after the last one closed."""
        return self._next_round

    @property
    def rule(self) -> RewardRule:
        """The rule given."""
        return self._rule

    def register_epoch(self, epoch: int, registrations: Mapping[int, Registration]) -> None:
        """Nothing to record."""

    def open(self, plan: RoundPlan) -> None:
        """Nothing to record."""

    def ready(self, round_number: int, digests: Mapping[int, bytes]) -> bytes:
        """SHA-256 of (run seed, round)."""
        return beacon_of_run(self._seed, round_number)

    def publish(self, round_number: int, model_hash: bytes) -> None:
        """Nothing to record."""

    def value(self, round_number: int, said: Mapping[int, ValidatorRecord]) -> None:
        """Nothing to record."""

    def begin_signing(self, round_number: int, hospitals: Collection[int]) -> frozenset[int]:
        """All of them: there is no court that could hold a second version against anybody."""
        return frozenset(hospitals)

    def enter(self, round_number: int, entries: Mapping[int, Submission]) -> None:
        """Nothing to record."""

    def facts(self, round_number: int) -> LedgerFacts | None:
        """There is no ledger."""
        return None

    def object_to(
        self, record: RoundRecord, held: Mapping[int, Sequence[Finding]], objectors: Collection[int]
    ) -> None:
        """There is no court: whoever finds a difference does not attest."""

    def attest(self, round_number: int, digests: Mapping[int, bytes]) -> None:
        """Nothing to record."""

    def close(self, round_number: int) -> None:
        """Move on to the next round."""
        self._next_round = round_number + 1
