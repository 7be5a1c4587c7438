"""The messages of an attempt. Members go by their index in the plan, sets as bitmaps over the set before.

Every message begins with a version, its kind and the first 16 bytes of the plan's context hash. Both sides know how
long each field must be before they read it, so a message that is too long is refused before anything is allocated.
Lists of per-peer fields follow the order of indices, without the receiver or sender itself.

Plans with a neighbour graph differ in two things: a path in a tree of nonces stands for the list of all nonces, and
against an active server masked inputs come with a confirmation for each neighbour. Plans in blocks send all but the
last block as messages of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from fl_core.secagg.advertisement import MAX_SIGNATURE_BYTES
from fl_core.secagg.codec import Reader, write_subset
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.masking import CHECK_BYTES
from fl_core.secagg.merkle import NODE_BYTES, path_length
from fl_core.secagg.packing import packed_bytes
from fl_core.secagg.pairwise import MAC_BYTES, SEALED_SHARES_BYTES, SEED_BYTES
from fl_core.secagg.plan import CohortPlan
from fl_core.secagg.shamir import ELEMENT_BYTES

VERSION = 1
NONCE_BYTES = 16
CONTEXT_TAG_BYTES = 16
HEADER_BYTES = 2 + CONTEXT_TAG_BYTES


class Kind(IntEnum):
    """What a message is, by the order in which an attempt uses them."""

    NONCE = 1
    NONCES = 2
    DEPOSIT = 3
    SHARES = 4
    MASKED_INPUT = 5
    SURVIVORS = 6
    AGREEMENT = 7
    AGREEMENTS = 8
    OPENINGS = 9
    NONCE_PATH = 10
    MASKED_BLOCK = 11


def header(kind: Kind, plan: CohortPlan) -> bytes:
    """The first bytes of a message of this kind under this plan."""
    return bytes((VERSION, kind)) + plan.context_hash[:CONTEXT_TAG_BYTES]


def open_message(data: bytes, kind: Kind, plan: CohortPlan) -> Reader:
    """Check a message's header and return a reader of its fields.

    Raises:
        SecAggError: not bytes, too short, another version, another kind or another plan.
    """
    if not isinstance(data, bytes):
        raise SecAggError(f"message of type {type(data).__name__}: expected bytes")
    reader = Reader(data)
    found, expected = reader.take(HEADER_BYTES), header(kind, plan)
    if found == expected:
        return reader
    if found[0] != VERSION:
        raise SecAggError(f"message of version {found[0]}: this code reads version {VERSION}")
    if found[1] != kind:
        raise SecAggError(f"message of kind {found[1]} where {kind.name} ({kind:d}) is due")
    raise SecAggError(f"message is of another plan than attempt {plan.attempt} of round {plan.round}")


@dataclass(frozen=True)
class Nonce:
    """Device -> server: I take part in this attempt. `nonce`: 16 fresh bytes."""

    nonce: bytes

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        return header(Kind.NONCE, plan) + self.nonce

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan) -> Nonce:
        """Read the wire form; raises SecAggError when malformed."""
        reader = open_message(data, Kind.NONCE, plan)
        message = cls(reader.take(NONCE_BYTES))
        reader.finish()
        return message


@dataclass(frozen=True)
class Nonces:
    """Server -> device: who takes part (U1) and their nonces, in the order of indices."""

    advertised: tuple[int, ...]
    nonces: tuple[bytes, ...]

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        bitmap = write_subset(self.advertised, range(plan.size))
        return header(Kind.NONCES, plan) + bitmap + b"".join(self.nonces)

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan) -> Nonces:
        """Read the wire form; raises SecAggError when malformed."""
        reader = open_message(data, Kind.NONCES, plan)
        advertised = reader.subset(range(plan.size))
        message = cls(advertised, reader.chunks(len(advertised), NONCE_BYTES))
        reader.finish()
        return message


@dataclass(frozen=True)
class NoncePath:
    """Server -> device, neighbour graph: who takes part (U1), and the path from its nonce to the tree's root."""

    advertised: tuple[int, ...]
    path: tuple[bytes, ...]

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        bitmap = write_subset(self.advertised, range(plan.size))
        return header(Kind.NONCE_PATH, plan) + bitmap + b"".join(self.path)

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, receiver: int) -> NoncePath:
        """Read the wire form; raises SecAggError when malformed."""
        reader = open_message(data, Kind.NONCE_PATH, plan)
        advertised = reader.subset(range(plan.size))
        if receiver not in advertised:
            raise SecAggError("list of members that advertised leaves this device out")
        nodes = path_length(advertised.index(receiver), len(advertised))
        message = cls(advertised, reader.chunks(nodes, NODE_BYTES))
        reader.finish()
        return message


@dataclass(frozen=True)
class Deposit:
    """Device -> server: everything that lets the others finish without this device.

    Attributes:
        self_check: check value of the self mask's seed b, 16 bytes.
        checks: check value of each pair's seed, 16 bytes a peer.
        sealed: shares of a and b, encrypted to each peer.
        table: each pair's seed encrypted under a, 32 bytes a peer.
    """

    self_check: bytes
    checks: tuple[bytes, ...]
    sealed: tuple[bytes, ...]
    table: bytes

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        return b"".join((header(Kind.DEPOSIT, plan), self.self_check, *self.checks, *self.sealed, self.table))

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, peers: int) -> Deposit:
        """Read the wire form from a device with this many peers; raises SecAggError when malformed."""
        reader = open_message(data, Kind.DEPOSIT, plan)
        message = cls(
            reader.take(CHECK_BYTES),
            reader.chunks(peers, CHECK_BYTES),
            reader.chunks(peers, SEALED_SHARES_BYTES),
            reader.take(peers * SEED_BYTES),
        )
        reader.finish()
        return message


@dataclass(frozen=True)
class Shares:
    """Server -> device: who deposited (U2), and the shares that each of its peers sealed to it."""

    deposited: tuple[int, ...]
    sealed: tuple[bytes, ...]

    def encode(self, plan: CohortPlan, advertised: Sequence[int]) -> bytes:
        """Wire form."""
        return header(Kind.SHARES, plan) + write_subset(self.deposited, advertised) + b"".join(self.sealed)

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, advertised: Sequence[int], receiver: int) -> Shares:
        """Read the wire form; raises SecAggError when malformed."""
        reader = open_message(data, Kind.SHARES, plan)
        deposited = reader.subset(advertised)
        peers = len(plan.neighbours_among(receiver, deposited))
        message = cls(deposited, reader.chunks(peers, SEALED_SHARES_BYTES))
        reader.finish()
        return message


@dataclass(frozen=True)
class MaskedBlock:
    """Device -> server: a block of the masked vector that is not the last one, packed."""

    block: int
    packed: bytes

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        return header(Kind.MASKED_BLOCK, plan) + self.block.to_bytes(4, "big") + self.packed

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, block: int) -> MaskedBlock:
        """Read the wire form of this block; raises SecAggError when malformed or another block."""
        reader = open_message(data, Kind.MASKED_BLOCK, plan)
        found = reader.unsigned(4)
        if found != block:
            raise SecAggError(f"block {found} of a masked input where block {block} is due")
        message = cls(block, reader.take(block_bytes(plan, block)))
        reader.finish()
        return message


@dataclass(frozen=True)
class MaskedInput:
    """Device -> server: the masked vector's last block, packed, and the round's one signature.

    Attributes:
        packed: the last block, which is the whole vector in a plan of one block.
        signature: over the whole masked vector; empty in a plan against semi-honest parties.
        confirmations: neighbour graph against an active server only: for each peer in U2 a MAC over the depositors
            that this device was shown.
    """

    packed: bytes
    signature: bytes
    confirmations: tuple[bytes, ...] = ()

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        return b"".join(
            (
                header(Kind.MASKED_INPUT, plan),
                self.packed,
                *self.confirmations,
                len(self.signature).to_bytes(2, "big"),
                self.signature,
            )
        )

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, peers: int = 0) -> MaskedInput:
        """Read the wire form from a device that confirms to this many peers; raises SecAggError when malformed."""
        reader = open_message(data, Kind.MASKED_INPUT, plan)
        packed = reader.take(block_bytes(plan, plan.blocks - 1))
        confirmations = reader.chunks(peers, MAC_BYTES)
        length = reader.unsigned(2)
        if length > MAX_SIGNATURE_BYTES:
            raise SecAggError(f"signature of {length} bytes: at most {MAX_SIGNATURE_BYTES} are allowed")
        message = cls(packed, reader.take(length), confirmations)
        reader.finish()
        return message


@dataclass(frozen=True)
class Survivors:
    """Server -> device: whose masked inputs will be summed (U3); in a neighbour graph its peers' confirmations."""

    survivors: tuple[int, ...]
    confirmations: tuple[bytes, ...] = ()

    def encode(self, plan: CohortPlan, deposited: Sequence[int]) -> bytes:
        """Wire form."""
        bitmap = write_subset(self.survivors, deposited)
        return b"".join((header(Kind.SURVIVORS, plan), bitmap, *self.confirmations))

    @classmethod
    def decode(
        cls, data: bytes, plan: CohortPlan, deposited: Sequence[int], receiver: int | None = None
    ) -> Survivors:
        """Read the wire form; `receiver` matters in a neighbour graph only. Raises SecAggError when malformed."""
        reader = open_message(data, Kind.SURVIVORS, plan)
        survivors = reader.subset(deposited)
        peers = 0
        if plan.confirmed and receiver is not None:
            peers = len(plan.neighbours_among(receiver, survivors))
        message = cls(survivors, reader.chunks(peers, MAC_BYTES))
        reader.finish()
        return message


@dataclass(frozen=True)
class Agreement:
    """Device -> server: for each surviving peer a MAC over the survivors that this device was shown."""

    macs: tuple[bytes, ...]

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        return header(Kind.AGREEMENT, plan) + b"".join(self.macs)

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, peers: int) -> Agreement:
        """Read the wire form from a device with this many peers; raises SecAggError when malformed."""
        reader = open_message(data, Kind.AGREEMENT, plan)
        message = cls(reader.chunks(peers, MAC_BYTES))
        reader.finish()
        return message


@dataclass(frozen=True)
class Agreements:
    """Server -> device: who agreed (U4), and the MAC that each of its peers made for it."""

    agreed: tuple[int, ...]
    macs: tuple[bytes, ...]

    def encode(self, plan: CohortPlan, survivors: Sequence[int]) -> bytes:
        """Wire form."""
        return header(Kind.AGREEMENTS, plan) + write_subset(self.agreed, survivors) + b"".join(self.macs)

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, survivors: Sequence[int], receiver: int) -> Agreements:
        """Read the wire form; raises SecAggError when malformed."""
        reader = open_message(data, Kind.AGREEMENTS, plan)
        agreed = reader.subset(survivors)
        peers = len(plan.neighbours_among(receiver, agreed))
        message = cls(agreed, reader.chunks(peers, MAC_BYTES))
        reader.finish()
        return message


@dataclass(frozen=True)
class Openings:
    """Device -> server: for itself and each peer in U2 one share, of b where that device survived, else of a."""

    shares: tuple[bytes, ...]

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        return header(Kind.OPENINGS, plan) + b"".join(self.shares)

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, holders: int) -> Openings:
        """Read the wire form with this many shares; raises SecAggError when malformed."""
        reader = open_message(data, Kind.OPENINGS, plan)
        message = cls(reader.chunks(holders, ELEMENT_BYTES))
        reader.finish()
        return message


def block_bytes(plan: CohortPlan, block: int) -> int:
    """Length of a packed block of the plan."""
    start, stop = plan.block_range(block)
    return packed_bytes(stop - start, plan.bits)
