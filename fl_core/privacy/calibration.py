"""How much noise a target takes: local noise for the edge, global noise for what release needs beyond it."""

from __future__ import annotations

import math
from contextlib import suppress

from fl_core.errors import SpecError
from fl_core.privacy.exposure import MAX_ENTRIES, check_survivors, shares_of
from fl_core.privacy.noise_spec import NoiseSpec, check_target
from fl_core.privacy.renyi import composed, epsilon_of, skellam_rdp
from fl_core.privacy.sensitivity import Sensitivity
from fl_core.privacy.skellam import MAX_PARTS, MAX_VARIANCE, MIN_VARIANCE
from fl_core.privacy.skellam_table import SAMPLE_DISTANCE

DEFAULT_EDGE_EPSILON = 8.0
_VARIANCE_BITS = 16
_MOST_SUMMANDS_LOG2 = 20


def calibrate(
    *,
    profile: str,
    epsilon: float,
    delta: float,
    rounds: int,
    sensitivity: Sensitivity,
    honest_in_cohort: int,
    honest_at_release: int,
    hospitals_at_release: int = 1,
    edge_epsilon: float | None = None,
    corrupted: int = 2,
    corrupted_hospitals: int = 0,
    entries: int = MAX_ENTRIES,
) -> NoiseSpec:
    """The noise with which a device that takes part in `rounds` rounds loses at most the targets.

    Local noise is what the edge's target takes of the honest devices sure to be in a cohort; global noise fills up what
    the release's target takes beyond the local noise sure to be in it (sigma_g^2 = sigma_release^2 - sigma_local^2).
    Variances are rounded up to 16 significant bits.

    Args:
        profile: accountable, hospital or private.
        epsilon: target at release.
        delta: of both targets.
        rounds: cap of rounds of a device.
        sensitivity: of one device's vector.
        honest_in_cohort: smallest threshold that a cohort can have, less `corrupted`.
        honest_at_release: devices whose noise is sure to be in what is released; in `private` none of a corrupted
            hospital's, since that hospital can take the sums of its own cohorts off.
        hospitals_at_release: hospitals sure to be in the global sum (`private`), of which `corrupted_hospitals` do not
            count; each of the others adds an equal share.
        edge_epsilon: target at the edge. By default 8, or `epsilon` where that is larger, but never more local noise
            than the release needs anyway: the edge's figure may then be above 8.
        corrupted: devices of a cohort already taken off the counts; recorded.
        corrupted_hospitals: as said.
        entries: length of the vector.

    Raises:
        SpecError: targets or counts that cannot be, or noise beyond what can be sampled.
    """
    check_target(epsilon, delta, rounds)
    shares = shares_of(profile, hospitals_at_release, corrupted_hospitals)
    check_survivors(profile, honest_in_cohort, honest_at_release, shares)
    distance = rounds * entries * (honest_at_release + shares) * SAMPLE_DISTANCE * MAX_PARTS

    def needed(target: float) -> float:
        return smallest_variance(target, delta, rounds, sensitivity, distance=distance)

    at_release = needed(epsilon)
    if edge_epsilon is None:
        local = at_release / honest_at_release
        with suppress(SpecError):  # where nothing reaches the edge's default, the release's need is taken
            local = min(local, needed(max(DEFAULT_EDGE_EPSILON, epsilon)) / honest_in_cohort)
    else:
        check_target(edge_epsilon, delta, rounds)
        local = needed(edge_epsilon) / honest_in_cohort
    local = _rounded_up(local)
    missing = at_release - honest_at_release * local
    return NoiseSpec(
        epsilon=epsilon,
        delta=delta,
        rounds=rounds,
        local_variance=local,
        global_variance=_rounded_up(missing / shares) if missing > 0 else 0.0,
        corrupted=corrupted,
        corrupted_hospitals=corrupted_hospitals,
    )


def smallest_variance(
    epsilon: float,
    delta: float,
    rounds: int,
    sensitivity: Sensitivity,
    *,
    distance: float = 0.0,
) -> float:
    """Smallest variance known to keep `rounds` sums within (epsilon, delta), to a relative 2^-20, rounded up.

    Args:
        epsilon: the target.
        delta: of the target.
        rounds: how many sums.
        sensitivity: of one device's vector.
        distance: statistical distance of everything drawn.

    Raises:
        SpecError: no variance does.
    """

    def reached(variance: float) -> bool:
        rdp = composed([(skellam_rdp(variance, sensitivity), rounds)])
        return epsilon_of(rdp, delta, distance) <= epsilon

    low, high = math.log2(MIN_VARIANCE), math.log2(MAX_VARIANCE) + _MOST_SUMMANDS_LOG2
    if not reached(math.exp2(high)):
        raise SpecError(
            f"no noise keeps {rounds} rounds of sensitivity {sensitivity.l2:.4g} within epsilon {epsilon} and delta "
            f"{delta}: allow more, fewer rounds or fewer fraction bits"
        )
    while high - low > 2.0**-20:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(math.exp2(middle)) else (middle, high)
    return math.exp2(high) * (1 + 2.0**-30)  # room for adding up shares in floating point


def _rounded_up(variance: float) -> float:
    """The next float of 16 significant bits: plain to read, and few bits for exact arithmetic."""
    fraction, exponent = math.frexp(variance)
    return max(
        MIN_VARIANCE, math.ldexp(math.ceil(math.ldexp(fraction, _VARIANCE_BITS)), exponent - _VARIANCE_BITS)
    )
