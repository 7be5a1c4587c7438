"""One form for one meaning: lists in their order, maps over just the devices that they are of, nothing left over.

A bundle's digest covers its bytes, so two bundles that say the same would have two digests, and what is read by nobody
would be a place to hide things in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from fl_core.secagg import Advertisement
from fl_core.tiers import CohortReport
from incentives import Finding, tree_width
from scripts.federation.checks.line import concerning, same
from scripts.federation.record import HospitalRecord, RoundRecord

T = TypeVar("T", bytes, int)

_CHECK = "form"


def check_one_form(record: RoundRecord) -> Iterator[Finding]:
    """Hold everything in a record that could be written in another way, or besides, to its one form."""
    for hospital, part in record.hospitals.items():
        yield from concerning(hospital, _part(f"hospital {hospital}", part))
    if record.joint is not None:
        yield from _report("sum over hospitals", record.joint)


def _report(who: str, report: CohortReport) -> Iterator[Finding]:
    yield from _ordered(f"{who}, survivors", report.survivors)
    yield from _of_just(f"{who}, masked hashes", report.survivors, report.masked_hashes)
    yield from _of_just(f"{who}, signatures", report.survivors, report.signatures)
    if not report.summed:
        rest = bool(report.deposited_hash or report.transcript_hash)
        yield from same(_CHECK, f"{who}, hashes of a sum that there is not", False, rest)


def _part(who: str, part: HospitalRecord) -> Iterator[Finding]:
    for report in part.cohorts:
        yield from _report(f"{who}, cohort {report.cohort}", report)
    enrolled = _addresses(part.advertisements)
    yield from _ordered(f"{who}, advertisements", enrolled)
    yield from _ordered(f"{who}, contributions by slot", [item.slot for item in part.contributions])
    width = tree_width(len(enrolled)) if part.contributions else 0
    yield from same(_CHECK, f"{who}, salts, one a slot", width, len(part.salts))


@lru_cache(maxsize=128)
def _addresses(advertisements: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The accounts of an epoch's advertisements, the same in all of its rounds."""
    return tuple(Advertisement.decode(data).address for data in advertisements)


def _ordered(subject: str, found: Sequence[T]) -> Iterator[Finding]:
    """In ascending order, each once."""
    ordered = list(found) == sorted(set(found))
    yield from same(_CHECK, f"{subject}, in ascending order and each once", True, ordered)


def _of_just(subject: str, expected: Collection[bytes], found: Collection[bytes]) -> Iterator[Finding]:
    """Over no other devices than expected, and over each of them."""
    unlike = sorted(address.hex() for address in set(expected) ^ set(found))
    yield from same(_CHECK, f"{subject}, of others than the survivors or not of all", [], unlike)
