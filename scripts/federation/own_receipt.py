"""A device checks what it is due without trusting its hospital: from its own key, the bundles and the ledger.

Quality is decoded over the rounds of an epoch, so that each of their bundles has to be the accepted one, and all that
quality follows from is recomputed as an audit does. What is left is somebody else's word: whether the other hospitals
valued honestly.
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
from scripts.federation.checks.agreed import held_nowhere
from scripts.federation.checks.line import CheckLine, same
from scripts.federation.checks.unpaid import check_attested, dissenting
from scripts.federation.contributions import contributions_of, evidence_of, qualities
from scripts.federation.facts import LedgerFacts
from scripts.federation.own_hospital import find_hospital
from scripts.federation.quarantine import decide
from scripts.federation.receipt_signatures import check_signature
from scripts.federation.receipts import OpenedReceipt, open_receipt
from scripts.federation.record import HospitalRecord, RoundRecord
from scripts.federation.verify import UNCHECKABLE, RoundChecker, check_bundle_digest

RELIED_ON = frozenset(("spec", "draw", "cohorts", "participation", "form", "utilities"))
"""The checks of an audit that hold what a leaf follows from."""

_NO_CHAIN = "the run has no chain"
_EARLIER = "{which} before it in the epoch, which quality rests on: accepted bundles, and the checks below"
_LEAF = "volume, quality and compute are those computed again"


@dataclass
class ReceiptCheck:
    """What a device's check of a round came to.

    Attributes:
        lines: a line a check.
        hospital: the device's, by the bundle; None where it is at none.
        receipt: what was in the receipt, or None where it did not open.
        due: what the device's leaf is due of the round, in smallest units; None without a chain.
    """

    lines: list[CheckLine] = field(default_factory=list)
    hospital: int | None = None
    receipt: OpenedReceipt | None = None
    due: int | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not any(line.findings for line in self.lines)


@dataclass(frozen=True)
class HeldRound:
    """A round of the epoch as a device has it.

    Attributes:
        record: the round as its bundle holds it.
        digest: of the bundle as it was read.
        facts: the round as the ledger has it, or None without a chain.
    """

    record: RoundRecord
    digest: bytes
    facts: LedgerFacts | None


def check_own_receipt(
    device: bytes,
    key: X25519PrivateKey,
    rounds: Sequence[HeldRound],
    *,
    said: int | None = None,
    rows: int | None = None,
    missing: Sequence[int] = (),
    without_chain: bool = False,
) -> ReceiptCheck:
    """Check a device's pay for a round.

    Args:
        device: its account of the epoch, 20 bytes.
        key: its channel key of the epoch.
        rounds: the epoch's rounds in order, up to the one that is checked.
        said: the device's hospital as the run's file says; what counts is whose part of the bundle has it.
        rows: what the device declared, as it knows itself; None takes the ready list's word.
        missing: rounds of the epoch before it that were paid and whose bundles are not at hand.
        without_chain: the caller leaves out a chain that there is; otherwise a bundle that names one is a finding.
    """
    record, facts, result = rounds[-1].record, rounds[-1].facts, ReceiptCheck()
    hospital, line = find_hospital(record, device, said)
    result.hospital = hospital
    result.lines.append(line)
    try:
        result.lines += _relied_on(rounds, missing, without_chain=without_chain)
        if hospital is None:
            result.lines.append(_on_no_list(device, rows))
            return result
        part = record.hospitals[hospital]
        result.lines.append(_declared(record, part, device, facts, rows))
        expected = _expected([held.record for held in rounds], part, device)
    except UNCHECKABLE as error:
        broken = Finding(
            "leaf", f"device {device.hex()}", "rounds that quality can be decoded from", str(error)
        )
        result.lines.append(CheckLine("leaf", _LEAF, (broken,)))
        return result
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
    result.lines.append(check_signature(record, part, result.receipt, facts))
    result.due = _due(record, result.receipt, hospital, facts)
    return result


def _relied_on(
    rounds: Sequence[HeldRound], missing: Sequence[int], *, without_chain: bool
) -> list[CheckLine]:
    """What an audit finds of all that quality follows from: a line a check of the last round, one for those before."""
    checker = RoundChecker()
    before = [_no_bundle(number) for number in missing]
    for held in rounds[:-1]:
        lines = (_accepted(held, without_chain), *checker.lines(held.record, held.facts, only=RELIED_ON))
        before += [_of_round(held.record.number, finding) for line in lines for finding in line.findings]
    count = len(rounds) - 1 + len(missing)
    which = "the round" if count == 1 else f"the {count} rounds"
    earlier = CheckLine("earlier rounds", _EARLIER.format(which=which), tuple(before))
    last = (
        _accepted(rounds[-1], without_chain),
        *checker.lines(rounds[-1].record, rounds[-1].facts, only=RELIED_ON),
    )
    return [earlier, *last] if count else [*last]


def _accepted(held: HeldRound, without_chain: bool) -> CheckLine:
    """The bundle is the one whose digest the hospitals accepted, or of an unpaid round the one that some attested."""
    facts, what = held.facts, "the bundle is the one that the hospitals accepted"
    if facts is None:
        unheld = () if without_chain else tuple(held_nowhere(held.record))
        return CheckLine("bundle", what, unheld, _NO_CHAIN)
    if facts.close is None:
        return CheckLine("bundle", what, skipped="the round has not closed yet")
    if facts.unpaid:
        findings = tuple(check_attested(held.digest, facts))
        skipped = f"the round closed without quorum: nothing is due{dissenting(held.digest, facts)}"
        return CheckLine("bundle", what, findings, skipped)
    return CheckLine("bundle", what, tuple(check_bundle_digest(held.record, held.digest, facts)))


def _no_bundle(number: int) -> Finding:
    return Finding(
        "bundle", f"round {number}", "its bundle, since it is paid and quality rests on it", "none"
    )


def _of_round(number: int, finding: Finding) -> Finding:
    return Finding(finding.check, f"round {number}, {finding.subject}", finding.expected, finding.found)


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
    if line is None:
        absent = _on_no_list(device, rows)
        return CheckLine("declared", absent.what, (*findings, *absent.findings), absent.skipped)
    if rows is not None:
        findings += same("draw", f"{who}, rows on the ready list", rows, line.rows)
    what = "its line of the ready list is on the ledger" + (
        "" if rows is None else ", with the rows that it declared"
    )
    return CheckLine("declared", what, tuple(findings), _NO_CHAIN if facts is None and rows is None else None)


def _on_no_list(device: bytes, rows: int | None) -> CheckLine:
    """A device that is on no ready list: a finding where it declared rows."""
    what = "its line of the ready list is on the ledger"
    if rows is None:
        return CheckLine("declared", what, skipped="it is on no ready list")
    lacking = Finding(
        "draw", f"device {device.hex()}, line of the ready list", f"one with {rows} rows", "none"
    )
    return CheckLine("declared", what, (lacking,))


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
    return CheckLine("leaf", _LEAF, tuple(findings))


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
