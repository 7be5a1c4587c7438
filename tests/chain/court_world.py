"""Entries to dispute, true and lying, and who disputes them."""

from __future__ import annotations

from dataclasses import replace

from chain_world import World, digest, open_round, reach_entry, reach_training

from chain.court import LeafProof
from incentives.node import Node, parent
from incentives.sum_tree import SumTree

LIAR = 1


def number(value: int | bytes) -> int:
    return value if isinstance(value, int) else int.from_bytes(value, "big")


def proof_of(tree: SumTree, slot: int) -> LeafProof:
    leaf = tree.leaves[slot]
    words = (leaf.slot, leaf.device_class, leaf.payee, leaf.volume, leaf.quality, leaf.compute, leaf.salt)
    siblings = tuple(tree.levels[height][slot >> height ^ 1] for height in range(tree.depth))
    return LeafProof(tuple(number(word) for word in words), slot, tree.levels[0][slot].lanes.pack(), siblings)


def with_lanes(tree: SumTree, slot: int, **more: int) -> SumTree:
    """The tree in which one leaf has more in some lanes than the rule gives it."""
    first = tree.levels[0][slot]
    lanes = replace(first.lanes, **{name: getattr(first.lanes, name) + value for name, value in more.items()})
    level = tuple(Node(n.hash, lanes) if s == slot else n for s, n in enumerate(tree.levels[0]))
    levels = [level]
    while len(level) > 1:
        level = tuple(parent(level[k], level[k + 1]) for k in range(0, len(level), 2))
        levels.append(level)
    return replace(tree, levels=tuple(levels))


def entered(world: World, lie=lambda tree: tree) -> dict[int, SumTree]:
    """A round whose entries are in, that of the liar after its lie."""
    open_round(world, 1)
    reach_training(world, 1)
    reach_entry(world, 1)
    trees = world.trees(1)
    trees[LIAR] = lie(trees[LIAR])
    for hospital, tree in trees.items():
        world.ledger.submit_entry(world.hospitals[hospital], 1, *tree.children, digest(f"bundle {hospital}"))
    return trees


def stake(world: World, hospital: int):
    """The hospital's sender, with a challenge's bond approved."""
    court, settlement = world.contracts.court, world.contracts.settlement
    sender = world.hospitals[hospital]
    settlement.transfer(world.governance, sender.address, court.challenge_bond())
    settlement.approve(sender, court.address, court.challenge_bond())
    return sender
