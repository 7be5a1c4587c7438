"""Deleting transcripts once nobody can dispute their rounds any more; before that it is refused.

A note beside the bundles says of which rounds that was done. It is signed by nobody, so an audit believes it of missing
transcripts only, and on a chain only of rounds that the ledger lets nobody dispute any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from chain.contracts import Contracts
from chain.phases import Phase
from chain.records import EntryRecord
from chain.records import RoundRecord as LedgerRound
from fl_core.canonical import canonical_json, parse_json
from fl_core.errors import BundleError, SpecError
from fl_core.stores import RunStore
from scripts.console.errors import CommandError
from scripts.federation.checks.transcribed import recorded_transcripts
from scripts.federation.record import RoundRecord

DELETED_FILE = "transcripts-deleted.json"


def deleted_rounds(store: RunStore) -> frozenset[int]:
    """Rounds whose transcripts were deleted, as the note says.

    Raises:
        BundleError: the note of it is malformed.
    """
    data = store.document(DELETED_FILE)
    if data is None:
        return frozenset()
    try:
        noted = parse_json(data)
    except SpecError as error:
        raise BundleError(f"{DELETED_FILE} is malformed: {error}") from error
    if not isinstance(noted, list) or not all(type(number) is int for number in noted):
        raise BundleError(f"{DELETED_FILE} is malformed: a list of rounds was expected")
    return frozenset(noted)


def excused_rounds(store: RunStore, contracts: Contracts | None, now: int) -> frozenset[int]:
    """Rounds of which a transcript may be missing: noted as deleted, and past dispute where there is a chain.

    Args:
        store: where the note is.
        contracts: the deployment, or None where the audit has no chain.
        now: the chain's time, unix seconds.

    Raises:
        BundleError: the note is malformed.
    """
    noted = deleted_rounds(store)
    if contracts is None or not noted:
        return noted
    return noted - {number for number, _ in _held_back(contracts, noted, now)}


def require_undisputable(contracts: Contracts, numbers: Collection[int], now: int) -> None:
    """Refuse rounds of which a hospital's entry can still be disputed, or is.

    Args:
        contracts: the deployment.
        numbers: the rounds.
        now: the chain's time, unix seconds.

    Raises:
        CommandError: one is open, in its window, frozen, or none of the ledger's.
    """
    for _, why in _held_back(contracts, numbers, now):
        raise CommandError(why)


def why_kept(view: LedgerRound, entries: Collection[EntryRecord], now: int) -> str | None:
    """Why a round's transcripts have to be kept; None once nobody can dispute it any more.

    Args:
        view: the round as the ledger has it.
        entries: those of its active hospitals.
        now: the chain's time, unix seconds.
    """
    if view.phase is not Phase.CLOSED:
        return f"round {view.round} has not closed: its transcripts are kept until then"
    if view.paid and now < view.claimable_at:
        return (
            f"round {view.round} can be disputed for {view.claimable_at - now} more seconds: its transcripts are "
            "kept until then"
        )
    frozen = [entry.hospital for entry in entries if entry.frozen]
    if frozen:
        return (
            f"round {view.round}: the entry of hospital {frozen[0]} is disputed: its transcripts are evidence"
        )
    return None


def delete_transcripts(store: RunStore, numbers: Collection[int]) -> int:
    """Delete the transcripts of rounds, and note it beside the bundles first; how many there were.

    Raises:
        BundleError: a bundle cannot be read, or the store refuses.
    """
    digests = {
        digest
        for number in numbers
        for digest in recorded_transcripts(RoundRecord.from_files(store.read_bundle(number)))
    }
    return _delete(store, numbers, digests & set(store.transcripts()))


def delete_all_transcripts(store: RunStore, numbers: Collection[int]) -> int:
    """Delete every transcript that is there, those of rounds without a bundle too; how many there were.

    Args:
        store: the run's.
        numbers: its rounds, which the note is to name.

    Raises:
        BundleError: the store refuses.
    """
    return _delete(store, numbers, set(store.transcripts()))


def _delete(store: RunStore, numbers: Collection[int], digests: Collection[bytes]) -> int:
    noted = sorted(deleted_rounds(store) | set(numbers))
    store.write_document(DELETED_FILE, canonical_json(noted))
    for digest in sorted(digests):
        store.remove_transcript(digest)
    return len(digests)


def _held_back(contracts: Contracts, numbers: Collection[int], now: int) -> Iterator[tuple[int, str]]:
    """The rounds whose transcripts have to be kept, in order, and why."""
    last = contracts.ledger.current_round()
    known = [number for number in sorted(numbers) if 1 <= number <= last]
    for view in contracts.ledger.rounds(known):
        entries = contracts.ledger.entries(view.round, sorted(view.active))
        why = why_kept(view, entries, now)
        if why is not None:
            yield view.round, why
    for number in sorted(set(numbers) - set(known)):
        yield number, f"round {number} is none of the ledger's: its transcripts are kept"
