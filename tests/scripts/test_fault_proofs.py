"""Faults that machines check are found in bundles: the one leaf that was lied about, and nothing in honest entries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lying_world import LIAR, LyingWorld
from told_records import with_part

from chain.court import DrawnPoint
from chain.phases import EntryLane
from incentives import Lanes, Node, RecordedEntry, leaf_hash, parent
from incentives.hospital_entry import bound_salt
from scripts.console.errors import CommandError
from scripts.federation.contributions import entry_of
from scripts.federation.fault_proofs import find_fault, lane_of, opening_at
from scripts.federation.settings import RunSettings

SETTINGS = RunSettings(hospitals=4, devices=8, rounds=2, cohort_size=4, k_min=4, seed=3, own_payees=0.5)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> LyingWorld:
    return LyingWorld.of(tmp_path_factory.mktemp("faults"), SETTINGS)


def recorded(tree) -> RecordedEntry:
    left, right = tree[-2]
    return RecordedEntry(left=left, right=right, root=tree[-1][0].hash, lanes=tree[-1][0].lanes)


def levels_with(levels, changed: dict[int, Node]):
    """The tree in which some leaves are others."""
    level = tuple(changed.get(slot, node) for slot, node in enumerate(levels[0]))
    grown = [level]
    while len(level) > 1:
        level = tuple(parent(level[k], level[k + 1]) for k in range(0, len(level), 2))
        grown.append(level)
    return grown


def heavier(node: Node, more: int, lane: str) -> Node:
    return Node(node.hash, replace(node.lanes, **{lane: getattr(node.lanes, lane) + more}))


def test_no_honest_entry_shows_a_fault(world):
    for record in world.records:
        for part in record.hospitals.values():
            assert find_fault(record, part, recorded(entry_of(record, part).tree.levels)) is None


@pytest.mark.parametrize("lane", ["weight_treasury", "weight_device", "volume", "compute", "n"])
def test_the_one_leaf_that_weighs_more_than_the_rule_says_is_found_wherever_it_lies(world, lane):
    record, part = world.honest, world.honest.hospitals[LIAR]
    levels = entry_of(record, part).tree.levels
    for slot in range(len(levels[0])):
        told = levels_with(levels, {slot: heavier(levels[0][slot], 77, lane)})
        proof = find_fault(record, part, recorded(told))
        assert proof is not None
        assert proof.slot == proof.words[0] == slot
        assert proof.lanes == told[0][slot].lanes.pack()


def test_two_leaves_that_were_lied_about_are_not_guessed(world):
    record, part = world.honest, world.honest.hospitals[LIAR]
    levels = entry_of(record, part).tree.levels
    first, second = (item.slot for item in part.contributions[:2])
    told = levels_with(
        levels, {slot: heavier(levels[0][slot], 5, "weight_treasury") for slot in (first, second)}
    )
    assert find_fault(record, part, recorded(told)) is None


def test_a_leaf_above_its_cap_that_the_bundle_admits_is_found(world):
    record, part = world.honest, world.honest.hospitals[LIAR]
    first, *others = part.contributions
    told = replace(first, volume=record.rule.volume_cap[first.device_class] + 1)
    part = replace(part, contributions=(told, *others))
    leaf = told.leaf(bound_salt(told.device, part.salts[told.slot]))
    levels = entry_of(record, world.honest.hospitals[LIAR]).tree.levels
    honest = levels[0][told.slot].lanes
    more = 3 * (told.volume - first.volume)
    assert more > 0
    rule = record.rule
    weight = rule.w_volume * told.volume + rule.w_quality * told.quality + rule.w_compute * told.compute
    weights = (0, weight) if honest.weight_device else (weight, 0)
    node = Node(leaf_hash(record.entry_domain(LIAR), leaf), Lanes(1, told.volume, told.compute, *weights))
    proof = find_fault(record, part, recorded(levels_with(levels, {told.slot: node})))
    assert proof is not None
    assert (proof.slot, proof.words[3]) == (told.slot, told.volume)


@pytest.mark.parametrize("lane", list(EntryLane))
def test_every_point_of_an_entrys_lanes_is_opened_by_the_leaf_that_covers_it(world, lane):
    record, part = world.honest, world.honest.hospitals[2]
    tree = entry_of(record, part).tree
    devices = {item.slot: item.device for item in part.contributions}
    point = 0
    for slot, node in enumerate(tree.levels[0]):
        size = lane_of(node.lanes, lane)
        for place in (point, point + size - 1) if size else ():
            found = opening_at(record, part, DrawnPoint(lane, place))
            assert (found.leaf.slot, found.account) == (slot, devices[slot])
            assert found.leaf.salt == bound_salt(found.account, found.opener)
        point += size
    assert point == lane_of(tree.root.lanes, lane) > 0
    with pytest.raises(CommandError, match="beyond the leaves"):
        opening_at(record, part, DrawnPoint(lane, point))


def test_a_device_that_the_bundle_does_not_show_in_a_sum_opens_nothing(world):
    record = world.honest
    part = record.hospitals[2]
    cohorts = tuple(replace(c, survivors=()) for c in part.cohorts)
    point = DrawnPoint(EntryLane.WEIGHT, 0)
    with pytest.raises(CommandError, match="no participation"):
        opening_at(with_part(record, 2, cohorts=cohorts), replace(part, cohorts=cohorts), point)
