"""A hospital with known devices, judged by three others: cohorts drawn at random, utilities from effects and noise."""

from collections.abc import Callable, Sequence

import numpy as np

from incentives.suspicion import SuspicionSettings
from incentives.suspicion_standing import Status
from incentives.suspicion_views import DrawnCohort, JudgedCohort
from incentives.suspicion_watch import Decision, HospitalEvidence, Watch

MICRO = 1_000_000
HOME = 1
CONSORTIUM = frozenset({1, 2, 3, 4})


def device(index: int) -> bytes:
    return (index + 1).to_bytes(20, "big")


def gaussian(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.normal(0, 0.5, count)


def heavy_tailed(rng: np.random.Generator, count: int) -> np.ndarray:
    """Student's t with two degrees of freedom, whose variance is infinite; utilities are clipped at 4."""
    return 0.4 * rng.standard_t(2, count)


def drawn(rng: np.random.Generator, devices: list[int], cohorts: int) -> list[list[int]]:
    return [sorted(map(int, part)) for part in np.array_split(rng.permutation(devices), cohorts)]


def utilities_of(groups: list[list[int]], effects: np.ndarray, noise: np.ndarray) -> list[int]:
    """Mean effect of the members and noise, in millionths, clipped as standardised utilities are."""
    return [
        round(MICRO * float(np.clip(np.mean(effects[group]) + extra, -4, 4)))
        for group, extra in zip(groups, noise, strict=True)
    ]


def judged(
    groups: Sequence[Sequence[int]],
    utilities: Sequence[int],
    weights: Sequence[Sequence[int]] = (),
    pool: int = 0,
) -> tuple[JudgedCohort, ...]:
    """Cohorts of these devices with these utilities, in millionths; of equal weights without any."""
    own = weights or [(1,) * len(group) for group in groups]
    return tuple(
        JudgedCohort(DrawnCohort(tuple(device(int(k)) for k in group), tuple(shares), pool), utility)
        for group, shares, utility in zip(groups, own, utilities, strict=True)
    )


def play(
    effects: np.ndarray,
    *,
    rounds: int,
    cohorts: int,
    settings: SuspicionSettings,
    seed: int,
    noise: Callable[[np.random.Generator, int], np.ndarray] = gaussian,
    changes: dict[int, np.ndarray] | None = None,
    foretold: bool = True,
) -> tuple[Watch, list[tuple[int, Decision]]]:
    """One hospital's epoch: the watch at its end, and what it decided, by round.

    Args:
        effects: what each device adds to a sum of its own alone, in spreads.
        changes: effects from a round on, by round.
        foretold: whether the others' effects are known from the start, but for a fifth of each.
    """
    rng = np.random.default_rng(seed)
    watch, decisions = Watch(settings, len(effects), CONSORTIUM), []
    known = {device(k): round(800 * effect) for k, effect in enumerate(effects)} if foretold else {}
    for number in range(1, rounds + 1):
        effects = (changes or {}).get(number, effects)
        there = [k for k in range(len(effects)) if device(k) not in watch.barred()]
        groups, shared = drawn(rng, there, cohorts), noise(rng, cohorts)
        views = {
            validator: judged(groups, utilities_of(groups, effects, shared + rng.normal(0, 0.1, cohorts)))
            for validator in sorted(watch.validators(HOME))
        }
        watch, found = watch.after(number, [HospitalEvidence(HOME, views, known)])
        decisions += [(number, decision) for decision in found]
    return watch, decisions


def suspected(decisions: list[tuple[int, Decision]]) -> set[bytes]:
    return {decision.device for _, decision in decisions if decision.status is Status.QUARANTINE}
