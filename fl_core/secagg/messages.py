"""The nine messages of an attempt. Members go by their index in the plan, sets as bitmaps over the set before.

Every message begins with a version, its kind and the first 16 bytes of the plan's context hash. Both sides know how
long each field must be before they read it, so a message that is too long is refused before anything is allocated.
Lists of per-peer fields follow the order of indices, without the receiver or sender itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from fl_core.secagg.advertisement import MAX_SIGNATURE_BYTES
from fl_core.secagg.codec import Reader, write_subset
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.masking import CHECK_BYTES
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
    if found[0] != VERSION:
        raise SecAggError(f"message of version {found[0]}: this code reads version {VERSION}")
    if found[1] != kind:
        raise SecAggError(f"message of kind {found[1]} where {kind.name} ({kind:d}) is due")
    if found != expected:
        raise SecAggError(f"message is of another plan than attempt {plan.attempt} of round {plan.round}")
    return reader


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
class MaskedInput:
    """Device -> server: the masked vector, packed, and the round's one signature."""

    packed: bytes
    signature: bytes

    def encode(self, plan: CohortPlan) -> bytes:
        """Wire form."""
        return b"".join(
            (
                header(Kind.MASKED_INPUT, plan),
                self.packed,
                len(self.signature).to_bytes(2, "big"),
                self.signature,
            )
        )

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan) -> MaskedInput:
        """Read the wire form; raises SecAggError when malformed."""
        reader = open_message(data, Kind.MASKED_INPUT, plan)
        packed = reader.take(plan.packed_bytes)
        length = reader.unsigned(2)
        if length > MAX_SIGNATURE_BYTES:
            raise SecAggError(f"signature of {length} bytes: at most {MAX_SIGNATURE_BYTES} are allowed")
        message = cls(packed, reader.take(length))
        reader.finish()
        return message


@dataclass(frozen=True)
class Survivors:
    """Server -> device: whose masked inputs will be summed (U3)."""

    survivors: tuple[int, ...]

    def encode(self, plan: CohortPlan, deposited: Sequence[int]) -> bytes:
        """Wire form."""
        return header(Kind.SURVIVORS, plan) + write_subset(self.survivors, deposited)

    @classmethod
    def decode(cls, data: bytes, plan: CohortPlan, deposited: Sequence[int]) -> Survivors:
        """Read the wire form; raises SecAggError when malformed."""
        reader = open_message(data, Kind.SURVIVORS, plan)
        message = cls(reader.subset(deposited))
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
