"""Betting against a device pays nothing on average if it is like the others, and much if it does harm."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from suspected_worlds import CONSORTIUM, MICRO, device, heavy_tailed, judged, play, suspected

from incentives import CohortEvidence, IncentivesError, RoundEvidence
from incentives.suspicion import SuspicionSettings, log_e_values
from incentives.suspicion_forecast import forecast
from incentives.suspicion_standing import Status
from incentives.suspicion_views import JudgedCohort
from incentives.suspicion_watch import HospitalEvidence, Watch
from incentives.suspicion_wealth import log_limit

SETTINGS = SuspicionSettings()
NO_MARGIN = replace(SETTINGS, margin=0.0)


@st.composite
def rounds(draw, smallest=1, furthest=4_000_000, most=9_000):
    """Cohorts of one pool with any utilities, and any forecast, each within bounds."""
    sizes = draw(st.lists(st.integers(smallest, 4), min_size=2, max_size=4))
    devices = iter(range(16))
    utilities = st.integers(-furthest, furthest)
    groups = [[next(devices) for _ in range(size)] for size in sizes]
    foretold = {device(k): draw(st.integers(-most, most)) for k in range(sum(sizes))}
    return judged(groups, [draw(utilities) for _ in sizes]), foretold


def swapped(cohorts: tuple[JudgedCohort, ...], one: bytes, other: bytes) -> tuple[JudgedCohort, ...]:
    names = {one: other, other: one}
    return tuple(
        replace(c, drawn=replace(c.drawn, members=tuple(names.get(m, m) for m in c.drawn.members)))
        for c in cohorts
    )


def pays(cohorts, foretold, one: bytes) -> np.ndarray:
    return np.exp(np.array(log_e_values(cohorts, foretold, NO_MARGIN)[one]) / MICRO)


@settings(max_examples=40)
@given(rounds(), st.integers(0, 15))
def test_a_bet_is_even_over_all_places_that_chance_could_have_given_the_device(drawn, chosen):
    """Nothing foretold: whatever the utilities, every device's pay over its possible places has mean 1."""
    cohorts, _ = drawn
    devices = [member for cohort in cohorts for member in cohort.drawn.members]
    one = devices[chosen % len(devices)]
    places = [pays(swapped(cohorts, one, other), {}, one) for other in devices]
    np.testing.assert_allclose(np.mean(places, axis=0), 1, atol=1e-5)


@settings(max_examples=40)
@given(rounds(), st.integers(0, 15))
def test_a_bet_is_even_where_companions_do_just_what_was_foretold(drawn, chosen):
    """Utilities are the foretold effects of all but one device, and a remainder that its place is independent of."""
    cohorts, foretold = drawn
    devices = [member for cohort in cohorts for member in cohort.drawn.members]
    one = devices[chosen % len(devices)]
    foretold[one] = round(np.mean([foretold[other] for other in devices if other != one]))
    places = []
    for other in devices:
        moved = [
            replace(c, utility=c.utility + round(1_000 * np.mean([foretold[m] for m in c.drawn.members])))
            for c in swapped(cohorts, one, other)
        ]
        places.append(pays(moved, foretold, one))
    np.testing.assert_allclose(np.mean(places, axis=0), 1, atol=1e-2)


def test_a_forecast_that_is_wrong_costs_less_than_the_margin():
    """Each companion is foretold to move its cohort by half a spread, and none does."""
    rng, one = np.random.default_rng(8), device(0)
    wrong = {device(k): int(rng.normal(0, 5_000)) for k in range(1, 40)}
    places, lenient = [], []
    for _ in range(1_500):
        groups = np.array_split(rng.permutation(40), 4)
        cohorts = judged(groups, [round(rng.normal(0, 7e5)) for _ in groups])
        places.append(pays(cohorts, wrong, one)[:2])
        lenient.append(np.exp(np.array(log_e_values(cohorts, wrong, SETTINGS)[one])[:2] / MICRO))
    assert np.all(np.mean(places, axis=0) < 1.1)
    assert np.all(np.mean(lenient, axis=0) < 1)


@given(rounds(), st.floats(0, 2))
def test_a_margin_only_lowers_what_a_bet_pays(drawn, margin):
    cohorts, foretold = drawn
    even = log_e_values(cohorts, foretold, NO_MARGIN)
    lenient = log_e_values(cohorts, foretold, replace(SETTINGS, margin=margin))
    assert all(low <= high for one in even for low, high in zip(lenient[one], even[one], strict=True))


@settings(max_examples=60)
@given(rounds(smallest=2, furthest=1_000_000, most=1_000), st.integers(1, 2_000_000))
def test_a_device_whose_cohort_does_better_is_not_suspected_more(drawn, more):
    """Unless it is so far behind that it is clipped: what it gains is not seen there, and what the margin loses is."""
    cohorts, foretold = drawn
    first, *rest = cohorts
    better = (replace(first, utility=first.utility + more), *rest)
    before, after = (log_e_values(found, foretold, SETTINGS) for found in (cohorts, better))
    for one in first.drawn.members:
        assert all(low <= high for low, high in zip(after[one], before[one], strict=True))


def test_nothing_is_learnt_from_a_pool_with_a_single_cohort():
    cohorts = [
        *judged([[0]], [-4_000_000]),
        *judged([[1], [2]], [1_000_000, 2_000_000], pool=1),
    ]
    assert set(log_e_values(cohorts, {}, SETTINGS)) == {device(1), device(2)}
    assert log_e_values([], {}, SETTINGS) == {}


def test_harmful_companions_that_are_known_excuse_a_device():
    cohorts = judged([[0, 1], [2, 3]], [-2_000_000, 0])
    unknown = log_e_values(cohorts, {}, SETTINGS)
    known = log_e_values(cohorts, {device(1): -4_000}, SETTINGS)
    assert unknown[device(0)] == unknown[device(1)]
    assert all(known[device(0)][k] < 0 < known[device(1)][k] for k in range(2))


def test_a_companion_of_more_weight_explains_more():
    def pay(weights):
        groups = judged([[0, 1, 2], [3, 4, 5]], [-1_000_000, 0], [(2, *weights), (2, 2, 2)])
        return log_e_values(groups, {device(1): -1_000}, SETTINGS)[device(0)]

    assert all(heavy < light for heavy, light in zip(pay((3, 1)), pay((1, 3)), strict=True))


@pytest.mark.parametrize("noise", ["gaussian", "heavy tails"])
@pytest.mark.parametrize("cohorts", [2, 5])
def test_hardly_any_run_suspects_an_honest_device(noise, cohorts):
    """At alpha 0.2 a run in five might; devices lie anywhere within the margin of the typical one."""
    strict, runs, wrong = replace(SETTINGS, alpha=0.2), 40, 0
    kind = {"heavy tails": {"noise": heavy_tailed}}.get(noise, {})
    for seed in range(runs):
        within = SETTINGS.margin * math.sqrt(20 / cohorts)
        effects = np.random.default_rng((seed, 1)).uniform(-within, within, 20)
        _, decisions = play(
            effects, rounds=30, cohorts=cohorts, settings=strict, seed=seed, foretold=False, **kind
        )
        wrong += bool(suspected(decisions))
    assert wrong <= 0.2 * runs


def test_devices_that_do_harm_are_suspected_and_no_others():
    bad = np.zeros(40)
    bad[:4] = -12.0  # in a cohort of ten, more than a spread
    watch, decisions = play(bad, rounds=50, cohorts=4, settings=SETTINGS, seed=1)
    assert suspected(decisions) == {device(k) for k in range(4)}
    assert all(watch.standing(device(k)).strikes == 0 for k in range(4, 40))


def test_two_cohorts_a_hospital_are_enough():
    bad = np.zeros(20)
    bad[0] = -15.0
    _, decisions = play(bad, rounds=60, cohorts=2, settings=SETTINGS, seed=2)
    assert suspected(decisions) == {device(0)}


def test_a_device_that_turns_bad_late_is_found_as_well():
    good, bad = np.zeros(40), np.zeros(40)
    bad[0] = -14.0
    _, decisions = play(good, rounds=110, cohorts=4, settings=SETTINGS, seed=3, changes={41: bad})
    first = next(number for number, _ in decisions)
    assert suspected(decisions) == {device(0)}
    assert first > 41


def test_the_limit_grows_with_the_number_of_devices():
    assert log_limit(0.01, 1_000) == math.ceil(1_000 * math.log(100_000))
    with pytest.raises(IncentivesError, match="at least 1"):
        log_limit(0.01, 0)


def test_a_forecast_is_in_whole_thousandths_and_finds_who_does_harm():
    rng = np.random.default_rng(4)
    history = []
    for number in range(1, 31):
        order = [int(k) for k in rng.permutation(20)]
        cohorts = tuple(
            CohortEvidence(tuple(map(device, half)), round(-900_000 if 0 in half else rng.normal(0, 2e5)))
            for half in (order[:10], order[10:])
        )
        history.append(RoundEvidence(number, cohorts))
    found = forecast(history)
    assert min(found, key=found.get) == device(0)
    assert all(type(value) is int for value in found.values())
    assert forecast([]) == {}


def test_a_forecast_is_in_spreads_of_the_hospital_whatever_the_unit_of_utility():
    rng = np.random.default_rng(6)
    near, far = [], []
    for number in range(1, 13):
        groups = np.array_split(rng.permutation(20), 2)
        worths = [int(rng.normal(0, 2e5)) - 500_000 * (0 in group) for group in groups]
        for history, times in ((near, 1), (far, 7)):
            cohorts = tuple(
                CohortEvidence(tuple(device(int(k)) for k in group), times * worth)
                for group, worth in zip(groups, worths, strict=True)
            )
            history.append(RoundEvidence(number, cohorts, scale=times * MICRO))
    before, after = forecast(near), forecast(far)
    assert min(before.values()) < -1_000
    assert all(abs(after[one] - before[one]) <= 1 for one in before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"probation_alpha": 1.0}, "probation_alpha"),
        ({"margin": -0.1}, "margin"),
        ({"margin": math.inf}, "margin"),
        ({"stakes": ()}, "stakes"),
        ({"stakes": (0.5, 11.0)}, "stakes"),
        ({"horizon": 1}, "horizon"),
        ({"quarantine_rounds": 0}, "quarantine_rounds"),
        ({"probation_rounds": 0}, "probation_rounds"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(IncentivesError, match=message):
        SuspicionSettings(**changes)


def test_a_spread_that_is_none_is_refused():
    with pytest.raises(IncentivesError, match="spread of 0"):
        log_e_values(judged([[0], [1]], [0, 0]), {}, SETTINGS, spread=0)


def test_only_worth_in_spreads_counts():
    near, far = judged([[0, 1], [2, 3]], [-2_000, 500]), judged([[0, 1], [2, 3]], [-2_000_000, 500_000])
    assert log_e_values(near, {}, SETTINGS, spread=1_000) == log_e_values(far, {}, SETTINGS)


def test_a_validator_that_tells_integers_beyond_all_bounds_moves_no_further_than_the_clip():
    far, further = (judged([[0, 1], [2, 3]], [-worth, 500]) for worth in (10**13, 10**500))
    assert log_e_values(far, {}, SETTINGS) == log_e_values(further, {}, SETTINGS)


def test_a_round_in_which_cohorts_lie_further_apart_than_before_allows_more():
    """Behind by four spreads, of which the round's own spread lets the margin grow from 1.5 to 4.2 deviations."""
    pay = log_e_values(judged([[0], [1]], [-4_000_000, 0]), {}, SETTINGS)[device(0)]
    allowed = SETTINGS.margin * math.sqrt(8)
    expected = math.log(2) - np.log1p(np.exp(np.array(SETTINGS.stakes) * (-4 + allowed)))
    np.testing.assert_allclose(np.array(pay) / MICRO, expected, atol=1e-6)


def test_a_device_in_two_cohorts_or_two_hospitals_is_refused():
    with pytest.raises(IncentivesError, match="two cohorts"):
        log_e_values(judged([[0, 1], [1, 2]], [0, 0]), {}, SETTINGS)
    apart = judged([[0], [1]], [0, 0])
    with pytest.raises(IncentivesError, match="two hospitals"):
        Watch(SETTINGS, 2, CONSORTIUM).after(
            1, [HospitalEvidence(hospital, {3: apart}, {}) for hospital in (1, 2)]
        )


def test_decisions_say_what_they_rest_on():
    bad = np.zeros(20)
    bad[0] = -16.0
    _, decisions = play(bad, rounds=40, cohorts=4, settings=SETTINGS, seed=5)
    number, first = decisions[0]
    assert first.status is Status.QUARANTINE
    assert first.evidence >= first.limit == log_limit(SETTINGS.alpha, 20)
    assert first.until == number + 1 + SETTINGS.quarantine_rounds
