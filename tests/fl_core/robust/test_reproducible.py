"""Auditors get the same bits: nothing depends on the order or the width in which a machine adds."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.robust import RuleSpec, combined_update
from fl_core.robust.geometry import gram, squared_distances

ROOT = "cd" * 32
RULES = [
    RuleSpec("median"),
    RuleSpec("trimmed-mean", 0.2),
    RuleSpec("multi-krum", 0.2),
    RuleSpec("geometric-median"),
    RuleSpec("fltrust", root_digest=ROOT),
]


@given(st.integers(0, 99), st.integers(1, 2_000), st.integers(-30, 30))
def test_inner_products_are_exact_sums_of_what_is_rounded(seed, dim, exponent):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(3, dim)) * np.array([[1.0], [2.0**exponent], [1e-3]])
    bits = (52 - (dim - 1).bit_length()) // 2
    scales = [2.0 ** (bits - math.frexp(float(np.abs(row).max()))[1]) for row in vectors]
    whole = [[round(value * scale) for value in row] for row, scale in zip(vectors, scales, strict=True)]
    found = gram(vectors)
    for i in range(3):
        for j in range(3):
            exact = Fraction(sum(a * b for a, b in zip(whole[i], whole[j], strict=True)))
            assert Fraction(float(found[i, j])) == exact / Fraction(scales[i]) / Fraction(scales[j])


def test_inner_products_do_not_depend_on_the_order_of_coordinates():
    rng = np.random.default_rng(5)
    vectors, order = rng.normal(size=(20, 3_001)), rng.permutation(3_001)
    assert gram(vectors).tobytes() == gram(vectors[:, order]).tobytes()
    assert gram(vectors).tobytes() == gram(np.asfortranarray(vectors)).tobytes()


def test_a_huge_vector_takes_no_precision_from_the_others():
    rng = np.random.default_rng(6)
    small = rng.normal(size=(2, 500))
    alone = gram(small)
    beside = gram(np.vstack([small, np.full((1, 500), 1e15)]))
    assert beside[:2, :2].tobytes() == alone.tobytes()
    assert np.allclose(alone, small @ small.T, rtol=1e-4)


def test_no_distance_is_below_zero():
    same = np.tile(np.random.default_rng(7).normal(size=50), (3, 1))
    assert not squared_distances(gram(same)).any()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_gives_the_same_bits_whatever_the_order_of_coordinates_and_the_layout_of_memory(rule):
    rng = np.random.default_rng(8)
    means, votes = rng.normal(size=(12, 1_000)), rng.integers(1, 1 << 20, 12)
    root = rng.normal(size=1_000) if rule.takes_root else None
    found = combined_update(rule, means, votes, root=root)
    order = rng.permutation(1_000)
    turned = combined_update(rule, means[:, order], votes, root=None if root is None else root[order])
    assert turned.tobytes() == found[order].tobytes()
    assert combined_update(rule, np.asfortranarray(means), votes, root=root).tobytes() == found.tobytes()
