import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incentive_strategies import RULE, rules, score

from incentives import (
    IncentivesError,
    bonus,
    device_payout,
    hospital_allocation,
    lower_median,
    operator_share,
    share_e18,
    treasury_payout,
    weight,
)

E18 = 10**18
tokens = st.integers(0, 10**27)
lane = st.integers(0, 2**48 - 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w_volume": 3_001}, "w_volume .* is 10001"),
        ({"share_volume": 6_999}, "share_volume .* is 9999"),
        ({"operator_bps": 2_001}, "operator_bps is 2001"),
        ({"device_gate": -1}, "device_gate is -1"),
        ({"hospital_gate": 10_001}, "hospital_gate is 10001"),
        ({"volume_cap": (1, 2, 3, 10_001)}, r"volume_cap\[3\] is 10001"),
        ({"compute_cap": (1, 2, 3)}, "compute_cap has 3 entries"),
    ],
)
def test_a_rule_out_of_range_is_refused_by_name(change, message):
    with pytest.raises(IncentivesError, match=message):
        dataclasses.replace(RULE, **change)


@given(rules(), score, score, score)
def test_a_poisoner_is_not_paid_for_volume(rule, volume, quality, compute):
    paid = weight(rule, quality_scored=True, volume=volume, quality=quality, compute=compute)
    assert 0 <= paid <= 10_000 * 10_000
    if quality < rule.device_gate:
        assert paid == 0


@given(rules(), score, score, score, score)
def test_where_quality_is_not_scored_it_counts_in_full_and_no_gate_applies(rule, volume, one, other, compute):
    first = weight(rule, quality_scored=False, volume=volume, quality=one, compute=compute)
    assert first == weight(rule, quality_scored=False, volume=volume, quality=other, compute=compute)
    assert first == weight(rule, quality_scored=True, volume=volume, quality=10_000, compute=compute)


@given(tokens, st.integers(0, 2_000), st.lists(st.tuples(st.booleans(), st.integers(0, 10**8)), max_size=30))
def test_payouts_never_exceed_the_allocation(allocation, operator_bps, devices):
    treasury = sum(own for on_chain, own in devices if not on_chain)
    elsewhere = sum(own for on_chain, own in devices if on_chain)
    paid = treasury_payout(
        allocation, operator_bps=operator_bps, weight_treasury=treasury, weight_device=elsewhere
    )
    paid += sum(
        device_payout(
            allocation,
            operator_bps=operator_bps,
            device_weight=own,
            weight_treasury=treasury,
            weight_device=elsewhere,
        )
        for on_chain, own in devices
        if on_chain
    )
    assert paid <= allocation
    if treasury + elsewhere > 0:
        assert allocation - paid <= len(devices) + 2  # only rounding stays unminted
    else:
        assert paid == operator_share(allocation, operator_bps)


@given(rules(), tokens, st.lists(st.tuples(lane, lane, st.integers(0, 10_000), score), max_size=20))
def test_allocations_never_exceed_the_budget(rule, budget, hospitals):
    total_volume = sum(item[0] for item in hospitals)
    total_compute = sum(item[1] for item in hospitals)
    spent = 0
    for volume, compute, capacity_bps, quality in hospitals:
        share = share_e18(
            rule,
            capacity_bps=capacity_bps,
            volume=volume,
            total_volume=total_volume,
            compute=compute,
            total_compute=total_compute,
        )
        assert share <= capacity_bps * 10**14
        spent += hospital_allocation(
            budget=budget, share=share, quality=quality, hospital_gate=rule.hospital_gate, quality_scored=True
        )
    assert spent <= budget


def _amount(rule, budget, capacity_bps, volumes, computes, *, quality=10_000):
    (volume, total_volume), (compute, total_compute) = volumes, computes
    share = share_e18(
        rule,
        capacity_bps=capacity_bps,
        volume=volume,
        total_volume=total_volume,
        compute=compute,
        total_compute=total_compute,
    )
    return hospital_allocation(
        budget=budget, share=share, quality=quality, hospital_gate=rule.hospital_gate, quality_scored=True
    )


@given(rules(), tokens, st.lists(st.tuples(lane, lane), min_size=2, max_size=5), st.tuples(lane, lane), score)
def test_splitting_a_hospital_gains_nothing_beyond_rounding(rule, budget, parts, others, quality):
    volume, compute = sum(p[0] for p in parts), sum(p[1] for p in parts)
    volumes, computes = volume + others[0], compute + others[1]
    whole = _amount(rule, budget, 10_000, (volume, volumes), (compute, computes), quality=quality)
    split = sum(_amount(rule, budget, 10_000, (v, volumes), (c, computes), quality=quality) for v, c in parts)
    assert split <= whole + 1


@given(rules(), tokens, score, lane, st.tuples(lane, lane))
def test_inflation_past_the_voted_capacity_buys_nothing(rule, budget, capacity_bps, claimed, others):
    volumes, computes = (claimed, claimed + others[0]), (claimed, claimed + others[1])
    at_capacity = budget * capacity_bps // 10_000
    assert _amount(rule, budget, capacity_bps, volumes, computes) <= at_capacity
    if claimed and others == (0, 0):
        assert _amount(rule, budget, capacity_bps, volumes, computes) == at_capacity


@given(rules(), tokens)
def test_zero_totals_allocate_zero_and_nothing_raises(rule, budget):
    assert _amount(rule, budget, 10_000, (0, 0), (0, 0)) == 0
    assert device_payout(budget, operator_bps=0, device_weight=0, weight_treasury=0, weight_device=0) == 0


def test_below_the_hospital_gate_nothing_is_allocated_and_at_it_something_is():
    gate = RULE.hospital_gate
    assert _amount(RULE, E18, 10_000, (1, 1), (1, 1), quality=gate - 1) == 0
    assert _amount(RULE, E18, 10_000, (1, 1), (1, 1), quality=gate) == E18 * gate // 10_000


@given(score, score, tokens, tokens)
def test_the_bonus_pays_only_what_is_new_and_at_most_its_cap(median, best, per_point, cap):
    paid = bonus(median=median, best=best, per_point=per_point, cap=cap)
    assert 0 <= paid <= cap
    if median <= best:
        assert paid == 0


@given(st.lists(score, min_size=1), st.randoms())
def test_a_lower_median_is_one_of_the_values_and_ignores_their_order(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    middle = lower_median(shuffled)
    assert middle == lower_median(values)
    assert middle in values
    assert sum(value < middle for value in values) <= (len(values) - 1) // 2
    assert sum(value <= middle for value in values) > (len(values) - 1) // 2


@given(st.lists(score, min_size=3, max_size=9), st.data())
def test_fewer_than_half_of_the_validators_cannot_move_a_median_past_the_honest(honest, data):
    liars = data.draw(st.lists(score, max_size=(len(honest) - 1) // 2))
    assert min(honest) <= lower_median(honest + liars) <= max(honest)


def test_a_median_of_nothing_is_refused():
    with pytest.raises(IncentivesError, match="no values"):
        lower_median([])
