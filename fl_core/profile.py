"""What may be seen of a round, and the kinds of devices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Profile(Enum):
    """What may be seen outside a device's cohort, and so what can be scored (DESIGN.md section 3)."""

    ACCOUNTABLE = "accountable"
    HOSPITAL = "hospital"
    PRIVATE = "private"

    @property
    def code(self) -> int:
        """The profile's number on chain."""
        return list(Profile).index(self)

    @property
    def scores_devices(self) -> bool:
        """Whether device quality counts: only where sums of cohorts are seen."""
        return self is Profile.ACCOUNTABLE

    @property
    def scores_hospitals(self) -> bool:
        """Whether hospital quality counts: wherever a hospital's sum is seen."""
        return self is not Profile.PRIVATE


@dataclass(frozen=True)
class DeviceClass:
    """A kind of device and what it can plausibly hold.

    Attributes:
        name: the class's name.
        max_rows: most training rows that a device of the class is credited with.
    """

    name: str
    max_rows: int


DEVICE_CLASSES = (
    DeviceClass("wearable", max_rows=1_024),
    DeviceClass("bedside", max_rows=8_192),
    DeviceClass("imaging", max_rows=32_768),
    DeviceClass("server", max_rows=1_048_576),
)
