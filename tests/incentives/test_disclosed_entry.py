"""Entries in clear: what is packed, the tree over it, and that receipts hold as in every entry."""

from __future__ import annotations

import pytest
from incentive_strategies import DOMAIN, RULE, address

from incentives import (
    Contribution,
    IncentivesError,
    build_disclosed_entry,
    leaf_hash,
    node_hash,
    pack_devices,
    pack_payees,
)
from incentives.disclosed import EMPTY

SALT = bytes(31) + b"\x07"


def contribution(k, *, payee=None, **changes):
    scores = {"device_class": k % 4, "volume": 100 + k, "quality": 9_000, "compute": 200 + k, **changes}
    return Contribution(device=address(k + 1), slot=2 * k, payee=payee, **scores)


def build(items, **options):
    return build_disclosed_entry(DOMAIN, RULE, items, SALT, **{"quality_scored": True, **options})


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_every_receipt_holds_and_the_totals_are_those_of_the_devices(count):
    items = [contribution(k, payee=address(100 + k) if k % 3 == 0 else None) for k in range(count)]
    entry = build(items).entry
    assert entry.root.lanes.n == count
    assert entry.root.lanes.volume == sum(item.volume for item in items)
    assert all(entry.receipt(item.device).holds(RULE, quality_scored=True) for item in items)


def test_devices_are_packed_in_the_order_of_slots_with_gaps_for_the_absent():
    packed = pack_devices([contribution(2), contribution(0)])
    assert len(packed) == 18
    assert packed[6:12] == bytes(6)
    assert int.from_bytes(packed[:6], "big") == 1 << 47 | 100 << 30 | 9_000 << 15 | 200


def test_payees_are_packed_in_the_order_of_slots():
    items = [contribution(3, payee=address(7)), contribution(1, payee=address(8)), contribution(0)]
    assert pack_payees(items) == b"\0\0\0\1" + address(8) + b"\0\0\0\3" + address(7)


def test_the_empty_node_stands_beside_a_lone_leaf():
    entry = build([contribution(0)]).entry
    leaf = entry.tree.leaves[0]
    assert leaf.salt == SALT
    assert entry.children[0].hash == leaf_hash(DOMAIN, leaf)
    assert entry.children[1] == EMPTY
    assert entry.root.hash == node_hash(entry.children[0], EMPTY)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "no devices"),
        ([contribution(0), contribution(0)], "twice"),
        ([contribution(0, volume=10_001)], "cap"),
        ([contribution(0, payee=bytes(20))], "zero"),
        ([contribution(0, device_class=4)], "class"),
    ],
)
def test_what_the_contract_would_refuse_is_refused_with_a_reason(items, words):
    with pytest.raises(IncentivesError, match=words):
        build(items)


def test_a_salt_of_another_size_is_refused():
    with pytest.raises(IncentivesError, match="32"):
        build_disclosed_entry(DOMAIN, RULE, [contribution(0)], b"short", quality_scored=True)
