"""Multi-Krum: the mean of those that have the closest neighbours (Blanchard et al., NeurIPS 2017)."""

from __future__ import annotations

import math

import numpy as np

from fl_core.errors import SpecError
from fl_core.robust.geometry import Float64Array, check_means, combination, gram, squared_distances


def multi_krum(means: Float64Array, corrupted: int) -> Float64Array:
    """The plain mean of the k - f means whose k - f - 2 nearest neighbours are nearest, float64 (d,).

    Unweighted: the proof counts vectors, so that a mean over more devices must not count for more. Breakdown point: f
    of k >= 2 f + 3. Ties go to the earlier one.

    Args:
        means: float64 (k, d).
        corrupted: f, how many may be corrupted.

    Raises:
        SpecError: fewer than 2 f + 3 means.
    """
    chosen = chosen_by_krum(means, corrupted)
    return combination(means[chosen], [1 / len(chosen)] * len(chosen))


def chosen_by_krum(means: Float64Array, corrupted: int) -> list[int]:
    """The k - f means of the lowest Krum score, in their order.

    Raises:
        SpecError: fewer than 2 f + 3 means, or see `check_means`.
    """
    count = len(means)
    check_means(means, np.ones(count, dtype=np.int64))
    if count < 2 * corrupted + 3:
        raise SpecError(f"multi-krum over {count} means cannot withstand {corrupted}: it needs 2 f + 3")
    distances = np.sort(squared_distances(gram(means)), axis=1)  # the first of each row is its own
    scores = [math.fsum(row[1 : count - corrupted - 1].tolist()) for row in distances]
    return sorted(sorted(range(count), key=lambda i: (scores[i], i))[: count - corrupted])
