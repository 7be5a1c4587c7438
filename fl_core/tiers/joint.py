"""The sum over hospitals (profile `private`): the hospitals' own secure aggregation, with the cloud as its server.

Nothing in the protocol is new: members are the hospitals' accounts, their vectors the hospitals' sums. What is seen
outside, by the cloud too, is the total over all hospitals that stayed to the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fl_core.canonical import sha256
from fl_core.errors import SpecError
from fl_core.secagg import (
    Advertisement,
    CohortPlan,
    Roster,
    SecAggResult,
    SecAggServer,
    minimum_threshold,
    verify_advertisements,
)
from fl_core.signing import Domain, Verifier
from fl_core.spec import RoundSpec
from fl_core.tiers.messages import CohortReport
from fl_core.tiers.release import Release
from fl_core.tiers.sealed_transcript import OpenedTranscript, TranscriptPlace

JOINT_HOSPITAL = 0  # hospitals are numbered from 1: 0 names the sum of them all
JOINT_BITS = 64
MIN_JOINT_HOSPITALS = 3  # with two, each would learn the other's sum

Counts = tuple[tuple[int, ...], tuple[int, ...]]
"""Devices and credited rows in a sum, each by link class."""


def joint_plan(
    round_number: int, session: bytes, roster: Roster, spec: RoundSpec, subject: bytes
) -> CohortPlan:
    """The plan by which the hospitals themselves are summed (profile `private`), the cloud being their server.

    Every enrolled hospital is a member; one that has nothing to give drops out.

    Raises:
        SpecError: fewer than three hospitals, or a length that secure sums do not have.
    """
    needed = max(MIN_JOINT_HOSPITALS, spec.min_hospitals)
    if roster.size < needed:
        raise SpecError(
            f"profile private hides each hospital's sum among the others': {roster.size} hospitals are too few, "
            f"take at least {needed}"
        )
    return CohortPlan(
        session=session,
        round=round_number,
        hospital=JOINT_HOSPITAL,
        cohort=0,
        attempt=0,
        members=tuple(roster),
        threshold=max(minimum_threshold(roster.size), spec.min_hospitals),
        bits=JOINT_BITS,
        dim=spec.terms.lengths[0],
        subject=subject,
    )


def joint_counts(counts: Sequence[Counts]) -> Counts:
    """Devices and rows, by link class, of several hospitals together."""
    devices = tuple(map(sum, zip(*(item[0] for item in counts), strict=True)))
    rows = tuple(map(sum, zip(*(item[1] for item in counts), strict=True)))
    return devices, rows


class JointServer:
    """The cloud's side of the sum over hospitals (profile `private`): it sees masked sums, and their total."""

    def __init__(
        self,
        *,
        epoch: int,
        advertisements: Sequence[Advertisement],
        session: bytes,
        verifier: Verifier,
        domain: Domain,
    ) -> None:
        """Verify the hospitals' keys of an epoch.

        Args:
            epoch: the epoch.
            advertisements: one a hospital, signed by its account.
            session: 32 bytes that name the run.
            verifier: checks the hospitals' signatures.
            domain: EIP-712 domain of the run.

        Raises:
            SecAggError: a signature or the roster is bad.
        """
        self.roster: Roster = verify_advertisements(advertisements, epoch, domain, verifier)
        self._session = session
        self._verifier = verifier
        self._domain = domain

    def aggregator(self, round_number: int, spec: RoundSpec, subject: bytes) -> SecAggServer:
        """The server side of a round's sum over hospitals.

        Raises:
            SpecError: too few hospitals.
        """
        plan = joint_plan(round_number, self._session, self.roster, spec, subject)
        return SecAggServer(
            plan, self.roster, self._verifier, self._domain, keeps_transcript=bool(spec.auditor)
        )

    def sealed(self, round_number: int, spec: RoundSpec, result: SecAggResult) -> bytes:
        """The transcript of a finished sum over hospitals for the spec's auditor; empty where none is kept."""
        if result.transcript is None:
            return b""
        place = TranscriptPlace(self._session, round_number, JOINT_HOSPITAL, 0)
        return OpenedTranscript(result.transcript).seal(bytes.fromhex(spec.auditor), place)


def joint_release(
    members: Sequence[bytes], result: SecAggResult, counts: Mapping[bytes, Counts], transcript: bytes = b""
) -> tuple[CohortReport, Release]:
    """What a finished sum over hospitals gives: who is in it, and the one sum that is released.

    Args:
        members: the hospitals' accounts.
        result: what the secure aggregation gave.
        counts: devices and rows by link class in each hospital's own sum, by its account.
        transcript: sealed to the auditor; empty where none is kept.
    """
    devices, rows = joint_counts([counts[address] for address in result.survivors])
    report = CohortReport(
        hospital=JOINT_HOSPITAL,
        cohort=0,
        members=tuple(sorted(members)),
        survivors=tuple(sorted(result.survivors)),
        rows=sum(rows),
        failure=None,
        signatures=dict(result.signatures),
        masked_hashes=dict(result.masked_hashes),
        deposited_hash=result.deposited_hash,
        transcript_hash=sha256(transcript) if transcript else b"",
    )
    return report, Release(JOINT_HOSPITAL, None, devices, rows, result.sum.view(np.int64))
