"""The tables are the Skellam distribution, to the stated distance, and the same on every machine."""

import hashlib

import mpmath
import numpy as np
import pytest

from fl_core.privacy.skellam_table import (
    EXTENSION_BITS,
    EXTENSION_WORDS,
    SAMPLE_DISTANCE,
    WEIGHT_BITS,
    WORD_BITS,
    SkellamTable,
    magnitude_weights,
    skellam_table,
)


def magnitude_probabilities(variance, count):
    """P(|X| = m) by mpmath's Bessel functions."""
    with mpmath.workdps(120):
        v = mpmath.mpf(variance)
        return [(2 if m else 1) * mpmath.exp(-v) * mpmath.besseli(m, v) for m in range(count)]


def weights_of(table: SkellamTable) -> list[int]:
    """What the alias table draws, as exact weights: columns of equal capacity, split at their thresholds."""
    columns = 1 << table.index_bits
    capacity = 1 << (WEIGHT_BITS - table.index_bits)
    weights = [0] * columns
    for j in range(columns):
        entry = int(table.packed[j])
        word, alias = entry >> 32, entry & 0xFFFFFFFF
        assert word & 1 == 1
        assert word >> (WORD_BITS - table.index_bits) == j
        cut = (word & ((1 << (WORD_BITS - table.index_bits)) - 1)) >> 1
        for i in range(EXTENSION_WORDS):
            cut = cut << 64 | int(table.extension[j, i])
        assert cut < capacity
        weights[j] += cut
        weights[alias] += capacity - cut
    return weights


@pytest.mark.parametrize("variance", [1e-9, 0.01, 0.5, 1.0, 3.7, 321.5])
def test_distance_to_the_true_distribution_is_below_the_stated_bound(variance):
    weights = magnitude_weights(variance)
    with mpmath.workdps(120):
        exact = magnitude_probabilities(variance, len(weights))
        beyond = abs(1 - sum(exact))
        differences = [abs(mpmath.mpf(w) / 2**WEIGHT_BITS - p) for w, p in zip(weights, exact, strict=True)]
        assert (sum(differences) + beyond) / 2 < SAMPLE_DISTANCE


def probability_by_hankel(variance, m):
    """P(|X| = m) for a large variance, by Hankel's expansion of I_m (DLMF 10.40.1), far beyond float precision."""
    with mpmath.workdps(260):
        v, term, total = mpmath.mpf(variance), mpmath.mpf(1), mpmath.mpf(1)
        for k in range(1, 2000):
            term *= -mpmath.mpf(4 * m * m - (2 * k - 1) ** 2) / (8 * k * v)
            total += term
            if abs(term) < mpmath.mpf(10) ** -150:
                return (2 if m else 1) * total / mpmath.sqrt(2 * mpmath.pi * v)
    raise AssertionError("the expansion has not converged")


@pytest.mark.parametrize("variance", [2.0**16, 2.0**22 + 0.75])
def test_large_tables_agree_with_hankels_expansion(variance):
    weights = magnitude_weights(variance)
    for m in (0, 1, 1000, len(weights) // 3, len(weights) - 1):
        with mpmath.workdps(260):
            assert (
                abs(mpmath.mpf(weights[m]) / 2**WEIGHT_BITS - probability_by_hankel(variance, m))
                < SAMPLE_DISTANCE
            )


@pytest.mark.parametrize("variance", [0.25, 10.0, 5000.0])
def test_alias_table_draws_exactly_the_weights(variance):
    weights = magnitude_weights(variance)
    assert sum(weights) == 1 << WEIGHT_BITS
    drawn = weights_of(skellam_table(variance))
    assert drawn[: len(weights)] == weights
    assert not any(drawn[len(weights) :])


def test_variance_of_a_table_is_the_variance_asked_for():
    for variance in (0.125, 42.0, 30_000.0):
        second = sum(m * m * w for m, w in enumerate(magnitude_weights(variance)))
        assert abs(second / 2**WEIGHT_BITS / variance - 1) < 1e-12


def test_tables_are_the_same_on_every_machine():
    digest = hashlib.sha256()
    for variance in (0.3, 77.0, 4096.0, 123_456.7):
        table = skellam_table(variance)
        digest.update(table.packed.astype("<u8").tobytes() + table.extension.astype("<u8").tobytes())
    assert digest.hexdigest() == "af8361aba6050fad1814dbd9089c60232ab4dec8299c64c78fedd4810ea94276"


def test_thresholds_use_all_extension_bits():
    table = skellam_table(1000.0)
    assert 64 * table.extension.shape[1] == EXTENSION_BITS
    assert (np.count_nonzero(table.extension, axis=0) > 300).all()


def test_tables_cannot_be_written_to():
    table = skellam_table(2.0)
    with pytest.raises(ValueError, match="read-only"):
        table.packed[0] = 0
