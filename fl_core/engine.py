"""The in-process engine: runs rounds of simulated hospitals, counts bytes, and lets devices fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fl_core.carrying import WireBytes, carry
from fl_core.cohorts import ReadyDevice, ready_digest
from fl_core.data import Schema
from fl_core.errors import FlError, SpecError
from fl_core.secagg import SecAggAbort, SecAggClient
from fl_core.simulation.faults import Death, Faults
from fl_core.spec import RoundPlan
from fl_core.statistics import Statistics, decode_statistics, statistics_length
from fl_core.tiers import CohortSum, Device, Edge, PublicDraw
from fl_core.tiers.device import STATISTICS_BITS

__all__ = ["Hospital", "InProcessEngine", "RoundOutcome", "WireBytes"]


@dataclass(frozen=True)
class RoundOutcome:
    """What a round's carrying gave.

    Attributes:
        cohorts: one entry a cohort, failed ones included.
        wire: bytes in both directions.
        silent: addresses of devices that failed or left at some point of the round.
        refusals: why a device left or was refused, by address. For whoever runs the simulation only: it may speak of a
            single device's update, so it goes into no record.
    """

    cohorts: tuple[CohortSum, ...]
    wire: WireBytes
    silent: frozenset[bytes]
    refusals: Mapping[bytes, FlError]


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


@dataclass
class InProcessEngine:
    """Runs rounds of simulated hospitals in this process.

    Attributes:
        hospitals: edges with their devices, all of one session.
        faults: when devices fail.
        progress: called with the number of devices done, for a progress display.
    """

    hospitals: Sequence[Hospital]
    faults: Faults
    progress: Callable[[int], None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        """Check that the hospitals belong to one run.

        Raises:
            SpecError: there is none, an id twice, or sessions differ.
        """
        if len({hospital.edge.session for hospital in self.hospitals}) != 1:
            raise SpecError("the hospitals of a run need one session, the same for all of them")
        if len({hospital.id for hospital in self.hospitals}) != len(self.hospitals):
            raise SpecError("two hospitals have the same id")

    def begin_epoch(self, epoch: int) -> WireBytes:
        """Every device draws keys, is enrolled by its edge and meets its peers."""
        wire = WireBytes()
        for hospital in self.hospitals:
            advertisements = [device.begin_epoch(epoch) for device in hospital.devices]
            hospital.edge.enrol(epoch, advertisements)
            size = sum(len(advertisement.encode()) for advertisement in advertisements)
            wire.up += size
            wire.down += size * len(hospital.devices)
            for device in hospital.devices:
                device.meet(advertisements)
        return wire

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
        """Carry one round from the draw to the cohort sums.

        A device that cannot train, or refuses, counts as dropped. Where that leaves no cohort with a sum, the fault is
        likely the round's (a learning rate at which training diverges) and not theirs.

        Raises:
            SpecError: the draw cannot work.
            FlError: what the first device that could not take part said, where no cohort gave a sum.
        """
        spec, wire, encoded_plan = plan.spec, WireBytes(), plan.encode()
        public = self._public(plan.number, ready, beacon, spec_hash=spec.digest, model_hash=plan.model_hash)
        cohorts: list[CohortSum] = []
        silent: set[bytes] = set()
        refusals: dict[bytes, FlError] = {}
        for hospital in self.hospitals:
            deaths = self._deaths(plan.number, hospital)
            silent |= deaths.keys()
            devices = hospital.by_address()
            for call, members in hospital.edge.calls(
                plan.number,
                ready.get(hospital.id, ()),
                beacon,
                cohort_size=spec.cohort_size,
                k_min=spec.k_min,
            ):
                encoded_call = call.encode()
                wire.down += len(members) * (len(encoded_plan) + len(encoded_call))
                clients: dict[bytes, SecAggClient] = {}
                for address in members:
                    if address in deaths and deaths[address] <= Death.BEFORE_ADVERTISE:
                        continue
                    try:
                        clients[address] = devices[address].train(encoded_plan, encoded_call, public)
                    except FlError as error:
                        refusals[address] = error
                server = hospital.edge.aggregator(
                    call,
                    cohort_size=spec.cohort_size,
                    k_min=spec.k_min,
                    bits=spec.bits,
                    dim=spec.dim,
                    subject=public.subject,
                )
                try:
                    result = carry(server, clients, deaths, wire, refusals)
                    cohorts.append(hospital.edge.cohort_sum(call, spec, members, result))
                except SecAggAbort as abort:
                    cohorts.append(CohortSum.failed(call, members, str(abort)))
                self.progress(len(members))
        if refusals and all(cohort.total is None for cohort in cohorts):
            raise next(iter(refusals.values()))
        return RoundOutcome(
            cohorts=tuple(cohorts),
            wire=wire,
            silent=frozenset(silent | refusals.keys()),
            refusals=refusals,
        )

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
        total: NDArray[np.uint64] | None = None
        for hospital in self.hospitals:
            devices = hospital.by_address()
            for call, members in hospital.edge.calls(
                round_number, ready[hospital.id], beacon, cohort_size=cohort_size, k_min=k_min
            ):
                encoded_call = call.encode()
                wire.down += len(members) * len(encoded_call)
                clients = {
                    address: devices[address].sum_statistics(
                        encoded_call, schema, public, cohort_size=cohort_size, k_min=k_min, max_rows=max_rows
                    )
                    for address in members
                }
                server = hospital.edge.aggregator(
                    call,
                    cohort_size=cohort_size,
                    k_min=k_min,
                    bits=STATISTICS_BITS,
                    dim=statistics_length(schema),
                    subject=public.subject,
                )
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
        *,
        spec_hash: bytes | None = None,
        model_hash: bytes | None = None,
    ) -> PublicDraw:
        return PublicDraw(
            round_number=round_number,
            session=self.hospitals[0].edge.session,
            beacon=beacon,
            ready_digests={h: ready_digest(round_number, h, lines) for h, lines in ready.items()},
            spec_hash=spec_hash,
            model_hash=model_hash,
        )

    def _deaths(self, round_number: int, hospital: Hospital) -> dict[bytes, Death]:
        """The devices of a hospital that fail in a round, by address."""
        deaths = {
            device.address: self.faults.death(round_number, hospital.id, index)
            for index, device in enumerate(hospital.devices)
        }
        return {address: death for address, death in deaths.items() if death is not Death.NEVER}
