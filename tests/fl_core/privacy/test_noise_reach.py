"""The reach of noise: beyond it no entry is seen, but for one chance in 2^40."""

import math

import mpmath
import numpy as np
import pytest

from fl_core.errors import SpecError
from fl_core.privacy import NoiseSource, noise_reach, sample_skellam
from fl_core.privacy.skellam_table import WEIGHT_BITS, magnitude_weights


@pytest.mark.parametrize("variance", [0.001, 0.5, 40.0, 3000.0, 1e5])
@pytest.mark.parametrize("entries", [1, 5000])
def test_chance_of_any_entry_beyond_is_below_2_to_minus_40(variance, entries):
    reach = noise_reach(variance, entries=entries)
    beyond = sum(magnitude_weights(variance)[reach + 1 :])
    assert mpmath.mpf(beyond) / 2**WEIGHT_BITS * entries <= 2.0**-40


@pytest.mark.parametrize("variance", [40.0, 3000.0, 1e5])
def test_reach_is_not_much_larger_than_needed(variance):
    reach = noise_reach(variance, entries=1000)
    beyond = sum(magnitude_weights(variance)[int(0.92 * reach) :])
    assert mpmath.mpf(beyond) / 2**WEIGHT_BITS * 1000 > 2.0**-40


def test_summands_add_up():
    assert noise_reach(10.0, entries=100, summands=24) == noise_reach(240.0, entries=100)
    assert noise_reach(10.0, entries=100, summands=0) == noise_reach(0.0, entries=100) == 0


def test_a_wide_sum_reaches_some_nine_standard_deviations():
    reach = noise_reach(1e12, entries=1_000_000)
    assert 8 < reach / 1e6 < 10


def test_samples_stay_within():
    samples = sample_skellam(50.0, 1_000_000, NoiseSource.from_seed(bytes(32)))
    assert np.abs(samples).max() <= noise_reach(50.0, entries=1_000_000)


@pytest.mark.parametrize("arguments", [(-1.0, 1, 1), (math.nan, 1, 1), (1.0, 0, 1), (1.0, 1, -1)])
def test_impossible_arguments_are_refused(arguments):
    variance, entries, summands = arguments
    with pytest.raises(SpecError, match="noise of variance"):
        noise_reach(variance, entries=entries, summands=summands)
