"""Rounds in which some devices misbehave, as validators see them; masks cancel, so plain sums of real updates do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from benchmarks.tradeoff_federation import Recipe
from benchmarks.valuation_rounds import agreed_spec, public_rows
from benchmarks.valuation_world import IntArray, World
from fl_core.batched import train_batch
from fl_core.cohorts import beacon_of_run, draw_cohorts
from fl_core.models import Float32Array, initial_vector
from fl_core.round_plan import RoundPlan
from fl_core.simulation.behaviours import Behaviour, labels_as_used
from fl_core.tiers.cloud import mean_update
from fl_core.tiers.release import Release
from fl_core.training import evaluate
from fl_core.updates.ring import Ring
from fl_core.valuation import model_score, path_utilities
from incentives import CohortKey, RoundEvidence, agree, round_evidence
from incentives.suspicion_views import DrawnCohort, JudgedCohort, judged_cohorts, judged_views

_BOOST = 10.0
_SMALLEST = 8  # fewest devices of a cohort that any of the draws makes


class Conduct(StrEnum):
    """What a device does. Its software clips honestly: a boosted update is as long as the clip allows, no longer."""

    HONEST = "honest"
    LABEL_FLIP = "label flip"
    SIGN_FLIP = "sign flip"
    BOOST = "boosted label flip"
    ZEROS = "sends zeros"
    NOISE = "sends noise"


_FLIPS = (Conduct.LABEL_FLIP, Conduct.BOOST)


@dataclass(frozen=True, eq=False)
class SeenRound:
    """A round as everybody sees it, for one cohort size.

    Attributes:
        number: the round, from 1.
        views: utilities of each cohort, in millionths of a nat, by validator.
        members: indices of each cohort's devices.
        evidence: what decoders learn of each hospital, by its id.
        judged: what the test of suspicion sees of each hospital, by its id and by validator.
        joint: the same of the lower median over validators.
        model_scores: score of the round's model by validator, 0..10,000.
    """

    number: int
    views: Mapping[int, Mapping[CohortKey, int]]
    members: Mapping[CohortKey, IntArray]
    evidence: Mapping[int, RoundEvidence]
    judged: Mapping[int, Mapping[int, tuple[JudgedCohort, ...]]]
    joint: Mapping[int, tuple[JudgedCohort, ...]]
    model_scores: Mapping[int, int]


def account(index: int) -> bytes:
    """A simulated device's account, 20 bytes."""
    return (index + 1).to_bytes(20, "big")


def seen_round(
    number: int,
    views: Mapping[int, Mapping[CohortKey, int]],
    members: Mapping[CohortKey, IntArray],
    rows: IntArray,
    model_scores: Mapping[int, int],
) -> SeenRound:
    """What everybody makes of what validators say.

    Args:
        number: the round, from 1.
        views: utilities of each cohort, in millionths of a nat, by validator.
        members: indices of each cohort's devices.
        rows: public weight of each device.
        model_scores: score of the round's model by validator, 0..10,000.
    """
    agreed = agree(views)
    accounts = {key: tuple(account(int(k)) for k in own) for key, own in members.items()}
    drawn = {
        key: DrawnCohort(accounts[key], tuple(int(rows[k]) for k in own)) for key, own in members.items()
    }
    weights = {account(k): int(count) for k, count in enumerate(rows)}
    return SeenRound(
        number=number,
        views=views,
        members=members,
        evidence={
            hospital: round_evidence(number, hospital, accounts, agreed.utilities, weights, agreed.scale)
            for hospital in sorted({key.hospital for key in members})
        },
        judged=judged_views(views, drawn),
        joint=judged_cohorts(agreed.utilities, drawn),
        model_scores=model_scores,
    )


class Rounds:
    """A federation that plays round after round, without noise."""

    def __init__(self, world: World, recipe: Recipe, conduct: Sequence[Conduct], *, seed: int) -> None:
        """Start before the first round.

        Args:
            world: who holds what; its devices as such are clean.
            recipe: model and training.
            conduct: what each device does.
            seed: of draws, rounding and misconduct.

        Raises:
            SpecError: values that cannot work.
        """
        self._world, self._recipe, self._conduct, self._seed = world, recipe, tuple(conduct), seed
        self._spec = agreed_spec(world, recipe, cohort_size=_SMALLEST, epsilon=math.inf, rounds=1)
        self._labels = tuple(
            labels_as_used(
                Behaviour.LABEL_FLIP if each in _FLIPS else Behaviour.HONEST, labels, world.model.classes
            )
            for each, labels in zip(self._conduct, world.labels, strict=True)
        )
        self._rng = np.random.default_rng((seed, 61))
        self._number = 0
        self.rows = public_rows(world)
        self.model: Float32Array = initial_vector(world.model, seed)

    @property
    def accuracy(self) -> float:
        """Of the current model, on rows that nobody holds."""
        return evaluate(self._world.model, self.model, *self._world.truth).accuracy

    def play(self, cohort_sizes: Sequence[int], barred: frozenset[int] = frozenset()) -> dict[int, SeenRound]:
        """Play a round with every device that is not barred; without noise cohort sizes share its model.

        Args:
            cohort_sizes: aims of the draws.
            barred: devices that are on no ready list.

        Raises:
            TrainingError: training diverged.
        """
        self._number += 1
        number, world, spec = self._number, self._world, self._spec
        there = np.array([k for k in range(len(self._conduct)) if k not in barred])
        sent = self._sent(there)
        weights = np.array([spec.weight(int(rows), 0) for rows in self.rows[there]])
        words = spec.codec(None, 0).encode_batch(sent, None, weights, [self._rng] * len(sent)).ring
        plan, beacon = RoundPlan(number, spec, self.model), beacon_of_run(self._seed, number)
        ring = Ring(spec.bits, spec.dim)

        def mean_of(places: IntArray) -> NDArray[np.float64]:
            total = ring.inverse(words[places].sum(axis=0, dtype=np.uint64))
            release = Release(0, None, (len(places),), (int(self.rows[there[places]].sum()),), total)
            return mean_update(plan, release, beacon)

        before = self.model
        self.model = (before + mean_of(np.arange(len(there)))).astype(np.float32)
        scores = {
            validator: model_score(world.model, self.model, *rows)
            for validator, rows in enumerate(world.validation, start=1)
        }
        seen = {}
        for cohort_size in cohort_sizes:
            places = self._drawn(beacon, there, cohort_size)
            means = [mean_of(own) for own in places.values()]
            views = {
                validator: dict(
                    zip(
                        places,
                        path_utilities(
                            world.model,
                            before,
                            means,
                            *rows,
                            after=self.model,
                            clip=spec.utility_clip,
                            step=spec.utility_step,
                        ),
                        strict=True,
                    )
                )
                for validator, rows in enumerate(world.validation, start=1)
            }
            members = {key: there[own] for key, own in places.items()}
            seen[cohort_size] = seen_round(number, views, members, self.rows, scores)
        return seen

    def _sent(self, there: IntArray) -> Float32Array:
        """What the devices send, before it is clipped."""
        world = self._world
        trained = train_batch(
            world.model,
            self.model,
            [world.features[k] for k in there],
            [self._labels[k] for k in there],
            self._recipe.training,
            [self._number * len(self._conduct) + int(k) for k in there],
        )
        conduct = np.array([self._conduct[k] for k in there])
        sent = trained.copy()
        sent[conduct == Conduct.SIGN_FLIP] *= -1
        sent[conduct == Conduct.BOOST] *= _BOOST
        sent[conduct == Conduct.ZEROS] = 0
        riders = conduct == Conduct.NOISE
        if riders.any():
            length = np.linalg.norm(trained[conduct == Conduct.HONEST], axis=1).mean()
            noise = self._rng.normal(size=(int(riders.sum()), trained.shape[1]))
            sent[riders] = length * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        return sent

    def _drawn(self, beacon: bytes, there: IntArray, cohort_size: int) -> dict[CohortKey, IntArray]:
        """Positions among those who are there, by cohort."""
        found = {}
        for hospital in range(self._world.hospitals):
            own = np.flatnonzero(self._world.home[there] == hospital)
            drawn = draw_cohorts(
                beacon, hospital + 1, [0] * len(own), cohort_size=cohort_size, k_min=_SMALLEST
            )
            for index, cohort in enumerate(drawn):
                found[CohortKey(hospital + 1, index)] = own[list(cohort.positions)]
        return found
