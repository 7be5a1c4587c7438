"""Settings of suspicion and quarantine, as users choose them and as records hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fl_core.errors import SpecError
from incentives import IncentivesError
from incentives.suspicion import SuspicionSettings

QUARANTINE = "quarantine"
"""Where scoring and run settings hold those of suspicion; null where nobody is suspected."""

DEFAULT_QUARANTINE = SuspicionSettings()


def quarantine_json(settings: SuspicionSettings | None) -> dict[str, Any] | None:
    """Settings of suspicion as a JSON object."""
    return None if settings is None else {**asdict(settings), "stakes": list(settings.stakes)}


def read_quarantine(value: Mapping[str, Any] | None) -> SuspicionSettings | None:
    """The settings that `quarantine_json` wrote.

    Raises:
        SpecError: one is unknown or out of range.
    """
    try:
        return None if value is None else SuspicionSettings(**value)
    except (TypeError, IncentivesError) as error:
        raise SpecError(f"settings of quarantine are malformed: {error}") from error


def quarantine_of(*, wanted: bool, alpha: float | None, margin: float | None) -> SuspicionSettings | None:
    """What the command line asks for.

    Raises:
        SpecError: a value out of range, or one without quarantine.
    """
    given = {name: value for name, value in (("alpha", alpha), ("margin", margin)) if value is not None}
    if not wanted:
        if given:
            names = " and ".join(f"--quarantine-{name}" for name in given)
            raise SpecError(f"{names} without quarantine: leave --no-quarantine out")
        return None
    return read_quarantine(given)
