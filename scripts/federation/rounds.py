"""The way of a round, end to end: plan, draw, secure sums, model, valuation, entries, attestation, closing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fl_core.checkpoint import Snapshot
from fl_core.cohorts import ReadyDevice, ready_digest
from fl_core.engine import RoundOutcome, WireBytes
from fl_core.models import model_digest
from fl_core.round_plan import RoundPlan
from fl_core.spec import epoch_of
from fl_core.stores import RunStore
from fl_core.threads import one_blas_thread
from fl_core.tiers import JOINT_HOSPITAL, Cloud, Release
from incentives import Finding, RoundEvidence, draw_slots, tree_width
from incentives.suspicion_watch import Watch
from scripts.federation.book import Registration, RoundBook, Submission
from scripts.federation.checks.root import check_root_update
from scripts.federation.contributions import (
    contributions_of,
    entry_of,
    evidence_of,
    forget_decoded,
    qualities,
    scores_of,
    valued_means,
)
from scripts.federation.objections import objections_of
from scripts.federation.part_signatures import answerable, needed_signatures, part_message
from scripts.federation.population import Population
from scripts.federation.quarantine import decide
from scripts.federation.receipt_signatures import receipt_message
from scripts.federation.receipts import seal_receipts
from scripts.federation.record import HospitalRecord, RoundRecord, ValidatorRecord
from scripts.federation.verify import RoundChecker, RoundRejectedError


@dataclass(frozen=True)
class RoundSummary:
    """What a round gave, for progress and report.

    Attributes:
        record: the round's record.
        digest: digest of its bundle.
        quality: decoded quality (0..10,000) by (hospital, device index).
        wire: bytes in both directions.
        accuracy: of the new model on the test rows.
        failed_cohorts: cohorts that failed closed.
        silent: devices that fell silent.
    """

    record: RoundRecord
    digest: bytes
    quality: dict[tuple[int, int], int]
    wire: WireBytes
    accuracy: float
    failed_cohorts: int
    silent: int


class Coordinator:
    """Drives a run's rounds over a population, a book and a store of bundles."""

    def __init__(
        self,
        *,
        run_id: str,
        population: Population,
        cloud: Cloud,
        book: RoundBook,
        store: RunStore,
        scoring: Mapping[str, object],
        accuracy: Callable[[NDArray[np.float32]], float],
    ) -> None:
        """Start before the first round.

        Args:
            run_id: the run's name.
            population: hospitals and devices, scaled features in place.
            cloud: the spec and the model.
            book: where rounds are recorded.
            store: where bundles and transcripts go.
            scoring: the scoring settings whose digest the spec holds.
            accuracy: accuracy of a model on the test rows.
        """
        self._run_id = run_id
        self._population = population
        self._cloud = cloud
        self._book = book
        self._store = store
        self._scoring = dict(scoring)
        self._accuracy = accuracy
        self._epoch = -1
        self._slots: dict[int, dict[bytes, int]] = {}
        self._history: dict[int, list[RoundEvidence]] = {h.id: [] for h in population.hospitals}
        self._watch: Watch | None = None
        self._checkers = {h.id: RoundChecker() for h in population.hospitals}
        self._handed: dict[
            int, bytes
        ] = {}  # signatures with which hospitals handed over their parts of a round

    @property
    def epoch(self) -> int:
        """The epoch whose keys are drawn, -1 before the first."""
        return self._epoch

    @property
    def next_epoch(self) -> int:
        """The epoch of the next round."""
        return epoch_of(self._book.next_round)

    def draw_epoch(self, epoch: int) -> None:
        """Fresh accounts, keys and slots."""
        population = self._population
        wire = population.engine.begin_epoch(epoch)
        population.setup_wire.up += wire.up
        population.setup_wire.down += wire.down
        rng = np.random.default_rng((population.settings.seed, 13, epoch))
        for hospital in population.hospitals:
            self._slots[hospital.id] = draw_slots([device.address for device in hospital.devices], rng)
            self._history[hospital.id] = []
        self._watch = None
        self._epoch = epoch

    def register_epoch(self) -> None:
        """Put on the book what hospitals fix for the epoch; nothing happens where it is there already."""
        hospitals = self._population.hospitals
        self._book.register_epoch(
            self._epoch, {h.id: Registration(h.edge.roster, h.edge.keys.commitment) for h in hospitals}
        )

    def snapshot(self) -> Snapshot:
        """What the coordinator holds between two rounds, but for what the rounds' bundles say."""
        slots = {
            str(h.id): [self._slots[h.id][device.address] for device in h.devices]
            for h in self._population.hospitals
        }
        return Snapshot(values={"epoch": self._epoch, "slots": slots})

    def restore(self, snapshot: Snapshot, records: Sequence[RoundRecord]) -> None:
        """Go on where a snapshot was taken; the population is restored before.

        Args:
            snapshot: what `snapshot` gave.
            records: the run's rounds in order. The last one may not be concluded yet: `conclude` it again.

        Raises:
            CheckpointError: the snapshot lacks something.
        """
        self._epoch, slots = int(snapshot.value("epoch")), snapshot.value("slots")
        for hospital in self._population.hospitals:
            devices = zip(hospital.devices, slots[str(hospital.id)], strict=True)
            self._slots[hospital.id] = {device.address: int(slot) for device, slot in devices}
        for record in (item for item in records if epoch_of(item.number) == self._epoch):
            self._watch, _ = decide(self._watch, record, self._history)
            for number, evidence in evidence_of(record).items():
                self._history[number].append(evidence)
        checker = RoundChecker()
        for record in records[:-1]:
            if epoch_of(record.number) == epoch_of(records[-1].number):
                checker.recall(record)
        self._checkers = {h: copy(checker) for h in self._checkers}

    def run_round(self) -> RoundSummary:
        """One round, from its opening until its bundle is on disk; `conclude` it then."""
        book, engine = self._book, self._population.engine
        plan = self._cloud.plan()
        number = plan.number
        rule = book.rule
        book.open(plan)
        ready = self._ready_lists(number)
        beacon = book.ready(number, {h: ready_digest(number, h, lines) for h, lines in ready.items()})
        outcome = engine.run_round(plan, ready, beacon)
        root_update = self._population.root_update(plan, beacon)
        model = self._cloud.combine(plan, outcome.releases, beacon, root_update)
        book.publish(number, model_digest(model))
        said = self._value(plan, model, outcome.releases, beacon)
        book.value(number, said)
        draft = RoundRecord(
            run=self._run_id,
            number=number,
            chain_id=book.chain_id,
            ledger=book.ledger,
            spec=plan.spec,
            scoring=self._scoring,
            rule=rule,
            beacon=beacon,
            model_before=plan.model,
            model_after=model,
            previous=plan.previous,
            joint=outcome.joint,
            total=next((r for r in outcome.releases if r.hospital == JOINT_HOSPITAL), None),
            root_update=root_update,
            hospitals={
                h.id: HospitalRecord(
                    hospital=h.id,
                    keys=h.edge.keys.advertisement.encode(),
                    seed_digest=h.edge.keys.seed_digest,
                    advertisements=tuple(a.encode() for a in h.edge.roster.values()),
                    ready=ready[h.id],
                    cohorts=tuple(c for c in outcome.cohorts if c.hospital == h.id),
                    releases=tuple(r for r in outcome.releases if r.hospital == h.id),
                    slots=self._slots[h.id],
                    contributions=(),
                    salts=(),
                    receipts={},
                )
                for h in self._population.hospitals
            },
            validators=said,
        )
        with one_blas_thread():  # as whoever recomputes it does
            record, quality, entries = self._contribute(draft)
        book.enter(number, entries)
        record = self._with_needed_signatures(record)
        for transcript in outcome.transcripts:
            self._store.keep_transcript(transcript)
        digest = self._store.write_bundle(number, record.to_files())
        return self._summary(record, digest, quality, outcome)

    def conclude(self, summary: RoundSummary) -> None:
        """Let the hospitals attest a round's bundle, and close the round; what is done already stays as it is.

        Raises:
            RoundRejectedError: a hospital's recomputation found a difference; nothing was attested.
        """
        self._attest(summary.record.number, summary.digest)
        self._book.close(summary.record.number)

    def _ready_lists(self, number: int) -> dict[int, tuple[ReadyDevice, ...]]:
        """Who is there, but for who is in quarantine."""
        barred = frozenset[bytes]() if self._watch is None else self._watch.barred()
        return {
            hospital: tuple(line for line in lines if line.address not in barred)
            for hospital, lines in self._population.engine.ready_lists(number).items()
        }

    def _value(
        self, plan: RoundPlan, model: NDArray[np.float32], releases: tuple[Release, ...], beacon: bytes
    ) -> dict[int, ValidatorRecord]:
        """Every hospital values what the others released, and the new model, on its own rows."""
        means = valued_means(plan, releases, beacon)
        said = {}
        for hospital in self._population.hospitals:
            others = {key: mean for key, mean in means.items() if key.hospital != hospital.id}
            updates = list(others.values())
            values = hospital.edge.value(plan.spec, plan.model, updates)
            path_gains = hospital.edge.path_gains(plan.spec, plan.model, model, updates)
            utilities = dict(zip(others, values, strict=True))
            said[hospital.id] = ValidatorRecord(
                utilities=utilities,
                path_gains=dict(zip(others, path_gains, strict=True)),
                scores=scores_of(utilities, hospital.id, self._scoring),
                model_score=hospital.edge.score(plan.spec, model),
                salt=secrets.token_bytes(32),
            )
        return said

    def _contribute(
        self, draft: RoundRecord
    ) -> tuple[RoundRecord, dict[int, dict[bytes, int]], dict[int, Submission]]:
        """Decode qualities, lay out each hospital's contributions, and build its entry."""
        unpaid = frozenset[bytes]() if self._watch is None else self._watch.unpaid()
        self._watch, decisions = decide(self._watch, draft, self._history)
        for number, evidence in evidence_of(draft).items():
            self._history[number].append(evidence)
        signing = self._book.begin_signing(draft.number, [h.id for h in self._population.hospitals])
        parts: dict[int, HospitalRecord] = {}
        quality: dict[int, dict[bytes, int]] = {}
        submissions: dict[int, Submission] = {}
        for hospital in self._population.hospitals:
            part = replace(draft.hospitals[hospital.id], decisions=decisions[hospital.id])
            quality[hospital.id] = qualities(draft, hospital.id, self._history)
            contributions = contributions_of(draft, part, quality[hospital.id], unpaid)
            if contributions and hospital.id in signing:
                salts = tuple(secrets.token_bytes(32) for _ in range(tree_width(len(hospital.devices))))
                part = replace(part, contributions=contributions, salts=salts)
                entry = entry_of(draft, part)
                signature = hospital.edge.sign(receipt_message(draft, hospital.id, entry.root.hash))
                part = replace(part, receipts=seal_receipts(entry, hospital.edge.roster, signature))
                submissions[hospital.id] = Submission(entry=entry, bundle_digest=part.digest)
            if hospital.id in signing:
                message = part_message(draft, hospital.id, part.digest)
                self._handed[hospital.id] = hospital.edge.sign(message)
            parts[hospital.id] = part
        return replace(draft, hospitals=parts), quality, submissions

    def _with_needed_signatures(self, record: RoundRecord) -> RoundRecord:
        """The record with the signatures of the parts that their hospitals did not put on the ledger as they are."""
        facts, handed = self._book.facts(record.number), self._handed
        self._handed = {}
        return replace(record, signed_parts=needed_signatures(record, facts, handed))

    def _attest(self, number: int, digest: bytes) -> None:
        """Every hospital recomputes the round from the bundle as stored, and attests it only if nothing differs.

        With a ledger, what one hospital's own leaves explain is held against its entry alone.
        """
        facts = self._book.facts(number)
        forget_decoded()  # hospitals do not take it from who entered it; simulated ones share it among themselves
        attestations: dict[int, bytes] = {}
        held: dict[int, Sequence[Finding]] = {}
        record: RoundRecord | None = None
        for hospital, checker in self._checkers.items():
            files = self._store.read_bundle(number, digest)
            record = RoundRecord.from_files(files)
            record.require_own_form(files)
            findings = checker.check(record, facts)
            taught = self._population.root_update(
                record.plan, record.beacon
            )  # who attests holds the root set too
            findings += check_root_update(record, taught)
            objections = (
                None if facts is None else objections_of(findings, self._checkers, answerable(record, facts))
            )
            if findings and objections is None:
                raise RoundRejectedError(number, hospital, findings[0])
            if objections is None or hospital not in objections:
                attestations[hospital] = digest
                held.update(objections or {})
        if held and record is not None:
            self._book.object_to(record, held, frozenset(attestations))
        self._book.attest(number, attestations)

    def _summary(
        self, record: RoundRecord, digest: bytes, quality: dict[int, dict[bytes, int]], outcome: RoundOutcome
    ) -> RoundSummary:
        return RoundSummary(
            record=record,
            digest=digest,
            quality={
                (h.id, i): quality[h.id][device.address]
                for h in self._population.hospitals
                for i, device in enumerate(h.devices)
            },
            wire=outcome.wire,
            accuracy=self._accuracy(record.model_after),
            failed_cohorts=sum(cohort.failure is not None for cohort in outcome.cohorts),
            silent=len(outcome.silent),
        )
