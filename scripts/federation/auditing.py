"""The audit of a run: every round recomputed from its bundle and held against the ledger, then claims and supply.

A line a check: what it recomputed, and ok, DIFFERS with what differs, or skipped with the reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chain.checks import check_record, read_record
from chain.contracts import Contracts
from chain.history import RoundHistory, read_rounds
from fl_core.bundle import bundle_digest
from fl_core.errors import BundleError
from fl_core.stores import RunStore
from incentives import Finding, HospitalEntry, IncentivesError, PaidClaim, check_close, check_payouts
from scripts.federation.checks.agreed import held_nowhere
from scripts.federation.checks.line import CheckLine, Verdict, same
from scripts.federation.checks.root import GivenRootSet
from scripts.federation.checks.transcribed import Transcripts
from scripts.federation.checks.unpaid import check_attested, dissenting, not_held
from scripts.federation.contributions import entry_of
from scripts.federation.facts import LedgerFacts
from scripts.federation.ledger_facts import LedgerReplay, facts_of
from scripts.federation.record import RoundRecord
from scripts.federation.run import RunState
from scripts.federation.schema_file import SCHEMA_FILE, schema_file_digest
from scripts.federation.verify import RoundChecker, check_bundle_digest

_BUNDLE = "files as written, in their one form"
_ALLOCATIONS = "closing replayed: medians, shares, bonus, budget and allocations are those recorded"
_CLAIMS = "what was paid is what leaves and treasury are due"
_NO_CHAIN = "the run has no chain"
_UNPAID = "the round closed without quorum: nothing is paid on it"


KeptElsewhere = Callable[[int, bytes], bool]
"""Whether the bundle of a round (its number) and of a digest is at hand in another run."""


@dataclass(frozen=True)
class AuditLine:
    """One line of an audit.

    Attributes:
        round_number: the round, or None for the whole.
        line: the check and what it came to.
    """

    round_number: int | None
    line: CheckLine

    @property
    def subject(self) -> str:
        """What the line is about, to read."""
        return "ledger" if self.round_number is None else f"round {self.round_number}"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The differences, in order; empty means none."""
        return self.line.findings

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return self.line.verdict is not Verdict.DIFFERS


def rounds_of(lines: Iterable[AuditLine]) -> list[int]:
    """The rounds that the lines are about, in order."""
    return list(dict.fromkeys(line.round_number for line in lines if line.round_number is not None))


def audit_run(
    store: RunStore,
    state: RunState,
    contracts: Contracts | None,
    *,
    rounds: Sequence[int] | None = None,
    elsewhere: KeptElsewhere = lambda _number, _digest: False,
    transcripts: Transcripts | None = None,
    root_set: GivenRootSet | None = None,
    without_chain: bool = False,
    progress: Callable[[AuditLine], None] = lambda _: None,
) -> list[AuditLine]:
    """Audit a run.

    Args:
        store: where its bundles are.
        state: the run's state. What it lists is not believed: the ledger's rounds are what is audited, or without a
            chain every bundle that is listed or there.
        contracts: its deployment, or None for a run without a chain.
        rounds: rounds to report on; all without it. Earlier ones are recomputed either way, since models and qualities
            build on them; what differs in them is a finding of the first round that is reported.
        elsewhere: whether a paid round's bundle, of the accepted digest, is at hand in another run.
        transcripts: of the secure sums, with the auditor's key; None leaves those sums unchecked.
        root_set: what root updates are learnt from; None leaves them unchecked.
        without_chain: the caller leaves out a chain that there is; otherwise a bundle that names one is a finding.
        progress: called with each line.

    Returns:
        A line a check of every round, then one for the chain's totals, one for the schema where the run has a
        projection, and one for what lies among the bundles and is none, if anything.
    """
    lines = []
    bundled = sorted({*state.rounds, *store.bundles()})
    checker = RoundChecker(transcripts, root_set)
    found = (
        _offline_lines(store, state.run, bundled, checker, without_chain=without_chain)
        if contracts is None
        else _chain_lines(store, state.run, bundled, contracts, elsewhere, checker)
    )
    schema = _schema_lines(store, state.run, bundled) if state.settings.projection else ()
    chosen = found if rounds is None else _reported(found, rounds)
    for line in itertools.chain(chosen, schema if rounds is None else (), _stranger_lines(store)):
        lines.append(line)
        progress(line)
    return lines


def _reported(lines: Iterable[AuditLine], rounds: Sequence[int]) -> Iterator[AuditLine]:
    """The lines of some rounds; before those of each, whether the rounds before it hold, since it rests on them."""
    earlier: dict[int, Finding] = {}
    begun: set[int] = set()
    before: set[int] = set()
    for line in lines:
        number = line.round_number
        if number is None or number > max(rounds):
            return
        if number in rounds:
            if number not in begun and before:
                yield AuditLine(number, _rests_on(len(before), earlier))
            begun.add(number)
            yield line
        before.add(number)
        if line.findings:
            earlier.setdefault(number, line.findings[0])


def _rests_on(count: int, earlier: Mapping[int, Finding]) -> CheckLine:
    findings = tuple(
        Finding(
            "earlier rounds", f"round {number}, which this one rests on", "nothing that differs", f"{first}"
        )
        for number, first in earlier.items()
    )
    before = (
        "the round before it, recomputed as well, has"
        if count == 1
        else f"the {count} before it, recomputed, have"
    )
    return CheckLine("earlier rounds", f"{before} no findings", findings)


def _offline_lines(
    store: RunStore, run: str, bundled: Sequence[int], checker: RoundChecker, *, without_chain: bool
) -> Iterator[AuditLine]:
    for number in bundled:
        record, _, findings = _read(store, run, number)
        if record is not None and not without_chain:
            findings += held_nowhere(record)
        yield AuditLine(number, CheckLine("bundle", _BUNDLE, tuple(findings)))
        yield from _recomputed(number, record, checker, None)
        for check, what in (("allocations", _ALLOCATIONS), ("claims", _CLAIMS)):
            yield AuditLine(number, CheckLine(check, what, skipped=_NO_CHAIN))


def _chain_lines(
    store: RunStore,
    run: str,
    bundled: Sequence[int],
    contracts: Contracts,
    elsewhere: KeptElsewhere,
    checker: RoundChecker,
) -> Iterator[AuditLine]:
    replay = LedgerReplay.begin(contracts)
    histories = read_rounds(contracts)
    for history in histories:
        number = history.record.round
        facts = facts_of(contracts, history)
        if facts.close is None:
            skipped = "not closed yet: nothing is paid on it"
            yield AuditLine(number, CheckLine("bundle", _BUNDLE, skipped=skipped))
            continue
        closing = tuple(check_close(f"round {number}", replay.close(history), facts.close))
        allocations = AuditLine(number, CheckLine("allocations", _ALLOCATIONS, closing))
        if number in bundled:
            yield from _bundled_lines(store, run, history, facts, checker, allocations)
            continue
        missing: tuple[Finding, ...] = ()
        left_out: str | None = _UNPAID if facts.unpaid else "its bundle is in another run"
        if not facts.unpaid and not elsewhere(number, facts.accepted_digest or b""):
            left_out = None
            missing = (
                Finding("bundle", f"round {number}", "its bundle, since it is paid", "none in this run"),
            )
        yield AuditLine(number, CheckLine("bundle", _BUNDLE, missing, left_out))
        yield allocations
    for number in sorted(set(bundled) - {history.record.round for history in histories}):
        unknown = Finding("bundle", f"round {number}", "a round that the ledger knows", "none of that number")
        yield AuditLine(number, CheckLine("bundle", _BUNDLE, (unknown,)))
    sums = (Finding(f.check, f.subject, f.expected, f.found) for f in check_record(read_record(contracts)))
    what = "allocations within budgets, claims within allocations, supply = claims - burns"
    yield AuditLine(None, CheckLine("supply", what, tuple(sums)))


def _bundled_lines(
    store: RunStore,
    run: str,
    history: RoundHistory,
    facts: LedgerFacts,
    checker: RoundChecker,
    allocations: AuditLine,
) -> Iterator[AuditLine]:
    """One round, from its bundle. An unpaid one may have stopped anywhere: it is held against what the ledger has."""
    number, paid = facts.number, not facts.unpaid
    record, digest, findings = _read(store, run, number)
    what = f"{_BUNDLE}, of the digest that the hospitals attested" if paid else _BUNDLE
    if record is not None and paid:
        findings += check_bundle_digest(record, digest, facts)
    elif record is not None:
        findings += check_attested(digest, facts)
        left = not_held(record, facts)
        what += f"; unpaid, and the ledger bears out all but {left}" if left else "; unpaid"
        what += dissenting(digest, facts)
    yield AuditLine(number, CheckLine("bundle", what, tuple(findings)))
    yield from _recomputed(number, record, checker, facts)
    yield allocations
    unpaid = None if paid else _UNPAID
    if record is None:
        yield AuditLine(number, CheckLine("claims", _CLAIMS, skipped=unpaid or "the bundle cannot be read"))
    else:
        payouts = () if unpaid else tuple(_payouts(history, record, checker.built))
        yield AuditLine(number, CheckLine("claims", _CLAIMS, payouts, unpaid))


def _recomputed(
    number: int, record: RoundRecord | None, checker: RoundChecker, facts: LedgerFacts | None
) -> Iterator[AuditLine]:
    if record is not None:
        for line in checker.lines(record, facts):
            yield AuditLine(number, line)


def _stranger_lines(store: RunStore) -> Iterator[AuditLine]:
    """What lies among the bundles under no round's name, such as a copy at `1`: nothing else would look at it."""
    names = store.strangers()
    if names:
        found = [
            Finding("bundle", f"what is called {name!r}", "a round's name, or not there", "there")
            for name in names
        ]
        yield AuditLine(None, CheckLine("bundle", "nothing but rounds lies among the bundles", tuple(found)))


def _schema_lines(store: RunStore, run: str, bundled: Sequence[int]) -> Iterator[AuditLine]:
    """The schema beside the bundles, with the projection that the models are of: whether it is what the specs name."""
    records = (_read(store, run, number)[0] for number in bundled)
    record = next((record for record in records if record is not None), None)
    if record is not None:
        expected, found = record.spec.schema_digest, schema_file_digest(store)
        differs = Finding("schema", SCHEMA_FILE, expected, found or "no such file")
        what = f"{SCHEMA_FILE} with the projection is the one that the specs name"
        yield AuditLine(None, CheckLine("schema", what, () if found == expected else (differs,)))


def _read(store: RunStore, run: str, number: int) -> tuple[RoundRecord | None, bytes, list[Finding]]:
    """A round's record; an altered bundle is a finding, and is read all the same to say what in it differs."""
    findings: list[Finding] = []
    try:
        files = store.read_bundle(number)
    except BundleError as error:
        findings = [Finding("bundle", f"round {number}", "the files as written", str(error))]
        files = _as_found(store, number)
    try:
        record = RoundRecord.from_files(files)
    except BundleError as error:
        return None, b"", [*findings, Finding("bundle", f"round {number}", "a readable record", str(error))]
    try:
        record.require_own_form(files)
    except BundleError as error:
        findings.append(Finding("bundle", f"round {number}", "files in their own form", str(error)))
    findings += same("bundle", f"round {number}, run", run, record.run)
    findings += same("bundle", f"round {number}, number", number, record.number)
    return record, bundle_digest(files), findings


def _as_found(store: RunStore, number: int) -> dict[str, bytes]:
    try:
        return store.as_found(number)
    except BundleError:
        return {}


def _payouts(
    history: RoundHistory, record: RoundRecord, built: Mapping[int, HospitalEntry]
) -> Iterator[Finding]:
    """What was claimed of the round, against what its leaves are due."""
    allocated = {item.hospital: item.amount for item in history.allocations}
    for hospital, part in record.hospitals.items():
        if not part.contributions:
            continue
        try:
            tree = (built.get(hospital) or entry_of(record, part)).tree
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
