"""The in-process engine: runs rounds of simulated hospitals, counts bytes, and lets devices fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fl_core.batched import Recycled
from fl_core.carrying import WireBytes, carry
from fl_core.cohorts import CohortTerms, ReadyDevice, ready_digest
from fl_core.data import Schema
from fl_core.errors import FlError, SpecError
from fl_core.hospital_part import CohortsDone, Hospital, HospitalPart
from fl_core.round_plan import RoundPlan
from fl_core.secagg import Advertisement, Roster, SecAggAbort
from fl_core.simulation.faults import Death, Faults
from fl_core.spec import Profile
from fl_core.statistics import Statistics, decode_statistics, statistics_length
from fl_core.tiers import (
    JOINT_HOSPITAL,
    CohortReport,
    DeviceMemory,
    JointServer,
    PublicDraw,
    Release,
    counts_of,
    joint_release,
)
from fl_core.tiers.device import STATISTICS_BITS
from fl_core.workers import in_workers

__all__ = ["Hospital", "InProcessEngine", "RoundOutcome", "WireBytes"]


@dataclass(frozen=True)
class RoundOutcome:
    """What a round's carrying gave.

    Attributes:
        cohorts: one entry a cohort, failed ones included.
        releases: every sum that is seen outside the hospitals.
        joint: who took part in the sum over hospitals (profile `private`), or None.
        wire: bytes in both directions.
        silent: addresses of devices that failed or left at some point of the round.
        refusals: why a device left or was refused, by address. For whoever runs the simulation only: it may speak of a
            single device's update, so it goes into no record.
        failures: why a device's training gave nothing, though it stayed and sent noise, by address; likewise.
        transcripts: of the secure sums, sealed to the auditor that the spec names; their hashes are in the reports.
    """

    cohorts: tuple[CohortReport, ...]
    releases: tuple[Release, ...]
    joint: CohortReport | None
    wire: WireBytes
    silent: frozenset[bytes]
    refusals: Mapping[bytes, FlError]
    failures: Mapping[bytes, FlError]
    transcripts: tuple[bytes, ...] = ()


@dataclass
class InProcessEngine:
    """Runs rounds of simulated hospitals in this process.

    Attributes:
        hospitals: edges with their devices, all of one session.
        faults: when devices fail.
        progress: called with the number of devices done, for a progress display.
        device: where torch computes.
        threads: batches of devices that are trained at once, where there is one process.
        workers: processes that hospitals are spread over. With more than one, hospitals are played in processes
            forked for a round or an epoch, and what they changed is taken back: the same sums, sooner.
        joint: the cloud's side of sums over hospitals, once an epoch has begun.
        memory: what trained updates are held in until they are encoded.
    """

    hospitals: Sequence[Hospital]
    faults: Faults
    progress: Callable[[int], None] = field(default=lambda _: None)
    device: str = "cpu"
    threads: int = 1
    workers: int = 1
    joint: JointServer | None = field(default=None, init=False)
    memory: Recycled = field(default_factory=Recycled, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check that the hospitals belong to one run.

        Raises:
            SpecError: there is none, an id twice, sessions differ, or there are no workers.
        """
        if self.workers < 1:
            raise SpecError(f"{self.workers} worker processes: choose 1 or more")
        if self.workers > 1 and self.device != "cpu":
            raise SpecError(f"{self.workers} worker processes cannot share {self.device}: choose 1")
        if len({hospital.edge.session for hospital in self.hospitals}) != 1:
            raise SpecError("the hospitals of a run need one session, the same for all of them")
        if len({hospital.id for hospital in self.hospitals}) != len(self.hospitals):
            raise SpecError("two hospitals have the same id")

    def begin_epoch(self, epoch: int) -> WireBytes:
        """Every device draws keys, is enrolled by its edge and meets its peers; and so do the hospitals."""
        wire, rosters = WireBytes(), []
        for hospital in self.hospitals:
            advertisements = [device.begin_epoch(epoch) for device in hospital.devices]
            rosters.append(hospital.edge.enrol(epoch, advertisements))
            size = sum(len(advertisement.encode()) for advertisement in advertisements)
            wire.up += size
            wire.down += size * len(hospital.devices)
        self._meet(rosters)
        self.joint = self.cloud_side([hospital.edge.begin_epoch(epoch) for hospital in self.hospitals])
        return wire

    def _meet(self, rosters: Sequence[Roster]) -> None:
        """Let each hospital's devices agree on keys with each other: here, or spread over worker processes."""

        def met(hospital: Hospital, roster: Roster, _tell: Callable[[int], None]) -> list[DeviceMemory]:
            for device in hospital.devices:
                device.meet(list(roster.values()))
            return [device.memory() for device in hospital.devices]

        jobs = [partial(met, *pair) for pair in zip(self.hospitals, rosters, strict=True)]
        if self.workers == 1 or len(jobs) == 1:
            for job in jobs:
                job(self.progress)
            return
        for hospital, memories in zip(self.hospitals, in_workers(jobs, self.workers), strict=True):
            for device, memory in zip(hospital.devices, memories, strict=True):
                device.remember(memory, hospital.edge.roster)

    def cloud_side(self, advertisements: Sequence[Advertisement]) -> JointServer:
        """The hospitals meet each other, and the cloud them."""
        admitted = [hospital.edge.account for hospital in self.hospitals]
        for hospital in self.hospitals:
            hospital.edge.meet(advertisements, admitted)
        return self.hospitals[0].edge.joint_server(advertisements)

    def ready_lists(self, round_number: int) -> dict[int, tuple[ReadyDevice, ...]]:
        """The devices of each hospital that are there before the draw."""
        return {
            hospital.id: tuple(
                device.ready
                for index, device in enumerate(hospital.devices)
                if self.faults.death(round_number, hospital.id, index) is not Death.BEFORE_DRAW
            )
            for hospital in self.hospitals
        }

    def run_round(
        self, plan: RoundPlan, ready: Mapping[int, tuple[ReadyDevice, ...]], beacon: bytes
    ) -> RoundOutcome:
        """Carry one round from the draw to what is released.

        A device that refuses, or without noise one that cannot train, counts as dropped. Where that leaves no cohort
        with a sum, or nobody could train, the fault is likely the round's (a learning rate at which training diverges)
        and not theirs.

        Raises:
            SpecError: the draw cannot work, or there are too few hospitals for the profile.
            PrivacyBudgetError: a device would overspend its privacy account; nobody has trained then.
            FlError: what the first device that could not take part said, where no cohort gave a sum or nobody trained.
        """
        public, encoded_plan = self._public(plan.number, ready, beacon, plan), plan.encode()
        parts = [HospitalPart.of(hospital, self.faults, plan.number) for hospital in self.hospitals]
        for part in parts:
            part.call(plan, encoded_plan, ready.get(part.hospital.id, ()), public)
        self._sum_cohorts(parts, plan, public)
        refusals = {address: error for part in parts for address, error in part.refusals.items()}
        failures = {address: error for part in parts for address, error in part.failures.items()}
        if refusals and not any(part.sums for part in parts):
            raise next(iter(refusals.values()))
        if failures and len(failures) == sum(len(part.tasks) for part in parts):
            raise next(iter(failures.values()))
        releases = [
            release for part in parts for release in part.hospital.edge.release(public, plan.spec, part.sums)
        ]
        joint: CohortReport | None = None
        transcripts = [item.transcript for part in parts for item in part.sums if item.transcript]
        if plan.spec.profile is Profile.PRIVATE:
            joint, total, transcript = self._sum_hospitals(parts, plan, public)
            releases += [] if total is None else [total]
            transcripts += [transcript] if transcript else []
        return RoundOutcome(
            cohorts=tuple(report for part in parts for report in part.reports),
            releases=tuple(releases),
            joint=joint,
            wire=WireBytes(sum(part.wire.up for part in parts), sum(part.wire.down for part in parts)),
            silent=frozenset(refusals.keys() | {address for part in parts for address in part.deaths}),
            refusals=refusals,
            failures=failures,
            transcripts=tuple(transcripts),
        )

    def _sum_cohorts(self, parts: Sequence[HospitalPart], plan: RoundPlan, public: PublicDraw) -> None:
        """Train every hospital's devices and sum its cohorts: here, or spread over worker processes."""
        if self.workers == 1 or len(parts) == 1:
            for part in parts:
                part.sum_cohorts(
                    plan,
                    public,
                    threads=self.threads,
                    device=self.device,
                    memory=self.memory,
                    progress=self.progress,
                )
            return

        def summed(part: HospitalPart, tell: Callable[[int], None]) -> CohortsDone:
            part.sum_cohorts(plan, public, threads=1, device=self.device, memory=self.memory, progress=tell)
            return part.done()

        jobs = [partial(summed, part) for part in parts]
        try:
            done = in_workers(jobs, self.workers, self.progress)
        except BaseException:
            for part in parts:
                part.forfeit(plan)
            raise
        for part, result in zip(parts, done, strict=True):
            part.take(result)

    def _sum_hospitals(
        self, parts: Sequence[HospitalPart], plan: RoundPlan, public: PublicDraw
    ) -> tuple[CohortReport, Release | None, bytes]:
        """The hospitals' own secure sum, and its transcript; one without a sum of its own has dropped out."""
        assert self.joint is not None
        spec, edges = plan.spec, {part.hospital.edge.account: part for part in parts}
        server = self.joint.aggregator(plan.number, spec, public.subject)
        clients = {
            account: part.hospital.edge.join_hospitals(public, spec, part.sums)
            for account, part in edges.items()
            if part.sums
        }
        deaths = {
            account: self.faults.death(plan.number, JOINT_HOSPITAL, part.hospital.id)
            for account, part in edges.items()
        }
        counts = {account: counts_of(spec, part.reports) for account, part in edges.items()}
        try:
            result = carry(server, clients, deaths, WireBytes(), {})
        except SecAggAbort as abort:
            return CohortReport.failed(JOINT_HOSPITAL, 0, tuple(sorted(edges)), str(abort)), None, b""
        transcript = self.joint.sealed(plan.number, spec, result)
        return *joint_release(tuple(edges), result, counts, transcript), transcript

    def sum_statistics(
        self,
        schema: Schema,
        round_number: int,
        beacon: bytes,
        *,
        cohort_size: int,
        k_min: int,
        max_rows: int,
    ) -> tuple[Statistics, WireBytes]:
        """Scaling statistics of all training rows, from secure sums over cohorts.

        Args:
            schema: the agreed schema.
            round_number: the number before the first round; a device masks once a round.
            beacon: what the cohorts are drawn from, 32 bytes.
            cohort_size: the aim of the draw.
            k_min: fewest devices whose sum may be seen.
            max_rows: most rows that all devices together may hold.

        Raises:
            SpecError: no cohort could be drawn.
            FlError: a device could not take part; nobody fails silently here.
        """
        ready = {
            hospital.id: tuple(device.ready for device in hospital.devices) for hospital in self.hospitals
        }
        public, wire = self._public(round_number, ready, beacon), WireBytes()
        terms = CohortTerms(cohort_size, k_min, STATISTICS_BITS, (statistics_length(schema),))
        total: NDArray[np.uint64] | None = None
        for hospital in self.hospitals:
            devices = hospital.by_address()
            for called in hospital.edge.calls(round_number, ready[hospital.id], beacon, terms):
                encoded_call = called.call.encode()
                wire.down += len(called.members) * len(encoded_call)
                clients = {
                    address: devices[address].sum_statistics(
                        encoded_call, schema, public, terms, max_rows=max_rows
                    )
                    for address in called.members
                }
                server = hospital.edge.aggregator(called.call, terms, public.subject)
                refusals: dict[bytes, FlError] = {}
                cohort_total = carry(server, clients, {}, wire, refusals).sum
                for error in refusals.values():
                    raise error
                total = cohort_total if total is None else total + cohort_total
        if total is None:
            raise SpecError(f"no hospital has {k_min} devices: scaling statistics cannot be summed securely")
        return decode_statistics(total, schema, bits=STATISTICS_BITS, max_rows=max_rows), wire

    def _public(
        self,
        round_number: int,
        ready: Mapping[int, tuple[ReadyDevice, ...]],
        beacon: bytes,
        plan: RoundPlan | None = None,
    ) -> PublicDraw:
        return PublicDraw(
            round_number=round_number,
            session=self.hospitals[0].edge.session,
            beacon=beacon,
            ready_digests={h: ready_digest(round_number, h, lines) for h, lines in ready.items()},
            roster_roots={hospital.id: hospital.edge.roster.root for hospital in self.hospitals},
            spec_hash=None if plan is None else plan.spec.digest,
            model_hash=None if plan is None else plan.model_hash,
            previous_hash=None if plan is None else plan.previous_hash,
        )
