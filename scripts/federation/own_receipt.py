"""A device checks what it is due without trusting its hospital: from its own key, the bundle and the ledger.

The bundle is the one whose digest the hospitals accepted; the root is the one on the ledger; volume and compute follow
from what the device declared, quality from what validators committed to. Only the last step, whether the other
hospitals valued honestly, is somebody else's word.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fl_core.cohorts import ready_digest
from fl_core.errors import BundleError
from incentives import (
    Contribution,
    Finding,
    IncentivesError,
    Node,
    RoundEvidence,
    device_payout,
    fold_proof,
    leaf_hash,
    leaf_lanes,
    leaf_weight,
)
from scripts.federation.checks.line import CheckLine, same
from scripts.federation.contributions import contributions_of, evidence_of, qualities
from scripts.federation.facts import LedgerFacts
from scripts.federation.quarantine import decide
from scripts.federation.receipts import OpenedReceipt, open_receipt
from scripts.federation.record import HospitalRecord, RoundRecord
from scripts.federation.verify import check_bundle_digest

_NO_CHAIN = "the run has no chain"


@dataclass
class ReceiptCheck:
    """What a device's check of a round came to.

    Attributes:
        lines: a line a check.
        receipt: what was in the receipt, or None where it did not open.
        due: what the device's leaf is due of the round, in smallest units; None without a chain.
    """

    lines: list[CheckLine] = field(default_factory=list)
    receipt: OpenedReceipt | None = None
    due: int | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not any(line.findings for line in self.lines)


def check_own_receipt(
    device: bytes,
    key: X25519PrivateKey,
    records: Sequence[RoundRecord],
    digest: bytes,
    facts: LedgerFacts | None,
    *,
    hospital: int,
    rows: int | None = None,
) -> ReceiptCheck:
    """Check a device's pay for a round.

    Args:
        device: its account of the epoch, 20 bytes.
        key: its channel key of the epoch.
        records: the epoch's rounds in order, up to the one that is checked.
        digest: of the checked round's bundle as it was read.
        facts: that round as the ledger has it, or None without a chain.
        hospital: the device's hospital.
        rows: what the device declared, as it knows itself; None takes the ready list's word.
    """
    record, result = records[-1], ReceiptCheck()
    part = record.hospitals.get(hospital)
    if part is None:
        missing = Finding("receipt", f"hospital {hospital}", "a part of the bundle", "none")
        result.lines.append(CheckLine("bundle", "the hospital's part is there", (missing,)))
        return result
    bundle = () if facts is None else tuple(check_bundle_digest(record, digest, facts))
    skipped = None if facts is not None else _NO_CHAIN
    result.lines.append(
        CheckLine("bundle", "the bundle is the one that the hospitals accepted", bundle, skipped)
    )
    expected = _expected(records, part, device)
    result.lines.append(_declared(record, part, device, facts, rows))
    sealed = part.receipts.get(device)
    if expected is None or sealed is None:
        result.lines.append(_absent(device, expected, sealed))
        return result
    try:
        result.receipt = open_receipt(key, sealed, round_number=record.number, hospital=hospital)
    except BundleError as error:
        finding = Finding("receipt", f"device {device.hex()}", "a receipt that it can open", str(error))
        result.lines.append(CheckLine("receipt", "it opens with the device's own key", (finding,)))
        return result
    result.lines.append(CheckLine("receipt", "it opens with the device's own key"))
    result.lines.append(_leaf(expected, result.receipt))
    result.lines.append(_proof(record, result.receipt, hospital, facts))
    result.due = _due(record, result.receipt, hospital, facts)
    return result


def _expected(records: Sequence[RoundRecord], part: HospitalRecord, device: bytes) -> Contribution | None:
    """The device's contribution computed again, or None where its update is in no released sum."""
    record, watch = records[-1], None
    history: dict[int, list[RoundEvidence]] = {}
    unpaid: Collection[bytes] = ()
    for earlier in records:
        unpaid = () if watch is None else watch.unpaid()
        watch, _ = decide(watch, earlier, history)
        for number, evidence in evidence_of(earlier).items():
            history.setdefault(number, []).append(evidence)
    due = contributions_of(record, part, qualities(record, part.hospital, history), unpaid)
    return next((item for item in due if item.device == device), None)


def _declared(
    record: RoundRecord, part: HospitalRecord, device: bytes, facts: LedgerFacts | None, rows: int | None
) -> CheckLine:
    """Its line of the ready list: on the list that was published before the beacon, and as it gave it."""
    who = f"device {device.hex()}"
    findings: list[Finding] = []
    line = next((line for line in part.ready if line.address == device), None)
    if facts is not None:
        listed = ready_digest(record.number, part.hospital, part.ready)
        findings += same(
            "draw", f"hospital {part.hospital}, ready list", facts.ready.get(part.hospital), listed
        )
    if line is not None and rows is not None:
        findings += same("draw", f"{who}, rows on the ready list", rows, line.rows)
    what = "its line of the ready list is on the ledger" + (
        ", with the rows that it declared" if rows else ""
    )
    return CheckLine("declared", what, tuple(findings), _NO_CHAIN if facts is None and rows is None else None)


def _absent(device: bytes, expected: Contribution | None, sealed: bytes | None) -> CheckLine:
    what = "its update is in a released sum"
    if expected is None and sealed is None:
        return CheckLine(
            "receipt", what, skipped="the device is in no released sum of this round: nothing is due"
        )
    wanted, found = ("a receipt", "none") if sealed is None else ("no receipt", "one")
    return CheckLine("receipt", what, (Finding("receipt", f"device {device.hex()}", wanted, found),))


def _leaf(expected: Contribution, receipt: OpenedReceipt) -> CheckLine:
    leaf, due = receipt.leaf, expected.leaf(receipt.leaf.salt)
    findings = [
        finding
        for name in ("slot", "device_class", "payee", "volume", "quality", "compute")
        for finding in same("leaf", f"its {name}", getattr(due, name), getattr(leaf, name))
    ]
    return CheckLine("leaf", "volume, quality and compute are those computed again", tuple(findings))


def _proof(
    record: RoundRecord, receipt: OpenedReceipt, hospital: int, facts: LedgerFacts | None
) -> CheckLine:
    what = "its leaf lies under the root" + (" on the ledger" if facts is not None else " that it was given")
    try:
        root = _root(record, receipt, hospital)
    except IncentivesError as error:
        finding = Finding("proof", "way to the root", "one that can be walked", str(error))
        return CheckLine("proof", what, (finding,))
    findings = list(same("proof", "root that the leaf leads to", receipt.root, root.hash))
    entry = None if facts is None else facts.entries.get(hospital)
    if facts is not None:
        recorded = None if entry is None else entry.entry.root
        findings += same("proof", "root on the ledger", recorded, root.hash)
        if entry is not None:
            findings += same("proof", "totals on the ledger", entry.entry.lanes, root.lanes)
    return CheckLine("proof", what, tuple(findings))


def _root(record: RoundRecord, receipt: OpenedReceipt, hospital: int) -> Node:
    """The root that leaf and siblings lead to, as the contract computes it."""
    lanes = leaf_lanes(record.rule, receipt.leaf, quality_scored=record.device_quality_scored)
    bottom = Node(leaf_hash(record.entry_domain(hospital), receipt.leaf), lanes)
    return fold_proof(bottom, receipt.leaf.slot, receipt.siblings)


def _due(record: RoundRecord, receipt: OpenedReceipt, hospital: int, facts: LedgerFacts | None) -> int | None:
    if facts is None or facts.close is None:
        return None
    allocation, entry = facts.close.allocations.get(hospital), facts.entries.get(hospital)
    if allocation is None or entry is None:
        return 0
    return device_payout(
        allocation.amount,
        operator_bps=record.rule.operator_bps,
        device_weight=leaf_weight(record.rule, receipt.leaf, quality_scored=record.device_quality_scored),
        weight_treasury=entry.entry.lanes.weight_treasury,
        weight_device=entry.entry.lanes.weight_device,
    )
