"""What is seen of a round's updates outside the hospitals: sums, of whom the profile says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import FlError, SpecError
from fl_core.privacy import global_noise
from fl_core.spec import RoundSpec
from fl_core.tiers.messages import CohortReport


@dataclass(frozen=True, eq=False)
class Release:
    """A sum as it is seen outside: of a cohort, of a hospital, or of all hospitals.

    Devices of a slower link class send a prefix of the round's coordinates, so that later entries are sums over fewer.

    Attributes:
        hospital: the hospital's id; 0 for the sum of all hospitals.
        cohort: index of the cohort in the draw; None for a sum of all cohorts.
        devices: devices in the sum, by link class.
        rows: their credited rows, by link class.
        total: sum of the encoded weighted updates, noise included, signed int64 (k,).
    """

    hospital: int
    cohort: int | None
    devices: tuple[int, ...]
    rows: tuple[int, ...]
    total: NDArray[np.int64]

    @property
    def name(self) -> str:
        """What the sum is of, to read."""
        if self.hospital == 0:
            return "all hospitals"
        what = f"hospital {self.hospital}"
        return what if self.cohort is None else f"{what}, cohort {self.cohort}"


class OutOfReachError(FlError):
    """A cohort's sum is larger than its devices' clipped updates can make it."""


@dataclass(frozen=True, eq=False)
class CohortSum:
    """A cohort's sum before it is released; it does not leave its hospital.

    Attributes:
        report: who took part.
        total: sum of the encoded weighted updates, signed int64 (k,).
        transcript: of the secure sum, sealed to the auditor; empty where none is kept.
    """

    report: CohortReport
    total: NDArray[np.int64]
    transcript: bytes = b""

    def require_reach(self, spec: RoundSpec) -> None:
        """Refuse a sum that clipped updates cannot give, as whoever checks the round would.

        A device that puts more into its masked input spoils its own cohort then, and not the round.

        Raises:
            OutOfReachError: an entry is too large.
        """
        reach = spec.reach(len(self.report.survivors))
        if max(int(self.total.max()), -int(self.total.min())) > reach:
            raise OutOfReachError("its sum is beyond what clipped updates can give")


def counts_of(spec: RoundSpec, reports: Sequence[CohortReport]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Devices and credited rows in the sum of some cohorts, each by link class."""
    devices, rows = [0] * len(spec.terms.lengths), [0] * len(spec.terms.lengths)
    for report in reports:
        devices[report.link_class] += len(report.survivors)
        rows[report.link_class] += report.rows
    return tuple(devices), tuple(rows)


def length_of(spec: RoundSpec, devices: Sequence[int]) -> int:
    """Entries of a sum over so many devices of each link class: those of the fastest that is there."""
    return next((length for length, count in zip(spec.terms.lengths, devices, strict=True) if count), 0)


def with_global_noise(
    release: Release, spec: RoundSpec, *, seed: bytes, beacon: bytes, round_number: int
) -> Release:
    """The sum with a hospital's global noise: a function of its committed seed and the beacon, as an auditor does it.

    Args:
        release: the sum without it.
        spec: of the round; where it has no noise, nothing is added.
        seed: the hospital's seed of the epoch, 32 bytes.
        beacon: of the round, 32 bytes.
        round_number: the round.

    Raises:
        SpecError: a seed or beacon of another length.
    """
    if spec.noise is None:
        return release
    noise = global_noise(
        seed,
        beacon,
        round_number=round_number,
        hospital=release.hospital,
        cohort=release.cohort,
        variance=spec.noise.global_variance,
        size=len(release.total),
    )
    return replace(release, total=release.total + noise)


def add_up(totals: Sequence[NDArray[np.int64]], largest: int) -> NDArray[Any]:
    """The exact sum of vectors that are prefixes of one another, as long as the longest.

    Args:
        totals: int64 vectors.
        largest: a bound of the sum's entries; beyond int64, the result has Python's integers.
    """
    length = max((len(total) for total in totals), default=0)
    result: NDArray[Any] = np.zeros(length, dtype=np.int64 if largest < 1 << 63 else np.object_)
    for total in totals:
        result[: len(total)] = result[: len(total)] + total
    return result


def summed_up(spec: RoundSpec, hospital: int, sums: Sequence[CohortSum]) -> Release:
    """The sum of a hospital's cohorts.

    Raises:
        SpecError: it could leave the range of 64 bits.
    """
    devices, rows = counts_of(spec, [item.report for item in sums])
    largest = spec.release_reach(sum(devices))
    if largest >= 1 << 57:  # sums over 64 hospitals stay within 63 bits
        raise SpecError(
            f"the sum of hospital {hospital}'s {sum(devices)} devices can exceed 64 bits: take fewer fraction bits"
        )
    return Release(hospital, None, devices, rows, add_up([item.total for item in sums], largest))
