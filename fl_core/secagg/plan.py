"""The plan of one attempt to sum one cohort: what both sides must hold equal before any message."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from fl_core.errors import SpecError
from fl_core.secagg.kdf import digest
from fl_core.secagg.packing import packed_bytes
from fl_core.signing import ADDRESS_BYTES

MIN_MEMBERS = 3
MAX_MEMBERS = 1024
MIN_BITS = 8
MAX_BITS = 64
MAX_DIM = 1 << 24
ROUNDS_PER_EPOCH_LOG2 = 8
SESSION_BYTES = 32
SUBJECT_BYTES = 32


def minimum_threshold(members: int) -> int:
    """Fewest survivors that keep an active server with fewer than a third of the members harmless: floor(2m/3)+1."""
    return 2 * members // 3 + 1


@dataclass(frozen=True)
class CohortPlan:
    """One attempt of one cohort in one round.

    Attributes:
        session: 32 bytes that name the run.
        round: round number; rounds of one epoch share their upper bits (256 rounds an epoch).
        hospital: id of the edge that aggregates, 0..65_535.
        cohort: index of the cohort, 0..2^32-1.
        attempt: number of the attempt, 0..2^32-1.
        members: 20-byte addresses, sorted, distinct; a member's index here is its name in messages.
        threshold: survivors needed at every stage, at least floor(2m/3)+1.
        bits: the ring is Z_{2^bits}, 8..64.
        dim: length of the vectors.
        subject: 32 bytes that name what the vectors are about, such as the hash of the model and spec that the devices
            were sent. Devices with unlike subjects are never summed, so that an edge cannot hand out a model of its
            own to one of them (Pasquini et al., "Eluding Secure Aggregation", CCS 2022).

    Raises:
        SpecError: a value is out of range, or the threshold is too low to be safe.
    """

    session: bytes
    round: int
    hospital: int
    cohort: int
    attempt: int
    members: tuple[bytes, ...]
    threshold: int
    bits: int
    dim: int
    subject: bytes = bytes(SUBJECT_BYTES)

    def __post_init__(self) -> None:
        for name, value, length in (
            ("session", self.session, SESSION_BYTES),
            ("subject", self.subject, SUBJECT_BYTES),
        ):
            if not isinstance(value, bytes) or len(value) != length:
                raise SpecError(f"{name} must be {length} bytes")
        for name, low, high in (
            ("round", 0, (1 << 64) - 1),
            ("hospital", 0, (1 << 16) - 1),
            ("cohort", 0, (1 << 32) - 1),
            ("attempt", 0, (1 << 32) - 1),
            ("bits", MIN_BITS, MAX_BITS),
            ("dim", 1, MAX_DIM),
        ):
            _check_range(name, getattr(self, name), low, high)
        self._check_members()
        _check_range("threshold", self.threshold, minimum_threshold(self.size), self.size)

    def _check_members(self) -> None:
        if not isinstance(self.members, tuple):
            raise SpecError("members must be a tuple of addresses")
        _check_range("number of members", len(self.members), MIN_MEMBERS, MAX_MEMBERS)
        for address in self.members:
            if not isinstance(address, bytes) or len(address) != ADDRESS_BYTES:
                raise SpecError(f"every member must be an address of {ADDRESS_BYTES} bytes")
        for left, right in zip(self.members, self.members[1:], strict=False):
            if left >= right:
                raise SpecError(f"members must be sorted and distinct: {right.hex()} is out of place")

    @property
    def size(self) -> int:
        """Number of members, m."""
        return len(self.members)

    @property
    def packed_bytes(self) -> int:
        """Length of a packed vector of the plan."""
        return packed_bytes(self.dim, self.bits)

    @property
    def epoch(self) -> int:
        """The epoch whose keys serve this round."""
        return self.round >> ROUNDS_PER_EPOCH_LOG2

    @cached_property
    def context_hash(self) -> bytes:
        """SHA-256 over every field, 32 bytes: two plans agree on it only if they are equal."""
        numbers = (self.round, self.hospital, self.cohort, self.attempt, self.threshold, self.bits, self.dim)
        packed = b"".join(number.to_bytes(8, "big") for number in numbers)
        return digest(b"plan", self.session, self.subject, packed, b"".join(self.members))

    @cached_property
    def _index(self) -> dict[bytes, int]:
        return {address: index for index, address in enumerate(self.members)}

    def index_of(self, address: bytes) -> int:
        """A member's index.

        Raises:
            SpecError: the address is not a member.
        """
        index = self._index.get(address)
        if index is None:
            raise SpecError(f"{address.hex()} is not a member of cohort {self.cohort} in round {self.round}")
        return index

    def neighbour_indices(self, index: int) -> tuple[int, ...]:
        """Indices of the members that share masks and secrets with a member: all others (complete graph)."""
        return tuple(other for other in range(self.size) if other != index)

    def neighbours_among(self, index: int, among: Collection[int]) -> tuple[int, ...]:
        """Indices of a member's neighbours that are in `among`, in order."""
        chosen = set(among)
        return tuple(other for other in self.neighbour_indices(index) if other in chosen)

    def neighbours(self, address: bytes) -> tuple[bytes, ...]:
        """Addresses of the members that share masks and secrets with a member.

        Raises:
            SpecError: the address is not a member.
        """
        return tuple(self.members[other] for other in self.neighbour_indices(self.index_of(address)))


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"{name} {value!r}: choose {low}..{high}")
