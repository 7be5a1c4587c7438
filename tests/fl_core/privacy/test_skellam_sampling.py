"""Samples follow the tables, can be had again from a seed, and cannot without it."""

import hashlib
import math

import numpy as np
import pytest
from scipy import stats

from fl_core.errors import SpecError
from fl_core.privacy import NoiseSource, sample_skellam
from fl_core.privacy.numeric_loss import skellam_log_pmf
from fl_core.privacy.skellam import MAX_PARTS, MAX_VARIANCE, parts_of, sample_distance
from fl_core.privacy.skellam_table import MAX_TABLE_VARIANCE, skellam_table


def source(number=1):
    return NoiseSource.from_seed(hashlib.sha256(b"test %d" % number).digest())


def chi_square_p(samples, log_pmf, least=20.0):
    """p-value of samples against a pmf, cells merged until each expects at least `least`."""
    values = sorted(log_pmf)
    expected = np.exp([log_pmf[value] for value in values]) * samples.size
    observed = np.bincount(samples - values[0], minlength=len(values)).astype(float)
    cells, totals, cell, total = [], [], 0.0, 0.0
    for one, other in zip(observed, expected, strict=True):
        cell, total = cell + one, total + other
        if total >= least:
            cells.append(cell)
            totals.append(total)
            cell = total = 0.0
    cells[-1] += cell
    totals[-1] += total
    return stats.chisquare(cells, np.array(totals) * (sum(cells) / sum(totals))).pvalue


@pytest.mark.parametrize("variance", [0.01, 0.7, 6.0, 250.0, 10_000.0])
def test_samples_follow_the_exact_distribution(variance):
    samples = sample_skellam(variance, 400_000, source())
    assert chi_square_p(samples, skellam_log_pmf(variance)) > 1e-3


@pytest.mark.parametrize("variance", [3.0, 1e6, MAX_TABLE_VARIANCE, 4 * MAX_TABLE_VARIANCE])
def test_moments_are_those_of_skellam_noise(variance):
    n = 200_000
    samples = sample_skellam(variance, n, source(2)).astype(float)
    fourth = 3 * variance**2 + variance
    assert abs(samples.mean()) < 4 * math.sqrt(variance / n)
    assert abs(samples.var() / variance - 1) < 4 * math.sqrt((fourth / variance**2 - 1) / n)
    assert abs((samples**4).mean() / fourth - 1) < 4 * math.sqrt(96 / n)
    assert abs((samples**3).mean()) < 4 * math.sqrt(15 * variance**3 / n)


def test_sums_of_samples_are_samples_of_the_summed_variance():
    total = sum(sample_skellam(v, 300_000, source(3 + i)) for i, v in enumerate((0.5, 2.25, 1.25)))
    assert chi_square_p(total, skellam_log_pmf(4.0)) > 1e-3


def test_signs_are_fair_and_independent_of_magnitudes():
    samples = sample_skellam(50.0, 500_000, source(7))
    for low, high in ((1, 2), (3, 8), (9, 20), (21, 100)):
        part = samples[(np.abs(samples) >= low) & (np.abs(samples) <= high)]
        assert abs((part > 0).mean() - 0.5) < 4 * 0.5 / math.sqrt(len(part))


def test_neighbouring_samples_are_uncorrelated():
    samples = sample_skellam(9.0, 500_000, source(8)).astype(float)
    for lag in (1, 2, 31):
        assert abs((samples[:-lag] * samples[lag:]).mean() / 9.0) < 4 / math.sqrt(samples.size)


def test_same_seed_same_noise_another_seed_other_noise():
    first = sample_skellam(100.0, 1000, source(1))
    assert np.array_equal(first, sample_skellam(100.0, 1000, source(1)))
    assert not np.array_equal(first, sample_skellam(100.0, 1000, source(2)))


def test_operating_system_noise_differs_each_time():
    first, second = (sample_skellam(100.0, 1000, NoiseSource.from_os()) for _ in range(2))
    assert np.count_nonzero(first == second) < 200


def test_a_source_moves_on_and_does_not_depend_on_how_it_is_asked():
    moving = source(4)
    parts = [sample_skellam(777.0, size, moving) for size in (1, 0, 70_000, 5)]
    assert np.array_equal(np.concatenate(parts), sample_skellam(777.0, 70_006, source(4)))


def test_noise_is_the_same_on_every_machine():
    digest = hashlib.sha256()
    for variance in (0.3, 1e4, 1e7, 1e8):
        digest.update(sample_skellam(variance, 50_000, source(5)).astype("<i8").tobytes())
    assert digest.hexdigest() == "9ed591e01f4bd264d81991a7856f9e7f68ae9b4bbc4abc125b3f987c89970980"


class ChosenWords(NoiseSource):
    """A source whose words are chosen, to reach thresholds that chance does not."""

    def __init__(self, word, extension):
        super().__init__(bytes(32))
        self._word, self._chosen = word, extension

    def words(self, out):
        out.view("<u4")[:] = self._word

    def extension(self, count):
        return np.array(self._chosen, dtype=np.uint64)[:count]


@pytest.mark.parametrize("sign", [0, 1])
def test_a_word_on_the_threshold_is_decided_by_the_bits_that_follow(sign):
    table = skellam_table(100.0)
    j = next(j for j in range(1, 60) if int(table.packed[j]) & 0xFFFFFFFF != j and table.extension[j].all())
    alias = int(table.packed[j]) & 0xFFFFFFFF
    word = (int(table.packed[j]) >> 32) & ~1 | sign
    high, middle, low = (int(item) for item in table.extension[j])
    for extension, magnitude in (
        ((high - 1, 0, 0), j),
        ((high + 1, 0, 0), alias),
        ((high, middle - 1, 0), j),
        ((high, middle + 1, 0), alias),
        ((high, middle, low - 1), j),
        ((high, middle, low), alias),
    ):
        drawn = int(sample_skellam(100.0, 1, ChosenWords(word, extension))[0])
        assert drawn == (-magnitude if sign else magnitude)


def test_ties_happen_and_are_settled_from_the_second_keystream():
    class Counting(NoiseSource):
        ties = 0

        def extension(self, count):
            self.ties += count // 3
            return super().extension(count)

    counting = Counting(bytes(32))
    sample_skellam(MAX_TABLE_VARIANCE, 400_000, counting)
    assert 1 <= counting.ties < 400


def test_no_variance_gives_zeros_and_uses_no_randomness():
    moving = source(6)
    assert not sample_skellam(0.0, 10, moving).any()
    assert np.array_equal(sample_skellam(5.0, 10, moving), sample_skellam(5.0, 10, source(6)))


def test_large_variances_are_split_exactly():
    assert parts_of(MAX_TABLE_VARIANCE) == 1
    for variance in (1.01 * MAX_TABLE_VARIANCE, 5.5e9, MAX_VARIANCE):
        parts = parts_of(variance)
        assert variance / parts * parts == variance
        assert MAX_TABLE_VARIANCE / 2 < variance / parts <= MAX_TABLE_VARIANCE
        assert sample_distance(variance) == parts * sample_distance(1.0)
    assert parts_of(MAX_VARIANCE) <= MAX_PARTS


@pytest.mark.parametrize("variance", [-1.0, math.nan, math.inf, 1e-30, 2 * MAX_VARIANCE])
def test_variances_that_cannot_be_sampled_are_refused(variance):
    with pytest.raises(SpecError, match="noise variance"):
        sample_skellam(variance, 1, source())


def test_negative_sizes_and_short_seeds_are_refused():
    with pytest.raises(SpecError, match="-1 entries"):
        sample_skellam(1.0, -1, source())
    with pytest.raises(SpecError, match="31 bytes"):
        NoiseSource.from_seed(bytes(31))
