"""What was summed, and what of it was shown: survivors, weights, and just the sums that the profile lets be seen."""

from __future__ import annotations

from collections.abc import Iterator

from fl_core.secagg import Advertisement, minimum_threshold
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers import (
    JOINT_HOSPITAL,
    CohortReport,
    Counts,
    Release,
    counts_of,
    joint_counts,
    length_of,
)
from incentives import Finding
from scripts.federation.checks.line import same
from scripts.federation.record import RoundRecord


def check_cohorts(record: RoundRecord) -> Iterator[Finding]:
    """Hold every cohort's survivors against its members, its threshold and its weight."""
    spec = record.spec
    for part in record.hospitals.values():
        lines = {line.address: line for line in part.ready}
        for cohort in part.cohorts:
            who = f"hospital {part.hospital}, cohort {cohort.cohort}"
            if not cohort.summed:
                yield from same("cohort", f"{who}, survivors of a failed cohort", 0, len(cohort.survivors))
                yield from same("cohort", f"{who}, weight of a failed cohort", 0, cohort.rows)
                yield from same("cohort", f"{who}, a reason for failing", True, bool(cohort.failure))
                continue
            yield from same(
                "cohort",
                f"{who}, survivors that are no members",
                [],
                sorted(address.hex() for address in set(cohort.survivors) - set(cohort.members)),
            )
            enough = (
                len(set(cohort.survivors)) == len(cohort.survivors) >= spec.threshold(len(cohort.members))
            )
            yield from same("cohort", f"{who}, enough distinct survivors", True, enough)
            rows = sum(spec.credited_rows(lines[a].rows, lines[a].device_class) for a in cohort.survivors)
            yield from same("cohort", f"{who}, weight", rows, cohort.rows)


def check_releases(record: RoundRecord) -> Iterator[Finding]:
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
        yield from same("release", f"{who}, sums released", list(due), [r.cohort for r in part.releases])
        for release in part.releases:
            yield from _release(spec, release, counts_of(spec, due.get(release.cohort, [])))
    yield from _joint(record)


def _release(spec: RoundSpec, release: Release, counts: Counts) -> Iterator[Finding]:
    devices, rows = counts
    yield from same("release", f"{release.name}, devices by link class", devices, release.devices)
    yield from same("release", f"{release.name}, rows by link class", rows, release.rows)
    length = spec.terms.lengths[0] if release.hospital == JOINT_HOSPITAL else length_of(spec, devices)
    yield from same("release", f"{release.name}, entries of its sum", length, len(release.total))
    reach = spec.release_reach(sum(devices))
    bounded = -reach <= int(release.total.min()) <= int(release.total.max()) <= reach
    yield from same("release", f"{release.name}, sum within what clipped updates can give", True, bounded)


def _joint(record: RoundRecord) -> Iterator[Finding]:
    """The sum over hospitals: there in profile private only, over enough hospitals, each with a sum of its own."""
    spec, joint, total = record.spec, record.joint, record.total
    yield from same("release", "a sum over hospitals", spec.profile is Profile.PRIVATE, joint is not None)
    if joint is None:
        yield from same("release", "the total over hospitals", False, total is not None)
        return
    parts = {Advertisement.decode(part.keys).address: part for part in record.hospitals.values()}
    yield from same("release", "members of the sum over hospitals", tuple(sorted(parts)), joint.members)
    yield from same("release", "the total over hospitals", joint.summed, total is not None)
    if total is None:
        yield from same("release", "hospitals in a sum that failed", 0, len(joint.survivors))
        yield from same("release", "a reason for failing", True, bool(joint.failure))
        return
    survivors = joint.survivors
    needed = max(minimum_threshold(len(parts)), spec.min_hospitals)
    enough = len(set(survivors)) == len(survivors) >= needed
    yield from same("release", "enough distinct hospitals", True, enough)
    with_sums = {address for address, part in parts.items() if any(report.summed for report in part.cohorts)}
    strangers = sorted(address.hex() for address in set(survivors) - with_sums)
    yield from same("release", "hospitals without a sum in the sum", [], strangers)
    counts = joint_counts([counts_of(spec, record.counted(parts[address])) for address in survivors])
    yield from same("release", "rows in the sum over hospitals", sum(counts[1]), joint.rows)
    yield from _release(spec, total, counts)
