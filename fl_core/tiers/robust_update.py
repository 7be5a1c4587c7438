"""What a robust rule makes of a round's released sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.robust import combined_update
from fl_core.round_plan import RoundPlan
from fl_core.spec import RoundSpec
from fl_core.tiers.release import Release
from fl_core.tiers.votes import votes_of


def robust_update(
    plan: RoundPlan,
    releases: Sequence[Release],
    beacon: bytes,
    root_update: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """What the spec's rule makes of the means of the released sums, float64 (d,).

    Coordinates that the same devices send are combined together, apart from others: a slower link class sends a prefix,
    so that later coordinates have fewer means. Where these are too few for the rule, coordinates stay as they are, as
    do those that nobody sent, and those of which the root update says nothing.

    They also stay where no more than half of the hospitals that released anything reach them: a rule that protects
    against a minority of hospitals would otherwise protect the tail against a minority of the few who reach it.
    Hospitals that released nothing are not counted: the plan does not say how many had a ready list, so that whoever
    can fail all cohorts of the others decides alone.

    A hospital is one vote, shared by its releases in proportion to their devices: neither more rows, which are only
    declared, nor more devices, which a hospital enrols itself, make it count for more. See `votes_of`.

    Args:
        plan: the round's plan.
        releases: all that was released in the round.
        beacon: the round's beacon, 32 bytes.
        root_update: what the root set taught, float32 (d,), exactly where the rule takes it.

    Raises:
        SpecError: a root update of another length, not finite or zero.
    """
    spec = plan.spec
    root: NDArray[np.float64] | None = None
    if root_update is not None:
        if root_update.shape != (spec.dim,) or not np.isfinite(root_update).all() or not root_update.any():
            raise SpecError(
                f"round {plan.number}: root update of shape {root_update.shape}: {spec.dim} finite values are needed, "
                "not all of them zero"
            )
        root = root_update.astype(np.float64)
    coordinates = plan.coordinates(beacon)
    where = np.arange(spec.dim) if coordinates is None else coordinates
    update = np.zeros(spec.dim)
    everyone = {release.hospital for release in releases if _there(spec, release, 0)}
    for stratum in _strata(spec, releases):
        there = [release for release in releases if _there(spec, release, stratum.stop)]
        reaching = {release.hospital for release in there}
        chosen = where[stratum]
        trusted = None if root is None else root[chosen]
        if 2 * len(reaching) <= len(everyone) or (trusted is not None and not trusted.any()):
            continue
        means, noise = _means(spec, there, stratum)
        votes = votes_of(
            [release.hospital for release in there],
            [sum(_reaching(spec, release.devices, stratum.stop)) for release in there],
        )
        update[chosen] = combined_update(spec.rule, means, votes, root=trusted, noise=noise)
    return update


def _strata(spec: RoundSpec, releases: Sequence[Release]) -> list[slice]:
    """Entries of the sums that are over the same devices, in order."""
    strata: list[slice] = []
    known: list[tuple[int, ...]] | None = None
    start = 0
    for stop in sorted(set(spec.terms.lengths)):
        there = [_reaching(spec, release.devices, stop) for release in releases]
        if strata and there == known:
            strata[-1] = slice(strata[-1].start, stop)
        else:
            strata.append(slice(start, stop))
        start, known = stop, there
    return strata


def _reaching(spec: RoundSpec, counts: Sequence[int], stop: int) -> tuple[int, ...]:
    """Those of the counts by link class whose devices send as far as `stop`."""
    return tuple(count for count, reach in zip(counts, spec.terms.lengths, strict=True) if reach >= stop)


def _there(spec: RoundSpec, release: Release, stop: int) -> bool:
    """Whether devices and rows of a release reach as far as `stop`."""
    return sum(_reaching(spec, release.devices, stop)) > 0 and sum(_reaching(spec, release.rows, stop)) > 0


def _means(
    spec: RoundSpec, releases: Sequence[Release], stratum: slice
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (k, s) of releases that reach a stratum, and the expected squared length of the noise in each (k,)."""
    stop, size = stratum.stop, stratum.stop - stratum.start
    step = 2.0**-spec.fraction_bits * spec.reference_rows
    noise = spec.noise
    means, lengths = [], []
    for release in releases:
        rows = sum(_reaching(spec, release.rows, stop))
        means.append(release.total[stratum].astype(np.float64) * step / rows)
        devices = sum(_reaching(spec, release.devices, stop))
        variance = 0.0 if noise is None else noise.local_variance * devices + noise.global_variance
        lengths.append(variance * size * (step / rows) ** 2)
    return np.array(means), np.array(lengths)
