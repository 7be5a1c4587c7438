"""What the tiers tell each other about a round: cohort calls down, who took part up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fl_core.canonical import parse_json
from fl_core.cohorts import ReadyDevice, ready_json
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
        return (
            b'{"attempt":%d,"beacon":"%b","cohort":%d,"hospital":%d,"ready":%b,"round":%d,"session":"%b"}'
        ) % (
            self.attempt,
            self.beacon.hex().encode(),
            self.cohort,
            self.hospital,
            ready_json(self.ready),
            self.round_number,
            self.session.hex().encode(),
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
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError(f"{type(value).__name__} where a whole number from 0 is needed")
    return value


@dataclass(frozen=True, eq=False)
class CohortReport:
    """Who took part in a secure sum; the sum itself is seen only as part of a `Release`.

    Attributes:
        hospital: the hospital's id; 0 where the members are the hospitals themselves.
        cohort: index in the draw.
        link_class: the link class that the cohort was drawn within.
        members: addresses of all members, in order of the ready list.
        survivors: addresses whose updates are in the sum, sorted; empty where the cohort failed closed.
        rows: sum of the survivors' credited rows.
        failure: why the cohort failed closed, or None.
        signatures: each survivor's signature over its masked input, by address.
        masked_hashes: `input_hash` of each survivor's masked input, by address: random to whoever does not know the
            masks.
        deposited_hash: 32 bytes; with the cohort's plan and a masked hash it gives the message that was signed.
        transcript_hash: SHA-256 of the sealed transcript of the sum; empty where none is kept.
    """

    hospital: int
    cohort: int
    members: tuple[bytes, ...]
    survivors: tuple[bytes, ...]
    rows: int
    failure: str | None
    link_class: int = 0
    signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    masked_hashes: Mapping[bytes, bytes] = field(default_factory=dict)
    deposited_hash: bytes = b""
    transcript_hash: bytes = b""

    @property
    def summed(self) -> bool:
        """Whether there is a sum."""
        return self.failure is None

    @classmethod
    def failed(
        cls, hospital: int, cohort: int, members: tuple[bytes, ...], reason: str, link_class: int = 0
    ) -> CohortReport:
        """A cohort that failed closed."""
        return cls(hospital, cohort, members, (), 0, reason, link_class)
