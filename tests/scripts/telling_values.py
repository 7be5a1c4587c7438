"""How a hospital lies as a validator: about what the others' sums were worth, and all of its own that follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lying_world import LIAR, LyingWorld, Told

from incentives import CohortKey
from scripts.federation.contributions import scores_of


def own_utility(*own: str, step: int | None = None) -> Callable[[LyingWorld], Told]:
    """A utility that the liar as a validator gave, and the scores that follow; `own` is what it revealed so."""

    def tell(world: LyingWorld) -> Told:
        record = world.honest
        said = record.validators[LIAR]
        key = max(said.utilities)
        more = record.spec.utility_step if step is None else step
        utilities = {**said.utilities, key: said.utilities[key] + more}
        return _valuing(world, utilities, *own)

    return tell


def _valuing(world: LyingWorld, utilities: dict[CohortKey, int], *own: str) -> Told:
    record = world.honest
    scores = scores_of(utilities, LIAR, record.scoring)
    said = replace(record.validators[LIAR], utilities=utilities, scores=scores)
    told = replace(record, validators={**record.validators, LIAR: said})
    return world.recorded(world.made_anew(told), *own)


def values_itself(world: LyingWorld) -> Told:
    said = world.honest.validators[LIAR]
    return _valuing(world, {**said.utilities, CohortKey(LIAR, 0): 10**6}, "reveals")


def values_some_only(world: LyingWorld) -> Told:
    said = world.honest.validators[LIAR]
    worst = min(said.utilities, key=lambda key: said.utilities[key])
    kept = {key: value for key, value in said.utilities.items() if key != worst}
    return _valuing(world, kept, "reveals")


def scores_of_its_own(world: LyingWorld) -> Told:
    said = world.honest.validators[LIAR]
    scores = dict.fromkeys(said.scores, 0)
    told = replace(world.honest, validators={**world.honest.validators, LIAR: replace(said, scores=scores)})
    return world.recorded(world.made_anew(told), "reveals")


def model_score_afterwards(world: LyingWorld) -> Told:
    said = world.honest.validators[LIAR]
    told = replace(said, model_score=10_000)
    record = replace(world.honest, validators={**world.honest.validators, LIAR: told})
    return world.recorded(world.made_anew(record))


def own_path_gain(*own: str, step: int | None = None) -> Callable[[LyingWorld], Told]:
    """A path gain that the liar as a validator gave, and every leaf of its own that is decoded from it."""

    def tell(world: LyingWorld) -> Told:
        said = world.honest.validators[LIAR]
        key = max(said.path_gains)
        more = 10 * world.honest.spec.utility_step if step is None else step
        return _decoding(world, {**said.path_gains, key: said.path_gains[key] + more}, *own)

    return tell


def _decoding(world: LyingWorld, path_gains: dict[CohortKey, int], *own: str) -> Told:
    record = world.honest
    said = replace(record.validators[LIAR], path_gains=path_gains)
    told = replace(record, validators={**record.validators, LIAR: said})
    return world.recorded(world.made_anew(told), *own)


def path_gain_of_its_own_sum(world: LyingWorld) -> Told:
    said = world.honest.validators[LIAR]
    return _decoding(world, {**said.path_gains, CohortKey(LIAR, 0): 10**6}, "reveals")


def path_gain_left_out(world: LyingWorld) -> Told:
    said = world.honest.validators[LIAR]
    worst = min(said.path_gains, key=lambda key: said.path_gains[key])
    kept = {key: value for key, value in said.path_gains.items() if key != worst}
    return _decoding(world, kept, "reveals")
