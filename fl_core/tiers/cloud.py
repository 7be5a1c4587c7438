"""The cloud: combines what is released into the next global model. It sees no single device's update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.checkpoint import Snapshot
from fl_core.errors import SpecError
from fl_core.models import initial_vector, model_digest
from fl_core.robust import MEAN
from fl_core.round_plan import RoundPlan
from fl_core.spec import RoundSpec
from fl_core.tiers.release import Release, add_up
from fl_core.tiers.robust_update import robust_update


def mean_update(plan: RoundPlan, release: Release, beacon: bytes) -> NDArray[np.float64]:
    """The weighted mean update of a release, float64 (d,); coordinates that nobody sent are 0.

    Raises:
        SpecError: nobody is in it.
    """
    if sum(release.rows) < 1:
        raise SpecError(f"the sum of {release.name} holds no rows: it has no mean")
    return _weighted_mean(plan, [release], beacon)


def federated_average(plan: RoundPlan, releases: Sequence[Release], beacon: bytes) -> NDArray[np.float32]:
    """Algorithm 1's cloud step: w_{t} = w_{t-1} + sum of weighted updates / sum of weights, coordinate by coordinate.

    The integer sums are added exactly, so the result does not depend on who was summed with whom. Without any sum the
    model stays as it is, and so does a coordinate that nobody sent.

    Args:
        plan: the round's plan.
        releases: all that was released in the round.
        beacon: the round's beacon, 32 bytes, which the sent coordinates depend on.

    Returns:
        Parameters after the round, float32 (d,).
    """
    if sum(sum(release.rows) for release in releases) < 1:
        return plan.model.copy()
    return (plan.model + _weighted_mean(plan, releases, beacon)).astype(np.float32)


def next_model(
    plan: RoundPlan,
    releases: Sequence[Release],
    beacon: bytes,
    root_update: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The model after a round: what the spec's rule makes of the released sums, added to the model before.

    The plain mean is `federated_average`; for other rules see `robust_update`. Whoever holds the arguments gets the
    same bits on any machine with IEEE arithmetic.

    Args:
        plan: the round's plan.
        releases: all that was released in the round.
        beacon: the round's beacon, 32 bytes.
        root_update: what the root set taught, float32 (d,), exactly where the rule takes it.

    Returns:
        Parameters after the round, float32 (d,).

    Raises:
        SpecError: a root update where none is taken or none where one is; or of another length, not finite or zero.
    """
    rule = plan.spec.rule
    if (root_update is not None) != rule.takes_root:
        raise SpecError(
            f"round {plan.number}: {rule.name} {'needs a' if rule.takes_root else 'takes no'} root update"
        )
    if rule == MEAN:
        return federated_average(plan, releases, beacon)
    update = robust_update(plan, releases, beacon, root_update)
    return (plan.model + update).astype(np.float32)


def _weighted_mean(plan: RoundPlan, releases: Sequence[Release], beacon: bytes) -> NDArray[np.float64]:
    """Undo the fixed point and the weights: total * 2^-fraction_bits / (rows / reference_rows) at what was sent."""
    spec = plan.spec
    total = add_up(
        [release.total for release in releases],
        sum(spec.release_reach(sum(release.devices)) for release in releases),
    )
    rows = _rows_by_entry(spec, [release.rows for release in releases], len(total))
    factor = 2.0**-spec.fraction_bits * spec.reference_rows
    mean: NDArray[np.float64] = np.divide(
        total.astype(np.float64) * factor, rows, out=np.zeros(len(total)), where=rows > 0
    )
    coordinates = plan.coordinates(beacon)
    if coordinates is None:
        return mean
    dense = np.zeros(spec.dim)
    dense[coordinates[: len(total)]] = mean
    return dense


def _rows_by_entry(spec: RoundSpec, rows: Sequence[Sequence[int]], length: int) -> NDArray[Any]:
    """How many rows each entry of a sum is over: a link class counts as far as its prefix reaches."""
    found = np.zeros(length)
    for link_class, reach in enumerate(spec.terms.lengths):
        found[:reach] += sum(item[link_class] for item in rows)
    return found


class Cloud:
    """The coordinator's state between rounds: the spec, the current model and the one before."""

    def __init__(self, spec: RoundSpec, *, seed: int, rounds_done: int = 0) -> None:
        """Start from the seeded initial model.

        Args:
            spec: the spec of the rounds to come.
            seed: seed of the initial model.
            rounds_done: number of the last round on the ledger; the first round here is the one after.
        """
        self.spec = spec
        self.model = initial_vector(spec.model, seed)
        self.previous: NDArray[np.float32] | None = None
        self.rounds_done = rounds_done

    def snapshot(self) -> Snapshot:
        """What the cloud holds between two rounds."""
        arrays = {"model": self.model}
        if self.previous is not None:
            arrays["previous"] = self.previous
        return Snapshot(values={"rounds_done": self.rounds_done}, arrays=arrays)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on where a snapshot was taken.

        Raises:
            CheckpointError: the snapshot lacks something, or is of another model.
        """
        shape = self.model.shape
        self.model = snapshot.array("model", np.float32, shape)
        previous = "previous" in snapshot.arrays
        self.previous = snapshot.array("previous", np.float32, shape) if previous else None
        self.rounds_done = int(snapshot.value("rounds_done"))

    def abandon(self, round_number: int) -> None:
        """Pass over a round that was opened and will give nothing: the model stays as it is.

        Raises:
            SpecError: it is not the next round.
        """
        if round_number != self.rounds_done + 1:
            raise SpecError(f"round {round_number} is not the next one: {self.rounds_done + 1}")
        self.rounds_done = round_number

    def plan(self) -> RoundPlan:
        """The plan of the next round."""
        return RoundPlan(
            number=self.rounds_done + 1,
            spec=self.spec,
            model=self.model,
            previous=self.previous if self.spec.follows_updates else None,
        )

    def combine(
        self,
        plan: RoundPlan,
        releases: Sequence[Release],
        beacon: bytes,
        root_update: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Combine what was released in the round of `plan` into the next model, and move on to the next round.

        Raises:
            SpecError: the plan is not that of the next round, or starts from another model; or the root update is not
                what the rule takes, see `next_model`.
        """
        if plan.number != self.rounds_done + 1:
            raise SpecError(f"round {plan.number} is not the next one: {self.rounds_done + 1}")
        if plan.model_hash != model_digest(self.model):
            raise SpecError(f"round {plan.number} started from another model than the current one")
        self.model = next_model(plan, releases, beacon, root_update)
        self.previous = plan.model
        self.rounds_done = plan.number
        return self.model
