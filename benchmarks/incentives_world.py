"""Real rounds that the games of the incentives are played on: what each device did, and what each validator saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.quarantine_rounds import Conduct, Rounds, account
from benchmarks.tradeoff_federation import Recipe
from benchmarks.valuation_world import World
from fl_core.models import ModelSpec
from fl_core.training import LocalTraining
from incentives import RoundEvidence, decode, hospital_scores

COHORT_SIZE = 12


@dataclass(frozen=True)
class DeviceTurn:
    """What a device did in a round, and what was decoded of it.

    Attributes:
        device: its index.
        rows: its public bucketed rows.
        quality: decoded quality after the round, 0..10,000.
    """

    device: int
    rows: int
    quality: int


@dataclass(frozen=True)
class GameRound:
    """A round as it truly was.

    Attributes:
        number: the round, from 1.
        turns: of each hospital's devices.
        scores: what each validator's utilities give the other hospitals.
        model_scores: score of the round's model on each validator's rows.
    """

    number: int
    turns: Mapping[int, tuple[DeviceTurn, ...]]
    scores: Mapping[int, Mapping[int, int]]
    model_scores: Mapping[int, int]


@dataclass(frozen=True)
class GameWorld:
    """A run of real rounds.

    Attributes:
        model: its architecture, for what training costs.
        training: likewise.
        conduct: what each device did.
        rounds: in order.
    """

    model: ModelSpec
    training: LocalTraining
    conduct: tuple[Conduct, ...]
    rounds: tuple[GameRound, ...]


def play_world(
    world: World,
    recipe: Recipe,
    conduct: Sequence[Conduct],
    *,
    seed: int,
    rounds: int,
    absent: frozenset[int] = frozenset(),
) -> GameWorld:
    """Play real rounds and keep what the reward rule needs of them.

    Args:
        world: who holds what.
        recipe: model and training.
        conduct: what each device does.
        seed: of draws and rounding.
        rounds: how many.
        absent: devices that stay away.

    Raises:
        TrainingError: training diverged.
    """
    federation = Rounds(world, recipe, conduct, seed=seed)
    history: dict[int, list[RoundEvidence]] = {}
    found = []
    for number in range(1, rounds + 1):
        (seen,) = federation.play((COHORT_SIZE,), absent).values()
        turns: dict[int, tuple[DeviceTurn, ...]] = {}
        for hospital, evidence in seen.evidence.items():
            history.setdefault(hospital, []).append(evidence)
            there = sorted(
                int(k) for key, own in seen.members.items() if key.hospital == hospital for k in own
            )
            quality = decode(history[hospital], devices=[account(k) for k in there])
            turns[hospital] = tuple(
                DeviceTurn(k, int(federation.rows[k]), quality[account(k)]) for k in there
            )
        scores = {
            validator: hospital_scores(view, validator=validator) for validator, view in seen.views.items()
        }
        found.append(GameRound(number, turns, scores, seen.model_scores))
    return GameWorld(world.model, recipe.training, tuple(conduct), tuple(found))
