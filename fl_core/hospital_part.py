"""One hospital's part of a round in a simulation: its devices called, trained, and summed cohort by cohort."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from fl_core.attacking_part import is_steered, steered_updates
from fl_core.batched import Recycled
from fl_core.carrying import WireBytes, carry
from fl_core.cohorts import ReadyDevice
from fl_core.errors import FlError
from fl_core.privacy import PrivacyBudgetError
from fl_core.round_plan import RoundPlan
from fl_core.secagg import SecAggAbort, SecAggClient
from fl_core.simulation.faults import Death, Faults
from fl_core.tiers import Called, CohortReport, CohortSum, Device, DeviceMemory, Edge, PublicDraw, Task
from fl_core.tiers.release import OutOfReachError
from fl_core.tiers.training_together import train_together


@dataclass(frozen=True)
class Hospital:
    """An edge with its devices, in slot order."""

    edge: Edge
    devices: tuple[Device, ...]

    @property
    def id(self) -> int:
        """The hospital's id, from 1."""
        return self.edge.hospital

    def by_address(self) -> dict[bytes, Device]:
        """The devices by their accounts of this epoch."""
        return {device.address: device for device in self.devices}


@dataclass(frozen=True)
class CohortsDone:
    """What carrying a hospital's cohorts gave, in a form that another process can send.

    Attributes:
        sums: of the cohorts whose secure aggregation succeeded.
        reports: one a cohort.
        wire: bytes between the hospital and its devices, from the round's plan on.
        refusals: why a device left or was refused, by address.
        failures: why a device's training gave nothing, though it stayed, by address.
        memories: what the round changed in those devices that took part, by address.
    """

    sums: tuple[CohortSum, ...]
    reports: tuple[CohortReport, ...]
    wire: WireBytes
    refusals: Mapping[bytes, FlError]
    failures: Mapping[bytes, FlError]
    memories: Mapping[bytes, DeviceMemory]


@dataclass
class HospitalPart:
    """A hospital's part of a round while it is carried.

    Attributes:
        hospital: edge and devices.
        deaths: when a device falls silent, by address.
        called: the cohorts of the round.
        tasks: what devices accepted to do, by address.
        refusals: why a device left or was refused, by address.
        failures: why a device's training gave nothing, though it stayed, by address.
        sums: of the cohorts whose secure aggregation succeeded.
        reports: one a cohort.
        wire: bytes between the hospital and its devices.
    """

    hospital: Hospital
    deaths: dict[bytes, Death]
    called: list[Called] = field(default_factory=list)
    tasks: dict[bytes, Task] = field(default_factory=dict)
    refusals: dict[bytes, FlError] = field(default_factory=dict)
    failures: dict[bytes, FlError] = field(default_factory=dict)
    sums: list[CohortSum] = field(default_factory=list)
    reports: list[CohortReport] = field(default_factory=list)
    wire: WireBytes = field(default_factory=WireBytes)

    @classmethod
    def of(cls, hospital: Hospital, faults: Faults, round_number: int) -> HospitalPart:
        """The part of a hospital in a round, before anything is sent."""
        deaths = {
            device.address: faults.death(round_number, hospital.id, index)
            for index, device in enumerate(hospital.devices)
        }
        return cls(hospital, {a: death for a, death in deaths.items() if death is not Death.NEVER})

    def call(
        self, plan: RoundPlan, encoded_plan: bytes, ready: tuple[ReadyDevice, ...], public: PublicDraw
    ) -> None:
        """Call the cohorts, and let each device that is there check what it is asked to do.

        Raises:
            SpecError: the draw cannot work.
            PrivacyBudgetError: a device would overspend its privacy account.
        """
        devices = self.hospital.by_address()
        self.called = self.hospital.edge.calls(public.round_number, ready, public.beacon, plan.spec.terms)
        for called in self.called:
            encoded_call = called.call.encode()
            self.wire.down += len(called.members) * (len(encoded_plan) + len(encoded_call))
            for address in called.members:
                if self.deaths.get(address, Death.NEVER) <= Death.BEFORE_ADVERTISE:
                    continue
                try:
                    self.tasks[address] = devices[address].accept(encoded_plan, encoded_call, public)
                except PrivacyBudgetError:
                    raise
                except FlError as error:
                    self.refusals[address] = error

    def sum_cohorts(
        self,
        plan: RoundPlan,
        public: PublicDraw,
        *,
        threads: int,
        device: str,
        memory: Recycled,
        progress: Callable[[int], None],
    ) -> None:
        """Train the devices, and sum the cohorts.

        Args:
            plan: the round's plan.
            public: the round as everyone reads it.
            threads: batches of devices that are trained at once.
            device: where torch computes.
            memory: what trained chunks are held in.
            progress: called with the number of devices done.
        """
        edge, devices = self.hospital.edge, self.hospital.by_address()
        joined = self._join(public, threads, device, memory)
        for called in self.called:
            clients = {address: joined.pop(address) for address in called.members if address in joined}
            server = edge.aggregator(
                called.call, plan.spec.terms, public.subject, keeps_transcript=bool(plan.spec.auditor)
            )
            try:
                result = carry(server, clients, self.deaths, self.wire, self.refusals)
                summed = edge.cohort_sum(called, plan.spec, result)
                summed.require_reach(plan.spec)
                self.sums.append(summed)
                self.reports.append(summed.report)
            except (SecAggAbort, OutOfReachError) as abort:
                self.reports.append(
                    CohortReport.failed(
                        edge.hospital, called.call.cohort, called.members, str(abort), called.link_class
                    )
                )
            for address in clients:
                devices[address].settle()
            progress(len(called.members))

    def done(self) -> CohortsDone:
        """What `sum_cohorts` gave, for `take` in the process that this one was forked from."""
        memories = {
            device.address: device.memory()
            for device in self.hospital.devices
            if device.address in self.tasks
        }
        return CohortsDone(
            tuple(self.sums), tuple(self.reports), self.wire, self.refusals, self.failures, memories
        )

    def take(self, done: CohortsDone) -> None:
        """Stand as if `sum_cohorts` had run here, and not in a forked process."""
        self.sums, self.reports, self.wire = list(done.sums), list(done.reports), done.wire
        self.refusals, self.failures = dict(done.refusals), dict(done.failures)
        devices = self.hospital.by_address()
        for address, memory in done.memories.items():
            devices[address].remember(memory)

    def forfeit(self, plan: RoundPlan) -> None:
        """Count the round as taken by every device, where the process that played it was lost."""
        for address, device in self.hospital.by_address().items():
            if address in self.tasks:
                device.charge_interrupted(plan.spec, plan.number)
                device.identity.pass_rounds(plan.number)

    def _join(
        self, public: PublicDraw, threads: int, where: str, memory: Recycled
    ) -> dict[bytes, SecAggClient]:
        """Train in batches, in slot order whatever the draw, and let each device join its cohort."""
        tasks = {
            device: self.tasks[device.address]
            for device in self.hospital.devices
            if device.address in self.tasks
        }
        clients: dict[bytes, SecAggClient] = {}

        def train(chosen: Mapping[Device, Task]) -> Iterator[tuple[Device, NDArray[np.float32]]]:
            return train_together(chosen, threads=threads, device=where, memory=memory)

        steered = {device: tasks.pop(device) for device in list(tasks) if is_steered(device)}
        attacks = steered_updates(steered, self.called, hospitals=len(public.ready_digests), train=train)
        for device, delta in chain(attacks, train(tasks)):
            try:
                clients[device.address] = device.join(self.tasks[device.address], delta)
            except FlError as error:
                self.refusals[device.address] = error
            if device.failure is not None:
                self.failures[device.address] = device.failure
        return clients
