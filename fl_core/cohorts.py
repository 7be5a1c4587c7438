"""Cohorts: random sets of a hospital's ready devices, drawn from the round's beacon.

The draw depends on the beacon, the hospital and the link classes of its ready list only, and anyone redraws it. On a
chain the list's digest is public before the beacon exists, so neither hospital nor coordinator can pick who is summed
with whom. Without one the beacon follows from the run's seed: a hospital that orders its ready list then can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fl_core.canonical import canonical_json, sha256
from fl_core.errors import SpecError
from fl_core.secagg import GraphChoice, derive_graph, minimum_threshold
from fl_core.signing import ADDRESS_BYTES

BEACON_BYTES = 32
_DRAW_TAG = b"FedIoMT.CohortDraw.v1"
_SEED_BYTES = 16
_COMPLETE_UP_TO = 64
_GRAPH_DROPOUT = 0.2


@dataclass(frozen=True)
class ReadyDevice:
    """One line of a hospital's ready list: what is fixed about a device before the draw.

    Attributes:
        address: the device's account of this epoch, 20 bytes.
        device_class: index into the spec's device classes.
        rows: public bucketed count of training rows, as declared.
        own_payee: True where the device claims for itself instead of through its hospital's treasury.
        link_class: how slow its link is: 0 sends the round's whole coordinate mask, later ones shorter prefixes of it.
    """

    address: bytes
    device_class: int
    rows: int
    own_payee: bool
    link_class: int = 0

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
        if type(self.link_class) is not int or not 0 <= self.link_class < 1 << 8:
            raise SpecError(f"ready list: link class {self.link_class!r}, choose 0..255")
        if type(self.own_payee) is not bool:
            raise SpecError(f"ready list: own payee is {self.own_payee!r}, say true or false")

    def to_json(self) -> list[Any]:
        """The line as a JSON array."""
        return [self.address.hex(), self.device_class, self.rows, self.own_payee, self.link_class]

    @classmethod
    def from_json(cls, value: Any) -> ReadyDevice:  # noqa: ANN401 - any JSON value
        """The line that `to_json` wrote.

        Raises:
            SpecError: it is malformed.
        """
        try:
            address, device_class, rows, own_payee, link_class = value
            return cls(bytes.fromhex(address), device_class, rows, own_payee, link_class)
        except (ValueError, TypeError) as error:
            raise SpecError(f"ready list: malformed line: {error}") from error


def ready_digest(round_number: int, hospital: int, ready: Sequence[ReadyDevice]) -> bytes:
    """SHA-256 of a hospital's ready list for a round, 32 bytes: what goes on chain before the beacon."""
    return sha256(
        b'{"hospital":%d,"ready":%b,"round":%d}' % (hospital, ready_json(tuple(ready)), round_number)
    )


@lru_cache(maxsize=128)
def ready_json(ready: tuple[ReadyDevice, ...]) -> bytes:
    """A ready list as canonical JSON, made once for all of its cohorts."""
    return canonical_json([line.to_json() for line in ready])


def beacon_of_run(seed: int, round_number: int) -> bytes:
    """The beacon of a run without a chain: SHA-256 of (run seed, round), 32 bytes; known from the start.

    Raises:
        SpecError: a seed beyond 128 bits.
    """
    try:
        number = seed.to_bytes(_SEED_BYTES, "big", signed=True)
    except OverflowError as error:
        raise SpecError(f"seed {seed} does not fit {8 * _SEED_BYTES} bits: choose a smaller one") from error
    return sha256(b"FedIoMT.Beacon.v1" + number + round_number.to_bytes(8, "big"))


def default_threshold(members: int, k_min: int) -> int:
    """Survivors a cohort over the complete graph needs: max(floor(2 m / 3) + 1, k_min) (DESIGN.md section 4)."""
    return max(minimum_threshold(members), k_min)


@lru_cache(maxsize=1024)
def default_graph(members: int, k_min: int) -> GraphChoice | None:
    """Who shares masks with whom in a large cohort; None for everybody with everybody.

    Up to 64 members a graph that withstands an active server has more than half of all pairs, and a complete one
    tolerates three times as many colluders: so it stays complete. Above, a fifth of the members may fall silent and a
    tenth collude, and every sum that can be brought about still holds `k_min` honest inputs.
    """
    if members <= _COMPLETE_UP_TO:
        return None
    try:
        choice = derive_graph(members, _GRAPH_DROPOUT, members // 10 + 1, least_honest=k_min)
    except SpecError:
        return None  # not even the complete graph withstands as much: it has the highest threshold
    return choice if choice.degree is not None and choice.least_survivors >= k_min else None


def survivors_needed(members: int, k_min: int) -> int:
    """Fewest members of a cohort whose sum is formed."""
    choice = default_graph(members, k_min)
    return default_threshold(members, k_min) if choice is None else choice.least_survivors


@dataclass(frozen=True)
class CohortTerms:
    """What everybody agreed on about the cohorts of a sum.

    Attributes:
        cohort_size: the aim of the draw.
        k_min: fewest devices whose sum may be seen.
        bits: ring width of the secure sum.
        lengths: entries of a vector by link class, the first one the longest; devices of later classes take the last.
    """

    cohort_size: int
    k_min: int
    bits: int
    lengths: tuple[int, ...]

    def link_class(self, line: ReadyDevice) -> int:
        """The link class that a ready device counts as here."""
        return min(line.link_class, len(self.lengths) - 1)


@dataclass(frozen=True)
class DrawnCohort:
    """A cohort of the draw.

    Attributes:
        link_class: the class whose prefix all of its members send.
        positions: its members' positions in the ready list, sorted.
    """

    link_class: int
    positions: tuple[int, ...]


def draw_cohorts(
    beacon: bytes, hospital: int, link_classes: Sequence[int], *, cohort_size: int, k_min: int
) -> tuple[DrawnCohort, ...]:
    """Draw a hospital's cohorts of a round, each within a link class.

    Positions of the ready list are ordered by SHA-256 of (beacon, hospital, position). From the fastest class to the
    slowest, a class of n >= `cohort_size` devices is cut into floor(n / cohort_size) cohorts of nearly equal size, so
    that a remainder joins other cohorts; one of fewer joins the next slower class. If the slowest is left with fewer,
    devices of the class before fill it up, all of them where they would be too few for themselves afterwards.

    Args:
        beacon: 32 bytes.
        hospital: the hospital's id.
        link_classes: link class of each ready device, in the order of the ready list.
        cohort_size: the aim.
        k_min: fewest devices of a cohort.

    Returns:
        Cohorts of `cohort_size` to 2 * cohort_size - 1 devices; one of fewer where fewer are ready, and none where
        fewer than `k_min` are.

    Raises:
        SpecError: sizes that cannot work, a beacon that is none, or a hospital that cannot be.
    """
    if not 1 <= k_min <= cohort_size:
        raise SpecError(f"k_min {k_min} and cohort size {cohort_size}: need 1 <= k_min <= cohort size")
    if len(beacon) != BEACON_BYTES:
        raise SpecError(f"beacon of {len(beacon)} bytes: expected {BEACON_BYTES}")
    if not 0 <= hospital < 1 << 16:
        raise SpecError(f"hospital {hospital}: choose 0..65535")
    if len(link_classes) < k_min:
        return ()
    prefix = _DRAW_TAG + beacon + hospital.to_bytes(4, "big")
    order = sorted(
        range(len(link_classes)), key=lambda i: hashlib.sha256(prefix + i.to_bytes(4, "big")).digest()
    )
    cohorts: list[DrawnCohort] = []
    for link_class, pool in _pools(order, link_classes, cohort_size):
        parts = max(1, len(pool) // cohort_size)
        base, extra = divmod(len(pool), parts)
        start = 0
        for part in range(parts):
            size = base + (part < extra)
            cohorts.append(DrawnCohort(link_class, tuple(sorted(pool[start : start + size]))))
            start += size
    return tuple(cohorts)


def _pools(
    order: Sequence[int], link_classes: Sequence[int], cohort_size: int
) -> list[tuple[int, list[int]]]:
    """The devices that are drawn from together, each pool large enough for a cohort unless it is the only one."""
    pools: list[tuple[int, list[int]]] = []
    waiting: set[int] = set()
    for link_class in sorted(set(link_classes)):
        waiting |= {position for position, found in enumerate(link_classes) if found == link_class}
        if len(waiting) >= cohort_size:
            pools.append((link_class, [position for position in order if position in waiting]))
            waiting = set()
    if waiting and pools:
        link_class, faster = pools.pop()
        wanted = cohort_size - len(waiting)
        if len(faster) - wanted >= cohort_size:
            pools.append((link_class, faster[wanted:]))
            faster = faster[:wanted]
        waiting |= set(faster)
    if waiting:
        pools.append((max(link_classes), [position for position in order if position in waiting]))
    return pools
