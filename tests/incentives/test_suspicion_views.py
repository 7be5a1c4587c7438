"""A round's cohorts as each validator saw them, and how far behind a margin lets a device be."""

import math

import numpy as np
import pytest
from suspected_worlds import MICRO, device, judged

from incentives import CohortEvidence, CohortKey, IncentivesError, RoundEvidence
from incentives.suspicion import SuspicionSettings, log_e_values
from incentives.suspicion_forecast import spread_of
from incentives.suspicion_views import DrawnCohort, JudgedCohort, judged_cohorts, judged_views

SETTINGS = SuspicionSettings()


def drawn_of(*keys: CohortKey, pool: int | None = None) -> dict[CohortKey, DrawnCohort]:
    """Cohorts of two devices each, in turn of two pools unless one is given."""
    return {
        key: DrawnCohort((device(2 * k), device(2 * k + 1)), (1, 1), pool=k % 2 if pool is None else pool)
        for k, key in enumerate(keys)
    }


@pytest.mark.parametrize(
    ("members", "weights"), [((), ()), ((1, 1), (1, 1)), ((1, 2), (1,)), ((1, 2), (1, 0))]
)
def test_a_cohort_that_cannot_be_is_refused(members, weights):
    with pytest.raises(IncentivesError):
        DrawnCohort(tuple(map(device, members)), weights)


def test_cohorts_keep_what_they_were_worth_and_one_that_was_not_drawn_is_left_out():
    keys = [CohortKey(1, k) for k in range(3)]
    drawn = drawn_of(*keys)
    worths = dict(zip(keys, (-900, 300, 3), strict=True))
    (found,) = judged_cohorts(worths, drawn).values()
    assert [cohort.utility for cohort in found] == [-900, 300, 3]
    assert [cohort.drawn for cohort in found] == list(drawn.values())
    assert judged_cohorts(worths, {keys[1]: drawn[keys[1]]}) == {1: (found[1],)}


def test_each_validator_judges_by_its_own_view_and_never_its_own_hospital():
    keys = [CohortKey(hospital, k) for hospital in (1, 2, 3) for k in range(2)]
    views = {validator: {key: 100 * validator * (key.cohort + 1) for key in keys} for validator in (1, 2, 3)}
    found = judged_views(views, drawn_of(*keys))
    assert {hospital: set(by) for hospital, by in found.items()} == {1: {2, 3}, 2: {1, 3}, 3: {1, 2}}
    assert [cohort.utility for cohort in found[1][3]] == [300, 600]


def test_what_one_validator_says_changes_no_other_view():
    keys = [CohortKey(hospital, k) for hospital in (1, 2, 3, 4) for k in range(3)]
    rng = np.random.default_rng(2)
    views = {v: {key: int(rng.normal(0, 1_000)) for key in keys} for v in (1, 2, 3, 4)}
    told = {**views, 2: {key: 10**15 * (-1) ** key.cohort for key in keys}}
    before, after = (judged_views(said, drawn_of(*keys)) for said in (views, told))
    assert before[1][2] != after[1][2]
    for hospital, by in before.items():
        assert all(after[hospital][validator] == by[validator] for validator in by if validator != 2)


def view_of(effects: np.ndarray, groups: np.ndarray) -> tuple[JudgedCohort, ...]:
    """Cohorts as one validator sees them, each worth the mean effect of its members."""
    return judged(groups.tolist(), [round(MICRO * effects[group].mean()) for group in groups])


def evidence_of(number: int, cohorts: tuple[JudgedCohort, ...], scale: int = MICRO) -> RoundEvidence:
    return RoundEvidence(
        number, tuple(CohortEvidence(cohort.drawn.members, cohort.utility) for cohort in cohorts), scale
    )


def mean_pays(cohorts: int, behind: float, diversity: float = 1.0, draws: int = 500) -> np.ndarray:
    """Mean pay by stake of bets on a device that is behind its hospital by so many deviations of single devices.

    Cohorts of eight; the spread is estimated from eight rounds before.

    Args:
        diversity: how far the hospital's devices lie apart.
    """
    rng, count, pays = np.random.default_rng(cohorts), 8 * cohorts, []
    for _ in range(draws):
        effects = diversity * rng.normal(size=count)
        effects[0] = effects[1:].mean() - behind * effects[1:].std(ddof=1)
        *past, now = (view_of(effects, rng.permutation(count).reshape(cohorts, 8)) for _ in range(9))
        spread = spread_of([evidence_of(number, view) for number, view in enumerate(past, start=1)], 1)
        pays.append(np.exp(np.array(log_e_values(now, {}, SETTINGS, spread=spread)[device(0)]) / MICRO))
    return np.mean(pays, axis=0)


@pytest.mark.parametrize(("cohorts", "diversity"), [(3, 1.0), (4, 1.0), (4, 3.0)])
def test_a_bet_on_a_device_that_is_behind_by_just_the_margin_pays_at_most_one_on_average(cohorts, diversity):
    assert np.all(mean_pays(cohorts, SETTINGS.margin, diversity) <= 1)


def test_with_two_cohorts_such_a_bet_is_even_up_to_the_error_of_its_spread():
    assert np.all(mean_pays(2, SETTINGS.margin) <= 1.03)


def test_a_device_that_is_twice_as_far_behind_loses_money_to_those_who_bet_against_it():
    assert np.all(mean_pays(4, 2 * SETTINGS.margin) > 1)


def test_the_spread_is_what_means_of_independent_devices_would_show():
    rng = np.random.default_rng(7)
    effects = rng.normal(size=32)
    views = [view_of(effects, rng.permutation(32).reshape(4, 8)) for _ in range(400)]
    found = [spread_of([evidence_of(1, view)], 1) ** 2 for view in views]
    assert math.sqrt(np.mean(found)) == pytest.approx(MICRO * effects.std(ddof=1) / math.sqrt(8), rel=0.05)


def test_the_spread_is_of_the_last_rounds_that_compared_cohorts_and_at_least_the_floor():
    def round_of(number, *utilities):
        return evidence_of(number, judged([[k] for k in range(len(utilities))], utilities))

    wide, narrow = [round_of(1, -9_000, 9_000)], [round_of(k, -300, 300) for k in range(2, 10)]
    assert spread_of(wide, 1) == round(9_000 * math.sqrt(2))
    assert spread_of([*wide, *narrow, round_of(10, 7_000)], 1) == round(300 * math.sqrt(2))
    assert spread_of(narrow, 500) == 500
    assert spread_of([round_of(1, 7_000)], 1) is None
    assert spread_of([], 1) is None


def test_other_hospitals_sums_change_no_bet():
    """A hospital wrecks its own cohorts in the very rounds that speak for another's device."""
    rng = np.random.default_rng(3)
    keys = [CohortKey(hospital, k) for hospital in (1, 2, 4) for k in range(3)]
    honest = {key: int(rng.normal(0, 1_000)) for key in keys}
    wrecked = {key: -150_000 if key.hospital == 4 else gain for key, gain in honest.items()}
    foretold = {device(k): int(rng.normal(0, 3_000)) for k in range(18)}
    one, other = (
        log_e_values(judged_views({3: gains}, drawn_of(*keys, pool=0))[1][3], foretold, SETTINGS, spread=900)
        for gains in (honest, wrecked)
    )
    assert one == other
    assert len(set(one.values())) > 1


def mean_pays_while_another_hospital_wrecks_its_cohorts(draws: int = 250) -> np.ndarray:
    """Mean pay by stake of bets on an honest device, behind by the margin, with five harmful colleagues that are known.

    Four hospitals of 48 devices. The fourth sees the draw, and wrecks all of its own cohorts in the rounds in which the
    victim's companions, were nothing but the forecast to decide, would have evidence fall on the victim.
    """
    rng, pays = np.random.default_rng(1), []
    effects = 0.02 * rng.normal(size=(4, 48))
    effects[:, 1:6] -= 0.12
    own = effects[0]
    own[0] = own[1:].mean() - SETTINGS.margin * own[1:].std(ddof=1)
    unit = own.std(ddof=1) / math.sqrt(12)
    foretold = {device(k): round(1_000 * (own[k] - own.mean()) / unit) for k in range(48)}
    spread = round(MICRO * unit)
    for _ in range(draws):
        groups = [rng.permutation(48).reshape(4, 12) for _ in range(4)]
        level = judged(groups[0].tolist(), [0] * 4)
        wrecks = log_e_values(level, foretold, SETTINGS, spread=spread)[device(0)][2] > 0
        gains, drawn = {}, {}
        for hospital, (effect, cohorts) in enumerate(zip(effects, groups, strict=True), start=1):
            for index, group in enumerate(cohorts):
                key = CohortKey(hospital, index)
                gains[key] = round(MICRO * (-0.15 if wrecks and hospital == 4 else effect[group].mean()))
                members = tuple(device(48 * (hospital - 1) + int(k)) for k in group)
                drawn[key] = DrawnCohort(members, (1,) * 12)
        view = judged_views({2: gains}, drawn)[1][2]
        pays.append(
            np.exp(np.array(log_e_values(view, foretold, SETTINGS, spread=spread)[device(0)]) / MICRO)
        )
    return np.mean(pays, axis=0)


def test_a_hospital_that_wrecks_its_own_cohorts_in_chosen_rounds_makes_no_bet_elsewhere_pay():
    """In units of all cohorts' spread in the round such bets paid 1.07 to 1.2 on average."""
    assert np.all(mean_pays_while_another_hospital_wrecks_its_cohorts() <= 1)
