"""A hospital's entry of a round: from contributions to the tree, its root's children and receipts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from eth_hash.auto import keccak

from incentives.errors import IncentivesError
from incentives.leaf import TREASURY, EntryDomain, Leaf
from incentives.node import Node
from incentives.reward_rule import RewardRule
from incentives.sum_tree import SumTree, build_tree, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one device did in one round, as its hospital accounts for it.

    Attributes:
        device: the device's account, 20 bytes.
        slot: its even slot of the epoch (see :func:`draw_slots`).
        device_class: 0 wearable, 1 bedside, 2 imaging, 3 server.
        payee: account (20 bytes) that claims, or None for the hospital's treasury.
        volume: score 0..10,000, within the class cap of the round's rule.
        quality: score 0..10,000.
        compute: score 0..10,000, within the class cap.
    """

    device: bytes
    slot: int
    device_class: int
    payee: bytes | None
    volume: int
    quality: int
    compute: int

    def leaf(self, salt: bytes) -> Leaf:
        """The contribution as a leaf."""
        return Leaf(
            slot=self.slot,
            device_class=self.device_class,
            payee=TREASURY if self.payee is None else self.payee,
            volume=self.volume,
            quality=self.quality,
            compute=self.compute,
            salt=salt,
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a device needs to check its pay and to claim it.

    Attributes:
        device: the device's account, 20 bytes.
        domain: the entry that the leaf belongs to.
        leaf: its leaf.
        siblings: the way to the root, lowest first.
        root: the root with the entry's totals.
    """

    device: bytes
    domain: EntryDomain
    leaf: Leaf
    siblings: tuple[Node, ...]
    root: Node

    def holds(self, rule: RewardRule, *, quality_scored: bool) -> bool:
        """Whether the leaf lies under the root; compare the root with the chain's besides."""
        return verify(self.domain, rule, self.leaf, self.siblings, self.root, quality_scored=quality_scored)


@dataclass(frozen=True, slots=True)
class HospitalEntry:
    """A hospital's tree of a round and the slots of its devices."""

    tree: SumTree
    slots: dict[bytes, int]

    @property
    def children(self) -> tuple[Node, Node]:
        """The root's left and right child: what ``submitEntry`` takes."""
        return self.tree.children

    @property
    def root(self) -> Node:
        """The root with the entry's totals."""
        return self.tree.root

    def receipt(self, device: bytes) -> Receipt:
        """A device's receipt.

        Raises:
            IncentivesError: if the device has no leaf in this entry.
        """
        if device not in self.slots:
            raise IncentivesError(f"device 0x{device.hex()} took no part in round {self.tree.domain.round}")
        slot = self.slots[device]
        return Receipt(device, self.tree.domain, self.tree.leaves[slot], self.tree.proof(slot), self.root)


def draw_slots(devices: Collection[bytes], rng: np.random.Generator) -> dict[bytes, int]:
    """Draw an epoch's slots: each device of the roster gets one of the first even slots, in random order.

    Which devices are neighbours in the tree is thereby random as well.

    Raises:
        IncentivesError: if a device comes twice.
    """
    roster = sorted(devices)
    if len(set(roster)) != len(roster):
        raise IncentivesError("a device comes twice in the roster: name each once")
    return {
        device: 2 * int(place) for device, place in zip(roster, rng.permutation(len(roster)), strict=True)
    }


def build_entry(
    domain: EntryDomain,
    rule: RewardRule,
    contributions: Sequence[Contribution],
    salts: Sequence[bytes],
    *,
    quality_scored: bool,
) -> HospitalEntry:
    """Build a hospital's entry of a round.

    Args:
        domain: chain, ledger, round and hospital.
        rule: the round's frozen rule.
        contributions: one for each device that took part.
        salts: 32 secret bytes for each slot of the tree; ``tree_width(len(roster))`` of them. A device's leaf
            carries :func:`bound_salt` of its slot's, so that it stands for that device before anyone asks.
        quality_scored: whether the round's profile scores device quality.

    Raises:
        IncentivesError: if a device comes twice, a score lies above its class cap (the contract would refuse
            the claim), or slots and salts do not fit.
    """
    slots: dict[bytes, int] = {}
    for item in contributions:
        if item.device in slots:
            raise IncentivesError(f"device 0x{item.device.hex()} contributes twice: merge its contributions")
        slots[item.device] = item.slot
        check_caps(rule, item)
    leaves, bound = [], list(salts)
    for item in contributions:
        if not 0 <= item.slot < len(salts):
            raise IncentivesError(
                f"slot {item.slot} lies outside a tree of {len(salts)} slots: give more salts"
            )
        bound[item.slot] = bound_salt(item.device, salts[item.slot])
        leaves.append(item.leaf(bound[item.slot]))
    return HospitalEntry(build_tree(domain, rule, leaves, bound, quality_scored=quality_scored), slots)


def bound_salt(device: bytes, opener: bytes) -> bytes:
    """The salt of a device's leaf, 32 bytes: it tells nobody whose leaf it is, and lets the hospital show it.

    Args:
        device: the device's account, 20 bytes.
        opener: what the entry has as the slot's salt, 32 secret bytes.
    """
    return keccak(device.rjust(32, b"\0") + opener)


def check_caps(rule: RewardRule, item: Contribution) -> None:
    """Refuse a contribution above what the round's rule lets its class claim.

    Raises:
        IncentivesError: if the class is unknown or a score lies above its cap.
    """
    if not 0 <= item.device_class < len(rule.volume_cap):
        raise IncentivesError(f"device class {item.device_class} is unknown: use 0..3")
    for name, value, cap in (
        ("volume", item.volume, rule.volume_cap[item.device_class]),
        ("compute", item.compute, rule.compute_cap[item.device_class]),
    ):
        if value > cap:
            raise IncentivesError(
                f"{name} {value} of device 0x{item.device.hex()} lies above its class cap {cap}: lower it"
            )
