"""Entries whose devices' scores stand in clear on chain: what is submitted, and the tree that the contract makes of it.

Leaves are hashed and placed as in every entry, so claims work unchanged. They share one public salt.
Since nothing is left to hide, the empty node (hash 0, sums 0) stands beside each device's leaf, for each device that
takes no part, and wherever the tree is padded to a power of two, at whatever height (contracts/DisclosedTree.sol).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from incentives.errors import IncentivesError
from incentives.hospital_entry import Contribution, HospitalEntry, check_caps
from incentives.leaf import EntryDomain, dummy_leaf, leaf_hash, leaf_lanes
from incentives.node import NO_LANES, Node, parent
from incentives.reward_rule import RewardRule
from incentives.sum_tree import SumTree, tree_width

EMPTY: Final = Node(bytes(32), NO_LANES)
"""What stands where there is no device."""

DEVICE_BYTES: Final = 6
"""Bytes of a device: 1 (1 bit), class (2), then a zero bit and 14 bits each for volume, quality, compute."""


@dataclass(frozen=True, slots=True)
class DisclosedEntry:
    """A hospital's entry of a round in clear.

    Attributes:
        entry: its tree and slots, from which receipts and claims come. Leaves of empty slots stand for nothing.
        salt: the 32 bytes that are every leaf's salt.
        devices: six bytes a device, in the order of slots.
        payees: index (4 bytes) and payee (20) of each device that has a payee of its own.
    """

    entry: HospitalEntry
    salt: bytes
    devices: bytes
    payees: bytes


def pack_devices(contributions: Sequence[Contribution]) -> bytes:
    """What ``submitDisclosedEntry`` takes as devices: six bytes for each slot pair up to the last contribution's.

    Raises:
        IncentivesError: if there is nobody, two share a slot, or a slot is odd.
    """
    records: dict[int, int] = {}
    for item in contributions:
        index, odd = divmod(item.slot, 2)
        if odd or index < 0:
            raise IncentivesError(f"slot {item.slot} is not an even one: devices take even slots")
        if index in records:
            raise IncentivesError(f"two devices claim slot {item.slot}: give each a slot of its own")
        scores = item.volume << 30 | item.quality << 15 | item.compute
        records[index] = 1 << 47 | item.device_class << 45 | scores
    if not records:
        raise IncentivesError("an entry of no devices was asked for: leave the entry out")
    return b"".join(records.get(index, 0).to_bytes(DEVICE_BYTES, "big") for index in range(max(records) + 1))


def pack_payees(contributions: Sequence[Contribution]) -> bytes:
    """What ``submitDisclosedEntry`` takes as payees: those devices that have one, in the order of slots."""
    own = sorted((item.slot // 2, item.payee) for item in contributions if item.payee is not None)
    return b"".join(index.to_bytes(4, "big") + payee for index, payee in own)


def build_disclosed_entry(
    domain: EntryDomain,
    rule: RewardRule,
    contributions: Sequence[Contribution],
    salt: bytes,
    *,
    quality_scored: bool,
) -> DisclosedEntry:
    """Build what a hospital submits in clear, and the tree that the contract will make of it.

    Args:
        domain: chain, ledger, round and hospital.
        rule: the round's frozen rule.
        contributions: one for each device that took part.
        salt: 32 bytes; public once submitted.
        quality_scored: whether the round's profile scores device quality.

    Raises:
        IncentivesError: if a device or a slot comes twice, a payee is the zero address, a score lies above its cap,
            or the salt has another size.
    """
    if len(salt) != 32:
        raise IncentivesError(f"the salt has {len(salt)} bytes: it must have 32")
    slots: dict[bytes, int] = {}
    for item in contributions:
        if item.device in slots:
            raise IncentivesError(f"device 0x{item.device.hex()} contributes twice: merge its contributions")
        if item.payee is not None and not any(item.payee):
            raise IncentivesError(
                f"the payee of device 0x{item.device.hex()} is zero: give None for the treasury"
            )
        check_caps(rule, item)
        slots[item.device] = item.slot
    devices = pack_devices(contributions)
    count = len(devices) // DEVICE_BYTES
    leaves = [dummy_leaf(slot, salt) for slot in range(tree_width(count))]
    level = [EMPTY] * (2 * count)
    for item in contributions:
        leaf = item.leaf(salt)
        leaves[item.slot] = leaf
        lanes = leaf_lanes(rule, leaf, quality_scored=quality_scored)
        level[item.slot] = Node(leaf_hash(domain, leaf), lanes)
    levels = [_padded(level, len(leaves))]
    while len(levels[-1]) > 1:
        level = [parent(level[k], level[k + 1]) for k in range(0, len(level), 2)]
        levels.append(_padded(level, len(levels[-1]) // 2))
        if len(level) % 2 and len(level) > 1:
            level.append(EMPTY)
    tree = SumTree(domain, tuple(leaves), frozenset(slots.values()), tuple(levels))
    return DisclosedEntry(HospitalEntry(tree, slots), salt, devices, pack_payees(contributions))


def _padded(level: Sequence[Node], width: int) -> tuple[Node, ...]:
    return tuple(level) + (EMPTY,) * (width - len(level))
