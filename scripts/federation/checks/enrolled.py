"""That who took part was enrolled beforehand, with keys of its own, and signed what went into the sum."""

from __future__ import annotations

from collections.abc import Iterator

from fl_core.secagg import Advertisement, Roster
from fl_core.tiers import epoch_commitment
from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.facts import LedgerFacts
from scripts.federation.participation import (
    check_joint_participation,
    check_participation,
    hospital_roster_of,
    roster_of,
)
from scripts.federation.record import RoundRecord

Rosters = dict[tuple[bytes, ...], Roster]
"""Rosters whose signatures were verified, by their encoded advertisements: once an epoch is enough."""


def check_enrolment(record: RoundRecord, facts: LedgerFacts | None, rosters: Rosters) -> Iterator[Finding]:
    """Hold rosters, keys and noise seeds against what was registered, and every survivor to its signature."""
    keys = tuple(part.keys for part in record.hospitals.values())
    hospitals = rosters.get(keys)
    if hospitals is None:
        hospitals = rosters[keys] = hospital_roster_of(record)
    yield from check_joint_participation(record, hospitals)
    for hospital, part in record.hospitals.items():
        who = f"hospital {hospital}"
        roster = rosters.get(part.advertisements)
        if roster is None:
            roster = rosters[part.advertisements] = roster_of(record, part)
        if facts is not None and facts.has(facts.ready, hospital):  # who was ready had registered
            root = facts.roster_roots.get(hospital)
            yield from same("participation", f"{who}, roster root", root, roster.root)
            keys_of = Advertisement.decode(part.keys)
            known = keys_of.address in facts.enrolled_by(hospital)
            yield from same(
                "participation", f"{who}, an account of the consortium's as signer of its keys", True, known
            )
            yield from same(
                "participation",
                f"{who}, commitment to its keys and noise seed",
                facts.commitments.get(hospital),
                epoch_commitment(part.seed_digest, keys_of),
            )
        strangers = sorted(line.address.hex() for line in part.ready if line.address not in roster)
        yield from same("participation", f"{who}, ready devices that are not enrolled", [], strangers)
        unlike = sorted(address.hex() for address in set(roster) ^ set(part.slots))
        yield from same("participation", f"{who}, devices with a slot or enrolled, but not both", [], unlike)
        yield from check_participation(record, part)
