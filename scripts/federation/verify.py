"""Recomputing a round from its bundle: what hospitals do before they attest, and auditors afterwards.

Checks run in the order in which one thing follows from another, so the first finding is where a record departs from
what its own inputs say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from fl_core.cohorts import draw_cohorts, ready_digest
from fl_core.errors import FlError
from fl_core.models import model_digest
from fl_core.secagg import Advertisement, Roster, minimum_threshold
from fl_core.spec import Profile, RoundSpec, epoch_of
from fl_core.tiers import (
    JOINT_HOSPITAL,
    CohortReport,
    Counts,
    Release,
    counts_of,
    epoch_commitment,
    federated_average,
    joint_counts,
    length_of,
)
from incentives import Finding, IncentivesError, RoundEvidence, check_class_caps, check_entry, check_leaves
from scripts.console.errors import CommandError
from scripts.federation.contributions import (
    contributions_of,
    entry_of,
    evidence_of,
    qualities,
    scores_of,
    scoring_digest,
    valued_key,
)
from scripts.federation.facts import LedgerFacts
from scripts.federation.participation import (
    check_joint_participation,
    check_participation,
    hospital_roster_of,
    roster_of,
)
from scripts.federation.record import RoundRecord

_UNCHECKABLE = (FlError, IncentivesError, ArithmeticError, LookupError, TypeError, ValueError)


class RoundRejectedError(CommandError):
    """A hospital's own recomputation of a round differs from its bundle, so it does not attest."""

    def __init__(self, number: int, hospital: int, finding: Finding) -> None:
        super().__init__(f"hospital {hospital} does not attest round {number}: {finding}")


class RoundChecker:
    """Recomputes the rounds of a run one after the other, as one hospital or auditor does.

    What it keeps between rounds comes from bundles that it has checked itself: the last model, the epoch's slots and
    the evidence of each hospital's devices.
    """

    def __init__(self) -> None:
        """Start before the first round."""
        self._epoch = -1
        self._model_hash: bytes | None = None
        self._previous_hash: bytes | None = None
        self._spec_digest: bytes | None = None
        self._slots: dict[int, dict[bytes, int]] = {}
        self._rosters: dict[tuple[bytes, ...], Roster] = {}
        self._history: dict[int, list[RoundEvidence]] = {}

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
        self._turn_to(epoch_of(record.number))
        findings: list[Finding] = []
        try:
            for step in (
                self._spec,
                self._draw,
                _cohorts,
                self._participation,
                _releases,
                _joint,
                _model,
                _validators,
            ):
                findings.extend(step(record, facts))
            history = self._history_with(record)
            findings.extend(self._slots_kept(record))
            findings.extend(_contributions(record, history))
            findings.extend(_entries(record, facts))
        except _UNCHECKABLE as error:
            what = f"round {record.number}"
            return [*findings, Finding("record", what, "a record that can be recomputed", str(error))]
        self._keep(record, history)
        return findings

    def _turn_to(self, epoch: int) -> None:
        """Accounts are drawn anew each epoch: nothing known about devices lasts longer."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._slots, self._history, self._rosters = {}, {}, {}

    def _history_with(self, record: RoundRecord) -> dict[int, list[RoundEvidence]]:
        return {h: [*self._history.get(h, []), item] for h, item in evidence_of(record).items()}

    def _keep(self, record: RoundRecord, history: dict[int, list[RoundEvidence]]) -> None:
        self._history = history
        self._slots = {h: dict(part.slots) for h, part in record.hospitals.items()}
        self._previous_hash = model_digest(record.model_before)
        self._model_hash = model_digest(record.model_after)
        self._spec_digest = record.spec.digest

    def _spec(self, record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
        yield from _same(
            "spec", "scoring settings", record.spec.scoring_digest, scoring_digest(record.scoring)
        )
        if facts is not None:
            yield from _same("spec", "round number", facts.number, record.number)
            yield from _same(
                "spec", f"k_min of at least {facts.k_min}", True, record.spec.k_min >= facts.k_min
            )
            yield from _same(
                "record", "hospitals with a ready list", sorted(facts.ready), sorted(record.hospitals)
            )
            yield from _same("spec", "spec hash", facts.spec_hash, record.spec.digest)
            yield from _same("spec", "profile", facts.profile, record.spec.profile.code)
            yield from _same("spec", "declared rho, in millionths", facts.rho_micro, record.spec.rho_micro)
            yield from _same("spec", "reward rule", dict(facts.rule), asdict(record.rule))
            yield from _same(
                "model", "hash of the starting model", facts.model_hash, model_digest(record.model_before)
            )
        if self._spec_digest is not None:
            yield from _same(
                "spec", "spec, the same in all rounds of a run", self._spec_digest, record.spec.digest
            )
        if self._model_hash is not None:
            found = model_digest(record.model_before)
            yield from _same("model", "starting model, after the round before", self._model_hash, found)
        expected = self._previous_hash if record.spec.follows_updates else None
        yield from _same(
            "model", "model of the round before, in the plan", expected, record.plan.previous_hash
        )

    def _draw(self, record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
        spec = record.spec
        if facts is not None:
            yield from _same("draw", "beacon", facts.beacon, record.beacon)
        for hospital, part in record.hospitals.items():
            who = f"hospital {hospital}"
            if facts is not None:
                digest = ready_digest(record.number, hospital, part.ready)
                yield from _same("draw", f"{who}, ready list", facts.ready.get(hospital), digest)
            drawn = draw_cohorts(
                record.beacon,
                hospital,
                [spec.terms.link_class(line) for line in part.ready],
                cohort_size=spec.cohort_size,
                k_min=spec.k_min,
            )
            members = [
                sorted(part.ready[position].address for position in cohort.positions) for cohort in drawn
            ]
            found = [sorted(cohort.members) for cohort in part.cohorts]
            yield from _same("draw", f"{who}, cohorts", members, found)
            classes = [cohort.link_class for cohort in part.cohorts]
            yield from _same("draw", f"{who}, link classes", [cohort.link_class for cohort in drawn], classes)
            numbers = [cohort.cohort for cohort in part.cohorts]
            yield from _same("draw", f"{who}, numbers of its cohorts", list(range(len(drawn))), numbers)
            yield from _same("draw", f"{who}, id in its own part", hospital, part.hospital)
        listed = [line.address for part in record.hospitals.values() for line in part.ready]
        yield from _same("draw", "devices that are on two ready lists", len(listed), len(set(listed)))

    def _participation(self, record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
        keys = tuple(part.keys for part in record.hospitals.values())
        hospitals = self._rosters.get(keys)
        if hospitals is None:
            hospitals = self._rosters[keys] = hospital_roster_of(record)
        yield from check_joint_participation(record, hospitals)
        for hospital, part in record.hospitals.items():
            who = f"hospital {hospital}"
            roster = self._rosters.get(part.advertisements)
            if roster is None:
                roster = self._rosters[part.advertisements] = roster_of(record, part)
            if facts is not None:
                root = facts.roster_roots.get(hospital)
                yield from _same("participation", f"{who}, roster root", root, roster.root)
                commitment = epoch_commitment(part.seed_digest, Advertisement.decode(part.keys))
                yield from _same(
                    "participation",
                    f"{who}, commitment to its keys and noise seed",
                    facts.commitments.get(hospital),
                    commitment,
                )
            strangers = sorted(line.address.hex() for line in part.ready if line.address not in roster)
            yield from _same("participation", f"{who}, ready devices that are not enrolled", [], strangers)
            yield from _same("participation", f"{who}, devices with slots", set(roster), set(part.slots))
            yield from check_participation(record, part)

    def _slots_kept(self, record: RoundRecord) -> Iterator[Finding]:
        for hospital, part in record.hospitals.items():
            who = f"hospital {hospital}"
            distinct = len(set(part.slots.values())) == len(part.slots)
            even = all(slot % 2 == 0 for slot in part.slots.values())
            yield from _same("leaves", f"{who}, slots distinct and even", True, distinct and even)
            if hospital in self._slots:
                yield from _same(
                    "leaves", f"{who}, slots of the epoch", self._slots[hospital], dict(part.slots)
                )


def check_bundle_digest(record: RoundRecord, digest: bytes, facts: LedgerFacts) -> Iterator[Finding]:
    """Whether the digest that the hospitals accepted is that of this bundle."""
    yield from _same("bundle", f"digest of round {record.number}", facts.accepted_digest, digest)


def _cohorts(record: RoundRecord, _facts: LedgerFacts | None) -> Iterator[Finding]:
    spec = record.spec
    for part in record.hospitals.values():
        lines = {line.address: line for line in part.ready}
        for cohort in part.cohorts:
            who = f"hospital {part.hospital}, cohort {cohort.cohort}"
            if not cohort.summed:
                yield from _same("cohort", f"{who}, survivors of a failed cohort", 0, len(cohort.survivors))
                yield from _same("cohort", f"{who}, weight of a failed cohort", 0, cohort.rows)
                yield from _same("cohort", f"{who}, a reason for failing", True, bool(cohort.failure))
                continue
            yield from _same(
                "cohort",
                f"{who}, survivors that are no members",
                [],
                sorted(address.hex() for address in set(cohort.survivors) - set(cohort.members)),
            )
            enough = (
                len(set(cohort.survivors)) == len(cohort.survivors) >= spec.threshold(len(cohort.members))
            )
            yield from _same("cohort", f"{who}, enough distinct survivors", True, enough)
            rows = sum(spec.credited_rows(lines[a].rows, lines[a].device_class) for a in cohort.survivors)
            yield from _same("cohort", f"{who}, weight", rows, cohort.rows)


def _releases(record: RoundRecord, _facts: LedgerFacts | None) -> Iterator[Finding]:
    """Whether just what the profile lets be seen is released, and each sum is one that its members can have."""
    spec, profile = record.spec, record.spec.profile
    for part in record.hospitals.values():
        who = f"hospital {part.hospital}"
        summed = [report for report in part.cohorts if report.summed]
        due: dict[int | None, list[CohortReport]] = {}
        if profile is Profile.ACCOUNTABLE:
            due = {report.cohort: [report] for report in summed}
        elif profile is Profile.HOSPITAL and summed:
            due = {None: summed}
        yield from _same("release", f"{who}, sums released", list(due), [r.cohort for r in part.releases])
        for release in part.releases:
            yield from _release(spec, release, counts_of(spec, due.get(release.cohort, [])))


def _release(spec: RoundSpec, release: Release, counts: Counts) -> Iterator[Finding]:
    devices, rows = counts
    yield from _same("release", f"{release.name}, devices by link class", devices, release.devices)
    yield from _same("release", f"{release.name}, rows by link class", rows, release.rows)
    length = spec.terms.lengths[0] if release.hospital == JOINT_HOSPITAL else length_of(spec, devices)
    yield from _same("release", f"{release.name}, entries of its sum", length, len(release.total))
    reach = spec.release_reach(sum(devices))
    bounded = -reach <= int(release.total.min()) <= int(release.total.max()) <= reach
    yield from _same("release", f"{release.name}, sum within what clipped updates can give", True, bounded)


def _joint(record: RoundRecord, _facts: LedgerFacts | None) -> Iterator[Finding]:
    """The sum over hospitals: there in profile private only, over enough hospitals, each with a sum of its own."""
    spec, joint, total = record.spec, record.joint, record.total
    yield from _same("release", "a sum over hospitals", spec.profile is Profile.PRIVATE, joint is not None)
    if joint is None:
        yield from _same("release", "the total over hospitals", False, total is not None)
        return
    parts = {Advertisement.decode(part.keys).address: part for part in record.hospitals.values()}
    yield from _same("release", "members of the sum over hospitals", tuple(sorted(parts)), joint.members)
    yield from _same("release", "the total over hospitals", joint.summed, total is not None)
    if total is None:
        yield from _same("release", "hospitals in a sum that failed", 0, len(joint.survivors))
        yield from _same("release", "a reason for failing", True, bool(joint.failure))
        return
    survivors = joint.survivors
    needed = max(minimum_threshold(len(parts)), spec.min_hospitals)
    enough = len(set(survivors)) == len(survivors) >= needed
    yield from _same("release", "enough distinct hospitals", True, enough)
    with_sums = {address for address, part in parts.items() if any(report.summed for report in part.cohorts)}
    strangers = sorted(address.hex() for address in set(survivors) - with_sums)
    yield from _same("release", "hospitals without a sum in the sum", [], strangers)
    counts = joint_counts([counts_of(spec, record.counted(parts[address])) for address in survivors])
    yield from _same("release", "rows in the sum over hospitals", sum(counts[1]), joint.rows)
    yield from _release(spec, total, counts)


def _model(record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
    model = federated_average(record.plan, record.releases, record.beacon)
    expected, found = model_digest(model), model_digest(record.model_after)
    yield from _same("model", "model after the round, from the released sums", expected, found)
    if facts is not None:
        yield from _same("model", "hash of the new model", facts.model_hash_after, found)


def _validators(record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
    keys = (valued_key(release) for release in record.releases)
    released = {key for key in keys if key is not None}
    if facts is not None:
        yield from _same("scores", "validators", sorted(facts.reveals), sorted(record.validators))
    for validator, said in record.validators.items():
        who = f"validator {validator}"
        due = sorted(key for key in released if key.hospital != validator)
        yield from _same("utilities", f"{who}, sums valued", due, sorted(said.utilities))
        coarse = all(value % record.spec.utility_step == 0 for value in said.utilities.values())
        yield from _same("utilities", f"{who}, multiples of the agreed step", True, coarse)
        if facts is not None and validator in facts.reveals:
            revealed = facts.reveals[validator]
            digest = said.utilities_digest(record.number, validator)
            yield from _same("utilities", f"{who}, digest", revealed.utilities_digest, digest)
            yield from _same("scores", f"{who}, scores on chain", dict(revealed.scores), dict(said.scores))
            yield from _same("scores", f"{who}, score of the model", revealed.model_score, said.model_score)
        scores = scores_of(said.utilities, validator, record.scoring)
        yield from _same("scores", f"{who}, scores from its utilities", scores, dict(said.scores))


def _contributions(record: RoundRecord, history: dict[int, list[RoundEvidence]]) -> Iterator[Finding]:
    for hospital, part in record.hospitals.items():
        expected = contributions_of(record, part, qualities(record, hospital, history))
        who = f"hospital {hospital}"
        leaves = [item.leaf(bytes(32)) for item in part.contributions]
        yield from check_class_caps(who, record.rule, leaves)
        yield from check_leaves(who, expected, leaves)
        holders = {item.slot: item.device for item in part.contributions}
        yield from _same("leaves", f"{who}, devices", {item.slot: item.device for item in expected}, holders)
        due = {item.device for item in expected}
        yield from _same("receipts", f"{who}, devices with a receipt", due, set(part.receipts))


def _entries(record: RoundRecord, facts: LedgerFacts | None) -> Iterator[Finding]:
    for hospital, part in record.hospitals.items():
        recorded = None if facts is None else facts.entries.get(hospital)
        who = f"hospital {hospital}"
        if facts is not None:
            yield from _same(
                "entry", f"{who}, entry on the ledger", bool(part.contributions), recorded is not None
            )
        if not part.contributions:
            continue
        entry = entry_of(record, part)
        if recorded is not None:
            yield from check_entry(who, entry.tree, recorded.entry)
            yield from _same("entry", f"{who}, digest of its part", recorded.bundle_digest, part.digest)


def _same(check: str, subject: str, expected: object, found: object) -> Iterator[Finding]:
    if expected != found:
        yield Finding(check, subject, _shown(expected), _shown(found))


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, np.generic):
        return str(value.item())
    text = str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
