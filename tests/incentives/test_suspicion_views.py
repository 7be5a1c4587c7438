"""A round's cohorts as each validator saw them, and how far behind a margin lets a device be."""

import math
from dataclasses import replace

import numpy as np
import pytest
from suspected_worlds import MICRO, device

from incentives import CohortKey, IncentivesError, SpreadFloor
from incentives.scoring import AgreedWorths
from incentives.suspicion import SuspicionSettings, log_e_values
from incentives.suspicion_views import DrawnCohort, judged_cohorts, judged_views

SETTINGS = SuspicionSettings()
FLOOR = SpreadFloor(1)


def drawn_of(*keys: CohortKey) -> dict[CohortKey, DrawnCohort]:
    """Cohorts of two devices each."""
    return {
        key: DrawnCohort((device(2 * k), device(2 * k + 1)), (1, 1), pool=k % 2) for k, key in enumerate(keys)
    }


@pytest.mark.parametrize(
    ("members", "weights"), [((), ()), ((1, 1), (1, 1)), ((1, 2), (1,)), ((1, 2), (1, 0))]
)
def test_a_cohort_that_cannot_be_is_refused(members, weights):
    with pytest.raises(IncentivesError):
        DrawnCohort(tuple(map(device, members)), weights)


def test_worths_are_taken_in_spreads_of_the_round_and_clipped():
    keys = [CohortKey(1, k) for k in range(3)]
    drawn = drawn_of(*keys)
    worths = AgreedWorths(dict(zip(keys, (-900, 300, 3), strict=True)), scale=100)
    (found,) = judged_cohorts(worths, drawn).values()
    assert [cohort.utility for cohort in found] == [-4 * MICRO, 3 * MICRO, 3 * MICRO // 100]
    assert [cohort.drawn for cohort in found] == list(drawn.values())
    assert judged_cohorts(worths, {keys[1]: drawn[keys[1]]}) == {1: (found[1],)}


def test_each_validator_judges_by_its_own_view_and_never_its_own_hospital():
    keys = [CohortKey(hospital, k) for hospital in (1, 2, 3) for k in range(2)]
    views = {validator: {key: 100 * validator * (key.cohort + 1) for key in keys} for validator in (1, 2, 3)}
    found = judged_views(views, drawn_of(*keys), floor=FLOOR)
    assert {hospital: set(by) for hospital, by in found.items()} == {1: {2, 3}, 2: {1, 3}, 3: {1, 2}}
    elsewhere = {who: {key: gain + 77 * who for key, gain in view.items()} for who, view in views.items()}
    assert judged_views(elsewhere, drawn_of(*keys), floor=FLOOR) == found  # only differences count


def test_what_one_validator_says_changes_no_other_view():
    keys = [CohortKey(hospital, k) for hospital in (1, 2, 3, 4) for k in range(3)]
    rng = np.random.default_rng(2)
    views = {v: {key: int(rng.normal(0, 1_000)) for key in keys} for v in (1, 2, 3, 4)}
    told = {**views, 2: {key: 10**15 * (-1) ** key.cohort for key in keys}}
    before, after = (judged_views(said, drawn_of(*keys), floor=FLOOR) for said in (views, told))
    assert before[1][2] != after[1][2]
    for hospital, by in before.items():
        assert all(after[hospital][validator] == by[validator] for validator in by if validator != 2)


def mean_pays(cohorts: int, behind: float, settings: SuspicionSettings, draws: int = 1_200) -> np.ndarray:
    """Mean pay by stake of bets on a device that is behind its hospital by so many deviations of single devices.

    Three hospitals of as many cohorts of eight, as one validator sees them: its spread is estimated from those.
    """
    rng, count, pays = np.random.default_rng(cohorts), 8 * cohorts, []
    for _ in range(draws):
        gains, drawn = {}, {}
        for hospital in range(3):
            effects = rng.normal(size=count)
            if hospital == 0:
                effects[0] = effects[1:].mean() - behind
            for index, group in enumerate(rng.permutation(count).reshape(cohorts, 8)):
                key = CohortKey(hospital, index)
                gains[key] = round(MICRO * effects[group].mean())
                members = tuple(device(1_000 * hospital + int(k)) for k in group)
                drawn[key] = DrawnCohort(members, (1,) * 8)
        view = judged_views({9: gains}, drawn)[0][9]
        pays.append(np.exp(np.array(log_e_values(view, {}, settings)[device(0)]) / MICRO))
    return np.mean(pays, axis=0)


@pytest.mark.parametrize("cohorts", [2, 3, 4])
def test_a_bet_on_a_device_that_is_behind_by_just_the_margin_pays_at_most_one_on_average(cohorts):
    assert np.all(mean_pays(cohorts, SETTINGS.margin, SETTINGS) <= 1)


def test_with_two_cohorts_deviations_as_observed_would_be_too_narrow():
    """A margin in units of the observed spread, which K cohorts of one pool narrow by sqrt((K - 1) / K)."""
    observed = replace(SETTINGS, margin=SETTINGS.margin * math.sqrt(1 / 2))
    assert np.all(mean_pays(2, SETTINGS.margin, observed)[:2] > 1)
