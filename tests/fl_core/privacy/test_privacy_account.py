"""An account is charged before anything is sent, and never beyond its budget."""

import dataclasses
import json

import pytest

from fl_core.errors import FlError, SpecError
from fl_core.privacy import (
    Accountant,
    Budget,
    Charge,
    PrivacyBudgetError,
    Sensitivity,
    calibrate,
    composed_person_loss,
    person_loss,
    privacy_loss,
    round_exposure,
)

SENSITIVITY = Sensitivity(l1=900.0, l2=300.0)
COUNTS = {"profile": "hospital", "honest_in_cohort": 4, "honest_at_release": 12, "entries": 400}
NOISE = calibrate(epsilon=2.0, delta=1e-5, rounds=6, sensitivity=SENSITIVITY, **COUNTS)
EXPOSURE = round_exposure(NOISE, SENSITIVITY, **COUNTS)


def update(round_number, attempt=0, exposure=EXPOSURE):
    return Charge(round_number, attempt, "update", exposure)


def account(charges=0, **changes):
    budget = dataclasses.replace(Budget.of(NOISE, EXPOSURE), **changes)
    return Accountant(budget, tuple(update(r) for r in range(1, charges + 1)))


def test_all_rounds_of_the_cap_fit_the_budget_and_no_further_one():
    accountant = account()
    for r in range(1, 7):
        assert not accountant.would_exceed(update(r))
        accountant.charge(update(r))
    assert accountant.loss().release <= 2.0
    with pytest.raises(PrivacyBudgetError, match="taken part in its 6 rounds"):
        accountant.charge(update(7))
    assert len(accountant.charges) == 6


def test_losses_are_those_of_the_calibration():
    accountant = account()
    for r in range(1, 4):
        lost = accountant.charge(update(r))
    assert lost == accountant.loss() == privacy_loss(NOISE, SENSITIVITY, 3, **COUNTS)


def test_a_round_with_less_noise_is_refused_before_it_overspends():
    accountant = account(charges=5)
    weak = update(6, exposure=round_exposure(NOISE, SENSITIVITY.times(2), **COUNTS))
    before = accountant.loss()
    with pytest.raises(PrivacyBudgetError, match="at release"):
        accountant.require(weak)
    with pytest.raises(PrivacyBudgetError, match="start with more noise"):
        accountant.charge(weak)
    assert accountant.loss() == before
    assert not accountant.would_exceed(update(6))


def test_the_edge_may_have_a_budget_of_its_own():
    assert account(charges=5).loss(update(6)).edge > 2.0
    with pytest.raises(PrivacyBudgetError, match="at the edge"):
        account(charges=5, edge_epsilon=2.0).require(update(6))


def test_a_failed_attempt_is_charged_like_one_that_succeeded():
    accountant = account()
    accountant.charge(update(1, attempt=0))
    accountant.charge(update(1, attempt=1))
    assert accountant.loss() == account(charges=2).loss()
    assert [charge.attempt for charge in accountant.charges] == [0, 1]


def test_trying_dry_commits_nothing():
    accountant = account(charges=1)
    assert accountant.loss(update(2), update(3)) == account(charges=3).loss()
    assert accountant.loss() == account(charges=1).loss()


def test_other_sums_cost_loss_but_no_round():
    accountant = account()
    accountant.charge(Charge(0, 0, "statistics", round_exposure(NOISE, Sensitivity(30.0, 30.0), **COUNTS)))
    for r in range(1, 6):
        accountant.charge(update(r))
    assert accountant.loss().release > account(charges=5).loss().release
    with pytest.raises(PrivacyBudgetError, match="at release"):
        accountant.charge(update(6))


def test_a_persons_loss_is_over_all_of_their_devices_together():
    assert person_loss([account(charges=3)]) == account(charges=3).loss()
    both = person_loss([account(charges=3), account(charges=3)])
    assert both == composed_person_loss([(EXPOSURE, 2, 3)], NOISE.delta)
    assert both.release > 2 * account(charges=3).loss().release


def test_rounds_that_one_of_a_persons_devices_missed_cost_what_the_other_alone_costs():
    found = person_loss([account(charges=5), account(charges=3)])
    assert found == composed_person_loss([(EXPOSURE, 2, 3), (EXPOSURE, 1, 2)], NOISE.delta)
    assert found.release < person_loss([account(charges=5), account(charges=5)]).release


def test_devices_in_different_attempts_of_a_round_count_as_in_one_sum():
    first, second = account(), account()
    first.charge(update(1, attempt=0))
    second.charge(update(1, attempt=1))
    assert person_loss([first, second]) == composed_person_loss([(EXPOSURE, 2, 1)], NOISE.delta)


def test_sums_of_another_purpose_are_composed():
    with_statistics = account(charges=1)
    with_statistics.charge(Charge(1, 0, "statistics", EXPOSURE))
    assert person_loss([with_statistics]) == account(charges=2).loss()


def test_accounts_that_are_not_one_persons_are_refused():
    weak = round_exposure(NOISE, SENSITIVITY.times(2), **COUNTS)
    with pytest.raises(SpecError, match="charged differently for the update of round 1"):
        person_loss([account(charges=1), Accountant(Budget.of(NOISE, EXPOSURE), (update(1, exposure=weak),))])
    with pytest.raises(SpecError, match="accounts of delta"):
        person_loss([account(charges=1), account(charges=1, delta=1e-6)])


def test_an_account_survives_a_checkpoint():
    accountant = account(charges=4, edge_epsilon=30.0)
    restored = Accountant.from_json(json.loads(json.dumps(accountant.to_json())))
    assert restored.charges == accountant.charges
    assert restored.budget == accountant.budget
    assert restored.loss() == accountant.loss()
    uncapped = account(edge_epsilon=None)
    assert Accountant.from_json(uncapped.to_json()).budget.edge_epsilon is None


def test_the_budget_of_a_noise_caps_the_edge_at_what_its_rounds_come_to_there():
    budget = Budget.of(NOISE, EXPOSURE)
    assert budget.edge_epsilon == privacy_loss(NOISE, SENSITIVITY, NOISE.rounds, **COUNTS).edge
    no_own_noise = dataclasses.replace(NOISE, local_variance=0.0, global_variance=4 * NOISE.global_variance)
    quiet = round_exposure(no_own_noise, SENSITIVITY, **COUNTS)
    with pytest.raises(PrivacyBudgetError, match="at the edge to inf"):
        account().charge(update(1, exposure=quiet))
    assert Budget.of(no_own_noise, quiet).edge_epsilon is None


def test_what_has_happened_is_noted_whatever_it_costs():
    accountant = account(charges=6)
    accountant.admit(update(7))
    assert len(accountant.charges) == 7
    assert accountant.loss().release > 2.0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("charges"),
        lambda state: state.update(budget=None),
        lambda state: state["budget"].update(epsilon="2"),
        lambda state: state["budget"].update(edge_epsilon="8"),
        lambda state: state["budget"].pop("edge_epsilon"),
        lambda state: state["charges"][0].pop("exposure"),
        lambda state: state["charges"][0]["exposure"].update(release=0.0),
    ],
)
def test_malformed_state_is_refused(spoil):
    state = account(charges=1).to_json()
    spoil(state)
    with pytest.raises(SpecError):
        Accountant.from_json(state)


def test_refusals_belong_to_the_familys_errors():
    assert issubclass(PrivacyBudgetError, FlError)
