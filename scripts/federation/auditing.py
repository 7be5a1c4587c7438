"""The audit of a run: every round recomputed from its bundle and held against the ledger, then claims and supply."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chain.checks import check_record, read_record
from chain.contracts import Contracts
from chain.history import RoundHistory, read_rounds
from fl_core.bundle import MANIFEST, bundle_digest, read_bundle
from fl_core.errors import BundleError
from incentives import Finding, IncentivesError, PaidClaim, check_close, check_payouts
from scripts.federation.contributions import entry_of
from scripts.federation.facts import LedgerFacts
from scripts.federation.ledger_facts import LedgerReplay, facts_of
from scripts.federation.record import RoundRecord, round_folder
from scripts.federation.run import RunState
from scripts.federation.schema_file import SCHEMA_FILE, schema_file_digest
from scripts.federation.verify import RoundChecker, check_bundle_digest

BUNDLE_CHECKS = "draw, signatures, sums, model, utilities, scores, leaves"
SUPPLY_CHECKS = "allocations within budgets, claims within allocations, supply = claims - burns"


@dataclass(frozen=True)
class AuditLine:
    """One line of an audit: what was recomputed, and the differences found.

    Attributes:
        round_number: the round, or None for the whole.
        checks: what was recomputed.
        findings: the differences; empty means none.
        whole: what a line about no round is about.
    """

    round_number: int | None
    checks: str
    findings: tuple[Finding, ...]
    whole: str = "supply"

    @property
    def subject(self) -> str:
        """What the line is about, to read."""
        return self.whole if self.round_number is None else f"round {self.round_number}"

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
    elsewhere: Collection[int] = (),
    progress: Callable[[AuditLine], None] = lambda _: None,
) -> list[AuditLine]:
    """Audit a run.

    Args:
        folder: the run's folder.
        state: the run's state. What it lists is not believed: the ledger's rounds are what is audited, or without a
            chain every bundle that is listed or there.
        contracts: its deployment, or None for a run without a chain.
        rounds: rounds to report on; all without it. Earlier ones are recomputed either way, since qualities build on
            them.
        elsewhere: rounds of the ledger whose bundles are known to be in other runs.
        progress: called with each line.

    Returns:
        One line a round, one for the chain's totals, and one for the schema where the run has a projection.
    """
    lines = []
    bundled = sorted({*state.rounds, *_bundles_of(folder)})
    found = (
        _offline_lines(folder, bundled)
        if contracts is None
        else _chain_lines(folder, bundled, contracts, frozenset(elsewhere))
    )
    schema = _schema_lines(folder, bundled) if state.settings.projection else ()
    for line in itertools.chain(found, schema):
        if rounds is None or line.round_number in rounds:
            lines.append(line)
            progress(line)
        if rounds is not None and line.round_number is not None and line.round_number >= max(rounds):
            break
    return lines


def _offline_lines(folder: Path, bundled: Sequence[int]) -> Iterator[AuditLine]:
    checker = RoundChecker()
    for number in bundled:
        record, _, findings = _read(folder, number)
        if record is not None:
            findings += checker.check(record)
        yield AuditLine(number, BUNDLE_CHECKS, tuple(findings))


def _chain_lines(
    folder: Path, bundled: Sequence[int], contracts: Contracts, elsewhere: frozenset[int]
) -> Iterator[AuditLine]:
    checker, replay = RoundChecker(), LedgerReplay.begin(contracts)
    histories = read_rounds(contracts)
    for history in histories:
        number = history.record.round
        facts = facts_of(contracts, history)
        if facts.close is None:
            yield AuditLine(number, "not closed yet: nothing is paid on it", ())
            continue
        closing = check_close(f"round {number}", replay.close(history), facts.close)
        if number in bundled:
            yield _bundled_line(folder, history, facts, checker, closing)
        elif facts.close.paid and number not in elsewhere:
            missing = Finding("bundle", f"round {number}", "its bundle, since it is paid", "none in this run")
            yield AuditLine(number, "allocations only", (missing, *closing))
        else:
            where = "its bundle is in another run" if number in elsewhere else "closed without quorum, unpaid"
            yield AuditLine(number, f"allocations only: {where}", tuple(closing))
    for number in sorted(set(bundled) - {history.record.round for history in histories}):
        unknown = Finding("bundle", f"round {number}", "a round that the ledger knows", "none of that number")
        yield AuditLine(number, "nothing", (unknown,))
    sums = (Finding(f.check, f.subject, f.expected, f.found) for f in check_record(read_record(contracts)))
    yield AuditLine(None, SUPPLY_CHECKS, tuple(sums))


def _schema_lines(folder: Path, bundled: Sequence[int]) -> Iterator[AuditLine]:
    """The schema beside the bundles, with the projection that the models are of: whether it is what the specs name."""
    records = (_read(folder, number)[0] for number in bundled)
    record = next((record for record in records if record is not None), None)
    if record is not None:
        expected, found = record.spec.schema_digest, schema_file_digest(folder)
        differs = Finding("schema", SCHEMA_FILE, expected, found or "no such file")
        findings = () if found == expected else (differs,)
        yield AuditLine(None, f"{SCHEMA_FILE} with the projection", findings, "schema")


def _bundled_line(
    folder: Path, history: RoundHistory, facts: LedgerFacts, checker: RoundChecker, closing: list[Finding]
) -> AuditLine:
    """One round, from its bundle. An unpaid one may have stopped anywhere, so only its bundle is recomputed."""
    number, paid = facts.number, facts.close is not None and facts.close.paid
    record, digest, findings = _read(folder, number)
    if record is not None and paid:
        findings += check_bundle_digest(record, digest, facts)
        findings += checker.check(record, facts)
        findings += _payouts(history, record)
    elif record is not None:
        findings += checker.check(record)
    checks = (
        f"{BUNDLE_CHECKS}, entries, allocations, claims" if paid else f"{BUNDLE_CHECKS} (unpaid: no quorum)"
    )
    return AuditLine(number, checks, (*findings, *closing))


def _bundles_of(folder: Path) -> list[int]:
    rounds = round_folder(folder, 0).parent
    return [int(path.name) for path in rounds.iterdir() if path.name.isdecimal()] if rounds.is_dir() else []


def _read(folder: Path, number: int) -> tuple[RoundRecord | None, bytes, list[Finding]]:
    """A round's record; an altered bundle is a finding, and is read all the same to say what in it differs."""
    bundle, findings = round_folder(folder, number), []
    try:
        files = read_bundle(bundle)
    except BundleError as error:
        findings = [Finding("bundle", f"round {number}", "the files as written", str(error))]
        files = _unverified(bundle)
    try:
        record = RoundRecord.from_files(files)
    except BundleError as error:
        return None, b"", [*findings, Finding("bundle", f"round {number}", "a readable record", str(error))]
    try:
        record.require_own_form(files)
    except BundleError as error:
        findings.append(Finding("bundle", f"round {number}", "files in their own form", str(error)))
    return record, bundle_digest(files), findings


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
