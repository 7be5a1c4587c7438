"""What the tiers tell each other about a round: cohort calls down, cohort sums up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import canonical_json, parse_json
from fl_core.cohorts import ReadyDevice
from fl_core.errors import SpecError


@dataclass(frozen=True)
class CohortCall:
    """An edge's call to a device: the ready list, the beacon, and which cohort the device is in.

    Nothing of it is believed: what a device checks it against is a `PublicDraw`.

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
                "ready": [line.to_json() for line in self.ready],
                "cohort": self.cohort,
                "attempt": self.attempt,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> CohortCall:
        """Read a call from the wire.

        Raises:
            SpecError: it is malformed, or not the canonical form of what it says.
        """
        value = parse_json(data)
        try:
            call = cls(
                round_number=_count(value["round"]),
                hospital=_count(value["hospital"]),
                session=bytes.fromhex(value["session"]),
                beacon=bytes.fromhex(value["beacon"]),
                ready=tuple(map(ReadyDevice.from_json, value["ready"])),
                cohort=_count(value["cohort"]),
                attempt=_count(value["attempt"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SpecError(f"cohort call is malformed: {error}") from error
        if call.encode() != data:
            raise SpecError("cohort call is not canonical JSON")
        return call


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{type(value).__name__} where a whole number from 0 is needed")
    return value


@dataclass(frozen=True, eq=False)
class CohortSum:
    """All that leaves a cohort: the secure sum of its survivors, or that there is none.

    Attributes:
        hospital: the hospital's id.
        cohort: index in the draw.
        members: addresses of all members, in order of the ready list.
        survivors: addresses whose updates are in the sum, sorted; empty where the cohort failed closed.
        total: sum of the encoded weighted updates, signed int64 (d,), or None.
        rows: sum of the survivors' credited rows.
        failure: why the cohort failed closed, or None.
        signatures: each survivor's signature over its masked input, by address.
        masked_hashes: SHA-256 of each survivor's masked input, by address: random to whoever does not know the masks.
        deposited_hash: 32 bytes; with the cohort's plan and a masked hash it gives the message that was signed.
    """

    hospital: int
    cohort: int
    members: tuple[bytes, ...]
    survivors: tuple[bytes, ...]
    total: NDArray[np.int64] | None
    rows: int
    failure: str | None
    signatures: Mapping[bytes, bytes]
    masked_hashes: Mapping[bytes, bytes] = field(default_factory=dict)
    deposited_hash: bytes = b""

    @classmethod
    def failed(cls, call: CohortCall, members: tuple[bytes, ...], reason: str) -> CohortSum:
        """A cohort that failed closed."""
        return cls(
            hospital=call.hospital,
            cohort=call.cohort,
            members=members,
            survivors=(),
            total=None,
            rows=0,
            failure=reason,
            signatures={},
        )
