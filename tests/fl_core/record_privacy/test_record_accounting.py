import dp_accounting
import numpy as np
import pytest
from scipy.stats import norm

from fl_core.errors import SpecError
from fl_core.record_privacy import RecordPrivacy, noise_multiplier_for, record_epsilon, record_event


def gaussian_delta(epsilon, mu):
    """Balle and Wang (2018), theorem 8."""
    return norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)


@pytest.mark.parametrize(("multiplier", "steps"), [(0.8, 1), (1.3, 30), (4.0, 100)])
def test_epsilon_is_that_of_the_composed_gaussian(multiplier, steps):
    privacy = RecordPrivacy(noise_multiplier=multiplier)
    epsilon = record_epsilon(privacy, 8, steps)
    assert gaussian_delta(epsilon, np.sqrt(steps) / multiplier) == pytest.approx(privacy.delta, rel=1e-6)


def test_epsilon_is_below_renyi_accounting_of_the_composed_event_and_close_to_it():
    privacy, steps = RecordPrivacy(noise_multiplier=2.0), 20
    renyi = dp_accounting.rdp.RdpAccountant(
        neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_SPECIAL
    )
    bound = renyi.compose(record_event(privacy, steps)).get_epsilon(privacy.delta)
    assert 0.85 * bound < record_epsilon(privacy, 8, steps) < bound


def test_more_steps_cost_more_and_none_cost_nothing():
    privacy = RecordPrivacy()
    spent = [record_epsilon(privacy, 8, steps) for steps in (0, 1, 5, 50)]
    assert spent[0] == 0
    assert spent == sorted(set(spent))


@pytest.mark.parametrize(("epsilon", "steps"), [(0.5, 1), (3.0, 50), (8.0, 500), (100.0, 3)])
def test_the_noise_that_a_target_takes_meets_it_and_is_the_least(epsilon, steps):
    multiplier = noise_multiplier_for(epsilon, 1e-5, steps)
    found = record_epsilon(RecordPrivacy(noise_multiplier=multiplier), 8, steps)
    assert epsilon * (1 - 1e-6) < found <= epsilon


def test_the_figure_is_rounded_up():
    exact = dp_accounting.get_epsilon_gaussian(2.0, 1e-5)
    assert exact < record_epsilon(RecordPrivacy(noise_multiplier=2.0), 8, 1) < exact * (1 + 1e-8)


@pytest.mark.parametrize(
    "target", [(0.0, 1e-5, 1), (np.inf, 1e-5, 1), (1.0, 0.0, 1), (1.0, 1.0, 1), (1.0, 1e-5, 0)]
)
def test_targets_that_cannot_be_are_refused(target):
    with pytest.raises(SpecError):
        noise_multiplier_for(*target)


def test_impossible_settings_are_refused():
    for settings, message in (
        ({"noise_multiplier": 0.0}, "noise multiplier 0.0"),
        ({"noise_multiplier": np.inf}, "noise multiplier inf"),
        ({"max_grad_norm": 0.0}, "clip norm 0.0"),
        ({"max_grad_norm": np.nan}, "clip norm nan"),
        ({"delta": 0.0}, "delta 0.0"),
        ({"delta": 1.0}, "delta 1.0"),
    ):
        with pytest.raises(SpecError, match=message):
            RecordPrivacy(**settings)
    with pytest.raises(SpecError, match="below 1e-05"):
        record_epsilon(RecordPrivacy(delta=1e-3), 100_000, 1)
    with pytest.raises(SpecError, match="0 rows"):
        record_epsilon(RecordPrivacy(), 0, 1)
    with pytest.raises(SpecError, match="-1 steps"):
        record_event(RecordPrivacy(), -1)
