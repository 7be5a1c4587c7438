"""Secure sums done again from their transcripts: what an edge released is its devices' sum and its committed noise."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import FlError
from fl_core.secagg import CohortPlan, Roster
from fl_core.secagg.sum_transcript import SumTranscript, sum_again
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers import (
    CohortReport,
    CohortSum,
    OpenedTranscript,
    Release,
    TranscriptPlace,
    counts_of,
    seed_digest,
    summed_up,
    with_global_noise,
)
from fl_core.updates.ring import Ring
from incentives import Finding
from scripts.federation.checks.enrolled import Rosters
from scripts.federation.checks.line import same
from scripts.federation.participation import cohort_plan, plan_over_hospitals
from scripts.federation.record import HospitalRecord, RoundRecord
from scripts.federation.signing import session_of

CHECK = "transcript"


class Transcripts(Protocol):
    """Where an auditor has transcripts from, and its key."""

    @property
    def deleted(self) -> frozenset[int]:
        """Rounds of which a transcript may be missing: deleted after they could not be disputed any more."""

    def there(self) -> Collection[bytes]:
        """SHA-256 of every transcript that is there, opened or not.

        Raises:
            FlError: where they are kept does not answer.
        """

    def open(self, digest: bytes, place: TranscriptPlace) -> OpenedTranscript:
        """The transcript whose sealed bytes have this SHA-256.

        Raises:
            FlError: it is missing, altered, or cannot be opened.
        """


@dataclass
class _Own:
    """What a hospital's transcripts gave: its cohorts' sums, and the seed of its noise where all agree on it."""

    sums: list[CohortSum] = field(default_factory=list)
    noise_seed: bytes = b""
    whole: bool = True


def recorded_transcripts(record: RoundRecord) -> frozenset[bytes]:
    """SHA-256 of every transcript that a round names; empty bytes among them where a sum names none."""
    reports = [report for part in record.hospitals.values() for report in part.cohorts]
    if record.joint is not None:
        reports.append(record.joint)
    return frozenset(report.transcript_hash for report in reports if report.summed or report.transcript_hash)


def deleted_transcripts(record: RoundRecord, transcripts: Transcripts) -> frozenset[bytes]:
    """The transcripts of a round that are missing and may be."""
    if record.number not in transcripts.deleted:
        return frozenset()
    try:
        return recorded_transcripts(record) - {b"", *transcripts.there()}
    except FlError:
        return frozenset()  # opening them will say what is wrong


def check_transcripts(
    record: RoundRecord, rosters: Rosters, transcripts: Transcripts, deleted: Collection[bytes] = ()
) -> Iterator[Finding]:
    """Hold every released sum against its cohorts' sums, done again, and the noise that was committed to.

    What takes a deleted transcript is left out; all else is checked.

    Args:
        record: a round whose spec names an auditor.
        rosters: verified rosters, the devices' of each hospital and the hospitals' own.
        transcripts: the auditor's.
        deleted: SHA-256 of those that are missing and may be.
    """
    vectors: dict[bytes, NDArray[Any]] = {}
    keys = tuple(part.keys for part in record.hospitals.values())
    for part, account in zip(record.hospitals.values(), _accounts(record, rosters[keys]), strict=True):
        own = _Own()
        yield from _sums(record, part, rosters[part.advertisements], transcripts, own, deleted)
        if record.spec.profile is Profile.ACCOUNTABLE:
            yield from _releases(record, part, own)  # each cohort's by itself, whatever the others' came to
        elif own.whole:
            if record.spec.profile is Profile.PRIVATE:
                if own.sums:
                    vectors[account] = _vector(record, part.hospital, own)
            else:
                yield from _releases(record, part, own)
    if record.joint is not None and record.joint.summed:
        yield from _joint(record, rosters[keys], transcripts, vectors, deleted)


def _accounts(record: RoundRecord, hospitals: Roster) -> list[bytes]:
    """The hospitals' accounts in the order of their parts."""
    by_key = {item.encode(): address for address, item in hospitals.items()}
    return [by_key[part.keys] for part in record.hospitals.values()]


def _sums(
    record: RoundRecord,
    part: HospitalRecord,
    roster: Roster,
    transcripts: Transcripts,
    own: _Own,
    deleted: Collection[bytes],
) -> Iterator[Finding]:
    """Do a hospital's sums again, into `own`."""
    spec = record.spec
    for report in part.cohorts:
        if not report.summed:
            continue
        if report.transcript_hash in deleted:
            own.whole = False
            continue
        who = f"hospital {part.hospital}, cohort {report.cohort}"
        plan = cohort_plan(record, part, report)
        try:
            opened, total = _again(record, report, plan, roster, transcripts)
        except FlError as error:
            own.whole = False
            yield Finding(CHECK, f"{who}, secure sum", "one that can be done again", str(error))
            continue
        if spec.noise is not None:
            found = seed_digest(opened.noise_seed)
            if found != part.seed_digest:
                own.whole = False
                yield from same("noise", f"{who}, digest of the noise seed", part.seed_digest, found)
                continue
            own.noise_seed = opened.noise_seed
        own.sums.append(CohortSum(report, Ring(spec.bits, plan.dim).inverse(total)))


def _again(
    record: RoundRecord, report: CohortReport, plan: CohortPlan, roster: Roster, transcripts: Transcripts
) -> tuple[OpenedTranscript, NDArray[np.uint64]]:
    place = TranscriptPlace(session_of(record.run), record.number, report.hospital, report.cohort)
    opened = transcripts.open(report.transcript_hash, place)
    total = sum_again(
        SumTranscript.decode(opened.evidence, plan),
        plan,
        roster_root=roster.root,
        deposited=report.deposited_hash,
        masked_hashes={address: report.masked_hashes.get(address, b"") for address in report.survivors},
    )
    return opened, total


def _releases(record: RoundRecord, part: HospitalRecord, own: _Own) -> Iterator[Finding]:
    """What a hospital released, against its cohorts' sums with its noise."""
    spec = record.spec
    due = (
        [_alone(spec, item) for item in own.sums]
        if spec.profile is Profile.ACCOUNTABLE
        else [summed_up(spec, part.hospital, own.sums)]
    )
    released = {release.cohort: release for release in part.releases}
    for plain in due if own.sums else ():
        if plain.cohort in released:
            expected = with_global_noise(
                plain, spec, seed=own.noise_seed, beacon=record.beacon, round_number=record.number
            )
            yield from _same_sum(plain.name, expected.total, released[plain.cohort].total)


def _alone(spec: RoundSpec, item: CohortSum) -> Release:
    report = item.report
    return Release(report.hospital, report.cohort, *counts_of(spec, [report]), item.total)


def _vector(record: RoundRecord, hospital: int, own: _Own) -> NDArray[Any]:
    """What a hospital had to put into the sum over hospitals."""
    spec = record.spec
    whole = summed_up(spec, hospital, own.sums)
    padded = np.zeros(spec.terms.lengths[0], dtype=np.int64)
    padded[: len(whole.total)] = whole.total
    plain = Release(hospital, None, whole.devices, whole.rows, padded)
    return with_global_noise(
        plain, spec, seed=own.noise_seed, beacon=record.beacon, round_number=record.number
    ).total


def _joint(
    record: RoundRecord,
    hospitals: Roster,
    transcripts: Transcripts,
    vectors: dict[bytes, NDArray[Any]],
    deleted: Collection[bytes],
) -> Iterator[Finding]:
    """The sum over hospitals: done again from its own transcript, and from what each hospital had to put in."""
    joint, total = record.joint, record.total
    if joint is None or total is None:
        return
    plan = plan_over_hospitals(record, hospitals)
    if joint.transcript_hash not in deleted:
        try:
            _, again = _again(record, joint, plan, hospitals, transcripts)
        except FlError as error:
            yield Finding(CHECK, "sum over hospitals, secure sum", "one that can be done again", str(error))
        else:
            yield from _same_sum("sum over hospitals, as the cloud saw it", again.view(np.int64), total.total)
    if set(joint.survivors) <= vectors.keys():
        due = np.zeros(plan.dim, dtype=np.int64)
        for address in joint.survivors:
            due += vectors[address]
        yield from _same_sum("sum over hospitals, of what each had to put in", due, total.total)


def _same_sum(subject: str, expected: NDArray[Any], found: NDArray[Any]) -> Iterator[Finding]:
    """A finding that shows the first entry that differs."""
    if expected.shape != found.shape:
        yield from same(CHECK, f"{subject}, entries of the released sum", len(expected), len(found))
        return
    differs = np.flatnonzero(expected != found)
    if differs.size:
        first = int(differs[0])
        where = f"{subject}, released sum, entry {first} ({differs.size} of {expected.size} differ)"
        yield from same(CHECK, where, int(expected[first]), int(found[first]))
