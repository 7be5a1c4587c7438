"""What devices are paid by: slots, leaves decoded and computed again, receipts, and the entry on the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from incentives import (
    Finding,
    HospitalEntry,
    RoundEvidence,
    check_class_caps,
    check_entry,
    check_leaves,
)
from scripts.federation.checks.line import same, same_by_device
from scripts.federation.contributions import contributions_of, entry_of, qualities
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import RoundRecord

_DECODERS = 2


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
        who = f"hospital {hospital}"
        distinct = len(set(part.slots.values())) == len(part.slots)
        even = all(slot % 2 == 0 for slot in part.slots.values())
        yield from same("leaves", f"{who}, slots distinct and even", True, distinct and even)
        if hospital in slots:
            yield from same_by_device("leaves", f"{who}, slot of the epoch", slots[hospital], part.slots)
    with ThreadPoolExecutor(
        _DECODERS
    ) as pool:  # a hospital's decoding is matrix inversions, outside Python's lock
        decoded = pool.map(lambda hospital: qualities(record, hospital, history), record.hospitals)
        found = dict(zip(record.hospitals, decoded, strict=True))
    for hospital, part in record.hospitals.items():
        vanished = facts is not None and hospital not in facts.entries and not part.contributions
        expected = () if vanished else contributions_of(record, part, found[hospital], unpaid)
        who = f"hospital {hospital}"
        leaves = [item.leaf(bytes(32)) for item in part.contributions]
        yield from check_class_caps(who, record.rule, leaves)
        yield from check_leaves(who, expected, leaves)
        holders = {item.device: item.slot for item in part.contributions}
        due = {item.device: item.slot for item in expected}
        yield from same_by_device("leaves", f"{who}, slot", due, holders)
        missing = sorted(item.device.hex() for item in expected if item.device not in part.receipts)
        yield from same("receipts", f"{who}, devices without a receipt", [], missing)
        more = sorted(device.hex() for device in part.receipts if device not in due)
        yield from same("receipts", f"{who}, receipts of devices that are due none", [], more)


def check_entries(
    record: RoundRecord, facts: LedgerFacts | None, built: dict[int, HospitalEntry]
) -> Iterator[Finding]:
    """Build every hospital's tree again, and hold root, totals and the digest of its part against its entry.

    Args:
        record: the round.
        facts: the round as the ledger has it, or None without a chain.
        built: takes the entries, for what is checked of them later.
    """
    for hospital, part in record.hospitals.items():
        recorded = None if facts is None else facts.entries.get(hospital)
        who = f"hospital {hospital}"
        if facts is not None and facts.has(facts.entries, hospital):
            there = recorded is not None
            yield from same("entry", f"{who}, entry on the ledger", bool(part.contributions), there)
        if not part.contributions:
            continue
        entry = built[hospital] = entry_of(record, part)
        if recorded is not None:
            yield from check_entry(who, entry.tree, recorded.entry)
            yield from same("entry", f"{who}, digest of its part", recorded.bundle_digest, part.digest)
