"""The three figures: epsilon at the edge, at release, and were secure aggregation broken."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fl_core.errors import SpecError
from fl_core.privacy.exposure import MAX_ENTRIES, RoundExposure, round_exposure
from fl_core.privacy.noise_spec import NoiseSpec
from fl_core.privacy.renyi import ORDERS, Float64Array, composed, epsilon_of, skellam_rdp, zcdp_rho
from fl_core.privacy.sensitivity import Sensitivity

_MAX_UINT64 = (1 << 64) - 1


@dataclass(frozen=True)
class PrivacyLoss:
    """Epsilons at one delta; infinity where nothing is claimed. edge >= release, unmasked >= edge.

    Attributes:
        edge: towards the hospital's edge, its auditors, and devices that collude with it.
        release: towards everyone else.
        unmasked: towards an edge that has broken secure aggregation: the device's own noise alone.
    """

    edge: float
    release: float
    unmasked: float

    def to_json(self) -> dict[str, float | None]:
        """The figures as a JSON object, null for infinity."""
        figures = {"edge": self.edge, "release": self.release, "unmasked": self.unmasked}
        return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def composed_loss(exposures: Iterable[tuple[RoundExposure, int]], delta: float) -> PrivacyLoss:
    """Loss of a device over exposures, each as many times as said.

    Raises:
        SpecError: delta is not in (0, 1).
    """
    return composed_person_loss([(exposure, 1, count) for exposure, count in exposures], delta)


def composed_person_loss(rounds: Iterable[tuple[RoundExposure, int, int]], delta: float) -> PrivacyLoss:
    """Loss of a person whose devices' inputs are all replaced by zero together (docs/accounting.md).

    It holds however the devices are spread over sums. Their own noise counts: they are as honest as others.

    Args:
        rounds: exposure of a round, how many of the person's devices took part in it, and how many such rounds.
        delta: of all figures.

    Raises:
        SpecError: delta is not in (0, 1), or fewer than one device.
    """
    return _composed_loss(tuple(rounds), delta)


@lru_cache(maxsize=4096)
def _composed_loss(items: tuple[tuple[RoundExposure, int, int], ...], delta: float) -> PrivacyLoss:
    """Cached: devices that took part in as many rounds share their figures."""
    distance = sum(exposure.distance * devices * count for exposure, devices, count in items)
    curves = [(_person_curves(exposure, devices), count) for exposure, devices, count in items]

    def epsilon(figure: str) -> float:
        return epsilon_of(composed([(curve[figure], count) for curve, count in curves]), delta, distance)

    return PrivacyLoss(edge=epsilon("edge"), release=epsilon("release"), unmasked=epsilon("unmasked"))


def _person_curves(exposure: RoundExposure, devices: int) -> dict[str, Float64Array]:
    """Rényi bounds of one round by figure, for a person with so many devices in it.

    Unmasked, each device's vector is seen by itself, so that the bounds of single devices add up. In sums the worst is
    that all devices are in one and the same: the bound grows at least in proportion to their number, so that several
    sums with some of them each never tell more. A sum follows from the vectors, and what is released from the sums:
    each figure is at most the one before.
    """
    together = exposure.sensitivity.times(devices)
    unmasked = devices * _cached_rdp(exposure.unmasked, exposure.sensitivity)
    edge = np.minimum(_cached_rdp(exposure.edge, together), unmasked)
    release = np.minimum(_cached_rdp(exposure.release, together), edge)
    return {"edge": edge, "release": release, "unmasked": unmasked}


def privacy_loss(
    noise: NoiseSpec,
    sensitivity: Sensitivity,
    rounds_taken: int,
    *,
    profile: str,
    honest_in_cohort: int,
    honest_at_release: int,
    hospitals_at_release: int = 1,
    entries: int = MAX_ENTRIES,
) -> PrivacyLoss:
    """Loss of a device that took part in `rounds_taken` rounds under `noise`; arguments as of `round_exposure`.

    Raises:
        SpecError: counts that cannot be.
    """
    if rounds_taken < 0:
        raise SpecError(f"{rounds_taken} rounds taken: choose 0 or more")
    exposure = round_exposure(
        noise,
        sensitivity,
        profile=profile,
        honest_in_cohort=honest_in_cohort,
        honest_at_release=honest_at_release,
        hospitals_at_release=hospitals_at_release,
        entries=entries,
    )
    return composed_loss([(exposure, rounds_taken)], noise.delta)


def rho_per_round(exposure: RoundExposure) -> int:
    """What a round declares on chain: the release's zCDP rho, in millionths, rounded up.

    The smallest rho for which the Rényi bound stays below rho a at every whole order used (concentrated privacy of Bun
    and Steinke 2016, restricted to those orders).

    Raises:
        SpecError: no noise, or so little that the figure does not fit 64 bits.
    """
    micro = zcdp_rho(exposure.release, exposure.sensitivity) * 1e6
    if not micro <= _MAX_UINT64:
        raise SpecError(f"rho of {micro:.3g} millionths does not fit 64 bits: add noise")
    return math.ceil(micro)


@lru_cache(maxsize=256)
def _cached_rdp(variance: float, sensitivity: Sensitivity) -> Float64Array:
    rdp = skellam_rdp(variance, sensitivity)
    assert rdp.shape == np.shape(ORDERS)
    rdp.flags.writeable = False
    return rdp
