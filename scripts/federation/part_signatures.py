"""Who answers for a hospital's part of a bundle: the hospital, where it can be shown that the part is its own.

The bundle is written by the coordinator, which could alter a part and have its hospital judged by it. So what is found
in a part counts against the hospital only where its entry on the ledger names the very digest of that part, or where
it signed that digest. The coordinator takes no part without that signature; a bundle carries it where the entry names
another digest, or there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fl_core.errors import FlError
from fl_core.signing import TypedMessage
from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import RoundRecord
from scripts.federation.signing import domain_of, verifier_of


def part_message(record: RoundRecord, hospital: int, digest: bytes) -> TypedMessage:
    """The EIP-712 message by which a hospital hands its part (digest: 32 bytes) to the coordinator."""
    return TypedMessage(
        domain_of(record.run, record.chain_id, record.ledger),
        "BundlePart",
        (("round", "uint64", record.number), ("hospital", "uint16", hospital), ("digest", "bytes32", digest)),
    )


def needed_signatures(
    record: RoundRecord, facts: LedgerFacts | None, handed: Mapping[int, bytes]
) -> dict[int, bytes]:
    """Of the signatures with which parts were handed over, those of parts that no entry on the ledger names."""
    if facts is None:
        return {}
    return {h: signature for h, signature in sorted(handed.items()) if not _named(record, facts, h)}


def answerable(record: RoundRecord, facts: LedgerFacts) -> frozenset[int]:
    """The hospitals whose parts are their own: the others' the coordinator answers for."""
    return frozenset(h for h in record.hospitals if _named(record, facts, h) or _signed(record, facts, h))


def check_signed_parts(record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
    """Hold signatures of parts to where they are needed, and to the hospital whose part it is."""
    for hospital in record.signed_parts:
        needed = facts is not None and hospital in record.hospitals and not _named(record, facts, hospital)
        who = f"hospital {hospital}"
        yield from same("entry", f"{who}, a part that its entry does not name, to be signed", True, needed)
        if needed and facts is not None:
            own = _signed(record, facts, hospital)
            yield from same("entry", f"{who}, signature of its part by an account of its own", True, own)


def _named(record: RoundRecord, facts: LedgerFacts, hospital: int) -> bool:
    entry = facts.entries.get(hospital)
    return entry is not None and entry.bundle_digest == record.hospitals[hospital].digest


def _signed(record: RoundRecord, facts: LedgerFacts, hospital: int) -> bool:
    message = part_message(record, hospital, record.hospitals[hospital].digest)
    try:
        signer = verifier_of(record.chain_id).recover(message, record.signed_parts.get(hospital, b""))
    except FlError:
        return False
    return signer in facts.signatories(hospital)
