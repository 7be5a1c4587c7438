"""A validator without rows of a class: it values on the rows there are, and its voice is one of several."""

from __future__ import annotations

import numpy as np
import pytest

from fl_core.models import ModelSpec, initial_vector
from fl_core.valuation import UTILITY_UNIT, cohort_utilities, path_utilities

SPEC = ModelSpec("logistic", 3, 2)
START = initial_vector(SPEC, 0)
RNG = np.random.default_rng(7)
FEATURES = RNG.normal(size=(60, 3)).astype(np.float32)
LABELS = (FEATURES[:, 0] > 0.3).astype(np.int64)
UPDATES = [RNG.normal(scale=0.3, size=8) for _ in range(4)]
AFTER = (START + UPDATES[0]).astype(np.float32)


def gains(rows, updates=UPDATES) -> np.ndarray:
    return np.array(cohort_utilities(SPEC, START, updates, FEATURES[rows], LABELS[rows], clip=5.0, step=1))


def path_gains(rows, updates=UPDATES) -> np.ndarray:
    return np.array(
        path_utilities(SPEC, START, updates, FEATURES[rows], LABELS[rows], after=AFTER, clip=5.0, step=1)
    )


@pytest.mark.parametrize("value", [gains, path_gains])
def test_a_utility_is_the_mean_over_the_rows_there_are_so_that_a_class_without_rows_has_no_part_in_it(value):
    zeros, ones = (np.flatnonzero(label == LABELS) for label in (0, 1))
    both = (len(zeros) * value(zeros) + len(ones) * value(ones)) / len(LABELS)
    assert np.abs(value(np.arange(len(LABELS))) - both).max() <= 1
    assert np.abs(value(zeros) - value(ones)).min() > 0.01 * UTILITY_UNIT


def test_who_has_rows_of_one_class_alone_likes_best_what_says_that_class_always():
    always = np.zeros(8)
    always[-2:] = -2.0, 2.0  # the biases: class 1 whatever the row
    ones = np.flatnonzero(LABELS == 1)
    assert gains(ones, [always])[0] > 0.3 * UTILITY_UNIT
    assert gains(np.arange(len(LABELS)), [always])[0] < 0
