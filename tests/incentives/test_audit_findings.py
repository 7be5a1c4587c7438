import dataclasses

import pytest
from incentive_strategies import RULE, address, random_contributions, random_entry, real_leaves

from incentives import (
    TREASURY,
    EmissionTerms,
    HospitalRound,
    Lanes,
    LedgerState,
    PaidClaim,
    Profile,
    RecordedAllocation,
    RecordedClose,
    RecordedEntry,
    Reveal,
    check_class_caps,
    check_close,
    check_entry,
    check_leaves,
    check_payouts,
    check_receipt,
    close_round,
    device_payout,
    leaf_weight,
    treasury_payout,
)

ENTRY = random_entry(12, 5)
ITEMS = random_contributions(12, 5)
E18 = 10**18


def _first(findings):
    assert findings, "nothing was found"
    return findings[0]


def test_leaves_that_follow_from_the_contributions_raise_no_finding():
    assert check_leaves("hospital 3", ITEMS, real_leaves(ENTRY)) == []


@pytest.mark.parametrize("field", ["device_class", "payee", "volume", "quality", "compute"])
def test_a_changed_leaf_is_named_to_the_field(field):
    leaves = real_leaves(ENTRY)
    value = getattr(leaves[4], field)
    other = address(7) if field == "payee" else abs(value - 1)
    leaves[4] = dataclasses.replace(leaves[4], **{field: other})
    found = check_leaves("hospital 3", ITEMS, leaves)
    assert [item.subject for item in found] == [f"hospital 3, slot 8, {field}"]
    assert field in str(found[0])


def test_missing_surplus_and_doubled_leaves_are_named():
    leaves = real_leaves(ENTRY)
    assert _first(check_leaves("h", ITEMS, leaves[1:])).found == "none"
    assert _first(check_leaves("h", ITEMS[1:], leaves)).expected == "no leaf"
    assert _first(check_leaves("h", ITEMS, [*leaves, leaves[0]])).found == "two"


def test_a_leaf_above_its_class_cap_is_named():
    leaves = [dataclasses.replace(leaf, device_class=0, volume=4_000) for leaf in real_leaves(ENTRY)]
    leaves = [dataclasses.replace(leaf, compute=0) for leaf in leaves]
    assert check_class_caps("h", RULE, leaves) == []
    leaves[2] = dataclasses.replace(leaves[2], volume=5_001)
    assert str(_first(check_class_caps("h", RULE, leaves))) == (
        "class caps: h, slot 4, volume should be at most 5000, but is 5001"
    )


def _recorded(**change):
    left, right = ENTRY.children
    record = RecordedEntry(left=left, right=right, root=ENTRY.root.hash, lanes=ENTRY.root.lanes)
    return dataclasses.replace(record, **change)


def test_an_entry_that_sums_its_leaves_raises_no_finding():
    assert check_entry("h", ENTRY.tree, _recorded()) == []


def test_a_changed_entry_is_named():
    left, _ = ENTRY.children
    more = dataclasses.replace(left, lanes=dataclasses.replace(left.lanes, volume=left.lanes.volume + 1))
    assert (
        _first(check_entry("h", ENTRY.tree, _recorded(root=bytes(32)))).subject == "h, root of the children"
    )
    lanes = dataclasses.replace(ENTRY.root.lanes, n=13)
    assert (
        _first(check_entry("h", ENTRY.tree, _recorded(lanes=lanes))).subject == "h, totals of the children, n"
    )
    subjects = [item.subject for item in check_entry("h", ENTRY.tree, _recorded(left=more))]
    assert "h, left child, volume" in subjects
    other = random_entry(12, 6)
    subjects = [item.subject for item in check_entry("h", other.tree, _recorded())]
    assert "h, right child, hash" in subjects
    full = dataclasses.replace(left, lanes=Lanes(2**32 - 1, 0, 0, 0, 0))
    assert (
        "lane overflow"
        in _first(
            [
                item
                for item in check_entry("h", ENTRY.tree, _recorded(left=full))
                if item.expected == "sums that fit"
            ]
        ).found
    )


def test_a_receipt_is_checked_against_the_root_on_chain():
    receipt = ENTRY.receipt(ITEMS[0].device)
    assert check_receipt(receipt, RULE, ENTRY.root.hash, quality_scored=True) == []
    assert _first(check_receipt(receipt, RULE, bytes(32), quality_scored=True)).subject.endswith("root")
    cut = dataclasses.replace(receipt, siblings=receipt.siblings[1:])
    assert _first(check_receipt(cut, RULE, ENTRY.root.hash, quality_scored=True)).subject.endswith("proof")


HOSPITALS = [
    HospitalRound(
        hospital=number,
        capacity_bps=4_000,
        lanes=Lanes(16, 1_000, 1_000, 1, 1),
        reveal=Reveal({other: 9_000 for other in (1, 2, 3) if other != number}, 8_000),
        attested=b"d" * 32,
    )
    for number in (1, 2, 3)
]
OUTCOME = close_round(
    RULE,
    Profile.ACCOUNTABLE,
    HOSPITALS,
    LedgerState(total_allocated=0, next_emission=E18),
    EmissionTerms(max_supply=10 * E18, decay_bps=10_000, bonus_per_point=0, bonus_cap=0),
)


def _closed(**change):
    record = RecordedClose(
        paid=True,
        accepted_digest=b"d" * 32,
        budget=OUTCOME.budget,
        bonus=0,
        total_volume=3_000,
        total_compute=3_000,
        allocations={
            item.hospital: RecordedAllocation(
                quality=item.quality, share_e18=item.share_e18, amount=item.amount
            )
            for item in OUTCOME.hospitals
        },
    )
    return dataclasses.replace(record, **change)


def test_a_closing_as_recomputed_raises_no_finding():
    assert check_close("round 1", OUTCOME, _closed()) == []


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"paid": False}, "round 1, paid"),
        ({"accepted_digest": b"o" * 32}, "round 1, accepted_digest"),
        ({"budget": 7}, "round 1, budget"),
        ({"bonus": 7}, "round 1, bonus"),
        ({"total_volume": 7}, "round 1, total_volume"),
        ({"allocations": {}}, "round 1, hospital 1, amount"),
    ],
)
def test_a_changed_closing_is_named(change, subject):
    assert _first(check_close("round 1", OUTCOME, _closed(**change))).subject == subject


def test_a_changed_allocation_is_named_and_an_invented_one_too():
    allocations = dict(_closed().allocations)
    allocations[2] = dataclasses.replace(allocations[2], quality=9_001)
    found = check_close("round 1", OUTCOME, _closed(allocations=allocations))
    assert [item.subject for item in found] == ["round 1, hospital 2, quality"]
    invented = dict(_closed().allocations) | {9: RecordedAllocation(quality=1, share_e18=1, amount=1)}
    found = check_close("round 1", OUTCOME, _closed(allocations=invented))
    assert [item.subject for item in found] == ["round 1, hospital 9, amount"]


ALLOCATION = 10 * E18


def _payouts():
    """What the leaves of the entry are due, and the treasury."""
    lanes = ENTRY.root.lanes
    totals = {"weight_treasury": lanes.weight_treasury, "weight_device": lanes.weight_device}
    claims = [
        PaidClaim(
            slot=leaf.slot,
            payee=leaf.payee,
            amount=device_payout(
                ALLOCATION,
                operator_bps=RULE.operator_bps,
                device_weight=leaf_weight(RULE, leaf, quality_scored=True),
                **totals,
            ),
        )
        for leaf in real_leaves(ENTRY)
        if leaf.payee != TREASURY
    ]
    return claims, treasury_payout(ALLOCATION, operator_bps=RULE.operator_bps, **totals)


def _check(claims, treasury=(), allocation=ALLOCATION):
    return check_payouts(
        "h", RULE, ENTRY.tree, allocation, quality_scored=True, claims=claims, treasury_claims=treasury
    )


def test_payouts_as_due_raise_no_finding_claimed_all_or_in_part():
    claims, treasury = _payouts()
    assert len(claims) > 2
    assert _check(claims, [treasury]) == []
    assert _check(claims[:2]) == []
    assert _check([]) == []


def test_a_wrong_payout_is_named():
    claims, treasury = _payouts()
    slot = claims[0].slot
    silent = next(leaf for leaf in real_leaves(ENTRY) if leaf.payee == TREASURY)
    more = dataclasses.replace(claims[0], amount=claims[0].amount + 1)
    assert _first(_check([more])).subject == f"h, slot {slot}, amount"
    thief = dataclasses.replace(claims[0], payee=address(1))
    assert _first(_check([thief])).subject == f"h, slot {slot}, payee"
    assert _first(_check([claims[0], claims[0]])).found == "another one"
    assert _first(_check([PaidClaim(slot=slot + 1, payee=address(1), amount=1)])).expected == "no claim"
    assert (
        _first(_check([PaidClaim(slot=silent.slot, payee=address(1), amount=1)])).expected == "the treasury"
    )
    assert _first(_check([], [treasury + 1])).subject == "h, treasury, amount"
    assert _first(_check([], [treasury, treasury])).subject == "h, treasury"


def test_claims_above_the_allocation_are_named():
    claims, treasury = _payouts()
    found = _check(claims, [treasury], allocation=1)
    assert found[-1].subject == "h, sum of claims"
