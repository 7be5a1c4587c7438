"""Nodes of the Merkle-sum tree: a hash and the sums of five lanes, which the parent's hash binds."""

from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from incentives.errors import IncentivesError


@dataclass(frozen=True, slots=True)
class Lanes:
    """The sums that a node carries: devices, scores, and weight by who is paid.

    Attributes:
        n: real leaves, uint32.
        volume: sum of volume scores, uint48.
        compute: sum of compute scores, uint48.
        weight_treasury: weight of the leaves that the hospital's treasury claims, uint64.
        weight_device: weight of the leaves whose device has a payee of its own, uint64.

    Raises:
        IncentivesError: if a lane is negative or overflows its width.
    """

    n: int
    volume: int
    compute: int
    weight_treasury: int
    weight_device: int

    def __post_init__(self) -> None:
        # OR-ing equal-width lanes finds an overflow, or a sign, in one comparison: this runs once a node.
        weights = self.weight_treasury | self.weight_device
        if (self.volume | self.compute) >> 48 or weights >> 64 or self.n >> 32:
            raise IncentivesError(f"lane overflow in {self}: split the entry or lower its scores")

    def __add__(self, other: "Lanes") -> "Lanes":
        return Lanes(
            self.n + other.n,
            self.volume + other.volume,
            self.compute + other.compute,
            self.weight_treasury + other.weight_treasury,
            self.weight_device + other.weight_device,
        )

    def pack(self) -> int:
        """All lanes in one 256-bit word, ``n`` lowest: the contract's storage slot."""
        return (
            self.n
            | self.volume << 32
            | self.compute << 80
            | self.weight_treasury << 128
            | self.weight_device << 192
        )


NO_LANES: Final = Lanes(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Node:
    """A subtree: its hash (32 bytes) and the sums below it."""

    hash: bytes
    lanes: Lanes

    def __post_init__(self) -> None:
        if len(self.hash) != 32:
            raise IncentivesError(f"node hash has {len(self.hash)} bytes: it must have 32")


def node_hash(left: Node, right: Node) -> bytes:
    """Keccak of both children's hashes and packed lanes (128 bytes in, 32 out)."""
    return keccak(
        left.hash
        + left.lanes.pack().to_bytes(32, "big")
        + right.hash
        + right.lanes.pack().to_bytes(32, "big")
    )


def parent(left: Node, right: Node) -> Node:
    """The node above two siblings.

    Raises:
        IncentivesError: if a lane overflows.
    """
    return Node(node_hash(left, right), left.lanes + right.lanes)
