"""Recomputing a round from its bundle: what hospitals do before they attest, and auditors afterwards.

Checks run in the order in which one thing follows from another, so the first finding is where a record departs from
what its own inputs say. Each is a line of the audit, and a file of `scripts.federation.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from fl_core.errors import FlError
from fl_core.models import model_digest
from fl_core.spec import epoch_of
from fl_core.threads import one_blas_thread
from incentives import Finding, HospitalEntry, IncentivesError, RoundEvidence
from incentives.suspicion_watch import Watch
from scripts.console.errors import CommandError
from scripts.federation.checks.agreed import check_spec, check_start
from scripts.federation.checks.drawn import check_draw
from scripts.federation.checks.enrolled import Rosters, check_enrolment
from scripts.federation.checks.entered import check_contributions, check_entries
from scripts.federation.checks.line import CheckLine, same
from scripts.federation.checks.one_form import check_one_form
from scripts.federation.checks.outcome import check_model
from scripts.federation.checks.quarantined import check_quarantine
from scripts.federation.checks.root import GivenRootSet, check_given_root
from scripts.federation.checks.summed import check_cohorts, check_releases
from scripts.federation.checks.transcribed import (
    Transcripts,
    check_transcripts,
    deleted_transcripts,
    recorded_transcripts,
)
from scripts.federation.checks.valued import check_scores, check_utilities
from scripts.federation.contributions import evidence_of
from scripts.federation.facts import LedgerFacts
from scripts.federation.quarantine import Decisions, decide
from scripts.federation.record import RoundRecord

UNCHECKABLE = (FlError, IncentivesError, ArithmeticError, LookupError, TypeError, ValueError)
"""What recomputing a record that makes no sense may raise."""


class RoundRejectedError(CommandError):
    """A hospital's own recomputation of a round differs from its bundle, so it does not attest."""

    def __init__(self, number: int, hospital: int, finding: Finding) -> None:
        super().__init__(f"hospital {hospital} does not attest round {number}: {finding}")


class _Step(NamedTuple):
    """A check in its place: its name, what it does, what does it, and why it is left out (None where it is not)."""

    check: str
    what: str
    run: Callable[[], Iterable[Finding]]
    skipped: str | None = None


class RoundChecker:
    """Recomputes the rounds of a run one after the other, as one hospital or auditor does.

    What it keeps between rounds comes from bundles that it has checked itself: the last model, the epoch's slots and
    the evidence of each hospital's devices.
    """

    def __init__(self, transcripts: Transcripts | None = None, root_set: GivenRootSet | None = None) -> None:
        """Start before the first round.

        Args:
            transcripts: of the secure sums, with the auditor's key; None leaves those sums unchecked.
            root_set: what the root update is learnt from, where the rule takes one; None leaves that unchecked.
        """
        self._transcripts = transcripts
        self._root_set = root_set
        self.built: dict[int, HospitalEntry] = {}  # each hospital's entry of the round checked last
        self._epoch = -1
        self._model_hash: bytes | None = None
        self._previous_hash: bytes | None = None
        self._spec_digest: bytes | None = None
        self._slots: dict[int, dict[bytes, int]] = {}
        self._rosters: Rosters = {}
        self._history: dict[int, list[RoundEvidence]] = {}
        self._watch: Watch | None = None
        self._decided: tuple[RoundRecord, tuple[Watch | None, Decisions]] | None = None

    def recall(self, record: RoundRecord) -> None:
        """Take over a round that was checked before, such as before a restart, without checking it again.

        Raises:
            IncentivesError: the record cannot be read for evidence.
        """
        self._turn_to(epoch_of(record.number))
        self._keep(record, self._history_with(record))

    def check(self, record: RoundRecord, facts: LedgerFacts | None = None) -> list[Finding]:
        """Recompute a round; the findings, in order; empty means that nothing differs.

        Args:
            record: the round as its bundle holds it.
            facts: the round as the ledger holds it, or None without a chain.
        """
        return [finding for line in self.lines(record, facts) for finding in line.findings]

    def lines(
        self,
        record: RoundRecord,
        facts: LedgerFacts | None = None,
        *,
        only: Collection[str] | None = None,
    ) -> Iterator[CheckLine]:
        """Recompute a round; a line a check, in order, each as it is done; after something unreadable all is skipped.

        Args:
            record: the round as its bundle holds it.
            facts: the round as the ledger holds it, or None without a chain.
            only: names of the checks that are done; all without it.
        """
        self._turn_to(epoch_of(record.number))
        self.built = {}
        broken: str | None = None
        agreed = True
        for step in self._steps(record, facts):
            if only is not None and step.check not in only:
                continue
            skipped = step.skipped if broken is None else f"the record broke off at {broken}"
            if step.check == "root update" and not agreed:
                skipped = skipped or "the spec differs: nothing is trained by one that was not agreed on"
            if skipped is not None:
                yield CheckLine(step.check, step.what, skipped=skipped)
                continue
            findings: list[Finding] = []
            try:
                with one_blas_thread():
                    findings.extend(step.run())
            except UNCHECKABLE as error:
                broken = step.check
                what = f"round {record.number}, {step.check}"
                findings.append(Finding("record", what, "a record that can be recomputed", str(error)))
            agreed = agreed and not (step.check == "spec" and findings)
            yield CheckLine(step.check, step.what, tuple(findings))
        if broken is None:
            try:
                self._keep(record, self._history_with(record))
            except UNCHECKABLE as error:
                broken = "what later rounds rest on"
                unfit = Finding(
                    "record", f"round {record.number}", "one that later rounds can rest on", str(error)
                )
                yield CheckLine("record", "what later rounds rest on can be computed from it", (unfit,))
        if broken is not None:  # what comes after is not held against the round before it
            self._decided = None
            self._keep_model(record)

    def _steps(self, record: RoundRecord, facts: LedgerFacts | None) -> tuple[_Step, ...]:
        def told(what: str, of_the_ledger: str) -> str:
            """What a check does, and what it does besides where there is a ledger."""
            return what if facts is None else f"{what}{of_the_ledger}"

        return (
            _Step(
                "spec",
                told(
                    "spec and scoring settings are those of the round before",
                    ", reward rule, declared rho and hospitals those agreed on",
                ),
                lambda: check_spec(record, facts, self._spec_digest),
            ),
            _Step(
                "model chain",
                told("it starts from the model that the round before gave", ", as was published"),
                lambda: check_start(record, facts, self._model_hash, self._previous_hash),
            ),
            _Step(
                "draw",
                told("cohorts drawn again are the same", ", ready lists came before the beacon"),
                lambda: check_draw(record, facts),
            ),
            _Step(
                "cohorts",
                "survivors are enough members of each cohort, their weights add up",
                lambda: check_cohorts(record),
            ),
            _Step(
                "participation",
                told("every survivor signed its masked input", ", rosters and keys are as registered"),
                lambda: check_enrolment(record, facts, self._rosters),
            ),
            _Step(
                "form",
                "what it says has one form: in order, of just those concerned, nothing besides",
                lambda: check_one_form(record),
            ),
            _Step(
                "releases",
                "just what the profile lets be seen is released, within clip and noise",
                lambda: check_releases(record),
            ),
            self._transcribed(record),
            *self._rooted(record),
            _Step(
                "model",
                told("the released sums give the model", " that was published"),
                lambda: check_model(record, facts),
            ),
            _Step(
                "utilities",
                told("validators valued each sum of the others", ", as they committed"),
                lambda: check_utilities(record, facts),
            ),
            _Step(
                "scores",
                told("scores follow from utilities", " and are those committed to and revealed"),
                lambda: check_scores(record, facts),
            ),
            _Step(
                "quarantine",
                "nobody in quarantine takes part, decisions made again are the same",
                lambda: check_quarantine(record, self._watch, lambda: self._decide(record)[1]),
            ),
            _Step(
                "leaves",
                "qualities decoded again, volumes, computes, slots, payees and receipts",
                lambda: self._contributions(record, facts),
            ),
            _Step(
                "entries",
                told("leaves and salts make trees", " with the roots, sums and digests that were submitted"),
                lambda: check_entries(record, facts, self.built),
            ),
        )

    def _transcribed(self, record: RoundRecord) -> _Step:
        what = "cohorts' sums done again, with the committed noise they are what was released"
        transcripts, skipped = self._transcripts, None
        deleted: frozenset[bytes] = frozenset()
        if not record.spec.auditor:
            skipped = "the run keeps no transcripts (train --transcripts)"
        elif transcripts is None:
            skipped = "takes the auditor's key (--transcript --key FILE)"
        else:
            deleted = deleted_transcripts(record, transcripts)
            if deleted and deleted == recorded_transcripts(record):
                skipped = "its transcripts are noted as deleted after the dispute window"
            elif deleted:
                what = f"{what} ({len(deleted)} of its transcripts are noted as deleted after the dispute window)"

        def run() -> Iterable[Finding]:
            assert transcripts is not None
            return check_transcripts(record, self._rosters, transcripts, deleted)

        return _Step("transcripts", what, run, skipped)

    def _rooted(self, record: RoundRecord) -> tuple[_Step, ...]:
        """The root update, where the rule takes one."""
        root_set = self._root_set
        if not record.spec.rule.takes_root:
            return ()
        what = "the root set, of rows, schema and scaling as in the spec, teaches the root update"
        if root_set is None:
            why = "takes the root set, which its holders may give (--root-set FILE)"
            return (_Step("root update", what, tuple, why),)
        return (_Step("root update", what, lambda: check_given_root(record, root_set)),)

    def _contributions(self, record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
        unpaid = self._watch.unpaid() if self._watch is not None else ()
        return check_contributions(record, facts, self._history_with(record), self._slots, unpaid)

    def _turn_to(self, epoch: int) -> None:
        """Accounts are drawn anew each epoch: nothing known about devices lasts longer."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._slots, self._history, self._rosters = {}, {}, {}
            self._watch = None

    def _history_with(self, record: RoundRecord) -> dict[int, list[RoundEvidence]]:
        found = {h: [*self._history.get(h, []), item] for h, item in evidence_of(record).items()}
        return {**self._history, **found}

    def _decide(self, record: RoundRecord) -> tuple[Watch | None, Decisions]:
        """What a round decides, computed once."""
        if self._decided is None or self._decided[0] is not record:
            self._decided = record, decide(self._watch, record, self._history)
        return self._decided[1]

    def _keep(self, record: RoundRecord, history: dict[int, list[RoundEvidence]]) -> None:
        self._watch, _ = self._decide(record)
        self._decided = None
        self._history = history
        self._keep_model(record)

    def _keep_model(self, record: RoundRecord) -> None:
        self._slots |= {h: dict(part.slots) for h, part in record.hospitals.items()}
        self._previous_hash = model_digest(record.model_before)
        self._model_hash = model_digest(record.model_after)
        self._spec_digest = record.spec.digest


def check_bundle_digest(record: RoundRecord, digest: bytes, facts: LedgerFacts) -> Iterator[Finding]:
    """Whether the digest that the hospitals accepted is that of this bundle."""
    yield from same("bundle", f"digest of round {record.number}", facts.accepted_digest, digest)
