"""The audit of a run: every round recomputed from its bundle and held against the ledger, then claims and supply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chain.checks import check_record, read_record
from chain.contracts import Contracts
from chain.history import RoundHistory, read_rounds
from fl_core.bundle import MANIFEST, bundle_digest, read_bundle
from fl_core.errors import BundleError
from incentives import Finding, IncentivesError, PaidClaim, check_close, check_payouts
from scripts.federation.contributions import entry_of
from scripts.federation.ledger_facts import LedgerReplay, facts_of
from scripts.federation.record import RoundRecord, round_folder
from scripts.federation.run import RunState
from scripts.federation.verify import RoundChecker, check_bundle_digest

BUNDLE_CHECKS = "draw, sums, model, utilities, scores, leaves"


@dataclass(frozen=True)
class AuditLine:
    """One line of an audit: what was recomputed, and the differences found.

    Attributes:
        subject: a round, or the whole.
        checks: what was recomputed.
        findings: the differences; empty means none.
    """

    subject: str
    checks: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.findings


def audit_run(
    folder: Path,
    state: RunState,
    contracts: Contracts | None,
    *,
    rounds: Sequence[int] | None = None,
    progress: Callable[[AuditLine], None] = lambda _: None,
) -> list[AuditLine]:
    """Audit a run.

    Args:
        folder: the run's folder.
        state: the run's state.
        contracts: its deployment, or None for a run without a chain.
        rounds: rounds to report on; all without it. Earlier ones are recomputed either way, since qualities build on
            them.
        progress: called with each line.

    Returns:
        One line a round, then one for the chain's totals.
    """
    lines = []
    last = max(rounds) if rounds else None
    for line in _lines(folder, state, contracts, last):
        if rounds is None or any(line.subject == f"round {number}" for number in rounds):
            lines.append(line)
            progress(line)
    return lines


def _lines(
    folder: Path, state: RunState, contracts: Contracts | None, last: int | None
) -> Iterator[AuditLine]:
    checker = RoundChecker()
    if contracts is None:
        for number in state.rounds:
            if last is None or number <= last:
                record, _, findings = _read(folder, state, number)
                found = findings if record is None else [*findings, *checker.check(record)]
                yield AuditLine(f"round {number}", BUNDLE_CHECKS, tuple(found))
        return
    replay = LedgerReplay.begin(contracts)
    for history in read_rounds(contracts):
        number = history.record.round
        if last is not None and number > last:
            return
        findings = []
        facts = facts_of(contracts, history)
        if number in state.rounds:
            record, digest, findings = _read(folder, state, number)
            if record is not None:
                findings += check_bundle_digest(record, digest, facts)
                findings += checker.check(record, facts)
                findings += _payouts(history, record)
        if facts.close is not None:
            findings += check_close(f"round {number}", replay.close(history), facts.close)
        if number in state.rounds:
            yield AuditLine(
                f"round {number}", f"{BUNDLE_CHECKS}, entries, allocations, claims", tuple(findings)
            )
        elif findings:
            yield AuditLine(f"round {number}", "allocations (its bundle is not in this run)", tuple(findings))
    yield AuditLine(
        "supply",
        "allocations within budgets, claims within allocations, supply = claims - burns",
        tuple(Finding(f.check, f.subject, f.expected, f.found) for f in check_record(read_record(contracts))),
    )


def _read(folder: Path, state: RunState, number: int) -> tuple[RoundRecord | None, bytes, list[Finding]]:
    """A round's record; an altered bundle is a finding, and is read all the same to say what in it differs."""
    bundle, findings = round_folder(folder, number), []
    try:
        files = read_bundle(bundle)
    except BundleError as error:
        findings = [Finding("bundle", f"round {number}", "the files as written", str(error))]
        files = _unverified(bundle)
    try:
        return RoundRecord.from_files(files), bundle_digest(files), findings
    except BundleError as error:
        return None, b"", [*findings, Finding("bundle", f"round {number}", "a readable record", str(error))]


def _unverified(bundle: Path) -> dict[str, bytes]:
    if not bundle.is_dir():
        return {}
    return {
        path.name: path.read_bytes() for path in bundle.iterdir() if path.is_file() and path.name != MANIFEST
    }


def _payouts(history: RoundHistory, record: RoundRecord) -> Iterator[Finding]:
    """What was claimed of the round, against what its leaves are due."""
    allocated = {item.hospital: item.amount for item in history.allocations}
    for hospital, part in record.hospitals.items():
        if not part.contributions:
            continue
        try:
            tree = entry_of(record, part).tree
        except IncentivesError as error:
            yield Finding("payouts", f"hospital {hospital}", "leaves that make a tree", str(error))
            continue
        yield from check_payouts(
            f"round {record.number}, hospital {hospital}",
            record.rule,
            tree,
            allocated.get(hospital, 0) - history.voided.get(hospital, 0),
            quality_scored=record.device_quality_scored,
            claims=[
                PaidClaim(slot=item.slot, payee=bytes.fromhex(item.payee[2:]), amount=item.amount)
                for item in history.claims
                if item.hospital == hospital
            ],
            treasury_claims=[item.amount for item in history.treasury_claims if item.hospital == hospital],
        )
