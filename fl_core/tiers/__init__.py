"""The three tiers of Algorithm 1: device, hospital edge, cloud."""

from fl_core.tiers.cloud import Cloud, federated_average, mean_update, next_model
from fl_core.tiers.device import Device
from fl_core.tiers.device_memory import DeviceMemory
from fl_core.tiers.draw import CalledCohort, PublicDraw, called_cohort, subject_of
from fl_core.tiers.edge import Called, Edge, ValidationRows
from fl_core.tiers.hospital_keys import HospitalKeys, epoch_commitment, seed_digest
from fl_core.tiers.joint import (
    JOINT_HOSPITAL,
    MIN_JOINT_HOSPITALS,
    Counts,
    JointServer,
    joint_counts,
    joint_plan,
    joint_release,
)
from fl_core.tiers.messages import CohortCall, CohortReport
from fl_core.tiers.records import Records
from fl_core.tiers.release import CohortSum, Release, counts_of, length_of, summed_up, with_global_noise
from fl_core.tiers.sealed_transcript import OpenedTranscript, TranscriptPlace
from fl_core.tiers.task import Task

__all__ = [
    "JOINT_HOSPITAL",
    "MIN_JOINT_HOSPITALS",
    "Called",
    "CalledCohort",
    "Cloud",
    "CohortCall",
    "CohortReport",
    "CohortSum",
    "Counts",
    "Device",
    "DeviceMemory",
    "Edge",
    "HospitalKeys",
    "JointServer",
    "OpenedTranscript",
    "PublicDraw",
    "Records",
    "Release",
    "Task",
    "TranscriptPlace",
    "ValidationRows",
    "called_cohort",
    "counts_of",
    "epoch_commitment",
    "federated_average",
    "joint_counts",
    "joint_plan",
    "joint_release",
    "length_of",
    "mean_update",
    "next_model",
    "seed_digest",
    "subject_of",
    "summed_up",
    "with_global_noise",
]
