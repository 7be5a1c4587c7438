"""Cohorts: random sets of a hospital's ready devices, drawn from a beacon that nobody chose.

The draw depends on the beacon, the hospital and the length of its ready list only. The list's digest is public before
the beacon exists, so neither hospital nor coordinator can pick who is summed with whom, and anyone redraws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fl_core.canonical import digest_json, sha256
from fl_core.errors import SpecError
from fl_core.secagg.plan import minimum_threshold
from fl_core.signing import ADDRESS_BYTES

BEACON_BYTES = 32
_DRAW_TAG = b"FedIoMT.CohortDraw.v1"
_SEED_BYTES = 16


@dataclass(frozen=True)
class ReadyDevice:
    """One line of a hospital's ready list: what is fixed about a device before the draw.

    Attributes:
        address: the device's account of this epoch, 20 bytes.
        device_class: index into the spec's device classes.
        rows: public bucketed count of training rows, as declared.
        own_payee: True where the device claims for itself instead of through its hospital's treasury.
    """

    address: bytes
    device_class: int
    rows: int
    own_payee: bool

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            SpecError: an address of another length, a count that is none, or no positive number of rows.
        """
        if len(self.address) != ADDRESS_BYTES:
            raise SpecError(f"ready list: address of {len(self.address)} bytes, expected {ADDRESS_BYTES}")
        if type(self.device_class) is not int or not 0 <= self.device_class < 1 << 8:
            raise SpecError(f"ready list: device class {self.device_class!r}, choose 0..255")
        if type(self.rows) is not int or not 1 <= self.rows < 1 << 53:
            raise SpecError(f"ready list: {self.rows!r} rows, a device declares at least 1")
        if type(self.own_payee) is not bool:
            raise SpecError(f"ready list: own payee is {self.own_payee!r}, say true or false")

    def to_json(self) -> list[Any]:
        """The line as a JSON array."""
        return [self.address.hex(), self.device_class, self.rows, self.own_payee]

    @classmethod
    def from_json(cls, value: Any) -> ReadyDevice:  # noqa: ANN401 - any JSON value
        """The line that `to_json` wrote.

        Raises:
            SpecError: it is malformed.
        """
        try:
            address, device_class, rows, own_payee = value
            return cls(bytes.fromhex(address), device_class, rows, own_payee)
        except (ValueError, TypeError) as error:
            raise SpecError(f"ready list: malformed line: {error}") from error


def ready_digest(round_number: int, hospital: int, ready: Sequence[ReadyDevice]) -> bytes:
    """SHA-256 of a hospital's ready list for a round, 32 bytes: what goes on chain before the beacon."""
    return digest_json(
        {"round": round_number, "hospital": hospital, "ready": [line.to_json() for line in ready]}
    )


def beacon_of_run(seed: int, round_number: int) -> bytes:
    """The beacon of a run without a chain: SHA-256 of (run seed, round), 32 bytes.

    Raises:
        SpecError: a seed beyond 128 bits.
    """
    try:
        number = seed.to_bytes(_SEED_BYTES, "big", signed=True)
    except OverflowError as error:
        raise SpecError(f"seed {seed} does not fit {8 * _SEED_BYTES} bits: choose a smaller one") from error
    return sha256(b"FedIoMT.Beacon.v1" + number + round_number.to_bytes(8, "big"))


def default_threshold(members: int, k_min: int) -> int:
    """Survivors a cohort needs: max(floor(2 m / 3) + 1, k_min) (DESIGN.md section 4)."""
    return max(minimum_threshold(members), k_min)


def draw_cohorts(
    beacon: bytes, hospital: int, ready_count: int, *, cohort_size: int, k_min: int
) -> tuple[tuple[int, ...], ...]:
    """Draw a hospital's cohorts of a round.

    Positions 0..ready_count-1 of the ready list are ordered by SHA-256 of (beacon, hospital, position) and cut into
    floor(ready_count / cohort_size) parts of nearly equal size, so that a remainder joins other cohorts.

    Returns:
        Cohorts as sorted tuples of positions; each of `cohort_size` to 2 * cohort_size - 1, one of fewer where fewer
        are ready, and none where fewer than `k_min` are.

    Raises:
        SpecError: sizes that cannot work, a beacon that is none, or a hospital that cannot be.
    """
    if not 1 <= k_min <= cohort_size:
        raise SpecError(f"k_min {k_min} and cohort size {cohort_size}: need 1 <= k_min <= cohort size")
    if len(beacon) != BEACON_BYTES:
        raise SpecError(f"beacon of {len(beacon)} bytes: expected {BEACON_BYTES}")
    if not 0 <= hospital < 1 << 16:
        raise SpecError(f"hospital {hospital}: choose 0..65535")
    if ready_count < k_min:
        return ()
    prefix = _DRAW_TAG + beacon + hospital.to_bytes(4, "big")
    order = sorted(range(ready_count), key=lambda i: hashlib.sha256(prefix + i.to_bytes(4, "big")).digest())
    parts = max(1, ready_count // cohort_size)
    base, extra = divmod(ready_count, parts)
    cohorts, start = [], 0
    for part in range(parts):
        size = base + (part < extra)
        cohorts.append(tuple(sorted(order[start : start + size])))
        start += size
    return tuple(cohorts)
