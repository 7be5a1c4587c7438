"""What the tiers tell each other about a round: cohort calls down, cohort sums up."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import canonical_json
from fl_core.cohorts import ReadyDevice
from fl_core.errors import SpecError


@dataclass(frozen=True)
class CohortCall:
    """An edge's call to a device: the ready list, the beacon, and which cohort the device is in.

    Attributes:
        round_number: the round.
        hospital: the hospital's id.
        session: 32 bytes that name the run's secure aggregation session.
        beacon: 32 bytes, fixed after the ready list.
        ready: the hospital's ready list.
        cohort: index of the device's cohort in the draw.
        attempt: attempt of the cohort, from 0.
    """

    round_number: int
    hospital: int
    session: bytes
    beacon: bytes
    ready: tuple[ReadyDevice, ...]
    cohort: int
    attempt: int = 0

    def encode(self) -> bytes:
        """The call as canonical JSON."""
        return canonical_json(
            {
                "round": self.round_number,
                "hospital": self.hospital,
                "session": self.session.hex(),
                "beacon": self.beacon.hex(),
                "ready": [[d.address.hex(), d.device_class, d.rows, d.own_payee] for d in self.ready],
                "cohort": self.cohort,
                "attempt": self.attempt,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> CohortCall:
        """Read a call from the wire.

        Raises:
            SpecError: it is malformed.
        """
        try:
            value = json.loads(data)
            return cls(
                round_number=int(value["round"]),
                hospital=int(value["hospital"]),
                session=bytes.fromhex(value["session"]),
                beacon=bytes.fromhex(value["beacon"]),
                ready=tuple(
                    ReadyDevice(bytes.fromhex(address), int(kind), int(rows), bool(own))
                    for address, kind, rows, own in value["ready"]
                ),
                cohort=int(value["cohort"]),
                attempt=int(value["attempt"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SpecError(f"cohort call is malformed: {error}") from error


@dataclass(frozen=True)
class CohortSum:
    """All that leaves a cohort: the secure sum of its survivors, or that there is none.

    Attributes:
        hospital: the hospital's id.
        cohort: index in the draw.
        members: addresses of all members.
        survivors: addresses whose updates are in the sum; empty where the cohort failed closed.
        total: sum of the encoded weighted updates, signed int64 (d,), or None.
        rows: sum of the survivors' credited rows.
        failure: why the cohort failed closed, or None.
        signatures: each survivor's signature over its masked input, by address.
    """

    hospital: int
    cohort: int
    members: tuple[bytes, ...]
    survivors: tuple[bytes, ...]
    total: NDArray[np.int64] | None
    rows: int
    failure: str | None
    signatures: dict[bytes, bytes]
