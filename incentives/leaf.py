"""Leaves of the Merkle-sum tree: what a device contributed, bound to one entry and salted."""

from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from incentives.errors import IncentivesError
from incentives.node import Lanes
from incentives.reward_rule import CLASS_COUNT, FULL_SCORE, RewardRule, weight

LEAF_TYPEHASH: Final = bytes.fromhex("597e143dd933de28f24496cf51d212ab52c96db85bcc79a659329a172e7ed9d7")
"""Keccak of ``FedIoMT.Leaf.v1``: the domain tag of every leaf."""

TREASURY: Final = bytes(20)
"""The payee of a leaf that the hospital's treasury claims: the zero address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDomain:
    """What binds a leaf to one hospital's entry of one round on one ledger.

    Attributes:
        chain_id: the chain's id.
        ledger: address of the ContributionLedger, 20 bytes.
        round: the round, from 1.
        hospital: the hospital's id, 1..65535.

    Raises:
        IncentivesError: if a field is out of range.
    """

    chain_id: int
    ledger: bytes
    round: int
    hospital: int

    def __post_init__(self) -> None:
        _sized("ledger address", self.ledger, 20)
        _bits("chain id", self.chain_id, 256)
        _bits("round", self.round, 64)
        _bits("hospital", self.hospital, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One device's contribution in one round, or a dummy.

    Attributes:
        slot: position in the tree; even for devices, odd for dummies beside them.
        device_class: 0 wearable, 1 bedside, 2 imaging, 3 server.
        payee: address (20 bytes) that claims; twenty zero bytes for the hospital's treasury.
        volume: score 0..10,000.
        quality: score 0..10,000.
        compute: score 0..10,000.
        salt: 32 secret bytes; they keep scores from being guessed out of a hash.

    Raises:
        IncentivesError: if a field is out of range.
    """

    slot: int
    device_class: int
    payee: bytes
    volume: int
    quality: int
    compute: int
    salt: bytes

    def __post_init__(self) -> None:
        _sized("payee", self.payee, 20)
        _sized("salt", self.salt, 32)
        _bits("slot", self.slot, 32)
        if not 0 <= self.device_class < CLASS_COUNT:
            raise IncentivesError(f"device class {self.device_class} is unknown: use 0..{CLASS_COUNT - 1}")
        scores = (self.volume, self.quality, self.compute)
        if min(scores) < 0 or max(scores) > FULL_SCORE:
            raise IncentivesError(
                f"slot {self.slot} has scores {scores}: volume, quality, compute must lie in 0..10000"
            )

    @property
    def is_odd(self) -> bool:
        """Whether the slot is one that only dummies take, and that no claim is accepted for."""
        return self.slot % 2 == 1


def dummy_leaf(slot: int, salt: bytes) -> Leaf:
    """A leaf that stands for nobody: zero scores, zero weight, and a salt of its own."""
    return Leaf(slot=slot, device_class=0, payee=TREASURY, volume=0, quality=0, compute=0, salt=salt)


def leaf_hash(domain: EntryDomain, leaf: Leaf) -> bytes:
    """Double keccak (32 bytes) over the ABI encoding of tag, domain and leaf; no node can pass for a leaf."""
    encoded = b"".join(
        (
            LEAF_TYPEHASH,
            domain.chain_id.to_bytes(32, "big"),
            domain.ledger.rjust(32, b"\0"),
            domain.round.to_bytes(32, "big"),
            domain.hospital.to_bytes(32, "big"),
            leaf.slot.to_bytes(32, "big"),
            leaf.device_class.to_bytes(32, "big"),
            leaf.payee.rjust(32, b"\0"),
            leaf.volume.to_bytes(32, "big"),
            leaf.quality.to_bytes(32, "big"),
            leaf.compute.to_bytes(32, "big"),
            leaf.salt,
        )
    )
    return keccak(keccak(encoded))


def leaf_weight(rule: RewardRule, leaf: Leaf, *, quality_scored: bool) -> int:
    """The weight that the contract recomputes from a device's leaf."""
    return weight(
        rule, quality_scored=quality_scored, volume=leaf.volume, quality=leaf.quality, compute=leaf.compute
    )


def leaf_lanes(rule: RewardRule, leaf: Leaf, *, quality_scored: bool) -> Lanes:
    """The lanes of a device's leaf: one device, its scores, its weight on the side that pays it."""
    own = leaf_weight(rule, leaf, quality_scored=quality_scored)
    if leaf.payee == TREASURY:
        return Lanes(1, leaf.volume, leaf.compute, own, 0)
    return Lanes(1, leaf.volume, leaf.compute, 0, own)


def _sized(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise IncentivesError(f"{name} has {len(value)} bytes: it must have {size}")


def _bits(name: str, value: int, width: int) -> None:
    if value < 0 or value >> width:
        raise IncentivesError(f"{name} {value} does not fit in {width} unsigned bits")
