"""A recorded run, and a hospital that lies about it and makes everything of its own anew, so that it fits together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from told_records import facts_of_honest, with_cohort, with_part

from fl_core.canonical import sha256
from fl_core.errors import BundleError
from fl_core.models import model_digest
from fl_core.secagg.sum_transcript import SumTranscript
from fl_core.tiers import OpenedTranscript, Release, TranscriptPlace, counts_of, next_model
from incentives import Contribution, RecordedEntry, RoundEvidence
from scripts.federation.contributions import contributions_of, entry_of, evidence_of, qualities
from scripts.federation.facts import EntryFacts, LedgerFacts
from scripts.federation.offline import OfflineAccounts, offline_run
from scripts.federation.participation import cohort_plan, roster_of
from scripts.federation.receipts import seal_receipts
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings
from scripts.federation.signing import session_of
from scripts.federation.verify import RoundChecker

LIAR = 1
SETTINGS = RunSettings(
    hospitals=4,
    devices=12,
    rounds=2,
    cohort_size=6,
    k_min=4,
    dropout=0.06,
    seed=11,
    epsilon=8.0,
    edge_epsilon=16.0,
)


@dataclass(frozen=True)
class MemoryTranscripts:
    """Transcripts as an auditor has them, held in memory."""

    key: X25519PrivateKey
    sealed: Mapping[bytes, bytes]
    deleted: frozenset[int] = frozenset()

    def there(self) -> list[bytes]:
        return sorted(self.sealed)

    def open(self, digest: bytes, place: TranscriptPlace) -> OpenedTranscript:
        if digest not in self.sealed:
            raise BundleError("no such transcript")
        return OpenedTranscript.open(self.key, self.sealed[digest], place)


@dataclass(frozen=True)
class Told:
    """What a lie leaves: the bundle, what the ledger has, and what transcripts the edge hands out."""

    record: RoundRecord
    facts: LedgerFacts
    sealed: Mapping[bytes, bytes]


@dataclass(frozen=True)
class LyingWorld:
    """An honest record of two rounds, and what the liar holds besides: its keys, its noise seed, its transcripts."""

    records: list[RoundRecord]
    accounts: OfflineAccounts
    noise_seeds: Mapping[int, bytes]
    auditor: X25519PrivateKey
    sealed: Mapping[bytes, bytes] = field(repr=False)

    @classmethod
    def of(cls, folder, settings: RunSettings = SETTINGS) -> LyingWorld:
        auditor, accounts = X25519PrivateKey.generate(), OfflineAccounts(bytes(32))
        settings = replace(settings, auditor=auditor.public_key().public_bytes_raw().hex())
        run = offline_run(settings, "told", folder, accounts=accounts)
        run.train()
        return cls(
            [summary.record for summary in run.summaries],
            accounts,
            {h.id: h.edge.keys.noise_seed for h in run.population.hospitals},
            auditor,
            {digest: run.store.transcript(digest) for digest in run.store.transcripts()},
        )

    @property
    def honest(self) -> RoundRecord:
        """The round that is lied about: the second, so that there is one before it."""
        return self.records[1]

    def history(self, told: RoundRecord) -> dict[int, list[RoundEvidence]]:
        first = evidence_of(self.records[0])
        return {h: [first[h], item] for h, item in evidence_of(told).items()}

    def findings(self, told: Told, *, transcripts: bool) -> list:
        """What an auditor finds who has checked the round before."""
        held = MemoryTranscripts(self.auditor, told.sealed) if transcripts else None
        checker = RoundChecker(held)
        checker.recall(self.records[0])
        return checker.check(told.record, told.facts)

    def made_anew(
        self, record: RoundRecord, contributions: Collection[Contribution] | None = None
    ) -> RoundRecord:
        """The liar's leaves, salts, tree and receipts anew; the leaves as given, or as everything else implies."""
        part = record.hospitals[LIAR]
        if contributions is None:
            contributions = contributions_of(record, part, qualities(record, LIAR, self.history(record)))
        salts = tuple(sha256(b"salt" + salt) for salt in part.salts)
        ordered = tuple(sorted(contributions, key=lambda item: item.slot))
        record = with_part(record, LIAR, contributions=ordered, salts=salts)
        part = record.hospitals[LIAR]
        return with_part(
            record, LIAR, receipts=seal_receipts(entry_of(record, part), roster_of(self.honest, part))
        )

    def recounted(self, record: RoundRecord) -> RoundRecord:
        """Weights of the liar's cohorts and sums from its ready list; and the coordinator's next model from them."""
        spec, part = record.spec, record.hospitals[LIAR]
        lines = {line.address: line for line in part.ready}
        cohorts = tuple(
            replace(
                c, rows=sum(spec.credited_rows(lines[a].rows, lines[a].device_class) for a in c.survivors)
            )
            for c in part.cohorts
        )
        counts = {c.cohort: counts_of(spec, [c]) for c in cohorts}
        releases = tuple(Release(r.hospital, r.cohort, *counts[r.cohort], r.total) for r in part.releases)
        return self.combined(with_part(record, LIAR, cohorts=cohorts, releases=releases))

    def combined(self, record: RoundRecord) -> RoundRecord:
        """What an honest coordinator makes of the sums that it was given."""
        model = next_model(record.plan, record.releases, record.beacon, record.root_update)
        return replace(record, model_after=model)

    def recorded(
        self, record: RoundRecord, *own: str, sealed: Mapping[bytes, bytes] | None = None, **changed: object
    ) -> Told:
        """The ledger, where the liar has submitted its entry as told, and of `own` what it told as well.

        Args:
            record: as told.
            own: facts of the liar's that follow the lie: "ready", "reveals".
            sealed: its transcripts, the honest ones without it.
            changed: facts that are as told whoever submits them.
        """
        facts, part = facts_of_honest(self.honest), record.hospitals[LIAR]
        tree = entry_of(record, part).tree
        left, right = tree.children
        entry = RecordedEntry(left=left, right=right, root=tree.root.hash, lanes=tree.root.lanes)
        facts = replace(
            facts,
            model_hash_after=model_digest(record.model_after),
            entries={**facts.entries, LIAR: EntryFacts(entry, part.digest)},
            **changed,
        )
        if own:
            as_told = facts_of_honest(record)
            facts = replace(
                facts,
                **{name: {**getattr(facts, name), LIAR: getattr(as_told, name)[LIAR]} for name in own},
            )
        return Told(record, facts, self.sealed if sealed is None else {**self.sealed, **sealed})

    def transcript_told(
        self, record: RoundRecord, cohort: int, change, *, seed: bytes | None = None, key: bytes | None = None
    ) -> tuple[RoundRecord, dict[bytes, bytes]]:
        """A transcript of the liar's changed and sealed again, its hash in the record."""
        part = record.hospitals[LIAR]
        report = part.cohorts[cohort]
        place = TranscriptPlace(session_of(record.run), record.number, LIAR, cohort)
        opened = OpenedTranscript.open(self.auditor, self.sealed[report.transcript_hash], place)
        plan = cohort_plan(self.honest, self.honest.hospitals[LIAR], report)
        told = change(SumTranscript.decode(opened.evidence, plan))
        again = OpenedTranscript(told.encode(plan), opened.noise_seed if seed is None else seed)
        sealed = again.seal(key or self.auditor.public_key().public_bytes_raw(), place)
        return with_cohort(record, LIAR, cohort, transcript_hash=sha256(sealed)), {sha256(sealed): sealed}
