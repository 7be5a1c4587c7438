"""Python and Solidity agree, function by function, on a real EVM."""

import dataclasses
import random

import pytest
from incentive_strategies import DOMAIN, RULE, address, dishonest_tree, make_salts, random_entry
from solidity_harness import Harness, RevertError, find_anvil, running_node

from incentives import (
    EntryDomain,
    IncentivesError,
    Lanes,
    Leaf,
    Node,
    RewardRule,
    bonus,
    device_payout,
    hospital_allocation,
    leaf_hash,
    leaf_weight,
    lower_median,
    node_hash,
    share_e18,
    treasury_payout,
    verify,
    weight,
)

pytestmark = pytest.mark.node

INPUTS = 10_000
BATCH = 500
U16, U48, U64, U112 = 2**16 - 1, 2**48 - 1, 2**64 - 1, 2**112 - 1


@pytest.fixture(scope="module")
def port():
    binary = find_anvil()
    if binary is None:
        pytest.skip("Anvil is not installed: run npm ci")
    with running_node(binary) as number:
        yield number


@pytest.fixture(scope="module")
def reward_math(port):
    return Harness(port, "RewardMathHarness")


@pytest.fixture(scope="module")
def sum_tree(port):
    return Harness(port, "SumTreeHarness")


def _upto(rng, largest):
    """A number of any size up to ``largest``; the ends come often."""
    kind = rng.random()
    if kind < 0.1:
        return 0
    if kind < 0.2:
        return largest
    if kind < 0.3:
        return min(1, largest)
    return min(largest, rng.getrandbits(rng.randint(0, largest.bit_length())))


def _rule(rng):
    first = _upto(rng, 10_000)
    second = _upto(rng, 10_000 - first)
    share = _upto(rng, 10_000)

    def caps():
        return tuple(_upto(rng, 10_000) for _ in range(4))

    return RewardRule(
        w_volume=first,
        w_quality=second,
        w_compute=10_000 - first - second,
        device_gate=_upto(rng, 10_000),
        hospital_gate=_upto(rng, 10_000),
        share_volume=share,
        share_compute=10_000 - share,
        operator_bps=_upto(rng, 2_000),
        volume_cap=caps(),
        compute_cap=caps(),
    )


def _batches(make, seed):
    rng = random.Random(seed)
    for _ in range(INPUTS // BATCH):
        yield [make(rng) for _ in range(BATCH)]


def test_weight_equals_solidity(reward_math):
    def make(rng):
        return _rule(rng), (rng.random() < 0.7, _upto(rng, U16), _upto(rng, U16), _upto(rng, U16))

    for batch in _batches(make, 1):
        ours = [
            weight(rule, quality_scored=scored, volume=volume, quality=quality, compute=compute)
            for rule, (scored, volume, quality, compute) in batch
        ]
        rules = [dataclasses.astuple(rule) for rule, _ in batch]
        assert list(reward_math.call("weight", rules, [given for _, given in batch])) == ours


def test_share_equals_solidity(reward_math):
    def make(rng):
        own = (_upto(rng, U48), _upto(rng, U48))
        totals = [0 if rng.random() < 0.1 else part + 63 * _upto(rng, U48) for part in own]
        return _rule(rng), (_upto(rng, U16), own[0], totals[0], own[1], totals[1])

    for batch in _batches(make, 2):
        ours = [
            share_e18(
                rule,
                capacity_bps=capacity,
                volume=volume,
                total_volume=volumes,
                compute=compute,
                total_compute=computes,
            )
            for rule, (capacity, volume, volumes, compute, computes) in batch
        ]
        rules = [dataclasses.astuple(rule) for rule, _ in batch]
        assert list(reward_math.call("shareE18", rules, [given for _, given in batch])) == ours


def test_allocation_equals_solidity(reward_math):
    def make(rng):
        return _upto(rng, U112), _upto(rng, 10**18), _upto(rng, U16), _upto(rng, U16), rng.random() < 0.7

    for batch in _batches(make, 3):
        ours = [
            hospital_allocation(
                budget=budget, share=share, quality=quality, hospital_gate=gate, quality_scored=scored
            )
            for budget, share, quality, gate, scored in batch
        ]
        assert list(reward_math.call("hospitalAllocation", batch)) == ours


def _payout_input(rng):
    return _upto(rng, U112), _upto(rng, 10_000), _upto(rng, U64), _upto(rng, U64), _upto(rng, U64)


def test_device_payout_equals_solidity(reward_math):
    for batch in _batches(_payout_input, 4):
        ours = [
            device_payout(
                allocation,
                operator_bps=operator,
                device_weight=own,
                weight_treasury=treasury,
                weight_device=device,
            )
            for allocation, operator, own, treasury, device in batch
        ]
        assert list(reward_math.call("devicePayout", batch)) == ours


def test_treasury_payout_equals_solidity(reward_math):
    for batch in _batches(_payout_input, 5):
        ours = [
            treasury_payout(allocation, operator_bps=operator, weight_treasury=treasury, weight_device=device)
            for allocation, operator, _, treasury, device in batch
        ]
        assert list(reward_math.call("treasuryPayout", batch)) == ours


def test_bonus_equals_solidity(reward_math):
    def make(rng):
        return _upto(rng, U16), _upto(rng, U16), _upto(rng, U112), _upto(rng, U112)

    for batch in _batches(make, 6):
        ours = [
            bonus(median=median, best=best, per_point=per_point, cap=cap)
            for median, best, per_point, cap in batch
        ]
        assert list(reward_math.call("bonus", batch)) == ours


def test_lower_median_equals_solidity(reward_math):
    def make(rng):
        largest = rng.choice([3, 10_000, 2**256 - 1])
        return [_upto(rng, largest) for _ in range(rng.choice([1, 2, 3, 4, rng.randint(1, 63)]))]

    for batch in _batches(make, 7):
        assert list(reward_math.call("lowerMedian", batch)) == [lower_median(values) for values in batch]


def _random_leaf(rng):
    return Leaf(
        slot=_upto(rng, 2**32 - 1),
        device_class=rng.randrange(4),
        payee=rng.choice([bytes(20), b"\xff" * 20, rng.randbytes(20)]),
        volume=_upto(rng, 10_000),
        quality=_upto(rng, 10_000),
        compute=_upto(rng, 10_000),
        salt=rng.randbytes(32),
    )


def test_leaf_hash_equals_solidity(sum_tree):
    rng = random.Random(8)
    for _ in range(INPUTS // BATCH):
        domain = EntryDomain(
            chain_id=31_337, ledger=rng.randbytes(20), round=_upto(rng, U64), hospital=_upto(rng, U16)
        )
        leaves = [_random_leaf(rng) for _ in range(BATCH)]
        theirs = sum_tree.call(
            "leafHash",
            domain.ledger,
            domain.round,
            domain.hospital,
            [dataclasses.astuple(leaf) for leaf in leaves],
        )
        assert list(theirs) == [leaf_hash(domain, leaf) for leaf in leaves]


def _random_lanes(rng):
    return Lanes(_upto(rng, 2**32 - 1), _upto(rng, U48), _upto(rng, U48), _upto(rng, U64), _upto(rng, U64))


def test_lanes_pack_and_add_and_overflow_as_in_solidity(sum_tree):
    rng = random.Random(9)
    pairs = [(_random_lanes(rng), _random_lanes(rng)) for _ in range(INPUTS)]
    overflows = 0
    for at in range(0, len(pairs), BATCH):
        batch = pairs[at : at + BATCH]
        packed = sum_tree.call_each("packLanes", [dataclasses.astuple(left) for left, _ in batch])
        added = sum_tree.call_each("add", [(left.pack(), right.pack()) for left, right in batch])
        for (left, right), word, total in zip(batch, packed, added, strict=True):
            assert word == (left.pack(),)
            try:
                assert total == ((left + right).pack(),)
            except IncentivesError:
                assert isinstance(total, RevertError)
                overflows += 1
    assert 0 < overflows < len(pairs)


def _packed(node):
    return node.hash, node.lanes.pack()


def test_node_hash_equals_solidity(sum_tree):
    rng = random.Random(10)
    for _ in range(INPUTS // BATCH):
        pairs = [
            (Node(rng.randbytes(32), _random_lanes(rng)), Node(rng.randbytes(32), _random_lanes(rng)))
            for _ in range(BATCH)
        ]
        theirs = sum_tree.call_each("nodeHash", [(_packed(left), _packed(right)) for left, right in pairs])
        assert theirs == [(node_hash(left, right),) for left, right in pairs]


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A proof shown to both sides, and whether it is an honest one."""

    domain: EntryDomain
    leaf: Leaf
    siblings: tuple[Node, ...]
    root: Node
    honest: bool


def _attempts(rng):
    """Honest proofs of a random tree, and every kind of forgery."""
    tree = random_entry(rng.randint(1, 300), rng.getrandbits(32)).tree
    slot = rng.choice(sorted(tree.real_slots))
    leaf, proof, root = tree.leaves[slot], tree.proof(slot), tree.root
    dummy_path = tuple(tree.levels[height][(slot + 1) >> height ^ 1] for height in range(tree.depth))
    at = rng.randrange(len(proof))
    lanes = proof[at].lanes
    more = dataclasses.replace(
        proof[at], lanes=dataclasses.replace(lanes, weight_device=lanes.weight_device + 1)
    )
    full = dataclasses.replace(proof[at], lanes=Lanes(2**32 - 1, U48, U48, U64, U64))
    yield Attempt(DOMAIN, leaf, proof, root, True)
    forged_leaves = [
        dataclasses.replace(leaf, slot=slot + 2),
        dataclasses.replace(leaf, slot=slot + len(tree.leaves)),
        dataclasses.replace(leaf, quality=(leaf.quality + 1) % 10_001),
        dataclasses.replace(leaf, payee=address(1)),
        dataclasses.replace(leaf, salt=make_salts(1)[0]),
    ]
    for forged in forged_leaves:
        yield Attempt(DOMAIN, forged, proof, root, False)
    yield Attempt(DOMAIN, tree.leaves[slot + 1], dummy_path, root, False)
    for siblings in (
        proof[:-1],
        proof[1:],
        (),
        (*proof, root),
        proof + (root,) * (33 - len(proof)),
        (*proof[:at], more, *proof[at + 1 :]),
        (*proof[:at], full, *proof[at + 1 :]),
    ):
        yield Attempt(DOMAIN, leaf, siblings, root, False)
    for change in ({"round": 8}, {"hospital": 4}, {"ledger": bytes(20)}):
        yield Attempt(dataclasses.replace(DOMAIN, **change), leaf, proof, root, False)
    for place, depth in ((6, 3), (6, 32), (1, 1), (7, 3), (8, 3), (2**31, 31), (2, 1), (6, 33)):
        built, path, top = dishonest_tree(place, depth)
        yield Attempt(DOMAIN, built, path, top, (place, depth) in {(6, 3), (6, 32)})


def test_both_accept_the_same_proofs_and_refuse_the_same_forgeries(sum_tree):
    rng = random.Random(11)
    for _ in range(30):
        attempts = list(_attempts(rng))
        theirs = sum_tree.call_each(
            "root",
            [
                (
                    item.domain.ledger,
                    item.domain.round,
                    item.domain.hospital,
                    dataclasses.astuple(item.leaf),
                    leaf_weight(RULE, item.leaf, quality_scored=True),
                    [_packed(node) for node in item.siblings],
                )
                for item in attempts
            ],
        )
        for item, answer in zip(attempts, theirs, strict=True):
            accepted = answer == (item.root.hash, item.root.lanes.pack())
            ours = verify(item.domain, RULE, item.leaf, item.siblings, item.root, quality_scored=True)
            assert accepted == ours == item.honest


def test_a_leaf_built_for_another_chain_is_refused(sum_tree):
    tree = random_entry(5, 12, domain=dataclasses.replace(DOMAIN, chain_id=1)).tree
    slot = min(tree.real_slots)
    leaf = tree.leaves[slot]
    siblings = [_packed(node) for node in tree.proof(slot)]
    own = leaf_weight(RULE, leaf, quality_scored=True)
    answer = sum_tree.call_each(
        "root", [(DOMAIN.ledger, DOMAIN.round, DOMAIN.hospital, dataclasses.astuple(leaf), own, siblings)]
    )
    assert answer[0] != (tree.root.hash, tree.root.lanes.pack())
