"""The plan of one attempt to sum one cohort: what both sides must hold equal before any message."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from fl_core.canonical import sha256
from fl_core.errors import SpecError
from fl_core.secagg.degree import (
    LEAST_SECURITY_BITS,
    Adversary,
    fewest_honest,
    minimum_threshold,
    security_failure,
)
from fl_core.secagg.kdf import digest, framed
from fl_core.secagg.neighbours import MIN_DEGREE, NeighbourGraph, Neighbourhoods, circulant, complete
from fl_core.secagg.packing import BLOCK_MULTIPLE, packed_bytes
from fl_core.signing import ADDRESS_BYTES

MIN_MEMBERS = 3
MAX_MEMBERS = 1024
MIN_BITS = 8
MAX_BITS = 64
MAX_DIM = 1 << 24
ROUNDS_PER_EPOCH_LOG2 = 8
SESSION_BYTES = 32
SUBJECT_BYTES = 32


__all__ = ["CohortPlan", "minimum_threshold"]


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
        threshold: holders of a secret's shares that open it. Complete graph: survivors needed at every stage, at least
            floor(2m/3)+1 against an active adversary. Neighbour graph: out of degree + 1.
        bits: the ring is Z_{2^bits}, 8..64.
        dim: length of the vectors.
        subject: 32 bytes that name what the vectors are about, such as the hash of the model and spec that the devices
            were sent. Devices with unlike subjects are never summed, so that an edge cannot hand out a model of its
            own to one of them (Pasquini et al., "Eluding Secure Aggregation", CCS 2022).
        graph: who shares masks and secrets with whom; None where everybody does.
        adversary: what the threshold must be enough for. Masked inputs are signed, and depositors confirmed between
            neighbours, against an active one only.
        block_entries: masked inputs travel in blocks of so many entries, a multiple of 64; None sends them whole.

    Raises:
        SpecError: a value is out of range, or graph and threshold are not safe against the adversary.
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
    graph: NeighbourGraph | None = None
    adversary: Adversary = Adversary.ACTIVE
    block_entries: int | None = None

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
        if not isinstance(self.adversary, Adversary):
            raise SpecError(f"adversary {self.adversary!r}: choose one of Adversary")
        if self.block_entries is not None:
            _check_range("block_entries", self.block_entries, BLOCK_MULTIPLE, MAX_DIM)
            if self.block_entries % BLOCK_MULTIPLE:
                raise SpecError(f"block_entries {self.block_entries}: choose a multiple of {BLOCK_MULTIPLE}")
        self._check_threshold()

    def _check_threshold(self) -> None:
        graph, size = self.graph, self.size
        if graph is None:
            _check_range("threshold", self.threshold, minimum_threshold(size, self.adversary), size)
            return
        _check_range("degree", graph.degree, MIN_DEGREE, size - 2)
        _check_range("threshold", self.threshold, 2, graph.degree + 1)
        _check_range("least_survivors", graph.least_survivors, self.threshold, size)
        if self.adversary is Adversary.ACTIVE and graph.security_bits < LEAST_SECURITY_BITS:
            raise SpecError(
                f"security_bits {graph.security_bits}: against an active adversary choose at least "
                f"{LEAST_SECURITY_BITS}"
            )
        failure = security_failure(
            size,
            graph.degree,
            self.threshold,
            corrupted=graph.corrupted,
            dropped=size - graph.least_survivors,
            adversary=self.adversary,
        )
        if failure > 2.0**-graph.security_bits:
            raise SpecError(
                f"threshold {self.threshold} of {graph.degree} neighbours and oneself: the graph would be bad with "
                f"probability {failure:.1e} against {graph.corrupted} corrupted of {size} ({self.adversary.value}): "
                "derive degree and threshold, or use the complete graph"
            )
        honest = fewest_honest(
            size,
            graph.degree,
            self.threshold,
            corrupted=graph.corrupted,
            least_survivors=graph.least_survivors,
            adversary=self.adversary,
        )
        if honest < graph.least_honest:
            raise SpecError(
                f"threshold {self.threshold} of {graph.degree} neighbours and oneself: a sum may hold only {honest} "
                f"honest members where {graph.least_honest} are demanded: derive degree and threshold for so many"
            )

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

    @property
    def blocks(self) -> int:
        """Number of blocks that a masked input travels in."""
        return 1 if self.block_entries is None else -(-self.dim // self.block_entries)

    def block_range(self, block: int) -> tuple[int, int]:
        """First entry of a block, and the one after its last."""
        entries = self.block_entries or self.dim
        return block * entries, min((block + 1) * entries, self.dim)

    @property
    def least_survivors(self) -> int:
        """Fewest members that every list of them must show."""
        return self.threshold if self.graph is None else self.graph.least_survivors

    @property
    def signed(self) -> bool:
        """Whether masked inputs carry a signature."""
        return self.adversary is Adversary.ACTIVE

    @property
    def confirmed(self) -> bool:
        """Whether neighbours confirm the depositors to each other; with all others for neighbours nobody needs to."""
        return self.signed and self.graph is not None

    @cached_property
    def context_hash(self) -> bytes:
        """SHA-256 of `context`, 32 bytes: two plans agree on it only if they are equal."""
        return sha256(self.context)

    @property
    def context(self) -> bytes:
        """Every field, each with its length; round and hospital lie where the dispute court looks for them."""
        numbers = (self.round, self.hospital, self.cohort, self.attempt, self.threshold, self.bits, self.dim)
        packed = b"".join(number.to_bytes(8, "big") for number in (*numbers, self.block_entries or 0))
        shape = b""
        if self.graph is not None:
            graph = self.graph
            figures = (
                graph.degree,
                graph.least_survivors,
                graph.corrupted,
                graph.security_bits,
                graph.least_honest,
            )
            shape = b"".join(figure.to_bytes(2, "big") for figure in figures) + self.graph_seed
        return framed(
            b"plan",
            self.session,
            self.subject,
            packed,
            b"".join(self.members),
            shape,
            self.adversary.value.encode(),
        )

    @cached_property
    def graph_seed(self) -> bytes:
        """What the neighbour graph is drawn from, 32 bytes.

        By default it names the cohort but not attempt or subject: those could be tried out until the graph suits.
        """
        if self.graph is not None and self.graph.seed is not None:
            return self.graph.seed
        cohort = b"".join(number.to_bytes(8, "big") for number in (self.round, self.hospital, self.cohort))
        return digest(b"graph", self.session, cohort, b"".join(self.members))

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

    @cached_property
    def _near(self) -> Neighbourhoods:
        if self.graph is None:
            return complete(self.size)
        return circulant(self.graph_seed, self.size, self.graph.degree)

    def holders(self, index: int) -> tuple[int, ...]:
        """Indices of a member and its neighbours, in order: who holds shares of its secrets, at points 1, 2, 3..."""
        return self._near.closed[index]

    def neighbour_indices(self, index: int) -> tuple[int, ...]:
        """Indices of the members that share masks and secrets with a member; all others in the complete graph."""
        return self._near.others[index]

    def neighbours_among(self, index: int, among: Collection[int]) -> tuple[int, ...]:
        """Indices of a member's neighbours that are in `among`, in order."""
        if len(among) == self.size:
            return self._near.others[index]
        chosen = among if isinstance(among, set | frozenset | dict) else set(among)
        return tuple([other for other in self._near.others[index] if other in chosen])

    def neighbours(self, address: bytes) -> tuple[bytes, ...]:
        """Addresses of the members that share masks and secrets with a member.

        Raises:
            SpecError: the address is not a member.
        """
        return tuple(self.members[other] for other in self.neighbour_indices(self.index_of(address)))


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"{name} {value!r}: choose {low}..{high}")
