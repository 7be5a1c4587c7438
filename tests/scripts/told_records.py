"""Records of rounds as a ledger would bear them out, and records that tell something else."""

from __future__ import annotations

from dataclasses import asdict, replace

from chain.records import AccountTenure
from fl_core.cohorts import ready_digest
from fl_core.models import model_digest
from fl_core.secagg import Advertisement
from fl_core.tiers import epoch_commitment
from incentives import RecordedEntry
from scripts.federation.contributions import entry_of
from scripts.federation.facts import EntryFacts, LedgerFacts, RevealFacts
from scripts.federation.participation import roster_of
from scripts.federation.record import RoundRecord


def facts_of_honest(record: RoundRecord) -> LedgerFacts:
    """What the ledger would say had everybody recorded what the bundle holds."""
    entries = {}
    for hospital, part in record.hospitals.items():
        tree = entry_of(record, part).tree
        left, right = tree.children
        recorded = RecordedEntry(left=left, right=right, root=tree.root.hash, lanes=tree.root.lanes)
        entries[hospital] = EntryFacts(recorded, part.digest)
    return LedgerFacts(
        number=record.number,
        chain_id=record.chain_id,
        ledger=record.ledger,
        k_min=record.spec.k_min,
        profile=record.spec.profile.code,
        rho_micro=record.spec.rho_micro,
        spec_hash=record.spec.digest,
        model_hash=model_digest(record.model_before),
        model_hash_after=model_digest(record.model_after),
        beacon=record.beacon,
        rule=asdict(record.rule),
        roster_roots={h: roster_of(record, part).root for h, part in record.hospitals.items()},
        commitments={
            h: epoch_commitment(part.seed_digest, Advertisement.decode(part.keys))
            for h, part in record.hospitals.items()
        },
        ready={h: ready_digest(record.number, h, part.ready) for h, part in record.hospitals.items()},
        reveals={
            h: RevealFacts(said.scores, said.model_score, said.utilities_digest(record.number, h))
            for h, said in record.validators.items()
        },
        entries=entries,
        accounts={
            h: (AccountTenure(Advertisement.decode(part.keys).address, 0, None),)
            for h, part in record.hospitals.items()
        },
    )


def with_part(record: RoundRecord, hospital: int, **changes) -> RoundRecord:
    part = replace(record.hospitals[hospital], **changes)
    return replace(record, hospitals={**record.hospitals, hospital: part})


def with_cohort(record: RoundRecord, hospital: int, index: int, **changes) -> RoundRecord:
    cohorts = list(record.hospitals[hospital].cohorts)
    cohorts[index] = replace(cohorts[index], **changes)
    return with_part(record, hospital, cohorts=tuple(cohorts))


def with_release(record: RoundRecord, hospital: int, index: int, **changes) -> RoundRecord:
    releases = list(record.hospitals[hospital].releases)
    releases[index] = replace(releases[index], **changes)
    return with_part(record, hospital, releases=tuple(releases))
