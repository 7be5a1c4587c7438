"""The in-process engine: carries encoded messages between the three tiers, counts their bytes, and lets devices fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fl_core.cohorts import ReadyDevice, ready_digest
from fl_core.data import Schema
from fl_core.errors import SpecError
from fl_core.secagg import SecAggAbort, SecAggClient, SecAggError, SecAggResult, SecAggServer
from fl_core.simulation.faults import Death, RandomFaults
from fl_core.spec import RoundPlan
from fl_core.statistics import Statistics, decode_statistics, statistics_length
from fl_core.tiers import CohortCall, CohortSum, Device, Edge, PublicDraw
from fl_core.tiers.device import STATISTICS_BITS

_STAGES = (
    Death.BEFORE_ADVERTISE,
    Death.BEFORE_DEPOSIT,
    Death.BEFORE_MASKED_INPUT,
    Death.BEFORE_AGREE,
    Death.BEFORE_UNMASK,
)


@dataclass
class WireBytes:
    """Bytes of encoded messages between devices and edges, both directions, protocol overhead included."""

    up: int = 0
    down: int = 0


@dataclass(frozen=True)
class RoundOutcome:
    """What a round's carrying gave.

    Attributes:
        cohorts: one entry a cohort, failed ones included.
        wire: bytes in both directions.
        silent: addresses of devices that failed at some point of the round.
    """

    cohorts: tuple[CohortSum, ...]
    wire: WireBytes
    silent: frozenset[bytes]


@dataclass
class Hospital:
    """An edge with its devices, in slot order."""

    edge: Edge
    devices: tuple[Device, ...]

    @property
    def id(self) -> int:
        """The hospital's id, from 1."""
        return self.edge.hospital


@dataclass
class InProcessEngine:
    """Runs rounds of simulated hospitals in this process.

    Attributes:
        hospitals: edges with their devices.
        faults: when devices fail.
        progress: called with the number of devices done, for a progress display.
    """

    hospitals: Sequence[Hospital]
    faults: RandomFaults
    progress: Callable[[int], None] = field(default=lambda _: None)

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
                if self._death(round_number, hospital, index) is not Death.BEFORE_DRAW
            )
            for hospital in self.hospitals
        }

    def run_round(
        self, plan: RoundPlan, ready: Mapping[int, tuple[ReadyDevice, ...]], beacon: bytes
    ) -> RoundOutcome:
        """Carry one round from the draw to the cohort sums."""
        spec, wire, encoded_plan = plan.spec, WireBytes(), plan.encode()
        public = _public_draw(plan.number, ready, beacon)
        cohorts: list[CohortSum] = []
        for hospital in self.hospitals:
            by_address = {device.address: device for device in hospital.devices}
            calls = hospital.edge.calls(
                plan.number, ready[hospital.id], beacon, cohort_size=spec.cohort_size, k_min=spec.k_min
            )
            for call, members in calls:
                encoded_call = call.encode()
                clients = {a: by_address[a].train(encoded_plan, encoded_call, public) for a in members}
                wire.down += len(members) * (len(encoded_plan) + len(encoded_call))
                server = hospital.edge.aggregator(
                    call, cohort_size=spec.cohort_size, k_min=spec.k_min, bits=spec.bits, dim=spec.dim
                )
                try:
                    result = carry(server, clients, self._deaths(plan.number, hospital), wire)
                    cohorts.append(hospital.edge.cohort_sum(call, spec, members, result))
                except SecAggAbort as abort:
                    cohorts.append(_failed(hospital.id, call, members, str(abort)))
                self.progress(len(members))
        silent = frozenset(
            address
            for hospital in self.hospitals
            for address, death in self._deaths(plan.number, hospital).items()
            if death is not Death.NEVER
        )
        return RoundOutcome(cohorts=tuple(cohorts), wire=wire, silent=silent)

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
            SpecError: no cohort could be summed.
        """
        ready = {
            hospital.id: tuple(device.ready for device in hospital.devices) for hospital in self.hospitals
        }
        public, wire = _public_draw(round_number, ready, beacon), WireBytes()
        dim = statistics_length(schema)
        total: NDArray[np.uint64] | None = None
        for hospital in self.hospitals:
            by_address = {device.address: device for device in hospital.devices}
            for call, members in hospital.edge.calls(
                round_number, ready[hospital.id], beacon, cohort_size=cohort_size, k_min=k_min
            ):
                encoded_call = call.encode()
                clients = {
                    a: by_address[a].sum_statistics(
                        encoded_call, schema, public, cohort_size=cohort_size, k_min=k_min, max_rows=max_rows
                    )
                    for a in members
                }
                wire.down += len(members) * len(encoded_call)
                server = hospital.edge.aggregator(
                    call, cohort_size=cohort_size, k_min=k_min, bits=STATISTICS_BITS, dim=dim
                )
                cohort_total = carry(server, clients, {}, wire).sum
                total = cohort_total if total is None else total + cohort_total
        if total is None:
            raise SpecError(f"no hospital has {k_min} devices: scaling statistics cannot be summed securely")
        return decode_statistics(total, schema, bits=STATISTICS_BITS, max_rows=max_rows), wire

    def _death(self, round_number: int, hospital: Hospital, index: int) -> Death:
        return self.faults.death(round_number, hospital.id, index)

    def _deaths(self, round_number: int, hospital: Hospital) -> dict[bytes, Death]:
        return {
            device.address: self._death(round_number, hospital, index)
            for index, device in enumerate(hospital.devices)
        }


def carry(
    server: SecAggServer,
    clients: Mapping[bytes, SecAggClient],
    deaths: Mapping[bytes, Death],
    wire: WireBytes,
) -> SecAggResult:
    """Carry one cohort's secure aggregation through its stages.

    A client that fails, aborts or sends something malformed counts as dropped from then on.

    Args:
        server: the edge's side.
        clients: the devices' sides by address.
        deaths: when a device falls silent, by address; absent means never.
        wire: where bytes are counted.

    Raises:
        SecAggAbort: too few devices remained; nothing about any update was revealed.
    """

    def alive(address: bytes, stage: Death) -> bool:
        return deaths.get(address, Death.NEVER) > stage

    deliveries: dict[bytes, Callable[[], bytes]] = {a: client.start for a, client in clients.items()}
    for stage in _STAGES:
        for address, answer in deliveries.items():
            if not alive(address, stage):
                continue
            try:
                message = answer()
                wire.up += len(message)
                server.receive(address, message)
            except SecAggError:
                continue
        outgoing = server.advance()
        wire.down += sum(len(message) for address, message in outgoing.items() if alive(address, stage))
        deliveries = {address: _receive(clients[address], message) for address, message in outgoing.items()}
    return server.result


def _receive(client: SecAggClient, message: bytes) -> Callable[[], bytes]:
    return lambda: client.receive(message)


def _public_draw(
    round_number: int, ready: Mapping[int, tuple[ReadyDevice, ...]], beacon: bytes
) -> PublicDraw:
    digests = {hospital: ready_digest(round_number, hospital, lines) for hospital, lines in ready.items()}
    return PublicDraw(round_number=round_number, beacon=beacon, ready_digests=digests)


def _failed(hospital: int, call: CohortCall, members: tuple[bytes, ...], reason: str) -> CohortSum:
    return CohortSum(
        hospital=hospital,
        cohort=call.cohort,
        members=members,
        survivors=(),
        total=None,
        rows=0,
        failure=reason,
        signatures={},
    )
