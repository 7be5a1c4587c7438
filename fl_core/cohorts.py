"""Cohorts: random sets of a hospital's ready devices, drawn from a beacon that nobody chose.

The draw depends on the beacon, the hospital and the positions in the ready list only. The list's digest is public
before the beacon exists, so neither hospital nor coordinator can pick who is summed with whom, and anyone redraws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from fl_core.canonical import digest_json, sha256
from fl_core.errors import SpecError

_DRAW_TAG = b"FedIoMT.CohortDraw.v1"


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


def ready_digest(round_number: int, hospital: int, ready: Sequence[ReadyDevice]) -> bytes:
    """SHA-256 of a hospital's ready list for a round, 32 bytes: what goes on chain before the beacon."""
    return digest_json(
        {
            "round": round_number,
            "hospital": hospital,
            "ready": [[d.address.hex(), d.device_class, d.rows, d.own_payee] for d in ready],
        }
    )


def beacon_of_run(seed: int, round_number: int) -> bytes:
    """The beacon of a run without a chain: SHA-256 of (run seed, round), 32 bytes."""
    return sha256(
        b"FedIoMT.Beacon.v1" + seed.to_bytes(16, "big", signed=True) + round_number.to_bytes(8, "big")
    )


def default_threshold(members: int, k_min: int) -> int:
    """Survivors a cohort needs: max(floor(2 m / 3) + 1, k_min) (DESIGN.md section 4)."""
    return max(2 * members // 3 + 1, k_min)


def draw_cohorts(
    beacon: bytes, hospital: int, ready_count: int, *, cohort_size: int, k_min: int
) -> tuple[tuple[int, ...], ...]:
    """Draw a hospital's cohorts of a round.

    Positions 0..ready_count-1 of the ready list are ordered by SHA-256 of (beacon, hospital, position) and cut into
    floor(ready_count / cohort_size) parts of nearly equal size, so that a remainder joins other cohorts.

    Returns:
        Cohorts as sorted tuples of positions; empty where fewer than `k_min` devices are ready.

    Raises:
        SpecError: sizes that cannot work.
    """
    if not 1 <= k_min <= cohort_size:
        raise SpecError(f"k_min {k_min} and cohort size {cohort_size}: need 1 <= k_min <= cohort size")
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
