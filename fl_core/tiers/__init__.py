"""The three tiers of Algorithm 1: device, hospital edge, cloud."""

from fl_core.tiers.cloud import Cloud, federated_average, mean_update
from fl_core.tiers.device import Device, Records
from fl_core.tiers.draw import PublicDraw, cohort_plan, subject_of
from fl_core.tiers.edge import Edge, ValidationRows
from fl_core.tiers.messages import CohortCall, CohortSum

__all__ = [
    "Cloud",
    "CohortCall",
    "CohortSum",
    "Device",
    "Edge",
    "PublicDraw",
    "Records",
    "ValidationRows",
    "cohort_plan",
    "federated_average",
    "mean_update",
    "subject_of",
]
