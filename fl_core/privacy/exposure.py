"""What a round shows of a device: how much noise is sure to be on it, for each kind of observer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fl_core.errors import SpecError
from fl_core.json_fields import from_fields
from fl_core.privacy.noise_spec import NoiseSpec
from fl_core.privacy.sensitivity import Sensitivity
from fl_core.privacy.skellam import sample_distance

MAX_ENTRIES = 10_000_000
PROFILES = ("accountable", "hospital", "private")


@dataclass(frozen=True)
class RoundExposure:
    """Variances of the noise between a device's vector and its observers, in squared integer steps.

    Attributes:
        sensitivity: of the device's vector.
        unmasked: its own noise alone, where secure aggregation is broken.
        edge: on a cohort's sum, which the hospital's edge (and an auditor) sees.
        release: on what is released.
        distance: bound of the statistical distance of all this noise from true Skellam noise.
    """

    sensitivity: Sensitivity
    unmasked: float
    edge: float
    release: float
    distance: float

    def __post_init__(self) -> None:
        """Check that who sees less sees more noise.

        Raises:
            SpecError: variances out of order.
        """
        if not 0 <= self.unmasked <= self.edge <= self.release or not 0 <= self.distance < 1:
            raise SpecError(
                f"exposure with variances {self.unmasked} (unmasked), {self.edge} (edge), {self.release} (release) "
                f"and distance {self.distance}: they must not fall"
            )

    def to_json(self) -> dict[str, Any]:
        """The exposure as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> RoundExposure:
        """The exposure that `to_json` wrote.

        Raises:
            SpecError: it is malformed.
        """
        return from_fields(cls, value)


@dataclass(frozen=True)
class Survivors:
    """Honest devices whose noise is sure to be there, whoever else drops out.

    Attributes:
        honest_in_cohort: in a cohort's sum.
        honest_at_release: in what is released.
    """

    honest_in_cohort: int
    honest_at_release: int


def fewest_survivors(
    threshold: int,
    *,
    min_hospitals: int,
    corrupted: int,
    corrupted_hospitals: int,
    link_classes: int = 1,
) -> Survivors:
    """The worst case of who survives.

    Args:
        threshold: smallest threshold that a cohort can have.
        min_hospitals: fewest hospitals in what is released; 1 but in profile `private`.
        corrupted: devices of a cohort whose noise does not count.
        corrupted_hospitals: hospitals of the same.
        link_classes: prefixes of the coordinates that devices send. With several, later entries may hold the noise of
            the device's own cohort only.
    """
    honest = threshold - corrupted
    cohorts = max(1, min_hospitals - corrupted_hospitals) if link_classes == 1 else 1
    return Survivors(honest, honest * cohorts)


def check_survivors(
    profile: str, honest_in_cohort: int, honest_at_release: int, honest_hospitals: int
) -> None:
    """Refuse counts of honest survivors that cannot be.

    Raises:
        SpecError: an unknown profile, nobody honest, or fewer honest devices in what is released than in a cohort.
    """
    if profile not in PROFILES:
        raise SpecError(f"profile {profile!r}: choose one of {', '.join(PROFILES)}")
    if honest_in_cohort < 1:
        raise SpecError(
            f"{honest_in_cohort} honest devices are sure to be in a cohort's sum: "
            "take larger cohorts, or assume fewer corrupted devices"
        )
    if honest_at_release < honest_in_cohort:
        raise SpecError(
            f"{honest_at_release} honest devices in what is released, {honest_in_cohort} in a cohort: "
            "what is released holds at least one whole cohort"
        )
    if honest_hospitals < 1:
        raise SpecError(
            f"{honest_hospitals} honest hospitals are sure to add their share of the global noise: assume fewer "
            "corrupted ones"
        )


def round_exposure(
    noise: NoiseSpec,
    sensitivity: Sensitivity,
    *,
    profile: str,
    honest_in_cohort: int,
    honest_at_release: int,
    hospitals_at_release: int = 1,
    entries: int = MAX_ENTRIES,
) -> RoundExposure:
    """What one round under `noise` shows of a device, in the worst case of who survives.

    Args:
        noise: the round's noise.
        sensitivity: of one device's vector.
        profile: accountable, hospital or private.
        honest_in_cohort: devices whose noise is sure to be in a cohort's sum: its smallest threshold less `corrupted`.
        honest_at_release: devices whose noise is sure to be in what is released; in `private` none of a corrupted
            hospital's, since that hospital can take the sums of its own cohorts off.
        hospitals_at_release: hospitals sure to be in the global sum (`private`); the corrupted are taken off here.
        entries: length of the vector.

    Raises:
        SpecError: counts that cannot be.
    """
    shares = shares_of(profile, hospitals_at_release, noise.corrupted_hospitals)
    check_survivors(profile, honest_in_cohort, honest_at_release, shares)
    if entries < 1:
        raise SpecError(f"vector of {entries} entries: at least 1 is needed")
    each = honest_at_release * sample_distance(noise.local_variance) + shares * sample_distance(
        noise.global_variance
    )
    return RoundExposure(
        sensitivity=sensitivity,
        unmasked=noise.local_variance,
        edge=honest_in_cohort * noise.local_variance,
        release=honest_at_release * noise.local_variance + shares * noise.global_variance,
        distance=entries * each,
    )


def shares_of(profile: str, hospitals_at_release: int, corrupted_hospitals: int) -> int:
    """Shares of the global noise on what is released: each honest hospital's in `private`, else the releasing one's."""
    return hospitals_at_release - corrupted_hospitals if profile == "private" else 1
