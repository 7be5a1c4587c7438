"""Differential privacy: exact noise, accounting, calibration and evidence (DESIGN.md section 5, docs/accounting.md)."""

from fl_core.privacy.accountant import UPDATE, Accountant, Budget, Charge, PrivacyBudgetError, person_loss
from fl_core.privacy.calibration import calibrate
from fl_core.privacy.exposure import RoundExposure, fewest_survivors, round_exposure
from fl_core.privacy.global_noise import global_noise
from fl_core.privacy.loss import (
    PrivacyLoss,
    composed_loss,
    composed_person_loss,
    privacy_loss,
    rho_per_round,
)
from fl_core.privacy.noise_source import NoiseSource
from fl_core.privacy.noise_spec import NoiseSpec, default_delta
from fl_core.privacy.sensitivity import Sensitivity
from fl_core.privacy.skellam import sample_skellam
from fl_core.privacy.tails import noise_reach

__all__ = [
    "UPDATE",
    "Accountant",
    "Budget",
    "Charge",
    "NoiseSource",
    "NoiseSpec",
    "PrivacyBudgetError",
    "PrivacyLoss",
    "RoundExposure",
    "Sensitivity",
    "calibrate",
    "composed_loss",
    "composed_person_loss",
    "default_delta",
    "fewest_survivors",
    "global_noise",
    "noise_reach",
    "person_loss",
    "privacy_loss",
    "rho_per_round",
    "round_exposure",
    "sample_skellam",
]
