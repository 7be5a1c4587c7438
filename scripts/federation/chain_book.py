"""The record of a run on a chain: every hospital signs with its own key, the coordinator with its."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from chain.clock import Clock
from chain.contracts import Contracts
from chain.history import read_round
from chain.packing import pack_scores
from chain.phases import Phase
from chain.sender import Sender
from fl_core.round_plan import RoundPlan
from fl_core.spec import epoch_of
from incentives import Finding, RewardRule
from scripts.console.errors import CommandError
from scripts.federation.book import Registration, Submission
from scripts.federation.facts import LedgerFacts
from scripts.federation.ledger_facts import facts_of
from scripts.federation.objections import void_entries
from scripts.federation.record import RoundRecord, ValidatorRecord
from scripts.federation.signing_journal import SigningJournal

T = TypeVar("T")


@dataclass(frozen=True)
class Signatories:
    """Who sends: the coordinator, and each hospital by its id."""

    coordinator: Sender
    hospitals: Mapping[int, Sender]


class ChainBook:
    """Records rounds on a `ContributionLedger`."""

    def __init__(
        self,
        contracts: Contracts,
        signatories: Signatories,
        clock: Clock,
        *,
        signed: Path,
        resumed: bool = False,
    ) -> None:
        """Take over where the ledger stands; a round left open by an earlier run is closed unpaid.

        Args:
            contracts: the deployment.
            signatories: who sends.
            clock: how phases' time passes.
            signed: folder where the hospitals note what they have signed, the same for every run on this ledger.
            resumed: the run was recorded here before: what it left open is settled by whoever resumes it.

        Raises:
            CommandError: a key is not that of the hospital it should be.
        """
        self._ledger = contracts.ledger
        self._contracts = contracts
        self._coordinator = signatories.coordinator
        self._hospitals = signatories.hospitals
        self._clock = clock
        self._journal = SigningJournal(
            signed, chain_id=self.chain_id, genesis=self._coordinator.genesis, ledger=self.ledger
        )
        self._k_min = contracts.ledger.params().k_min
        for hospital, sender in self._hospitals.items():
            found = contracts.consortium.hospital_id_of(sender.address)
            if found != hospital:
                raise CommandError(
                    f"{sender.address} is not the account of hospital {hospital} here: run `fediomt deploy` again, "
                    "or use the keys that it was admitted with"
                )
        if not resumed:
            self._require_free_epoch(epoch_of(contracts.ledger.current_round()))
            self.abandon_open_round()

    @property
    def chain_id(self) -> int:
        """Id of the chain."""
        return self._ledger.chain_id

    @property
    def ledger(self) -> bytes:
        """Address of the ledger, 20 bytes."""
        return bytes.fromhex(self._ledger.address[2:])

    @property
    def next_round(self) -> int:
        """The round after the ledger's last one."""
        return self._ledger.current_round() + 1

    @property
    def rule(self) -> RewardRule:
        """The ledger's latest rule."""
        return RewardRule(**asdict(self._ledger.rule(self._ledger.latest_rule_id())))

    def register_epoch(self, epoch: int, registrations: Mapping[int, Registration]) -> None:
        """Each hospital registers its roster, and commits to keys and a noise seed of its own; once.

        Raises:
            CommandError: another run has registered other rosters for this epoch.
        """
        for hospital, sender in self._hospitals.items():
            roster, commitment = registrations[hospital].roster, registrations[hospital].commitment
            found = self._ledger.epoch_registration(hospital, epoch)
            if (found.roster_root, found.noise_seed_commitment) == (roster.root, commitment):
                continue
            self._require_free_epoch(epoch, hospital)
            self._ledger.register_epoch(sender, epoch, roster.root, roster.size, commitment)

    def open(self, plan: RoundPlan) -> None:
        """The coordinator opens the round, and declares the rho that it costs; 0 while noise is off.

        Raises:
            CommandError: cohorts would be smaller than the ledger allows.
        """
        if plan.spec.k_min < self._k_min:
            raise CommandError(
                f"k_min {plan.spec.k_min} is below this ledger's {self._k_min}: take a larger --k-min, "
                "or deploy with a smaller one"
            )
        self._ledger.open_round(
            self._coordinator,
            plan.number,
            profile=plan.spec.profile.code,
            spec_hash=plan.spec.digest,
            model_hash=plan.model_hash,
            rho_micro=plan.spec.rho_micro,
        )

    def ready(self, round_number: int, digests: Mapping[int, bytes]) -> bytes:
        """Each hospital submits its ready list's digest; the beacon is a later block's hash."""
        self._each(digests, lambda sender, digest: self._ledger.submit_ready(sender, round_number, digest))
        self._await(round_number, Phase.BEACON)
        return self._ledger.await_beacon(self._coordinator, round_number, self._clock)

    def publish(self, round_number: int, model_hash: bytes) -> None:
        """The coordinator publishes the new model's hash."""
        self._ledger.publish_model(self._coordinator, round_number, model_hash)

    def value(self, round_number: int, said: Mapping[int, ValidatorRecord]) -> None:
        """Each hospital commits; once all have, each reveals."""
        count = self._ledger.round(round_number).hospital_count
        packed = {hospital: pack_scores(record.scores, count) for hospital, record in said.items()}
        digests = {
            hospital: record.utilities_digest(round_number, hospital) for hospital, record in said.items()
        }
        for hospital, record in said.items():
            commitment = self._ledger.commitment(
                round_number,
                hospital,
                packed[hospital],
                model_score=record.model_score,
                utilities_digest=digests[hospital],
                salt=record.salt,
            )
            self._ledger.commit_quality(self._hospitals[hospital], round_number, commitment)
        self._await(round_number, Phase.REVEAL)
        for hospital, record in said.items():
            self._ledger.reveal_quality(
                self._hospitals[hospital],
                round_number,
                packed[hospital],
                model_score=record.model_score,
                utilities_digest=digests[hospital],
                salt=record.salt,
            )
        self._await(round_number, Phase.ENTRY)

    def begin_signing(self, round_number: int, hospitals: Collection[int]) -> frozenset[int]:
        """Those of the hospitals that have signed nothing of the round before, which is on disk then."""
        return self._journal.begin(round_number, hospitals)

    def enter(self, round_number: int, entries: Mapping[int, Submission]) -> None:
        """Each hospital submits the children of its root and the digest of its part of the bundle."""

        def submit(sender: Sender, submission: Submission) -> object:
            left, right = submission.entry.children
            return self._ledger.submit_entry(sender, round_number, left, right, submission.bundle_digest)

        self._each(entries, submit)
        self._await(round_number, Phase.ATTEST)

    def facts(self, round_number: int) -> LedgerFacts | None:
        """The round as the ledger has it."""
        return facts_of(self._contracts, read_round(self._contracts, round_number))

    def object_to(
        self, record: RoundRecord, held: Mapping[int, Sequence[Finding]], objectors: Collection[int]
    ) -> None:
        """The first objector proves a fault, or challenges with a bond; the others vote."""
        void_entries(self._contracts, record, held, {h: self._hospitals[h] for h in objectors})

    def attest(self, round_number: int, digests: Mapping[int, bytes]) -> None:
        """Each hospital that has not yet attests the bundle's digest, as long as the round is open."""
        if self._ledger.round(round_number).phase is Phase.CLOSED:
            return
        done = {
            h for digest in set(digests.values()) for h in self._ledger.attestations(round_number, digest)
        }
        left = {hospital: digest for hospital, digest in digests.items() if hospital not in done}
        self._each(left, lambda sender, digest: self._ledger.attest(sender, round_number, digest))

    def close(self, round_number: int) -> None:
        """Close the round once everyone attested or the deadline passed, unless it is closed."""
        found = self._ledger.round(round_number)
        if found.phase is Phase.CLOSED:
            return
        entries = self._ledger.entries(round_number, sorted(found.active))
        if not all(entry.attested for entry in entries):
            self._clock.wait_until(found.phase_deadline)
        self._ledger.close_round(self._coordinator, round_number)

    def _require_free_epoch(self, epoch: int, *hospitals: int) -> None:
        """Rosters are registered once an epoch, and another run's devices are not this one's."""
        for hospital in hospitals or self._hospitals:
            if self._ledger.epoch_registration(hospital, epoch).roster_size:
                raise CommandError(
                    f"hospital {hospital} has registered another run's devices for epoch {epoch} on this ledger: "
                    "start a fresh one with `fediomt deploy --fresh`"
                )

    def _each(self, items: Mapping[int, T], act: Callable[[Sender, T], object]) -> None:
        for hospital, item in items.items():
            act(self._hospitals[hospital], item)

    def _await(self, round_number: int, phase: Phase) -> None:
        """Move on past a phase in which not everyone acted, once its deadline has passed."""
        while (found := self._ledger.round(round_number)).phase < phase:
            self._clock.wait_until(found.phase_deadline)
            self._ledger.advance(self._coordinator, round_number)

    def abandon_open_round(self) -> None:
        """Close what an interrupted run left open: unpaid, its base emission rolls over."""
        number = self._ledger.current_round()
        if number == 0:
            return
        while (found := self._ledger.round(number)).phase is not Phase.CLOSED:
            if found.phase is Phase.BEACON:
                self._ledger.await_beacon(self._coordinator, number, self._clock)
                continue
            self._clock.wait_until(found.phase_deadline)
            if found.phase is Phase.ATTEST:
                self._ledger.close_round(self._coordinator, number)
            else:
                self._ledger.advance(self._coordinator, number)
