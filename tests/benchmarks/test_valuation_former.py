"""How the decoder that came before saw a round: views standardised one by one, then their lower median."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.valuation_former import combine, former_effects, standardise
from incentives import MICRO, CohortKey, SpreadFloor

FLOOR = SpreadFloor(absolute=1_000)
utility = st.integers(-(10**9), 10**9)
views = st.dictionaries(
    st.builds(CohortKey, st.integers(1, 5), st.integers(0, 3)), utility, min_size=1, max_size=20
)


@given(views, st.integers(1, 5), utility)
def test_a_validators_own_cohorts_are_neither_standardised_nor_move_the_others(given_views, validator, own):
    with_own = given_views | {CohortKey(validator, k): own for k in range(3)}
    others = {key: value for key, value in given_views.items() if key.hospital != validator}
    standard = standardise(with_own, validator=validator, floor=FLOOR)
    assert standard == standardise(others, validator=validator, floor=FLOOR)
    assert standard.keys() == others.keys()


@given(views, st.integers(1, 5))
def test_standardised_utilities_are_integers_within_four_spreads(given_views, validator):
    standard = standardise(given_views, validator=validator, floor=FLOOR)
    for value in standard.values():
        assert isinstance(value, int)
        assert -4 * MICRO <= value <= 4 * MICRO


@given(views, st.integers(-(10**9), 10**9))
def test_a_validators_general_optimism_does_not_matter(given_views, shift):
    moved = {key: value + shift for key, value in given_views.items()}
    assert standardise(given_views, validator=9, floor=FLOOR) == standardise(moved, validator=9, floor=FLOOR)


def test_views_are_combined_by_lower_median_without_the_cohorts_own_hospital():
    cohorts = [CohortKey(h, c) for h in (1, 2, 3, 4) for c in (0, 1)]
    honest = dict.fromkeys(cohorts, 10_000) | {CohortKey(4, 1): 7_000}
    boosting = honest | {CohortKey(4, 0): 10**9, CohortKey(4, 1): 10**9}
    combined = combine({1: honest, 2: honest, 3: honest, 4: boosting}, floor=FLOOR)
    assert combined[CohortKey(4, 1)] == -3 * MICRO
    assert combined[CohortKey(4, 0)] == 0


def test_a_lone_validator_decides_nothing():
    cohorts = {CohortKey(1, 0): 1, CohortKey(2, 0): 2}
    assert combine({1: cohorts, 2: cohorts}) == {}
    assert combine({1: cohorts, 2: cohorts}, min_views=1).keys() == cohorts.keys()


def test_a_lying_minority_moves_a_combined_utility_no_further_than_an_honest_view():
    key, others = CohortKey(5, 0), [CohortKey(h, 0) for h in (1, 2, 3, 4)]
    base = {other: 1_000 * k for k, other in enumerate(others)}
    honest = {v: base | {key: 5_000 + v} for v in (1, 2, 3)}
    views_of_it = [standardise(view, validator=v, floor=FLOOR)[key] for v, view in honest.items()]
    for lie in (-(10**9), 10**9):
        combined = combine(honest | {4: base | {key: lie}}, floor=FLOOR)
        assert min(views_of_it) <= combined[key] <= max(views_of_it)


def test_a_device_whose_cohorts_always_fall_behind_is_valued_least():
    rng, devices, weights = np.random.default_rng(0), np.arange(12), np.ones(12)
    rounds = []
    for _ in range(12):
        halves = np.sort(rng.permutation(12).reshape(3, 4), axis=1)
        rounds.append([(half, -2.0 if 5 in half else 0.0) for half in halves])
    assert former_effects(rounds, weights, devices).argmin() == 5
