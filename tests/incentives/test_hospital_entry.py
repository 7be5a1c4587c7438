import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incentive_strategies import DOMAIN, RULE, address, make_salts, random_contributions, random_entry

from incentives import TREASURY, IncentivesError, build_entry, draw_slots, tree_width


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_slots_are_even_distinct_and_fill_the_first_ones(devices, seed):
    slots = draw_slots([address(k) for k in range(devices)], np.random.default_rng(seed))
    assert sorted(slots.values()) == list(range(0, 2 * devices, 2))
    assert max(slots.values()) < tree_width(devices)


def test_slots_depend_on_the_draw_and_not_on_the_order_of_the_roster():
    roster = [address(k) for k in range(50)]
    first = draw_slots(roster, np.random.default_rng(1))
    assert first == draw_slots(roster[::-1], np.random.default_rng(1))
    assert first != draw_slots(roster, np.random.default_rng(2))


def test_neighbours_differ_from_epoch_to_epoch():
    roster = [address(k) for k in range(64)]
    epochs = [draw_slots(roster, np.random.default_rng(seed)) for seed in (1, 2)]
    pairs = [{frozenset(d for d in roster if slots[d] // 4 == k) for k in range(32)} for slots in epochs]
    assert len(pairs[0] & pairs[1]) < 8


def test_a_roster_that_names_a_device_twice_is_refused():
    with pytest.raises(IncentivesError, match="twice in the roster"):
        draw_slots([address(1), address(1)], np.random.default_rng(0))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 120), st.integers(0, 2**32), st.booleans())
def test_every_device_gets_a_receipt_that_holds(devices, seed, quality_scored):
    entry = random_entry(devices, seed, quality_scored=quality_scored)
    for item in random_contributions(devices, seed):
        receipt = entry.receipt(item.device)
        assert receipt.holds(RULE, quality_scored=quality_scored)
        assert receipt.root == entry.root
        assert receipt.leaf.payee == (item.payee or TREASURY)
        assert (receipt.leaf.volume, receipt.leaf.quality) == (item.volume, item.quality)
        tampered = dataclasses.replace(receipt, leaf=dataclasses.replace(receipt.leaf, salt=bytes(32)))
        assert not tampered.holds(RULE, quality_scored=quality_scored)


def test_a_device_that_took_no_part_has_no_receipt():
    with pytest.raises(IncentivesError, match="took no part in round 7"):
        random_entry(3, 0).receipt(address(99))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device_class": 0, "volume": 5_001}, "volume 5001 .* above its class cap 5000"),
        ({"device_class": 1, "volume": 0, "compute": 6_501}, "compute 6501 .* above its class cap 6500"),
        ({"device_class": 4}, "device class 4 is unknown"),
        ({"slot": 8}, "slot 8 lies outside a tree of 8 slots"),
        ({"slot": 1}, "slot 1 is odd"),
        ({"device": address(2)}, "contributes twice"),
    ],
)
def test_contributions_that_could_never_be_claimed_are_refused(change, message):
    items = random_contributions(3, 0)
    items[0] = dataclasses.replace(items[0], **change)
    with pytest.raises(IncentivesError, match=message):
        build_entry(DOMAIN, RULE, items, make_salts(8), quality_scored=True)


def test_devices_may_be_absent_from_a_round_of_their_epoch():
    items = random_contributions(40, 3)
    entry = build_entry(DOMAIN, RULE, items[:17], make_salts(tree_width(40)), quality_scored=True)
    assert entry.root.lanes.n == 17
    assert entry.tree.depth == random_entry(40, 3).tree.depth
