"""The rules against their definitions, and what corrupted means can do to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.errors import SpecError
from fl_core.robust import (
    RuleSpec,
    chosen_by_krum,
    combined_update,
    fltrust,
    geometric_median,
    median,
    multi_krum,
    trimmed_mean,
    trust_of,
)

DIGEST = "ab" * 32
EQUAL = np.ones(9, dtype=np.int64)
ROBUST = {
    "median": median,
    "geometric-median": geometric_median,
    "trimmed-mean": lambda means, votes: trimmed_mean(means, votes, 0.3),
    "multi-krum": lambda means, _: multi_krum(means, 2),
}


def honest(seed=0, count=9, dim=40):
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=dim)
    return centre, centre + 0.1 * rng.normal(size=(count, dim))


@pytest.mark.parametrize("rule", ROBUST)
@pytest.mark.parametrize("far", [1.0, 1e3, 1e9])
def test_a_minority_of_corrupted_means_moves_no_robust_rule_far_from_the_honest_ones(rule, far):
    centre, means = honest()
    means[:2] = -far * centre
    found = ROBUST[rule](means, EQUAL)
    assert np.linalg.norm(found - centre) < 0.15 * np.linalg.norm(centre)
    plain = means.mean(axis=0)
    assert np.linalg.norm(plain - centre) > 0.3 * np.linalg.norm(centre)


@pytest.mark.parametrize("rule", ROBUST)
def test_a_majority_breaks_every_rule_that_follows_majorities(rule):
    centre, means = honest()
    means[:5] = -10 * centre
    found = ROBUST[rule](means, EQUAL)
    assert np.linalg.norm(found - centre) > 2 * np.linalg.norm(centre)


def test_the_weighted_median_is_where_half_of_the_votes_lie():
    means = np.array([[1.0], [5.0], [2.0], [9.0]])
    assert median(means, np.array([1, 1, 1, 1])).tolist() == [3.5]
    assert median(means, np.array([1, 4, 1, 1])).tolist() == [5.0]
    assert median(means, np.array([2, 1, 1, 1])).tolist() == [2.0]
    assert median(means, np.array([1, 2, 2, 1])).tolist() == [3.5]
    assert median(means[:3], np.array([7, 7, 7])).tolist() == [2.0]


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 5)), min_size=3, max_size=9))
def test_votes_count_as_so_many_equal_means(pairs):
    values = np.array([[float(value)] for value, _ in pairs])
    votes = np.array([vote for _, vote in pairs])
    spread = np.repeat(values, votes, axis=0)
    ones = np.ones(len(spread), dtype=np.int64)
    assert median(values, votes).tolist() == np.median(spread, axis=0).tolist()
    assert np.allclose(trimmed_mean(values, votes, 0.2), trimmed_mean(spread, ones, 0.2), rtol=0, atol=1e-12)
    one, other = geometric_median(values, votes), geometric_median(spread, ones)
    distances = [votes @ np.abs(values[:, 0] - found[0]) for found in (one, other)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-6, abs=1e-6)


def test_the_trimmed_mean_leaves_out_the_lowest_and_the_highest():
    rng = np.random.default_rng(1)
    means = rng.normal(size=(10, 7))
    expected = np.sort(means, axis=0)[2:8].mean(axis=0)
    assert np.allclose(trimmed_mean(means, np.full(10, 3), 0.2), expected, rtol=0, atol=1e-12)


def test_krum_follows_its_definition():
    rng = np.random.default_rng(2)
    means, f = rng.normal(size=(11, 6)), 3
    squares = ((means[:, None] - means[None]) ** 2).sum(axis=2)
    scores = [sorted(np.delete(row, i))[: 11 - f - 2] for i, row in enumerate(squares)]
    best = sorted(np.argsort([sum(score) for score in scores])[: 11 - f].tolist())
    assert chosen_by_krum(means, f) == best
    assert np.allclose(multi_krum(means, f), means[best].mean(axis=0), rtol=0, atol=1e-12)
    with pytest.raises(SpecError, match="needs 2 f"):
        multi_krum(means, 5)


def test_the_geometric_median_has_the_least_sum_of_distances():
    rng = np.random.default_rng(3)
    means, votes = rng.normal(size=(8, 5)), rng.integers(1, 6, 8)

    def total(point):
        return votes @ np.linalg.norm(means - point, axis=1)

    found = geometric_median(means, votes)
    for step in rng.normal(size=(200, 5)):
        assert total(found) <= total(found + 0.05 * step / np.linalg.norm(step))
    heavy = geometric_median(means, np.array([100, 1, 1, 1, 1, 1, 1, 1]))
    assert np.allclose(heavy, means[0], rtol=0, atol=1e-4)  # it has the majority


def test_trust_is_the_cosine_to_the_root_update_and_no_mean_counts_for_longer_than_it():
    root = np.array([2.0, 0.0])
    means = np.array([[4.0, 0.0], [3.0, 3.0], [-5.0, 0.0], [0.0, 9.0]])
    votes = np.ones(4, dtype=np.int64)
    cosines = [1.0, np.sqrt(0.5), 0.0, 0.0]
    scaled = [np.array([2.0, 0.0]), 2 * np.array([1.0, 1.0]) / np.sqrt(2)]
    expected = sum(c * x for c, x in zip(cosines, scaled, strict=False)) / sum(cosines)
    assert np.allclose(fltrust(means, votes, root), expected, rtol=0, atol=1e-5)
    assert trust_of(means, votes, root)[2:] == [0.0, 0.0]


def test_a_short_mean_is_trusted_less_and_not_drawn_out():
    root = np.array([2.0, 0.0])
    means = np.array([[0.5, 0.0], [2.0, 0.0]])
    expected = (0.25 * 0.5 + 1.0 * 2.0) / 1.25
    assert np.allclose(fltrust(means, np.array([1, 1]), root), [expected, 0.0], rtol=0, atol=1e-5)


def test_nothing_is_learnt_where_nobody_is_trusted():
    means = np.array([[-1.0, 0.5], [-3.0, 1.0]])
    assert fltrust(means, np.array([1, 1]), np.array([1.0, 0.0])).tolist() == [0.0, 0.0]


def test_known_noise_is_no_reason_to_scale_a_sum_down():
    rng = np.random.default_rng(4)
    dim, deviation = 4_000, 0.05
    root = rng.normal(size=dim) / np.sqrt(dim)
    means = root + deviation * rng.normal(size=(6, dim))
    votes, noise = np.ones(6, dtype=np.int64), np.full(6, dim * deviation**2)
    along = [fltrust(means, votes, root, known) @ root for known in (None, noise)]
    assert along[0] < 0.5 * (root @ root) < 0.8 * along[1]


@given(st.integers(0, 10_000), st.floats(0.0, 1e6), st.floats(1e-3, 1e3))
def test_whatever_noise_is_promised_no_mean_counts_for_more_than_the_root_updates_length(seed, extra, far):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=12)
    length = np.linalg.norm(root)
    means = far * rng.normal(size=(7, 12)) + rng.choice([0.0, 1.0, 30.0], size=(7, 1)) * root
    votes, noise = rng.integers(1, 9, 7), np.full(7, extra)
    coefficients = np.array(trust_of(means, votes, root, noise))
    corrected = np.sqrt(np.maximum((means**2).sum(axis=1) - extra, 0.0))
    # a mean's contribution is its coefficient times it; all trusts together make 1
    assert coefficients @ np.minimum(corrected, np.maximum(means @ root / length, 0.0)) <= length * (1 + 1e-4)
    for mean, coefficient in zip(means, coefficients, strict=True):
        assert coefficient * (mean @ root) / length <= length * (1 + 1e-4)
    assert fltrust(means, votes, root, noise) @ root <= length**2 * (1 + 1e-4)


def test_who_sends_the_root_update_in_place_of_noise_is_trusted_no_more_than_anyone_else():
    root = np.zeros(100)
    root[0] = 1.0
    honest = root + 0.5 * np.random.default_rng(5).normal(size=(4, 100))
    honest[:, 0] = 1.0  # so that only the forged one is longer along the root update
    promised = 0.25 * 99
    forged = root * np.sqrt(1 + promised)
    means, votes = np.vstack([honest, forged]), np.ones(5, dtype=np.int64)
    coefficients = trust_of(means, votes, root, np.full(5, promised))
    assert coefficients[-1] * forged[0] <= 1.001 * max(coefficients[:4])
    assert max(coefficients) <= 0.26  # a fifth each, but for what noise left of lengths


@pytest.mark.parametrize(
    ("root", "words"),
    [
        (np.zeros(3), "zero"),
        (np.array([1.0, np.nan, 0.0]), "finite"),
        (np.ones(2), "shape"),
        (np.array([1e151, 0.0, 0.0]), "at most 1e\\+150"),
    ],
)
def test_a_root_update_that_says_nothing_is_refused(root, words):
    with pytest.raises(SpecError, match=words):
        fltrust(np.ones((2, 3)), np.array([1, 1]), root)


@pytest.mark.parametrize(
    "rule",
    [
        RuleSpec("mean"),
        RuleSpec("median"),
        RuleSpec("geometric-median"),
        RuleSpec("trimmed-mean", 0.2),
        RuleSpec("multi-krum", 0.2),
        RuleSpec("fltrust", root_digest=DIGEST),
    ],
)
def test_what_cannot_be_combined_is_refused_before_anything_else(rule):
    good, root = np.ones((9, 4)), np.ones(4) if rule.takes_root else None
    for means, votes, words in (
        (np.where(np.eye(9, 4) > 0, np.nan, good), EQUAL, "mean 0 is not finite"),
        (np.where(np.eye(9, 4) > 0, -np.inf, good), EQUAL, "not finite"),
        (np.where(np.eye(9, 4) > 0, -1e151, good), EQUAL, "mean 0 holds a value of magnitude 1.0e.151"),
        (good.astype(np.float32), EQUAL, "float64"),
        (np.zeros((0, 4)), EQUAL[:0], "at least one"),
        (good, EQUAL[:5], "votes"),
        (good, EQUAL - 1, "at least 1"),
    ):
        with pytest.raises(SpecError, match=words):
            combined_update(rule, means, votes, root=root)
    assert np.allclose(combined_update(rule, good, EQUAL, root=root), 1.0, rtol=0, atol=1e-6)
    with pytest.raises(SpecError, match="root update"):
        combined_update(rule, good, EQUAL, root=None if rule.takes_root else np.ones(4))


@pytest.mark.parametrize("rule", [*ROBUST, "fltrust"])
def test_the_largest_values_that_are_taken_overflow_nothing(rule):
    means = 1e150 * np.where(np.arange(9 * 40).reshape(9, 40) % 7 < 2, -1.0, 1.0)
    with np.errstate(over="raise", invalid="raise"):
        if rule == "fltrust":
            found = fltrust(means, EQUAL, np.full(40, 1e150), np.full(9, 1e10))
        else:
            found = ROBUST[rule](means, EQUAL)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1.001e150


def test_too_few_means_for_a_rule_change_nothing():
    two = np.ones((2, 3))
    votes = np.array([1, 1])
    for rule in (
        RuleSpec("median"),
        RuleSpec("geometric-median"),
        RuleSpec("trimmed-mean", 0.4),
        RuleSpec("multi-krum", 0.3),
    ):
        assert not combined_update(rule, two, votes).any()
    four = np.ones((4, 3))
    assert not combined_update(RuleSpec("multi-krum", 0.3), four, np.ones(4, dtype=np.int64)).any()
