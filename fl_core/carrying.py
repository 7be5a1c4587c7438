"""Carrying one cohort's encoded messages between edge and devices in this process, and counting their bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fl_core.errors import FlError
from fl_core.secagg import SecAggClient, SecAggError, SecAggResult, SecAggServer
from fl_core.simulation.faults import Death

_STAGES = (
    Death.BEFORE_ADVERTISE,
    Death.BEFORE_DEPOSIT,
    Death.BEFORE_MASKED_INPUT,
    Death.BEFORE_AGREE,
    Death.BEFORE_UNMASK,
)


@dataclass
class WireBytes:
    """Bytes of encoded messages between devices and edges, both directions, protocol overhead included.

    What edges and cloud tell each other (ready lists, cohort sums, models) is not counted.
    """

    up: int = 0
    down: int = 0


def carry(
    server: SecAggServer,
    clients: Mapping[bytes, SecAggClient],
    deaths: Mapping[bytes, Death],
    wire: WireBytes,
    refusals: dict[bytes, FlError],
) -> SecAggResult:
    """Carry one cohort's secure aggregation through its stages.

    A client that fails, aborts or sends something malformed counts as dropped from then on.

    Args:
        server: the edge's side.
        clients: the devices' sides by address.
        deaths: when a device falls silent, by address; absent means never.
        wire: where bytes are counted.
        refusals: where it is noted why a device left or was refused, by address.

    Raises:
        SecAggAbort: too few devices remained; nothing about any update was revealed.
    """
    answers: dict[bytes, Callable[[], bytes]] = {a: client.start for a, client in clients.items()}
    for stage in _STAGES:
        for address, answer in answers.items():
            if deaths.get(address, Death.NEVER) <= stage:
                continue
            try:
                message = answer()
                wire.up += len(message)
                server.receive(address, message)
            except SecAggError as error:
                refusals[address] = error
        outgoing = server.advance()
        wire.down += sum(map(len, outgoing.values()))
        answers = {address: _answer(clients[address], message) for address, message in outgoing.items()}
    return server.result


def _answer(client: SecAggClient, message: bytes) -> Callable[[], bytes]:
    return lambda: client.receive(message)
