"""What one lying validator of four can bring about: it knows the draw, and wants an honest device out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.quarantine_rounds import Conduct, Rounds, SeenRound, account, seen_round
from benchmarks.quarantine_rules import Betting, Observed, first_suspicions
from benchmarks.tradeoff_federation import Recipe
from benchmarks.valuation_world import IntArray, World
from incentives import CohortKey, lower_median
from incentives.suspicion import SuspicionSettings

COHORT_SIZE = 10


@dataclass(frozen=True)
class LieCell:
    """Tries of one validator, in runs in which every device is honest, to have a device suspected.

    Attributes:
        data: the data set.
        rule: who suspects.
        cohort_size: aim of the draw.
        tries: liar and victim at random; a device of each hospital is the victim once a seed.
        truthful: tries in which the victim is suspected if nobody lies.
        suspected: tries in which it is suspected.
        rounds_to_suspicion: median round of its suspicion over those tries; None where there are none.
    """

    data: str
    rule: str
    cohort_size: int
    tries: int
    truthful: int
    suspected: int
    rounds_to_suspicion: float | None


def measure_lies(
    data: str,
    worlds: dict[int, World],
    recipe: Recipe,
    settings: SuspicionSettings,
    *,
    rounds: int,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[LieCell, ...]:
    """Play honest rounds once a seed, and every try over them.

    Args:
        data: what the data set is called.
        worlds: who holds what, by seed.
        recipe: model and training.
        settings: of the test.
        rounds: of a run.
        progress: called with what is measured.

    Raises:
        TrainingError: training diverged.
    """
    tried: dict[str, list[_Try]] = {}
    for seed, world in worlds.items():
        progress(f"{data}, a lying validator, seed {seed}")
        for rule, found in _tried(world, recipe, settings, rounds, seed):
            tried.setdefault(rule, []).append(found)
    return tuple(_cell(data, rule, found) for rule, found in tried.items())


@dataclass(frozen=True)
class _Try:
    """Round in which the victim is first suspected, if nobody lies and if one does; infinite where it never is."""

    truthful: float
    lied: float


def _tried(
    world: World, recipe: Recipe, settings: SuspicionSettings, rounds: int, seed: int
) -> list[tuple[str, _Try]]:
    """All tries over one seed's rounds, by rule."""
    federation = Rounds(world, recipe, (Conduct.HONEST,) * len(world.labels), seed=seed)
    played = [federation.play((COHORT_SIZE,))[COHORT_SIZE] for _ in range(rounds)]
    found = []
    for liar, victim in _tries(world, seed):
        bent = [told_lies(seen, federation.rows, liar, victim) for seen in played]
        truthful, lied = (_suspected_at(seen, len(world.labels), victim, settings) for seen in (played, bent))
        found += [(rule, _Try(truthful[rule], lied[rule])) for rule in lied]
    return found


def _cell(data: str, rule: str, tried: Sequence[_Try]) -> LieCell:
    at = [found.lied for found in tried if found.lied < math.inf]
    return LieCell(
        data=data,
        rule=rule,
        cohort_size=COHORT_SIZE,
        tries=len(tried),
        truthful=sum(found.truthful < math.inf for found in tried),
        suspected=len(at),
        rounds_to_suspicion=float(np.median(at)) if at else None,
    )


def told_lies(seen: SeenRound, rows: IntArray, liar: int, victim: int) -> SeenRound:
    """The round after one validator chose the worst for a device that no median over validators would discard.

    It says of the victim's cohort the least that an honest validator says, and of the other cohorts of the victim's
    hospital the most, each from that validator's own median.

    Args:
        seen: the honest round.
        rows: public weight of each device.
        liar: id of the validator.
        victim: index of the device.
    """
    aim = next(key for key, own in seen.members.items() if victim in own)
    levels = {
        validator: lower_median([gain for key, gain in view.items() if key.hospital != validator])
        for validator, view in seen.views.items()
    }
    told: dict[CohortKey, int] = dict(seen.views[liar])
    for key in told:
        if key.hospital == aim.hospital:
            honest = [
                view[key] - levels[validator]
                for validator, view in seen.views.items()
                if validator not in (liar, key.hospital)
            ]
            told[key] = levels[liar] + (min(honest) if key == aim else max(honest))
    return seen_round(seen.number, {**seen.views, liar: told}, seen.members, rows, seen.model_scores)


def _tries(world: World, seed: int) -> Iterator[tuple[int, int]]:
    """A liar and a victim for each hospital."""
    rng = np.random.default_rng((seed, 71))
    for home in range(world.hospitals):
        victim = int(rng.choice(np.flatnonzero(world.home == home)))
        liar = int(rng.choice([other for other in range(world.hospitals) if other != home]))
        yield liar + 1, victim


def _suspected_at(
    played: Sequence[SeenRound], enrolled: int, victim: int, settings: SuspicionSettings
) -> dict[str, float]:
    """Round in which the victim is first suspected, by rule; infinite where it never is."""
    observed = Observed([Betting(enrolled, settings), Betting(enrolled, settings, joint=True)])
    for seen in played:
        observed.see(_of_one(seen, victim))
    return {
        rule: first_suspicions(found).get(account(victim), math.inf)
        for rule, found in observed.suspected.items()
    }


def _of_one(seen: SeenRound, victim: int) -> SeenRound:
    """What the round says of the victim's hospital alone."""
    home = next(key.hospital for key, own in seen.members.items() if victim in own)
    return replace(
        seen,
        evidence={home: seen.evidence[home]},
        judged={home: seen.judged[home]},
        joint={home: seen.joint[home]},
    )
