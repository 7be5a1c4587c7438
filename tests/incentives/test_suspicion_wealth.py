"""Accounts of bets by validator: what a minority of liars says moves its own accounts, and nothing that counts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lying_validators import LIES, play_lies
from suspected_worlds import CONSORTIUM, HOME, device, judged

from incentives import IncentivesError
from incentives.suspicion import SuspicionSettings
from incentives.suspicion_standing import Standing, Status
from incentives.suspicion_watch import HospitalEvidence, Watch
from incentives.suspicion_wealth import Accounts, Wealth, log_limit, tolerated

SETTINGS = SuspicionSettings()
STAKES = len(SETTINGS.stakes)


def accounts_of(totals: list[float], validators: int | None = None) -> Accounts:
    """Accounts that are worth so much, all of it staked."""
    staked = {k: Wealth(SETTINGS.horizon, (total,) * STAKES) for k, total in enumerate(totals)}
    return Accounts(validators or len(totals), staked)


def evidence(totals: list[float]) -> float:
    return accounts_of(totals).evidence(SETTINGS) / 1_000


def test_wealth_begins_at_one_and_is_spread_over_the_epoch():
    wealth = Wealth.initial(SETTINGS)
    assert wealth.total(SETTINGS) == 1
    for _ in range(SETTINGS.horizon + 5):
        wealth = wealth.after((0,) * STAKES, SETTINGS)
        assert wealth.total(SETTINGS) == pytest.approx(1, abs=1e-9)


def test_lost_bets_leave_what_was_not_yet_staked():
    lost = (-20_000_000,) * STAKES
    wealth = Wealth.initial(SETTINGS).after(lost, SETTINGS)
    assert wealth.total(SETTINGS) == pytest.approx(0.5, abs=1e-6)
    for _ in range(SETTINGS.horizon):
        wealth = wealth.after(lost, SETTINGS)
    assert wealth.total(SETTINGS) < 1e-10


def test_the_limit_grows_with_the_number_of_devices():
    assert log_limit(0.01, 1_000) == math.ceil(1_000 * math.log(100_000))
    with pytest.raises(IncentivesError, match="at least 1"):
        log_limit(0.01, 0)


@pytest.mark.parametrize(("hospitals", "liars"), [(2, 0), (3, 0), (4, 1), (5, 1), (6, 2), (7, 2), (20, 9)])
def test_a_minority_of_the_other_hospitals_may_lie(hospitals, liars):
    assert tolerated(hospitals - 1) == liars
    with pytest.raises(IncentivesError, match="at least one"):
        tolerated(0)


_totals = st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=9)


@given(_totals, st.data())
def test_evidence_is_never_more_than_the_mean_account_of_those_who_are_honest(totals, data):
    """Whoever lies, and whatever it says: the honest accounts alone bound what all say together."""
    order = data.draw(st.permutations(range(len(totals))))
    liars, honest = order[: tolerated(len(totals))], order[tolerated(len(totals)) :]
    for liar in liars:
        totals[liar] = data.draw(st.floats(0, 1e300))
    assert evidence(totals) <= math.log(sum(totals[k] for k in honest) / len(honest)) + 1e-6


@given(_totals)
def test_evidence_reaches_a_limit_wherever_counting_accounts_above_it_would(totals):
    """The (f + 1)-th largest account over v - f is what a union bound over validators would ask for."""
    liars = tolerated(len(totals))
    counted = sorted(totals, reverse=True)[liars] / (len(totals) - liars)
    assert evidence(totals) >= math.log(counted) - 0.002


@given(_totals, st.data())
def test_liars_cannot_keep_what_all_honest_validators_are_sure_of_from_counting(totals, data):
    liars = tolerated(len(totals))
    kept = len(totals) - liars
    protected = [0.0] * liars + totals[liars:]
    least = math.log(min(totals[liars:]) * (kept - liars) / kept)
    assert evidence(protected) >= least - 0.002


def test_accounts_that_agree_are_as_strong_as_one():
    assert evidence([50.0] * 3) == pytest.approx(math.log(50), abs=0.002)


def test_of_two_validators_one_liar_is_enough():
    assert evidence([1e12, 1e-3]) > log_limit(SETTINGS.alpha, 1_000) / 1_000
    assert evidence([1e12, 1e-3, 1e-3]) < 0


def test_a_validator_that_reveals_nothing_places_no_bet():
    lost, even = (-1_000_000,) * STAKES, (0,) * STAKES
    accounts = Accounts(3).after({2: lost, 3: lost}, SETTINGS).after({2: even, 3: even, 4: lost}, SETTINGS)
    assert {who: account.rounds for who, account in accounts.wealth.items()} == {2: 2, 3: 2, 4: 1}
    assert Accounts(3).evidence(SETTINGS) == 0
    with pytest.raises(IncentivesError, match="where 1 may"):
        Accounts(1).after({2: even, 3: even}, SETTINGS)


@pytest.mark.parametrize("lie", LIES)
def test_one_liar_of_four_that_knows_the_draw_has_no_honest_device_suspected(lie):
    """One account on the lower median over validators suspects the victim in five of six runs of 60 rounds."""
    runs = [play_lies(seed, rounds=60, lie=lie, settings=SETTINGS) for seed in range(6)]
    assert sum(device(0) in former for former, _ in runs) == 5
    assert not any(watch.standings for _, watch in runs)


def test_what_the_liar_says_leaves_the_accounts_of_others_alone():
    _, truthful = play_lies(1, rounds=12, lie="truth", settings=SETTINGS)
    _, lied = play_lies(1, rounds=12, lie="extremes", settings=SETTINGS)
    for validator in (3, 4):
        own, others = ({d: a.wealth[validator] for d, a in w.accounts.items()} for w in (truthful, lied))
        assert own == others
    assert lied.accounts[device(0)].wealth[2].total(SETTINGS) > 100


def test_on_probation_a_liar_has_no_honest_device_suspected_either():
    on_probation = {device(k): Standing(Status.PROBATION, strikes=1) for k in range(48)}
    settings = replace(SETTINGS, probation_rounds=60)
    for seed in range(4):
        _, watch = play_lies(seed, rounds=30, lie="extremes", settings=settings, standings=on_probation)
        assert watch.standing(device(0)).strikes == 1


def one_round(watch: Watch, number: int, views: dict[int, tuple[int, int]]) -> Watch:
    """A round of two cohorts of two devices each."""
    seen = {validator: judged([[0, 1], [2, 3]], utilities) for validator, utilities in views.items()}
    return watch.after(number, [HospitalEvidence(HOME, seen, {})])[0]


def test_a_round_of_probation_counts_if_more_than_the_tolerated_liars_judged_it():
    standings = {device(0): Standing(Status.PROBATION, strikes=1)}
    watch = one_round(Watch(SETTINGS, 4, CONSORTIUM, standings), 1, {2: (0, 0)})
    assert watch.standing(device(0)).passed == 0
    watch = one_round(watch, 2, {2: (0, 0), 4: (0, 0)})
    assert watch.standing(device(0)).passed == 1


def test_who_joined_after_the_epoch_began_and_the_own_hospital_are_not_listened_to():
    worst = (-4_000_000, 4_000_000)
    watch = one_round(Watch(SETTINGS, 4, CONSORTIUM), 1, {HOME: worst, 9: worst})
    assert not watch.accounts
    watch = one_round(watch, 2, {2: worst, HOME: worst, 9: worst})
    assert {device(k): {2} for k in range(4)} == {d: set(a.wealth) for d, a in watch.accounts.items()}


def test_what_honest_validators_say_together_is_even_on_average():
    """Views share the draw and most of their noise, so that accounts move together; their mean still is even."""
    even, stakes = replace(SETTINGS, margin=0.0), []
    for seed in range(60):
        _, watch = play_lies(seed, rounds=2, lie="truth", settings=even)
        stakes.append([math.exp(a.evidence(even) / 1_000) for a in watch.accounts.values()])
    assert np.mean(stakes) < 1
