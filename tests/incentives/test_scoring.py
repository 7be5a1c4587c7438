import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentives import (
    CohortKey,
    IncentivesError,
    SpreadFloor,
    agree,
    hospital_scores,
    score,
    standing,
)

FLOOR = SpreadFloor(absolute=1_000)
utility = st.integers(-(10**9), 10**9)
views = st.dictionaries(
    st.builds(CohortKey, st.integers(1, 5), st.integers(0, 3)), utility, min_size=1, max_size=20
)


def test_typical_is_full_marks_and_three_spreads_behind_is_nothing():
    typical = standing([9_000, 10_000, 10_000, 10_500, 11_000], FLOOR)
    assert (typical.median, typical.spread) == (10_000, 1_000)
    assert score(10_000, typical) == score(50_000, typical) == 10_000
    assert score(8_500, typical) == 5_000
    assert score(9_999, typical) == 9_996
    assert score(7_000, typical) == score(-(10**9), typical) == 0


def test_the_spread_is_a_scaled_median_deviation_and_never_below_its_floors():
    values = [-4_000, 0, 0, 10_000, 14_000, 20_000, 30_000]
    assert standing(values, FLOOR).spread == 10_000 * 14_826 // 10_000
    assert standing([7, 7, 7], FLOOR).spread == 1_000
    assert standing([400_000, 400_000], SpreadFloor(absolute=1_000, relative_bps=2_500)).spread == 100_000
    assert standing([-400_000], SpreadFloor(absolute=1_000, relative_bps=2_500)).spread == 100_000


@given(st.lists(utility, min_size=1), utility, utility)
def test_scores_are_bounded_and_grow_with_utility(values, one, other):
    typical = standing(values, FLOOR)
    low, high = sorted((one, other))
    assert 0 <= score(low, typical) <= score(high, typical) <= 10_000
    assert score(typical.median, typical) == 10_000


@given(views, st.integers(1, 5), utility)
def test_a_validators_own_cohorts_neither_get_nor_move_a_score(given_views, validator, own):
    with_own = given_views | {CohortKey(validator, k): own for k in range(3)}
    scores = hospital_scores(with_own, validator=validator, floor=FLOOR)
    assert validator not in scores
    assert scores == hospital_scores(
        {key: value for key, value in given_views.items() if key.hospital != validator},
        validator=validator,
        floor=FLOOR,
    )


def test_a_hospitals_score_is_the_floored_mean_over_its_cohorts():
    utilities = {
        CohortKey(2, 0): 10_000,
        CohortKey(2, 1): 8_501,
        CohortKey(3, 0): 10_000,
        CohortKey(3, 1): 10_000,
    }
    assert hospital_scores(utilities, validator=1, floor=FLOOR) == {2: (10_000 + 5_003) // 2, 3: 10_000}


def test_a_validator_that_valued_nothing_scores_nobody():
    assert hospital_scores({}, validator=1) == {}


@given(views, st.integers(1, 5), st.integers(-(10**9), 10**9))
def test_how_well_a_validator_thinks_of_everybody_does_not_matter(given_views, optimist, shift):
    others = dict.fromkeys((6, 7, 8), given_views)
    moved = {key: value + shift for key, value in given_views.items()}
    plain = agree(others | {optimist: given_views}, floor=FLOOR)
    assert agree(others | {optimist: moved}, floor=FLOOR).utilities == plain.utilities


def test_what_validators_agree_on_keeps_its_unit_and_drops_their_level():
    cohorts = [CohortKey(h, c) for h in (1, 2, 3, 4) for c in (0, 1)]
    worth = {key: 1_000 * index for index, key in enumerate(cohorts)}
    agreed = agree(
        {v: {key: value + 50_000 * v for key, value in worth.items()} for v in (1, 2, 3, 4)}, floor=FLOOR
    )
    assert agreed.utilities.keys() == set(cohorts)
    # each validator takes off the median of what it may value, the cohorts of others
    assert agreed.utilities[CohortKey(4, 1)] - agreed.utilities[CohortKey(4, 0)] == 1_000
    assert agreed.scale == max(
        1_000, sum(map(abs, agreed.utilities.values())) * 12_533 // (10_000 * len(cohorts))
    )


@pytest.mark.parametrize("lie", [-(10**15), 10**15])
def test_one_liar_of_four_does_not_decide_what_is_agreed(lie):
    cohorts = [CohortKey(h, c) for h in (1, 2, 3, 4, 5) for c in (0, 1)]
    worth = {key: 1_000 * index for index, key in enumerate(cohorts)}
    honest = dict.fromkeys((1, 2, 3), worth)
    truthful = agree(honest | {4: worth}, floor=FLOOR)
    fooled = agree(honest | {4: worth | {CohortKey(5, 0): lie, CohortKey(1, 1): -lie}}, floor=FLOOR)
    far = max(abs(fooled.utilities[key] - truthful.utilities[key]) for key in cohorts)
    assert far <= 2_000  # the liar's levels differ, by as much as honest levels do
    assert fooled.scale <= truthful.scale + 2_000


def test_cohorts_with_too_few_views_are_not_agreed_on():
    cohorts = {CohortKey(1, 0): 1, CohortKey(2, 0): 2}
    nothing = agree({1: cohorts, 2: cohorts}, floor=FLOOR)
    assert (nothing.utilities, nothing.scale) == ({}, 1_000)
    assert agree({}, floor=FLOOR).utilities == {}
    assert agree({1: {CohortKey(1, 0): 5}}, floor=FLOOR).utilities == {}


@pytest.mark.parametrize("floor", [(0, 0), (1, -1)])
def test_a_floor_of_nothing_is_refused(floor):
    with pytest.raises(IncentivesError, match="no floor"):
        SpreadFloor(*floor)
