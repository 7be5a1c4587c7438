"""Simulated devices: how honest and dishonest ones behave."""

from fl_core.simulation.backdoor import TARGET_CLASS, backdoor_success, with_trigger
from fl_core.simulation.behaviours import (
    ATTACKS,
    Behaviour,
    labels_as_used,
    rows_as_used,
    update_as_sent,
)

__all__ = [
    "ATTACKS",
    "TARGET_CLASS",
    "Behaviour",
    "backdoor_success",
    "labels_as_used",
    "rows_as_used",
    "update_as_sent",
    "with_trigger",
]
