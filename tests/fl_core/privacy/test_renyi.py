"""The Rényi bound is above the true divergence, and its conversion is dp-accounting's."""

import math

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
from dp_accounting.rdp import RdpAccountant
from scipy.special import logsumexp

from fl_core.errors import SpecError
from fl_core.privacy import Sensitivity
from fl_core.privacy.renyi import ORDERS, composed, epsilon_of, skellam_rdp, zcdp_rho


def log_pmf(variance, reach):
    """log P(k) for k = 0..reach, by the downward recurrence of ratios I_k / I_{k-1}."""
    ratios, ratio = np.zeros(reach + 1), 0.0
    for k in range(reach + 500, 0, -1):
        ratio = 1 / (2 * k / variance + ratio)
        if k <= reach:
            ratios[k] = ratio
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratios[1:]))])
    return logs - logsumexp(np.concatenate([logs, logs[1:]]))


def true_divergence(variance, shift, order):
    """D_a between Skellam noise shifted by `shift` and not, summed over all that matters."""
    reach = int(40 * math.sqrt(variance) + 8 * shift * order + 200)
    logs = log_pmf(variance, reach)
    k = np.arange(shift - reach, reach + 1)
    terms = order * logs[np.abs(k - shift)] + (1 - order) * logs[np.abs(k)]
    assert max(terms[0], terms[-1]) < terms.max() - 40
    return logsumexp(terms) / (order - 1)


@pytest.mark.parametrize("variance", [0.3, 1.0, 10.0, 300.0, 1e4])
@pytest.mark.parametrize("shift", [1, 2, 7, 40])
def test_bound_is_above_the_true_divergence(variance, shift):
    rdp = dict(zip(ORDERS, skellam_rdp(variance, Sensitivity(shift, shift)).tolist(), strict=True))
    for order in (1.25, 1.5, 2.0, 2.5, 3.0, 5.0, 16.0):
        assert true_divergence(variance, shift, order) <= rdp[order]


def test_bound_of_several_entries_is_above_the_sum_of_their_divergences():
    shifts = (5, 3, 3, 1, 1, 1)
    sensitivity = Sensitivity(sum(shifts), math.hypot(*shifts))
    rdp = dict(zip(ORDERS, skellam_rdp(20.0, sensitivity).tolist(), strict=True))
    for order in (2.0, 3.5, 8.0):
        assert sum(true_divergence(20.0, s, order) for s in shifts) <= rdp[order]


@pytest.mark.parametrize(
    ("variance", "l1", "l2", "order", "bound"),
    [
        (10.0, 1.0, 1.0, 2.0, 2 / 20 + (3 + 6) / 400),
        (10.0, 12.0, 4.0, 3.0, 48 / 20 + (5 * 16 + 72) / 400),
        (0.5, 4.0, 4.0, 2.0, 32 + 12),  # where noise is narrow the other term is smaller
        (10.0, 12.0, 4.0, 2.5, (0.5 * (32 / 20 + 120 / 400) + 0.5 * 2 * (48 / 20 + 152 / 400)) / 1.5),
    ],
)
def test_bound_is_the_papers_formula_and_its_chords(variance, l1, l2, order, bound):
    found = skellam_rdp(variance, Sensitivity(l1, l2))[ORDERS.index(order)]
    assert bound <= found <= bound * (1 + 1e-9)


def test_bound_is_tight_where_noise_is_wide():
    rdp = skellam_rdp(1e6, Sensitivity(100, 100))
    for order in (2.0, 8.0):
        assert rdp[ORDERS.index(order)] < 1.001 * true_divergence(1e6, 100, order)


def test_bound_is_the_gaussian_one_plus_a_term_that_vanishes_with_the_variance():
    sensitivity = Sensitivity(4000.0, 200.0)
    gaussian = np.array(ORDERS) * 200.0**2 / 2
    whole = [order == int(order) for order in ORDERS]
    gaps = [(skellam_rdp(v, sensitivity) * v / gaussian - 1)[whole].max() for v in (1e3, 1e5, 1e7)]
    assert 1e-1 > gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 1e-6


def test_conversion_is_dp_accountings():
    # Gaussian noise of the same curve, through dp-accounting's own accountant at the same orders
    whole = [order for order in ORDERS if order == int(order)]
    accountant = RdpAccountant(whole)
    accountant.compose(SelfComposedDpEvent(GaussianDpEvent(noise_multiplier=20.0), 30))
    rdp = composed([(skellam_rdp(20.0**2 * 1e12, Sensitivity(1e6, 1e6)), 30)])
    ours = epsilon_of(rdp, 1e-5)
    assert accountant.get_epsilon(1e-5) == pytest.approx(ours, rel=2e-3)
    assert ours <= accountant.get_epsilon(1e-5) * (1 + 1e-6)  # orders between whole ones help, or do nothing


def test_composition_adds_up():
    one, other = skellam_rdp(100.0, Sensitivity(9, 3)), skellam_rdp(70.0, Sensitivity(5, 5))
    total = composed([(one, 3), (other, 2)])
    assert np.allclose(total, 3 * one + 2 * other, rtol=1e-9)
    assert (total >= 3 * one + 2 * other).all()
    assert not composed([]).any()


def test_nothing_taken_nothing_lost_and_no_noise_no_claim():
    assert epsilon_of(composed([]), 1e-5) == 0.0
    assert epsilon_of(skellam_rdp(0.0, Sensitivity(1, 1)), 1e-5) == math.inf


def test_distance_of_the_sampler_is_paid_from_delta():
    rdp = skellam_rdp(1000.0, Sensitivity(30, 30))
    assert epsilon_of(rdp, 1e-5) == epsilon_of(rdp, 1e-5, distance=1e-14)
    assert epsilon_of(rdp, 1e-5, distance=1e-10) == math.inf


def test_rho_bounds_the_curve_at_every_whole_order():
    for variance, sensitivity in ((3.0, Sensitivity(4, 2)), (1e5, Sensitivity(3000, 100))):
        rho = zcdp_rho(variance, sensitivity)
        ratio = (skellam_rdp(variance, sensitivity) / np.array(ORDERS))[[a == int(a) for a in ORDERS]]
        assert (ratio <= rho).all()
        assert ratio.max() >= rho * (1 - 1e-9)


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-5, math.nan])
def test_impossible_deltas_are_refused(delta):
    with pytest.raises(SpecError, match="delta"):
        epsilon_of(skellam_rdp(1.0, Sensitivity(1, 1)), delta)


@pytest.mark.parametrize(
    ("l1", "l2"), [(0.0, 0.0), (1.0, 2.0), (math.inf, 1.0), (math.nan, 1.0), (-1.0, -1.0)]
)
def test_impossible_sensitivities_are_refused(l1, l2):
    with pytest.raises(SpecError, match="sensitivity"):
        Sensitivity(l1, l2)
