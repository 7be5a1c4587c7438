"""One entry to all rules that work on means of cohorts or hospitals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fl_core.errors import SpecError
from fl_core.robust.coordinatewise import median, trimmed_mean
from fl_core.robust.fltrust import fltrust
from fl_core.robust.geometric_median import geometric_median
from fl_core.robust.geometry import Float64Array, IntArray, check_means, combination, shares_of
from fl_core.robust.krum import multi_krum
from fl_core.robust.rule_spec import RuleSpec


def combined_update(
    rule: RuleSpec,
    means: Float64Array,
    votes: IntArray,
    *,
    root: Float64Array | None = None,
    noise: Float64Array | None = None,
) -> Float64Array:
    """What a rule makes of released means, float64 (d,); zeros where they are too few for it.

    A pure function, the same to the bit on any machine with IEEE arithmetic: whoever holds the means, and the root
    update where there is one, gets the same model hash.

    Args:
        rule: the rule.
        means: float64 (k, d).
        votes: int64 (k,), how much each counts, where the rule weights.
        root: float64 (d,), the root update, exactly where the rule takes one.
        noise: float64 (k,), expected squared length of the noise in each mean, for rules that compare lengths.

    Raises:
        SpecError: means, votes or root update that do not fit; see `check_means`.
    """
    check_means(means, votes)
    if (root is not None) != rule.takes_root:
        raise SpecError(f"{rule.name} {'needs' if rule.takes_root else 'takes no'} root update")
    if not rule.works_on(len(means)):
        return np.zeros(means.shape[1])
    if root is not None:
        return fltrust(means, votes, root, noise)
    if rule.name == "multi-krum":
        return multi_krum(means, rule.corrupted(len(means)))
    if rule.name == "trimmed-mean":
        return trimmed_mean(means, votes, rule.share)
    return _BY_VOTES[rule.name](means, votes)


def _mean(means: Float64Array, votes: IntArray) -> Float64Array:
    return combination(means, shares_of(votes))


_BY_VOTES: Mapping[str, Callable[[Float64Array, IntArray], Float64Array]] = {
    "mean": _mean,
    "median": median,
    "geometric-median": geometric_median,
}
