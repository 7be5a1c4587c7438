"""A round that closed without quorum: what of its bundle the ledger has nothing to hold against."""

from __future__ import annotations

from collections.abc import Iterator

from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import RoundRecord


def check_attested(digest: bytes, facts: LedgerFacts) -> Iterator[Finding]:
    """Hold a bundle against the digests of whoever attested the round, though too few did.

    It is to be one that somebody attested: were it to be everybody's, a single hospital could have any bundle found
    out by attesting junk.
    """
    if digest not in facts.attested.values():
        for hospital, attested in sorted(facts.attested.items()):
            yield from same("bundle", f"digest that hospital {hospital} attested", attested, digest)


def dissenting(digest: bytes, facts: LedgerFacts) -> str:
    """Who attested another bundle than the one that others attested, in words that follow others; empty for nobody."""
    others = [str(hospital) for hospital, attested in sorted(facts.attested.items()) if attested != digest]
    if not others or len(others) == len(facts.attested):
        return ""
    return f"; hospital{'s' if len(others) > 1 else ''} {', '.join(others)} attested another"


def not_held(record: RoundRecord, facts: LedgerFacts) -> str:
    """What of an unpaid round's bundle nothing on the ledger bears out, in words."""
    missing = [] if facts.attested else ["the whole: nobody attested a digest"]
    missing += [] if any(facts.beacon) else ["the beacon"]
    missing += [] if any(facts.model_hash_after) else ["the new model"]
    for what, recorded, said in (
        ("ready list", facts.ready, record.hospitals),
        ("scores", {**facts.quality_commitments, **facts.reveals}, record.validators),
        ("leaves", facts.entries, {h: part for h, part in record.hospitals.items() if part.contributions}),
    ):
        lacking = [str(hospital) for hospital in sorted(said) if hospital not in recorded]
        if lacking:
            missing.append(f"{what} of hospital{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}")
    return "; ".join(missing)
