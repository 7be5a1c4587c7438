"""Deleting transcripts once nobody can dispute their rounds any more; before that it is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chain.contracts import Contracts
from chain.phases import Phase
from fl_core.canonical import canonical_json, parse_json
from fl_core.errors import BundleError
from fl_core.stores import RunStore
from fl_core.tiers import CohortReport
from scripts.console.errors import CommandError
from scripts.federation.record import RoundRecord

DELETED_FILE = "transcripts-deleted.json"


def deleted_rounds(store: RunStore) -> frozenset[int]:
    """Rounds whose transcripts were deleted.

    Raises:
        BundleError: the note of it is malformed.
    """
    data = store.document(DELETED_FILE)
    if data is None:
        return frozenset()
    noted = parse_json(data)
    if not isinstance(noted, list) or not all(type(number) is int for number in noted):
        raise BundleError(f"{DELETED_FILE} is malformed: a list of rounds was expected")
    return frozenset(noted)


def require_undisputable(contracts: Contracts, numbers: Sequence[int], now: int) -> None:
    """Refuse rounds of which a hospital's entry can still be disputed, or is.

    Args:
        contracts: the deployment.
        numbers: the rounds.
        now: the chain's time, unix seconds.

    Raises:
        CommandError: one is open, in its window, or frozen.
    """
    for view in contracts.ledger.rounds(numbers):
        if view.phase is not Phase.CLOSED:
            raise CommandError(f"round {view.round} has not closed: its transcripts are kept until then")
        if view.paid and now < view.claimable_at:
            raise CommandError(
                f"round {view.round} can be disputed for {view.claimable_at - now} more seconds: its transcripts are "
                "kept until then"
            )
        entries = contracts.ledger.entries(view.round, sorted(view.active))
        frozen = [entry.hospital for entry in entries if entry.frozen]
        if frozen:
            raise CommandError(
                f"round {view.round}: the entry of hospital {frozen[0]} is disputed: its transcripts are evidence"
            )


def delete_transcripts(store: RunStore, numbers: Sequence[int]) -> int:
    """Delete the transcripts of rounds, and note it beside the bundles first; how many there were.

    Raises:
        BundleError: a bundle cannot be read, or the store refuses.
    """
    digests = {
        report.transcript_hash
        for number in numbers
        for report in _reports(RoundRecord.from_files(store.read_bundle(number)))
        if report.transcript_hash
    }
    there = digests & set(store.transcripts())
    noted = sorted(deleted_rounds(store) | set(numbers))
    store.write_document(DELETED_FILE, canonical_json(noted))
    for digest in sorted(there):
        store.remove_transcript(digest)
    return len(there)


def _reports(record: RoundRecord) -> Iterator[CohortReport]:
    yield from (report for part in record.hospitals.values() for report in part.cohorts)
    if record.joint is not None:
        yield record.joint
