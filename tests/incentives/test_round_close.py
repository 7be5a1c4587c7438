import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incentive_strategies import RULE, rules, score

from incentives import (
    EmissionTerms,
    HospitalRound,
    IncentivesError,
    Lanes,
    LedgerState,
    Profile,
    Reveal,
    accepted_digest,
    close_round,
    median_quality,
)

E18 = 10**18
DIGEST, OTHER = b"d" * 32, b"o" * 32
TERMS = EmissionTerms(max_supply=10_000 * E18, decay_bps=9_900, bonus_per_point=E18 // 10, bonus_cap=50 * E18)
STATE = LedgerState(total_allocated=0, next_emission=1_000 * E18, best_model_score=8_000)


def _hospital(number, *, given=9_000, model=8_000, volume=50_000, **change):
    record = HospitalRound(
        hospital=number,
        capacity_bps=4_000,
        lanes=Lanes(16, volume, 20_000, 10**9, 10**9),
        reveal=Reveal({other: given for other in range(1, 5) if other != number}, model),
        attested=DIGEST,
    )
    return dataclasses.replace(record, **change)


def _four(**changes):
    """Four equal hospitals; ``h2={...}`` changes the second."""
    return [_hospital(number, **changes.get(f"h{number}", {})) for number in (1, 2, 3, 4)]


def _close(hospitals, *, state=STATE, profile=Profile.ACCOUNTABLE, rule=RULE, terms=TERMS):
    return close_round(rule, profile, hospitals, state, terms)


def _amounts(outcome):
    return {item.hospital: item.amount for item in outcome.hospitals}


def test_four_equal_hospitals_share_a_paid_round_equally():
    outcome = _close(_four())
    assert outcome.paid
    assert outcome.accepted_digest == DIGEST
    assert outcome.budget == 1_000 * E18
    assert _amounts(outcome) == dict.fromkeys((1, 2, 3, 4), 1_000 * E18 // 4 * 9_000 // 10_000)
    assert outcome.state == LedgerState(
        total_allocated=900 * E18, next_emission=990 * E18, rolled_over=0, best_model_score=8_000
    )


@pytest.mark.parametrize(
    "change", [{"lanes": None}, {"reveal": None}, {"attested": None}, {"attested": OTHER}, {"voided": True}]
)
def test_who_does_not_enter_reveal_and_attest_gets_nothing_and_costs_nobody(change):
    honest, outcome = _close(_four()), _close(_four(h2=change))
    assert 2 not in _amounts(outcome)
    for hospital in (1, 3, 4):
        assert _amounts(outcome)[hospital] >= _amounts(honest)[hospital]
    assert outcome.forfeited == (() if change == {"lanes": None} else (2,))
    assert sum(_amounts(outcome).values()) <= outcome.budget


def test_without_quorum_nothing_is_paid_and_the_emission_rolls_over():
    split = _four(h1={"attested": OTHER}, h2={"attested": None})
    outcome = _close(split)
    assert not outcome.paid
    assert (outcome.budget, outcome.bonus, outcome.hospitals, outcome.median_model_score) == (0, 0, (), 0)
    assert outcome.state == LedgerState(
        total_allocated=0, next_emission=990 * E18, rolled_over=1_000 * E18, best_model_score=8_000
    )
    following = _close(_four(), state=outcome.state)
    assert following.budget == 1_990 * E18
    assert following.state.rolled_over == 0


def test_a_roll_over_never_exceeds_the_supply():
    state = dataclasses.replace(STATE, rolled_over=TERMS.max_supply)
    assert _close(_four(h1={"attested": None}, h2={"attested": None}), state=state).state.rolled_over == (
        TERMS.max_supply
    )


@given(st.lists(st.sampled_from([DIGEST, OTHER, None]), min_size=1, max_size=30))
def test_quorum_is_two_thirds_of_those_active_at_opening(attested):
    hospitals = [_hospital(number + 1, attested=digest) for number, digest in enumerate(attested)]
    accepted = accepted_digest(hospitals)
    for digest in (DIGEST, OTHER):
        assert (accepted == digest) == (3 * attested.count(digest) >= 2 * len(attested))


def test_quality_is_the_lower_median_of_the_others_and_never_ones_own():
    hospitals = _four(
        h1={"reveal": Reveal({1: 10_000, 4: 1_000}, 0)},
        h2={"reveal": Reveal({4: 5_000}, 0)},
        h3={"reveal": Reveal({1: 3_000, 4: 9_000}, 0)},
        h4={"reveal": Reveal({1: 4_000, 4: 10_000}, 0)},
    )
    assert median_quality(4, hospitals) == 5_000
    assert median_quality(1, hospitals) == 3_000
    assert median_quality(2, hospitals) is None


def test_with_fewer_than_two_scores_the_last_accepted_quality_stands():
    hospitals = [dataclasses.replace(item, reveal=Reveal({}, 8_000), last_quality=7_000) for item in _four()]
    outcome = _close(hospitals)
    assert {item.quality for item in outcome.hospitals} == {7_000}
    assert outcome.last_qualities == dict.fromkeys((1, 2, 3, 4), 7_000)


def _revealed_by(*who):
    """Four hospitals that all entered and attested, with a last quality apart from what is given now."""
    told = _four(**{f"h{number}": {"reveal": None} for number in (1, 2, 3, 4) if number not in who})
    return [dataclasses.replace(item, last_quality=7_000) for item in told]


def test_without_a_reveal_all_forfeit_and_qualities_and_best_score_stand():
    outcome = _close(_revealed_by())
    assert (outcome.paid, outcome.hospitals, outcome.forfeited) == (True, (), (1, 2, 3, 4))
    assert outcome.last_qualities == dict.fromkeys((1, 2, 3, 4), 7_000)
    assert outcome.state.total_allocated == STATE.total_allocated
    assert outcome.state.best_model_score == STATE.best_model_score
    following = _close(_four(), state=outcome.state)
    assert {item.quality for item in following.hospitals} == {9_000}
    assert all(amount > 0 for amount in _amounts(following).values())


def test_a_lone_reveal_changes_no_quality_and_whoever_made_it_is_paid_for_its_last_one():
    outcome = _close(_revealed_by(2))
    assert outcome.forfeited == (1, 3, 4)
    assert outcome.last_qualities == dict.fromkeys((1, 2, 3, 4), 7_000)
    assert _amounts(outcome) == {2: 280 * E18}  # of 1,000: its capacity of 0.4, times its quality of 0.7
    assert outcome.bonus == 0
    assert outcome.state.best_model_score == STATE.best_model_score


def test_two_reveals_score_those_who_made_none_and_their_own_makers_are_paid_for_their_last_quality():
    outcome = _close(_revealed_by(1, 2))
    assert outcome.forfeited == (3, 4)
    assert outcome.last_qualities == {1: 7_000, 2: 7_000, 3: 9_000, 4: 9_000}
    assert _amounts(outcome) == dict.fromkeys((1, 2), 280 * E18)


def test_a_forfeited_hospitals_quality_moves_on_all_the_same():
    outcome = _close(_four(h2={"attested": None}))
    assert outcome.last_qualities[2] == 9_000


def test_an_unpaid_round_leaves_qualities_as_they_were():
    outcome = _close(_four(h1={"attested": None}, h2={"attested": None}))
    assert set(outcome.last_qualities.values()) == {10_000}


def test_the_private_profile_scores_no_hospital_and_has_no_gate():
    outcome = _close(_four(**{f"h{k}": {"given": 0} for k in (1, 2, 3, 4)}), profile=Profile.PRIVATE)
    assert {item.quality for item in outcome.hospitals} == {10_000}
    assert sum(_amounts(outcome).values()) == 1_000 * E18
    gated = _close(_four(**{f"h{k}": {"given": 0} for k in (1, 2, 3, 4)}))
    assert sum(_amounts(gated).values()) == 0


def test_a_better_model_earns_a_capped_bonus_and_raises_the_mark():
    def at(model):
        return _close(_four(**{f"h{k}": {"model": model} for k in (1, 2, 3, 4)}))

    assert (at(8_000).bonus, at(7_000).bonus) == (0, 0)
    assert at(7_000).state.best_model_score == 8_000
    assert at(8_100).bonus == 10 * E18
    assert at(8_100).budget == 1_010 * E18
    assert at(10_000).bonus == TERMS.bonus_cap
    assert at(10_000).state.best_model_score == 10_000


def test_the_first_median_only_sets_the_mark():
    outcome = _close(_four(), state=dataclasses.replace(STATE, best_model_score=None))
    assert (outcome.bonus, outcome.state.best_model_score, outcome.median_model_score) == (0, 8_000, 8_000)


def test_one_optimist_earns_no_bonus():
    assert _close(_four(h1={"model": 10_000})).bonus == 0


def test_the_budget_stops_at_the_supply():
    state = dataclasses.replace(STATE, total_allocated=TERMS.max_supply - 7)
    outcome = _close(_four(), state=state)
    assert outcome.budget == 7
    assert outcome.state.total_allocated <= TERMS.max_supply


def test_inflating_volume_past_its_capacity_gains_a_hospital_nothing():
    honest = _amounts(_close(_four(h1={"volume": 100_000})))[1]
    for inflated in (10**6, 10**9, 2**40):
        assert _amounts(_close(_four(h1={"volume": inflated})))[1] <= 1_000 * E18 * 4_000 * 9_000 // 10_000**2
    assert honest <= 1_000 * E18 * 4_000 * 9_000 // 10_000**2


@given(score, score)
def test_low_balling_a_rival_pays_nobody(fair, low):
    def close(given):
        return _amounts(_close(_four(h1={"reveal": Reveal({2: given, 3: 9_000, 4: 9_000}, 8_000)})))

    before, after = close(max(fair, low)), close(min(fair, low))
    assert after[2] <= before[2]
    assert {k: v for k, v in after.items() if k != 2} == {k: v for k, v in before.items() if k != 2}


reveals = st.none() | st.builds(Reveal, st.dictionaries(st.integers(1, 8), score), score)
lanes = st.none() | st.builds(
    Lanes, st.integers(1, 99), st.integers(0, 10**6), st.integers(0, 10**6), st.just(1), st.just(1)
)
hospital_rounds = st.lists(
    st.builds(
        HospitalRound,
        hospital=st.integers(1, 8),
        capacity_bps=score,
        lanes=lanes,
        reveal=reveals,
        attested=st.sampled_from([DIGEST, DIGEST, OTHER, None]),
        voided=st.booleans(),
        last_quality=score,
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda item: item.hospital,
)


@given(rules(), st.sampled_from(Profile), hospital_rounds, st.integers(0, 10**22), st.integers(0, 10**22))
def test_any_round_closes_and_allocates_no_more_than_its_budget(rule, profile, hospitals, done, rolled):
    state = LedgerState(total_allocated=min(done, TERMS.max_supply), next_emission=E18, rolled_over=rolled)
    outcome = _close(hospitals, state=state, profile=profile, rule=rule)
    spent = sum(item.amount for item in outcome.hospitals)
    assert spent <= outcome.budget
    assert outcome.state.total_allocated == state.total_allocated + spent <= TERMS.max_supply
    assert _close(hospitals[::-1], state=state, profile=profile, rule=rule) == outcome


def test_a_hospital_that_comes_twice_is_refused():
    with pytest.raises(IncentivesError, match="twice"):
        _close([_hospital(1), _hospital(1)])
