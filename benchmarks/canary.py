"""Attacks on what the product releases: what an attacker learns of one device, against the epsilon that is claimed.

Noise, clip, steps and ring are those that `fediomt train` would agree on; the attack faces the worst case that the
claim counts on: only the honest devices and hospitals that are sure to be there add noise, and all else is known.
Broken mechanisms go through the same attack, which must find them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.privacy import NoiseSource, fewest_survivors
from fl_core.privacy.canary import CanaryReport, CohortMechanism, Mechanism, canary_attack
from fl_core.privacy.exposure import shares_of
from fl_core.spec import Profile
from fl_core.updates import UpdateCodec
from fl_core.updates.ring import MAX_BITS
from scripts.federation.update_terms import UpdateTerms, agree_on_updates

DELTA = 1e-5
EPSILONS = (1.0, 2.0, 4.0)
ROUNDS = 2
PARAMETERS = 3_372  # logistic regression on har
HOSPITALS, DEVICES, COHORT_SIZE, K_MIN = 10, 1_000, 24, 16
_LESS = 4.0


@dataclass(frozen=True)
class CanaryCell:
    """One claim under attack.

    Attributes:
        profile: what is released.
        honest_devices: whose noise the claim counts on.
        sound: the attack on the product's mechanism.
        broken: the same attack on mechanisms that do less than they claim, by what is wrong with them.
    """

    profile: str
    honest_devices: int
    sound: CanaryReport
    broken: Mapping[str, CanaryReport]

    @property
    def verdict(self) -> str:
        """`below` the claim with the whole 95% interval; `refuted`; `open` where more runs are needed to tell."""
        if self.sound.refuted:
            return "refuted"
        return "below" if self.sound.high < self.sound.claimed else "open"

    @property
    def caught(self) -> bool:
        """Whether every broken mechanism is found, without assuming anything of the noise."""
        return all(report.low > report.claimed for report in self.broken.values())


@dataclass(frozen=True)
class CanaryFigures:
    """All claims.

    Attributes:
        cells: one a profile and epsilon.
        runs: of each world behind every report.
        rounds: that the device takes part in.
        delta: of every epsilon.
    """

    cells: tuple[CanaryCell, ...]
    runs: int
    rounds: int
    delta: float

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object; null where an attack finds no upper end."""
        cells = [
            {
                "profile": cell.profile,
                "honest_devices": cell.honest_devices,
                "verdict": cell.verdict,
                "caught": cell.caught,
                "sound": _report_json(cell.sound),
                "broken": {kind: _report_json(report) for kind, report in cell.broken.items()},
            }
            for cell in self.cells
        ]
        return {
            "cells": cells,
            "runs": self.runs,
            "rounds": self.rounds,
            "delta": self.delta,
            "refuted": any(cell.verdict == "refuted" for cell in self.cells),
            "caught": all(cell.caught for cell in self.cells),
        }


def measure_canary(
    *,
    runs: int = 50_000,
    epsilons: Sequence[float] = EPSILONS,
    profiles: Sequence[Profile] = tuple(Profile),
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> CanaryFigures:
    """Attack each profile at each epsilon, and its broken versions.

    Args:
        runs: of each world, at least 1,000; more runs bring the lower bound nearer to the truth.
        epsilons: what is claimed at release.
        profiles: what is released.
        seed: of noise and rounding.
        progress: called with what is attacked.

    Raises:
        SpecError: too few runs, or a target that no noise reaches.
    """
    cells: list[CanaryCell] = []
    for profile in profiles:
        for epsilon in epsilons:
            progress(f"{profile.value}, epsilon {epsilon:g}")
            mechanism, canary = released_mechanism(profile, epsilon)
            attack_seed = seed + len(cells)
            kinds: dict[str, Mechanism] = {
                "a quarter of the noise": _with_less_noise(mechanism),
                "noise repeated in every round": RepeatedNoise(mechanism),
            }
            sound, *broken = (
                canary_attack(kind, canary, claimed=epsilon, delta=DELTA, runs=runs, seed=attack_seed)
                for kind in (mechanism, *kinds.values())
            )
            cells.append(
                CanaryCell(profile.value, mechanism.honest, sound, dict(zip(kinds, broken, strict=True)))
            )
    return CanaryFigures(tuple(cells), runs, ROUNDS, DELTA)


def released_mechanism(profile: Profile, epsilon: float) -> tuple[CohortMechanism, NDArray[np.float64]]:
    """What the product would release of `ROUNDS` rounds in the worst case, and a canary as long as the clip allows.

    All of the canary is in one entry, since the noise of entries is independent; its sign alternates, so that noise
    which repeats shows. The ring is as wide as rings get: a sum that wraps would only hide more.
    """
    agreed = agree_on_updates(
        UpdateTerms(
            profile=profile,
            hospitals=HOSPITALS,
            devices=DEVICES,
            rounds=ROUNDS,
            cohort_size=COHORT_SIZE,
            k_min=K_MIN,
            epsilon=epsilon,
            delta=DELTA,
            clip_norm=None,
            compression=None,
            bits=None,
        ),
        PARAMETERS,
    )
    noise = agreed.noise
    assert noise is not None
    survivors = fewest_survivors(
        K_MIN,
        min_hospitals=agreed.min_hospitals,
        corrupted=noise.corrupted,
        corrupted_hospitals=noise.corrupted_hospitals,
    )
    shares = shares_of(profile.value, agreed.min_hospitals, noise.corrupted_hospitals)
    codec = UpdateCodec(
        1, agreed.clip_norm, MAX_BITS, agreed.fraction_bits, noise_variance=noise.local_variance
    )
    canary = agreed.clip_norm * np.array([[1.0 - 2 * (number % 2)] for number in range(ROUNDS)])
    return CohortMechanism(codec, noise.global_variance * shares, survivors.honest_at_release), canary


def _report_json(report: CanaryReport) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isinf(value) else value
        for name, value in report.to_json().items()
    }


def _with_less_noise(mechanism: CohortMechanism) -> CohortMechanism:
    """Broken: every noise has a quarter of its standard deviation."""
    codec = replace(mechanism.codec, noise_variance=mechanism.codec.noise_variance / _LESS**2)
    return replace(mechanism, codec=codec, global_variance=mechanism.global_variance / _LESS**2)


@dataclass(frozen=True)
class RepeatedNoise:
    """Broken: the noise of the first round is used in every round.

    Attributes:
        mechanism: the sound one.
    """

    mechanism: CohortMechanism

    def __call__(
        self, updates: NDArray[np.float64], runs: int, source: NoiseSource, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """See `Mechanism`."""
        noise = self.mechanism(np.zeros_like(updates[:1]), runs, source, rng)
        steps = np.rint(updates * 2.0**self.mechanism.codec.fraction_bits).astype(np.int64)
        return noise + steps
