"""Who was called to which cohort: ready lists fixed before the beacon, and the draw done again."""

from __future__ import annotations

from collections.abc import Iterator

from fl_core.cohorts import draw_cohorts, ready_digest
from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import HospitalRecord, RoundRecord


def check_draw(record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
    """Hold beacon and ready lists against the ledger, and every hospital's cohorts against the draw done again."""
    if facts is not None and (any(facts.beacon) or not facts.unpaid):
        yield from same("draw", "beacon", facts.beacon, record.beacon)
    for hospital, part in record.hospitals.items():
        if facts is not None and facts.has(facts.ready, hospital):
            digest = ready_digest(record.number, hospital, part.ready)
            yield from same("draw", f"hospital {hospital}, ready list", facts.ready.get(hospital), digest)
        yield from _cohorts(record, hospital, part)
    listed = [line.address for part in record.hospitals.values() for line in part.ready]
    yield from same("draw", "devices that are on two ready lists", len(listed), len(set(listed)))


def _cohorts(record: RoundRecord, hospital: int, part: HospitalRecord) -> Iterator[Finding]:
    spec, who = record.spec, f"hospital {hospital}"
    drawn = draw_cohorts(
        record.beacon,
        hospital,
        [spec.terms.link_class(line) for line in part.ready],
        cohort_size=spec.cohort_size,
        k_min=spec.k_min,
    )
    members = [[part.ready[position].address for position in cohort.positions] for cohort in drawn]
    found = [list(cohort.members) for cohort in part.cohorts]
    yield from same("draw", f"{who}, number of cohorts", len(members), len(found))
    for index, (expected, listed) in enumerate(zip(members, found, strict=False)):
        if expected != listed:
            missing, more = set(expected) - set(listed), set(listed) - set(expected)
            yield Finding(
                "draw",
                f"{who}, cohort {index}, members",
                "with " + (", ".join(sorted(address.hex() for address in missing)) or "each once, in order"),
                "with "
                + (", ".join(sorted(address.hex() for address in more)) or "fewer, others' order or twice"),
            )
    classes = [cohort.link_class for cohort in part.cohorts]
    yield from same("draw", f"{who}, link classes", [cohort.link_class for cohort in drawn], classes)
    numbers = [cohort.cohort for cohort in part.cohorts]
    yield from same("draw", f"{who}, numbers of its cohorts", list(range(len(drawn))), numbers)
    yield from same("draw", f"{who}, id in its own part", hospital, part.hospital)
