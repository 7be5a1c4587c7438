"""From a round's bundle to what the dispute court checks by itself: faulty leaves, and leaves opened for a draw.

A hospital that lies in its tree does not put the lie into its bundle. But all salts are there, so each leaf's hash
is known, and the entry on the ledger says what the tree sums to: where one leaf alone has other lanes than the rule
gives it, it has them by just the difference, and building the tree with it there gives the submitted root.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chain.court import DrawnPoint, LeafOpening, LeafProof
from chain.phases import EntryLane
from fl_core.secagg.merkle import Tree
from incentives import (
    IncentivesError,
    Lanes,
    Leaf,
    Node,
    RecordedEntry,
    RewardRule,
    SumTree,
    fold_proof,
    leaf_hash,
    leaf_lanes,
)
from incentives.hospital_entry import bound_salt
from incentives.leaf import dummy_leaf
from incentives.node import NO_LANES, parent
from scripts.console.errors import CommandError
from scripts.federation.contributions import entry_of
from scripts.federation.participation import cohort_plan, roster_of
from scripts.federation.record import HospitalRecord, RoundRecord

Levels = list[tuple[Node, ...]]


def find_fault(record: RoundRecord, part: HospitalRecord, recorded: RecordedEntry) -> LeafProof | None:
    """A leaf of a hospital's entry that the court would convict it for, or None where the bundle shows none.

    Args:
        record: the round.
        part: the hospital's part of it.
        recorded: its entry on the ledger.
    """
    try:
        leaves, rule = _leaves(record, part), record.rule
    except IncentivesError:  # no leaf has such scores, so these are not what was submitted
        return None
    real = {item.slot for item in part.contributions}
    expected = [
        leaf_lanes(rule, leaf, quality_scored=record.device_quality_scored) if slot in real else NO_LANES
        for slot, leaf in enumerate(leaves)
    ]
    domain = record.entry_domain(part.hospital)
    hashes = [leaf_hash(domain, leaf) for leaf in leaves]
    levels = _levels([Node(*node) for node in zip(hashes, expected, strict=True)])
    if levels[-1][0].hash == recorded.root:  # what the bundle says is what was submitted
        faulty = (s for s, leaf in enumerate(leaves) if _above_cap(rule, leaf))
        slot = next(faulty, None)
        if slot is None:
            return None
        return LeafProof(_words(leaves[slot]), slot, expected[slot].pack(), _siblings(levels, slot))
    excess = [a - b for a, b in zip(_numbers(recorded.lanes), _numbers(levels[-1][0].lanes), strict=True)]
    for slot in range(len(leaves)):
        try:
            lanes = Lanes(*(a + b for a, b in zip(_numbers(expected[slot]), excess, strict=True)))
            siblings = _siblings(levels, slot)
            root = fold_proof(Node(hashes[slot], lanes), slot, siblings)
        except IncentivesError:
            continue
        if root.hash == recorded.root:
            return LeafProof(_words(leaves[slot]), slot, lanes.pack(), siblings)
    return None


def opening_at(record: RoundRecord, part: HospitalRecord, point: DrawnPoint) -> LeafOpening:
    """The leaf that covers a point of an entry's total weight, volume or compute, opened.

    Args:
        record: the round.
        part: the hospital's part of it.
        point: `DisputeCourt.pointOf`.

    Raises:
        CommandError: the point lies beyond all leaves, or the bundle shows no participation of its device.
    """
    entry = entry_of(record, part)
    devices = {slot: device for device, slot in entry.slots.items()}
    place = point.place
    for slot, node in enumerate(entry.tree.levels[0]):
        size = lane_of(node.lanes, point.lane)
        if place < size:
            return _opening(record, part, devices[slot], entry.tree, slot)
        place -= size
    raise CommandError(
        f"round {record.number}: the drawn point lies beyond the leaves of hospital {part.hospital}'s bundle: "
        "its entry was made from other leaves"
    )


def lane_of(lanes: Lanes, lane: EntryLane) -> int:
    """What lanes have in the one that a point was drawn over."""
    if lane is EntryLane.VOLUME:
        return lanes.volume
    if lane is EntryLane.COMPUTE:
        return lanes.compute
    return lanes.weight_treasury + lanes.weight_device


def _opening(
    record: RoundRecord, part: HospitalRecord, device: bytes, tree: SumTree, slot: int
) -> LeafOpening:
    report = next((c for c in part.cohorts if c.summed and device in c.survivors), None)
    if report is None:
        raise CommandError(f"the bundle shows no participation of {device.hex()} in round {record.number}")
    roster = roster_of(record, part)
    position = list(roster).index(device)
    path = Tree([item.leaf for item in roster.values()]).path(position)
    plan = cohort_plan(record, part, report)
    return LeafOpening(
        leaf=tree.leaves[slot],
        siblings=tree.proof(slot),
        opener=part.salts[slot],
        account=device,
        mask_key=roster[device].mask_public,
        channel_key=roster[device].channel_public,
        position=position,
        roster_path=path,
        plan=plan.context,
        attempt=plan.attempt,
        deposited=report.deposited_hash,
        masked=report.masked_hashes[device],
        signature=report.signatures[device],
    )


def _leaves(record: RoundRecord, part: HospitalRecord) -> list[Leaf]:
    """Every leaf of the hospital's bundle by slot, whatever its scores; dummies where no device is."""
    leaves = [dummy_leaf(slot, salt) for slot, salt in enumerate(part.salts)]
    for item in part.contributions:
        if not 0 <= item.slot < len(leaves):
            raise CommandError(
                f"round {record.number}: the bundle has a leaf at slot {item.slot}, outside its tree"
            )
        leaves[item.slot] = item.leaf(bound_salt(item.device, part.salts[item.slot]))
    if len(leaves) < 2 or len(leaves) & (len(leaves) - 1):
        raise CommandError(f"hospital {part.hospital} has no tree in the bundle of round {record.number}")
    return leaves


def _above_cap(rule: RewardRule, leaf: Leaf) -> bool:
    above = (
        leaf.volume > rule.volume_cap[leaf.device_class] or leaf.compute > rule.compute_cap[leaf.device_class]
    )
    return not leaf.is_odd and above


def _levels(level: Sequence[Node]) -> Levels:
    levels = [tuple(level)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append(tuple(parent(below[k], below[k + 1]) for k in range(0, len(below), 2)))
    return levels


def _siblings(levels: Levels, slot: int) -> tuple[Node, ...]:
    return tuple(levels[height][slot >> height ^ 1] for height in range(len(levels) - 1))


def _words(leaf: Leaf) -> tuple[int, ...]:
    fields = (leaf.slot, leaf.device_class, leaf.payee, leaf.volume, leaf.quality, leaf.compute, leaf.salt)
    return tuple(_word(value) for value in fields)


def _word(value: int | bytes) -> int:
    return value if isinstance(value, int) else int.from_bytes(value, "big")


def _numbers(lanes: Lanes) -> Iterator[int]:
    yield from (lanes.n, lanes.volume, lanes.compute, lanes.weight_treasury, lanes.weight_device)
