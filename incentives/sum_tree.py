"""Merkle-sum tree of a hospital's entry, as ``contracts/libraries/SumTree.sol`` verifies it.

Every node hashes the sums below it, so no set of proofs against one root can claim more than the root's
totals. A device's leaf lies at an even slot; the odd slot beside it holds a salted dummy of zero weight, so
that a proof shows no neighbour's weight. Slots of absent devices, and the padding to a power of two, are
dummies too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from incentives.errors import IncentivesError
from incentives.leaf import EntryDomain, Leaf, dummy_leaf, leaf_hash, leaf_lanes
from incentives.node import Lanes, Node, parent
from incentives.reward_rule import RewardRule

MAX_DEPTH: Final = 32
"""Longest proof that the contract follows."""

NO_LANES: Final = Lanes(0, 0, 0, 0, 0)
"""What a dummy adds to the sums."""


@dataclass(frozen=True, slots=True)
class SumTree:
    """A built tree.

    Attributes:
        domain: the entry that its leaves are bound to.
        leaves: all leaves by slot, dummies included; their number is a power of two.
        real_slots: slots of the leaves that stand for devices.
        levels: nodes by height, from the leaves' (as many as there are leaves) to the root's (one).
    """

    domain: EntryDomain
    leaves: tuple[Leaf, ...]
    real_slots: frozenset[int]
    levels: tuple[tuple[Node, ...], ...]

    @property
    def depth(self) -> int:
        """Length of every proof."""
        return len(self.levels) - 1

    @property
    def root(self) -> Node:
        """The root: the hash that goes on chain and the entry's totals."""
        return self.levels[-1][0]

    @property
    def children(self) -> tuple[Node, Node]:
        """The root's left and right child: what ``submitEntry`` takes."""
        left, right = self.levels[-2]
        return left, right

    def proof(self, slot: int) -> tuple[Node, ...]:
        """The siblings on the way from a slot to the root, lowest first.

        Raises:
            IncentivesError: if no device holds the slot.
        """
        if slot not in self.real_slots:
            raise IncentivesError(f"slot {slot} holds no device's leaf: ask for a slot of real_slots")
        return tuple(self.levels[height][slot >> height ^ 1] for height in range(self.depth))


def tree_width(devices: int) -> int:
    """Slots of the tree that gives each of ``devices`` an even slot: a power of two, at least two.

    Raises:
        IncentivesError: if there are no devices, or more than proofs of 32 steps reach.
    """
    if not 1 <= devices <= 1 << (MAX_DEPTH - 1):
        raise IncentivesError(f"a tree of {devices} devices was asked for: give 1..{1 << (MAX_DEPTH - 1)}")
    return 1 << (2 * devices - 1).bit_length()


def build_tree(
    domain: EntryDomain,
    rule: RewardRule,
    leaves: Sequence[Leaf],
    salts: Sequence[bytes],
    *,
    quality_scored: bool,
) -> SumTree:
    """Build the tree over the devices' leaves; every other slot becomes a dummy.

    Args:
        domain: chain, ledger, round and hospital of the entry.
        rule: the round's frozen rule, which gives the weights.
        leaves: one leaf for each device that takes part, at distinct even slots, in any order.
        salts: 32 bytes for each slot, from a cryptographic source; their number, a power of two, is the
            tree's width (see :func:`tree_width`). A leaf carries the salt of its slot.
        quality_scored: whether the round's profile scores device quality.

    Raises:
        IncentivesError: if slots or salts do not fit, or a lane overflows.
    """
    width = len(salts)
    if width < 2 or width & (width - 1) or width.bit_length() - 1 > MAX_DEPTH:
        raise IncentivesError(f"{width} salts were given: a tree needs a power of two of them, at least 2")
    if len(set(salts)) != width:
        raise IncentivesError("a salt is used twice: draw 32 fresh bytes for each slot")
    by_slot: dict[int, Leaf] = {}
    for leaf in leaves:
        _check_place(leaf, salts)
        if leaf.slot in by_slot:
            raise IncentivesError(f"two leaves claim slot {leaf.slot}: give each device a slot of its own")
        by_slot[leaf.slot] = leaf
    every = tuple(by_slot.get(slot) or dummy_leaf(slot, salts[slot]) for slot in range(width))
    level = tuple(
        Node(
            leaf_hash(domain, leaf),
            leaf_lanes(rule, leaf, quality_scored=quality_scored) if leaf.slot in by_slot else NO_LANES,
        )
        for leaf in every
    )
    levels = [level]
    while len(level) > 1:
        level = tuple(parent(level[k], level[k + 1]) for k in range(0, len(level), 2))
        levels.append(level)
    return SumTree(domain, every, frozenset(by_slot), tuple(levels))


def _check_place(leaf: Leaf, salts: Sequence[bytes]) -> None:
    if leaf.is_odd:
        raise IncentivesError(f"slot {leaf.slot} is odd: give the device an even one, odd ones are dummies")
    if leaf.slot >= len(salts):
        raise IncentivesError(f"slot {leaf.slot} lies outside a tree of {len(salts)} slots: give more salts")
    if leaf.salt != salts[leaf.slot]:
        raise IncentivesError(f"the leaf at slot {leaf.slot} has another salt than its slot: use the slot's")


def fold_proof(leaf: Node, slot: int, siblings: Sequence[Node]) -> Node:
    """The root that a leaf's node and its siblings lead to.

    Raises:
        IncentivesError: if the path is too short for the slot, empty or too long, or a lane overflows.
    """
    depth = len(siblings)
    if not 1 <= depth <= MAX_DEPTH:
        raise IncentivesError(f"the proof has {depth} steps: it must have 1..{MAX_DEPTH}")
    if slot >> depth:
        raise IncentivesError(f"slot {slot} does not fit in a tree of depth {depth}")
    node = leaf
    for height, sibling in enumerate(siblings):
        node = parent(sibling, node) if slot >> height & 1 else parent(node, sibling)
    return node


def verify(
    domain: EntryDomain,
    rule: RewardRule,
    leaf: Leaf,
    siblings: Sequence[Node],
    root: Node,
    *,
    quality_scored: bool,
) -> bool:
    """Whether a device's leaf lies under a root, judged as the contract judges a claim; never raises."""
    if leaf.is_odd:
        return False
    bottom = Node(leaf_hash(domain, leaf), leaf_lanes(rule, leaf, quality_scored=quality_scored))
    try:
        return fold_proof(bottom, leaf.slot, siblings) == root
    except IncentivesError:
        return False
