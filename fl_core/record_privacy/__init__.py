"""Per-record differential privacy: DP-SGD on a device's own records (Abadi et al., CCS 2016)."""

from fl_core.record_privacy.accounting import noise_multiplier_for, record_epsilon, record_event
from fl_core.record_privacy.gaussian import GaussianSource, StandardNormal
from fl_core.record_privacy.settings import RecordPrivacy

__all__ = [
    "GaussianSource",
    "RecordPrivacy",
    "StandardNormal",
    "noise_multiplier_for",
    "record_epsilon",
    "record_event",
]
