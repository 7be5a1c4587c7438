"""What a run cost in privacy, and what that leaves to detection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from fl_core.privacy import PrivacyLoss
from fl_core.spec import RoundSpec
from scripts.federation.run import Run


def privacy_figures(run: Run) -> dict[str, Any]:
    """The figures as they go into JSON: `epsilon` is that at release, null where noise is off."""
    population, delta = run.population, None if run.spec.noise is None else run.spec.noise.delta
    privacy = run.spec.training.record_privacy
    return {
        **loss_json(population.privacy_loss(), delta),
        "record_epsilon": run.record_epsilon(run.rounds_charged),
        "record_delta": None if privacy is None else privacy.delta,
        **person_json(population.person_loss(), population.devices_per_person),
    }


def loss_json(loss: PrivacyLoss | None, delta: float | None) -> dict[str, Any]:
    """A loss as it goes into JSON; null where noise is off, or where nothing is claimed."""
    figures = _figures(loss)
    return {
        "epsilon": figures["release"],
        "epsilon_edge": figures["edge"],
        "epsilon_unmasked": figures["unmasked"],
        "delta": delta,
    }


def person_json(loss: PrivacyLoss | None, devices: int) -> dict[str, Any]:
    """The same of a person with all of their devices, of which there are at most so many."""
    figures = _figures(loss)
    return {
        "devices_per_person": devices,
        "epsilon_person": figures["release"],
        "epsilon_person_edge": figures["edge"],
        "epsilon_person_unmasked": figures["unmasked"],
    }


def _figures(loss: PrivacyLoss | None) -> dict[str, float | None]:
    return {"release": None, "edge": None, "unmasked": None} if loss is None else loss.to_json()


def detection_bound(spec: RoundSpec, rounds: int) -> float | None:
    """About the best area under the ROC curve that any detector of label flippers can have; None without noise.

    What is released of a device is at best as telling as a Gaussian shift by mu = sqrt(2 rho), so that two devices, one
    honest and one flipped, are sqrt(2) mu standard deviations apart: AUC <= Phi(sqrt(2) mu) (DESIGN.md section 3).
    """
    if spec.noise is None:
        return None
    mu = math.sqrt(2 * spec.rho_micro * rounds / 1e6)
    return NormalDist().cdf(math.sqrt(2) * mu)


def detection_auc(quality: Mapping[str, int], behaviours: Mapping[str, str]) -> float | None:
    """How often a label flipper has the lower quality of it and an honest device, ties counting half.

    Args:
        quality: final quality by device.
        behaviours: by device.

    Returns:
        0..1, or None where one of the kinds is absent.
    """
    flipped = [quality[name] for name, kind in behaviours.items() if kind == "label_flip"]
    honest = [quality[name] for name, kind in behaviours.items() if kind in ("honest", "inflated")]
    if not flipped or not honest:
        return None
    won = sum((low < high) + (low == high) / 2 for low in flipped for high in honest)
    return won / (len(flipped) * len(honest))
