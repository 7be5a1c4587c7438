import dataclasses

import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from incentive_strategies import DOMAIN, RULE, address, dishonest_tree, make_salts, random_entry, real_leaves

from incentives import (
    LEAF_TYPEHASH,
    TREASURY,
    IncentivesError,
    Lanes,
    Leaf,
    Node,
    build_tree,
    device_payout,
    fold_proof,
    leaf_hash,
    leaf_lanes,
    leaf_weight,
    node_hash,
    treasury_payout,
    tree_width,
    verify,
)

sizes = st.integers(1, 300)
seeds = st.integers(0, 2**32)


@st.composite
def proofs(draw, least=1):
    """A tree of any size and one of its real leaves."""
    entry = random_entry(draw(st.integers(least, 300)), draw(seeds))
    slot = draw(st.sampled_from(sorted(entry.tree.real_slots)))
    return entry.tree, slot


def _accepts(tree, leaf, siblings, *, domain=DOMAIN, root=None):
    return verify(domain, RULE, leaf, siblings, root or tree.root, quality_scored=True)


def _nudged(node, **change):
    return dataclasses.replace(node, lanes=dataclasses.replace(node.lanes, **change))


def test_the_leaf_tag_is_the_hash_of_its_name():
    assert keccak(b"FedIoMT.Leaf.v1") == LEAF_TYPEHASH


@settings(max_examples=25, deadline=None)
@given(sizes, seeds, st.booleans())
def test_every_device_of_a_tree_of_any_size_proves_its_leaf(devices, seed, quality_scored):
    tree = random_entry(devices, seed, quality_scored=quality_scored).tree
    assert 1 <= tree.depth <= 32
    assert 1 << tree.depth == len(tree.leaves)
    for slot in tree.real_slots:
        proof = tree.proof(slot)
        assert len(proof) == tree.depth
        assert verify(DOMAIN, RULE, tree.leaves[slot], proof, tree.root, quality_scored=quality_scored)


@settings(max_examples=25, deadline=None)
@given(sizes, seeds)
def test_the_root_sums_what_its_leaves_say_and_its_children_give_it(devices, seed):
    entry = random_entry(devices, seed)
    leaves = real_leaves(entry)
    weights = {leaf.slot: leaf_weight(RULE, leaf, quality_scored=True) for leaf in leaves}
    assert entry.root.lanes == Lanes(
        n=devices,
        volume=sum(leaf.volume for leaf in leaves),
        compute=sum(leaf.compute for leaf in leaves),
        weight_treasury=sum(weights[leaf.slot] for leaf in leaves if leaf.payee == TREASURY),
        weight_device=sum(weights[leaf.slot] for leaf in leaves if leaf.payee != TREASURY),
    )
    left, right = entry.children
    assert node_hash(left, right) == entry.root.hash
    assert left.lanes + right.lanes == entry.root.lanes


@settings(max_examples=25, deadline=None)
@given(sizes, seeds, st.integers(0, 10**27))
def test_no_set_of_proofs_claims_more_than_the_allocation(devices, seed, allocation):
    entry = random_entry(devices, seed)
    lanes = entry.root.lanes
    paid = treasury_payout(
        allocation,
        operator_bps=RULE.operator_bps,
        weight_treasury=lanes.weight_treasury,
        weight_device=lanes.weight_device,
    )
    for leaf in real_leaves(entry):
        if leaf.payee != TREASURY:
            paid += device_payout(
                allocation,
                operator_bps=RULE.operator_bps,
                device_weight=leaf_weight(RULE, leaf, quality_scored=True),
                weight_treasury=lanes.weight_treasury,
                weight_device=lanes.weight_device,
            )
    assert paid <= allocation


@settings(max_examples=60, deadline=None)
@given(proofs(least=2), st.data())
def test_a_leaf_at_another_slot_is_refused(world, data):
    tree, slot = world
    other = data.draw(st.integers(0, len(tree.leaves) * 4).filter(lambda value: value != slot))
    moved = dataclasses.replace(tree.leaves[slot], slot=other)
    assert not _accepts(tree, moved, tree.proof(slot))
    if other in tree.real_slots:
        assert not _accepts(tree, moved, tree.proof(other))


@settings(max_examples=60, deadline=None)
@given(proofs(), st.data())
def test_an_odd_slot_is_refused_even_with_a_true_path(world, data):
    tree, slot = world
    dummy = slot + 1
    path = tuple(tree.levels[height][dummy >> height ^ 1] for height in range(tree.depth))
    assert fold_proof(tree.levels[0][dummy], dummy, path) == tree.root  # the path itself is right
    assert not _accepts(tree, tree.leaves[dummy], path)
    with pytest.raises(IncentivesError, match="holds no device"):
        tree.proof(dummy)


@settings(max_examples=60, deadline=None)
@given(proofs(), st.data())
def test_an_empty_even_slot_proves_nothing(world, data):
    tree, _ = world
    empty = [slot for slot in range(0, len(tree.leaves), 2) if slot not in tree.real_slots]
    for slot in empty[:3]:
        path = tuple(tree.levels[height][slot >> height ^ 1] for height in range(tree.depth))
        assert not _accepts(tree, tree.leaves[slot], path)


@settings(max_examples=60, deadline=None)
@given(proofs(), st.data())
def test_any_changed_sum_on_the_path_is_refused(world, data):
    tree, slot = world
    proof = list(tree.proof(slot))
    height = data.draw(st.integers(0, len(proof) - 1))
    lane = data.draw(st.sampled_from([field.name for field in dataclasses.fields(Lanes)]))
    value = getattr(proof[height].lanes, lane)
    proof[height] = _nudged(proof[height], **{lane: value + 1})
    assert not _accepts(tree, tree.leaves[slot], proof)


@settings(max_examples=60, deadline=None)
@given(proofs(), st.data())
def test_swapped_sums_are_refused(world, data):
    tree, slot = world
    proof = list(tree.proof(slot))
    height = data.draw(st.integers(0, len(proof) - 1))
    lanes = proof[height].lanes
    swapped = _nudged(proof[height], weight_treasury=lanes.weight_device, weight_device=lanes.weight_treasury)
    if swapped != proof[height]:
        proof[height] = swapped
        assert not _accepts(tree, tree.leaves[slot], proof)


@settings(max_examples=60, deadline=None)
@given(proofs(), st.data())
def test_truncated_and_extended_paths_are_refused(world, data):
    tree, slot = world
    leaf, proof = tree.leaves[slot], tree.proof(slot)
    assert not _accepts(tree, leaf, proof[:-1])
    assert not _accepts(tree, leaf, proof[1:])
    assert not _accepts(tree, leaf, ())
    extra = data.draw(st.sampled_from([proof[0], tree.root, Node(bytes(32), Lanes(0, 0, 0, 0, 0))]))
    assert not _accepts(tree, leaf, (*proof, extra))
    assert not _accepts(tree, leaf, (extra, *proof))
    assert not _accepts(tree, leaf, proof + (extra,) * (33 - len(proof)))


@settings(max_examples=40, deadline=None)
@given(proofs(), st.sampled_from(["round", "hospital", "chain_id", "ledger"]))
def test_a_leaf_of_another_entry_is_refused(world, field):
    tree, slot = world
    other = {"round": 8, "hospital": 4, "chain_id": 1, "ledger": bytes(20)}[field]
    domain = dataclasses.replace(DOMAIN, **{field: other})
    assert _accepts(tree, tree.leaves[slot], tree.proof(slot))
    assert not _accepts(tree, tree.leaves[slot], tree.proof(slot), domain=domain)


@settings(max_examples=60, deadline=None)
@given(proofs(), st.sampled_from(["payee", "device_class", "volume", "quality", "compute", "salt"]))
def test_any_changed_field_of_a_leaf_is_refused(world, field):
    tree, slot = world
    leaf = tree.leaves[slot]
    others = {"payee": address(5), "device_class": (leaf.device_class + 1) % 4, "salt": bytes(32)}
    other = others[field] if field in others else abs(getattr(leaf, field) - 1)
    assert not _accepts(tree, dataclasses.replace(leaf, **{field: other}), tree.proof(slot))


@settings(max_examples=40, deadline=None)
@given(proofs())
def test_an_inner_node_cannot_pass_for_a_leaf(world):
    tree, slot = world
    if tree.depth > 1:
        inner = tree.levels[1][slot >> 1]
        short = tree.proof(slot)[1:]
        assert fold_proof(inner, slot >> 1, short) == tree.root  # true as a path,
        assert leaf_hash(DOMAIN, tree.leaves[slot]) != inner.hash  # but no leaf hashes to its start
        assert not _accepts(tree, dataclasses.replace(tree.leaves[slot], slot=slot >> 1), short)


@pytest.mark.parametrize(
    ("slot", "depth", "accepted"),
    [
        (2, 2, True),
        (1, 2, False),
        (3, 2, False),
        (4, 2, False),
        (2, 1, False),
        (2**31, 31, False),
        (6, 32, True),
    ],
)
def test_a_hospital_cannot_commit_to_a_leaf_at_an_odd_slot_or_one_outside_its_tree(slot, depth, accepted):
    leaf, siblings, root = dishonest_tree(slot, depth)
    assert verify(DOMAIN, RULE, leaf, siblings, root, quality_scored=True) == accepted


def test_a_path_longer_than_the_contract_follows_is_refused():
    leaf, siblings, root = dishonest_tree(6, 33)
    assert not verify(DOMAIN, RULE, leaf, siblings, root, quality_scored=True)


def test_a_proof_shows_the_devices_own_pair_as_a_dummy_without_weight():
    tree = random_entry(9, 1).tree
    for slot in tree.real_slots:
        assert tree.proof(slot)[0].lanes == Lanes(0, 0, 0, 0, 0)


@pytest.mark.parametrize("lane", ["n", "volume", "compute", "weight_treasury", "weight_device"])
def test_a_lane_that_overflows_is_an_error_and_a_negative_one_too(lane):
    widths = {"n": 32, "volume": 48, "compute": 48, "weight_treasury": 64, "weight_device": 64}
    none = Lanes(0, 0, 0, 0, 0)
    largest = dataclasses.replace(none, **{lane: 2 ** widths[lane] - 1})
    with pytest.raises(IncentivesError, match="lane overflow"):
        _ = largest + dataclasses.replace(none, **{lane: 1})
    with pytest.raises(IncentivesError, match="lane overflow"):
        dataclasses.replace(none, **{lane: -1})
    assert not verify(
        DOMAIN,
        RULE,
        Leaf(slot=0, device_class=0, payee=TREASURY, volume=1, quality=10_000, compute=1, salt=bytes(32)),
        (Node(bytes(32), Lanes(2**32 - 1, 2**48 - 1, 2**48 - 1, 2**64 - 1, 2**64 - 1)),),
        Node(bytes(32), none),
        quality_scored=True,
    )


def _leaf(**change):
    made = {
        "slot": 0,
        "device_class": 1,
        "payee": TREASURY,
        "volume": 1,
        "quality": 2,
        "compute": 3,
        "salt": make_salts(4)[0],
    }
    return Leaf(**(made | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"volume": 10_001}, "scores"),
        ({"quality": -1}, "scores"),
        ({"device_class": 4}, "device class 4"),
        ({"payee": bytes(19)}, "payee has 19 bytes"),
        ({"salt": bytes(31)}, "salt has 31 bytes"),
        ({"slot": 2**32}, "slot 4294967296 does not fit"),
    ],
)
def test_a_leaf_out_of_range_is_refused_by_name(change, message):
    with pytest.raises(IncentivesError, match=message):
        _leaf(**change)


@pytest.mark.parametrize(
    ("leaves", "salts", "message"),
    [
        ([_leaf(slot=1, salt=make_salts(4)[1])], make_salts(4), "slot 1 is odd"),
        ([_leaf(slot=4)], make_salts(4), "slot 4 lies outside a tree of 4 slots"),
        ([_leaf(), _leaf(volume=9)], make_salts(4), "two leaves claim slot 0"),
        ([_leaf(salt=bytes(32))], make_salts(4), "another salt"),
        ([_leaf()], make_salts(3), "3 salts"),
        ([_leaf()], make_salts(1), "1 salts"),
        ([_leaf()], [make_salts(1)[0]] * 4, "salt is used twice"),
    ],
)
def test_leaves_that_do_not_fit_are_refused(leaves, salts, message):
    with pytest.raises(IncentivesError, match=message):
        build_tree(DOMAIN, RULE, leaves, salts, quality_scored=True)


@given(st.integers(1, 2**31))
def test_a_tree_is_as_wide_as_its_devices_need_and_no_wider(devices):
    width = tree_width(devices)
    assert width & (width - 1) == 0
    assert width // 2 < 2 * devices <= width


def test_no_devices_have_no_tree():
    with pytest.raises(IncentivesError, match="0 devices"):
        tree_width(0)


def test_an_absent_device_leaves_a_dummy_that_counts_nowhere():
    salts = make_salts(8)
    present = [_leaf(slot=2, salt=salts[2]), _leaf(slot=6, salt=salts[6])]
    tree = build_tree(DOMAIN, RULE, present, salts, quality_scored=False)
    assert tree.real_slots == {2, 6}
    assert tree.root.lanes == leaf_lanes(RULE, present[0], quality_scored=False) + leaf_lanes(
        RULE, present[1], quality_scored=False
    )
