"""The cloud: combines cohort sums into the next global model. It sees no single device's update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.models import initial_vector, model_digest
from fl_core.spec import RoundPlan, RoundSpec
from fl_core.tiers.messages import CohortSum


def mean_update(spec: RoundSpec, cohort: CohortSum) -> NDArray[np.float64]:
    """The weighted mean update of a cohort, float64 (d,).

    Raises:
        SpecError: the cohort has no sum.
    """
    if cohort.total is None or cohort.rows < 1:
        raise SpecError(f"cohort {cohort.cohort} of hospital {cohort.hospital} has no sum: {cohort.failure}")
    return _weighted_mean(spec, cohort.total, cohort.rows)


def federated_average(
    spec: RoundSpec, start: NDArray[np.float32], cohorts: Sequence[CohortSum]
) -> NDArray[np.float32]:
    """Algorithm 1's cloud step: w_{t} = w_{t-1} + sum of weighted updates / sum of weights.

    The cohorts' integer sums are added exactly, so the result does not depend on who was summed with whom.
    Without any sum the model stays as it is.

    Args:
        spec: the round's spec.
        start: parameters before the round, float32 (d,).
        cohorts: all cohorts of the round, failed ones included.

    Returns:
        Parameters after the round, float32 (d,).
    """
    done = [cohort for cohort in cohorts if cohort.total is not None]
    rows = sum(cohort.rows for cohort in done)
    if rows < 1:
        return start.copy()
    summands = sum(len(cohort.survivors) for cohort in done)
    # A ring holds one cohort's sum; beyond int64, the sum of all cohorts' sums is taken in Python's integers.
    exact = np.int64 if summands * spec.fixed_point.largest < 1 << 63 else np.object_
    total: NDArray[Any] = np.zeros(start.shape, dtype=exact)
    for cohort in done:
        total = total + cohort.total
    return (start + _weighted_mean(spec, total, rows)).astype(np.float32)


def _weighted_mean(spec: RoundSpec, total: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """Undo the fixed point and the weights: total * 2^-fraction_bits / (rows / reference_rows)."""
    return total.astype(np.float64) * (2.0**-spec.fraction_bits * spec.reference_rows / rows)


class Cloud:
    """The coordinator's state between rounds: the spec and the current model."""

    def __init__(self, spec: RoundSpec, *, seed: int, rounds_done: int = 0) -> None:
        """Start from the seeded initial model.

        Args:
            spec: the spec of the rounds to come.
            seed: seed of the initial model.
            rounds_done: number of the last round on the ledger; the first round here is the one after.
        """
        self.spec = spec
        self.model = initial_vector(spec.model, seed)
        self.rounds_done = rounds_done

    def plan(self) -> RoundPlan:
        """The plan of the next round."""
        return RoundPlan(number=self.rounds_done + 1, spec=self.spec, model=self.model)

    def combine(self, plan: RoundPlan, cohorts: Sequence[CohortSum]) -> NDArray[np.float32]:
        """Combine the cohorts of `plan` into the next model, and move on to the next round.

        Raises:
            SpecError: the plan is not that of the next round, or starts from another model.
        """
        if plan.number != self.rounds_done + 1:
            raise SpecError(f"round {plan.number} is not the next one: {self.rounds_done + 1}")
        if plan.model_hash != model_digest(self.model):
            raise SpecError(f"round {plan.number} started from another model than the current one")
        self.model = federated_average(plan.spec, plan.model, cohorts)
        self.rounds_done = plan.number
        return self.model
