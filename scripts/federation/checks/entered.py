"""What devices are paid by: slots, leaves decoded and computed again, receipts, and the entry on the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from incentives import (
    Contribution,
    Finding,
    HospitalEntry,
    IncentivesError,
    RewardRule,
    RoundEvidence,
    check_class_caps,
    check_entry,
    check_leaves,
)
from scripts.federation.checks.line import concerning, same, same_by_device
from scripts.federation.contributions import contributions_of, entry_of, qualities
from scripts.federation.facts import LedgerFacts
from scripts.federation.part_signatures import check_signed_parts
from scripts.federation.record import HospitalRecord, RoundRecord

_DECODERS = 2
_NO_LEAVES = (IncentivesError, ArithmeticError, LookupError, TypeError, ValueError)


def check_contributions(
    record: RoundRecord,
    facts: LedgerFacts | None,
    history: dict[int, list[RoundEvidence]],
    slots: Mapping[int, Mapping[bytes, int]],
    unpaid: Collection[bytes] = (),
) -> Iterator[Finding]:
    """Hold every leaf against the contribution computed again, and every slot against the epoch's.

    A hospital that vanished before its entry forfeits the round: its part has no leaves, and needs none.

    Args:
        record: the round.
        facts: the round as the ledger has it, or None without a chain.
        history: each hospital's evidence of the epoch, this round's included.
        slots: each hospital's slots in the epoch's rounds before; empty in the first.
        unpaid: devices that are on probation.
    """
    for hospital, part in record.hospitals.items():
        yield from concerning(hospital, _slots(f"hospital {hospital}", part, slots.get(hospital)))
    with ThreadPoolExecutor(
        _DECODERS
    ) as pool:  # a hospital's decoding is matrix inversions, outside Python's lock
        decoded = pool.map(lambda hospital: qualities(record, hospital, history), record.hospitals)
        found = dict(zip(record.hospitals, decoded, strict=True))
    for hospital, part in record.hospitals.items():
        vanished = facts is not None and hospital not in facts.entries and not part.contributions
        expected = () if vanished else contributions_of(record, part, found[hospital], unpaid)
        found_in = _leaves_and_receipts(f"hospital {hospital}", record.rule, part, expected)
        yield from concerning(_whose(record, part), found_in)


def _slots(who: str, part: HospitalRecord, before: Mapping[bytes, int] | None) -> Iterator[Finding]:
    """A hospital's slots, and those that it had in the epoch's rounds before."""
    distinct = len(set(part.slots.values())) == len(part.slots)
    even = all(slot % 2 == 0 for slot in part.slots.values())
    yield from same("leaves", f"{who}, slots distinct and even", True, distinct and even)
    if before is not None:
        yield from same_by_device("leaves", f"{who}, slot of the epoch", before, part.slots)


def _leaves_and_receipts(
    who: str, rule: RewardRule, part: HospitalRecord, expected: Collection[Contribution]
) -> Iterator[Finding]:
    """A hospital's leaves and receipts against the contributions that are due."""
    try:
        leaves = [item.leaf(bytes(32)) for item in part.contributions]
    except _NO_LEAVES as error:
        yield Finding("leaves", who, "scores, slots and classes that a leaf can have", str(error))
        return
    yield from check_class_caps(who, rule, leaves)
    yield from check_leaves(who, list(expected), leaves)
    holders = {item.device: item.slot for item in part.contributions}
    due = {item.device: item.slot for item in expected}
    yield from same_by_device("leaves", f"{who}, slot", due, holders)
    missing = sorted(item.device.hex() for item in expected if item.device not in part.receipts)
    yield from same("receipts", f"{who}, devices without a receipt", [], missing)
    more = sorted(device.hex() for device in part.receipts if device not in due)
    yield from same("receipts", f"{who}, receipts of devices that are due none", [], more)


def _whose(record: RoundRecord, part: HospitalRecord) -> int | None:
    """Who answers for a hospital's leaves: itself, but for who is in the sum over hospitals, which others say.

    A hospital with leaves that is not in that sum may have been left out of the list afterwards.
    """
    left_out = record.joint is not None and not record.counted(part)
    return None if left_out else part.hospital


def check_entries(
    record: RoundRecord, facts: LedgerFacts | None, built: dict[int, HospitalEntry]
) -> Iterator[Finding]:
    """Build every hospital's tree again, and hold root, totals and the digest of its part against its entry.

    Args:
        record: the round.
        facts: the round as the ledger has it, or None without a chain.
        built: takes the entries, for what is checked of them later.
    """
    yield from check_signed_parts(record, facts)
    for hospital, part in record.hospitals.items():
        yield from concerning(hospital, _entry(record, part, facts, built))


def _entry(
    record: RoundRecord, part: HospitalRecord, facts: LedgerFacts | None, built: dict[int, HospitalEntry]
) -> Iterator[Finding]:
    """One hospital's tree against its entry."""
    who = f"hospital {part.hospital}"
    recorded = None if facts is None else facts.entries.get(part.hospital)
    if facts is not None and facts.has(facts.entries, part.hospital):
        there = recorded is not None
        yield from same("entry", f"{who}, entry on the ledger", bool(part.contributions), there)
    if not part.contributions:
        return
    try:
        entry = built[part.hospital] = entry_of(record, part)
    except _NO_LEAVES as error:
        yield Finding("entry", who, "leaves and salts that make a tree", str(error))
        return
    if recorded is not None:
        yield from check_entry(who, entry.tree, recorded.entry)
        yield from same("entry", f"{who}, digest of its part", recorded.bundle_digest, part.digest)
