"""The draw of a round as both sides derive it: what a called device checks, and the plan that edge and device share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fl_core.canonical import sha256
from fl_core.cohorts import (
    CohortTerms,
    ReadyDevice,
    default_graph,
    default_threshold,
    draw_cohorts,
    ready_digest,
)
from fl_core.errors import SpecError
from fl_core.secagg import CohortPlan
from fl_core.tiers.messages import CohortCall


@dataclass(frozen=True, eq=False)
class PublicDraw:
    """A round as a device reads it for itself, from the chain where there is one: its edge must not contradict it.

    Spec and model are part of it: an edge that could send each device another model would read single updates off the
    sum (Pasquini et al., CCS 2022), one that could send another spec would choose how few are summed.

    Attributes:
        round_number: the round.
        session: 32 bytes that name the run.
        beacon: 32 bytes.
        ready_digests: each hospital's ready-list digest, fixed before the beacon.
        roster_roots: root of each hospital's roster of the epoch, registered before its rounds: an edge that showed its
            devices a roster of its own would fill their cohorts with devices of its own.
        spec_hash: digest of the round's spec, 32 bytes; None where nothing is trained (the scaling statistics).
        model_hash: digest of the model to start from, 32 bytes; None where nothing is trained.
        previous_hash: digest of the model that the round before started from, 32 bytes; None in a run's first round.
    """

    round_number: int
    session: bytes
    beacon: bytes
    ready_digests: Mapping[int, bytes]
    roster_roots: Mapping[int, bytes]
    spec_hash: bytes | None = None
    model_hash: bytes | None = None
    previous_hash: bytes | None = None

    @property
    def subject(self) -> bytes:
        """What the cohorts of this round are about, 32 bytes; see `subject_of`."""
        if self.spec_hash is None or self.model_hash is None:
            return NO_SUBJECT
        return subject_of(self.spec_hash, self.model_hash)


MAX_ATTEMPTS = 7
"""What depends on the attempt could be ground for by an edge that may name any number."""

_GRAPH_TAG = b"FedIoMT.NeighbourGraph.v1"
_READY_TAG = b"FedIoMT.ReadySubject.v1"

NO_SUBJECT = bytes(32)
"""The subject of a sum in which nothing is trained."""


def subject_of(spec_hash: bytes, model_hash: bytes) -> bytes:
    """What all members of a cohort must have trained on, 32 bytes: their keys, MACs and signatures are bound to it."""
    return sha256(b"FedIoMT.Subject.v1" + spec_hash + model_hash)


@dataclass(frozen=True)
class CalledCohort:
    """A cohort of the draw and what its members are to do.

    Attributes:
        plan: the plan of its secure aggregation.
        link_class: the link class that it was drawn within.
    """

    plan: CohortPlan
    link_class: int


def called_to(call: bytes, public: PublicDraw, own: ReadyDevice, terms: CohortTerms) -> CalledCohort:
    """Redraw the cohorts as a device does, and refuse a call that the public record does not bear out.

    Args:
        call: what the edge sent, an encoded `CohortCall`.
        public: the round as the device reads it for itself.
        own: the device's line of the ready list, as it gave it.
        terms: what was agreed on about cohorts.

    Returns:
        The cohort that the device is in.

    Raises:
        SpecError: the call contradicts the public record, or the device is not in the called cohort.
    """
    ready, cohort = _checked(call, public, terms)
    if own not in ready:
        raise SpecError(f"round {public.round_number}: the ready list does not hold this device as it is")
    if own.address not in cohort.plan.members:
        raise SpecError(
            f"round {public.round_number}: called to cohort {cohort.plan.cohort}, which this device is not in"
        )
    return cohort


@lru_cache(maxsize=64)
def _checked(
    data: bytes, public: PublicDraw, terms: CohortTerms
) -> tuple[frozenset[ReadyDevice], CalledCohort]:
    """What a call says about a cohort, held against the public record: the same for each of its members.

    Simulated devices of a cohort share the answer, since they share the very objects that it depends on.
    """
    call = CohortCall.decode(data)
    where = f"round {public.round_number}"
    if call.round_number != public.round_number:
        raise SpecError(f"{where}: called to round {call.round_number}")
    if call.session != public.session:
        raise SpecError(f"{where}: the call's session is not the public one")
    if call.attempt > MAX_ATTEMPTS:
        raise SpecError(f"{where}: called to attempt {call.attempt}, at most {MAX_ATTEMPTS} are joined")
    if call.beacon != public.beacon:
        raise SpecError(f"{where}: the call's beacon is not the public one")
    digest = ready_digest(call.round_number, call.hospital, call.ready)
    if digest != public.ready_digests.get(call.hospital):
        raise SpecError(f"{where}: the ready list is not the one published before the beacon")
    return frozenset(call.ready), called_cohort(call, terms, public.subject)


def called_cohort(call: CohortCall, terms: CohortTerms, subject: bytes) -> CalledCohort:
    """The called cohort, as edge, device and auditor derive it from the draw.

    The ready list is part of the plan's subject: a device that signs its masked input has signed what its line says.

    Raises:
        SpecError: the draw has no such cohort, a device is twice on the ready list, or secure aggregation cannot work.
    """
    if len({line.address for line in call.ready}) != len(call.ready):
        raise SpecError(f"round {call.round_number}: a device is twice on the ready list")
    cohorts = draw_cohorts(
        call.beacon,
        call.hospital,
        [terms.link_class(line) for line in call.ready],
        cohort_size=terms.cohort_size,
        k_min=terms.k_min,
    )
    if not 0 <= call.cohort < len(cohorts):
        raise SpecError(
            f"round {call.round_number}: the draw has {len(cohorts)} cohorts, none is {call.cohort}"
        )
    drawn = cohorts[call.cohort]
    members = tuple(sorted(call.ready[position].address for position in drawn.positions))
    choice, graph = default_graph(len(members), terms.k_min), None
    if choice is not None:
        place = call.hospital.to_bytes(8, "big") + call.cohort.to_bytes(8, "big")
        graph = choice.graph(sha256(_GRAPH_TAG + call.beacon + place))
    plan = CohortPlan(
        session=call.session,
        round=call.round_number,
        hospital=call.hospital,
        cohort=call.cohort,
        attempt=call.attempt,
        members=members,
        threshold=default_threshold(len(members), terms.k_min) if choice is None else choice.threshold,
        bits=terms.bits,
        dim=terms.lengths[drawn.link_class],
        subject=sha256(_READY_TAG + subject + ready_digest(call.round_number, call.hospital, call.ready)),
        graph=graph,
    )
    return CalledCohort(plan, drawn.link_class)
