"""Rounds of the valuation benchmark: real updates, clipped, rounded and noised; masks cancel, so plain sums do."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.tradeoff_federation import Recipe
from benchmarks.valuation_world import IntArray, Kind, World
from fl_core.batched import train_batch
from fl_core.canonical import digest_json
from fl_core.cohorts import beacon_of_run, draw_cohorts
from fl_core.models import Float32Array, initial_vector
from fl_core.privacy import NoiseSource, global_noise, sample_skellam
from fl_core.round_plan import RoundPlan
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers.cloud import mean_update
from fl_core.tiers.release import Release
from fl_core.updates.ring import Ring
from incentives import CohortKey, bucket_rows
from scripts.federation.update_terms import UpdateTerms, agree_on_spec

DELTA = 1e-5
_TINY = 1e-30


@dataclass(frozen=True, eq=False)
class ReleasedCohort:
    """A cohort of a round, as everybody sees it.

    Attributes:
        key: its hospital, from 1, and its index there.
        members: indices of its devices.
        mean: weighted mean update with all noise, float64 (d,).
    """

    key: CohortKey
    members: IntArray
    mean: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlayedRound:
    """What happened in a round.

    Attributes:
        number: the round, from 1.
        start: parameters before, float32 (d,).
        after: parameters after, float32 (d,).
        plain: each device's update as it was sent but for rounding and noise, float32 (devices, d).
        cohorts: the released cohorts by cohort size.
    """

    number: int
    start: Float32Array
    after: Float32Array
    plain: Float32Array
    cohorts: Mapping[int, tuple[ReleasedCohort, ...]]


def public_rows(world: World) -> IntArray:
    """The bucketed rows that each device declares, int64 (devices,)."""
    return np.array([bucket_rows(len(labels)) for labels in world.labels])


def agreed_spec(world: World, recipe: Recipe, *, cohort_size: int, epsilon: float, rounds: int) -> RoundSpec:
    """The spec of a run's rounds, its noise agreed as `fediomt train` does: for the worst case of who survives.

    Args:
        world: the devices.
        recipe: what they do.
        cohort_size: devices that are summed together; no fewer are.
        epsilon: at release, over all rounds; infinite for no noise.
        rounds: rounds of a device.

    Raises:
        SpecError: values that cannot work.
    """
    sizes = np.sort(public_rows(world))
    return agree_on_spec(
        UpdateTerms(
            profile=Profile.ACCOUNTABLE,
            hospitals=world.hospitals,
            devices=len(sizes),
            rounds=rounds,
            cohort_size=cohort_size,
            k_min=cohort_size,
            epsilon=None if math.isinf(epsilon) else epsilon,
            delta=None if math.isinf(epsilon) else DELTA,
            clip_norm=recipe.clip_norm,
            compression=None,
            bits=None,
        ),
        world.model,
        recipe.training,
        reference_rows=int(sizes[len(sizes) // 2]),
        schema_digest=digest_json(world.schema.to_json()).hex(),
        scoring_digest=digest_json({}).hex(),
    )


def play(
    world: World,
    recipe: Recipe,
    *,
    cohort_sizes: Sequence[int],
    epsilon: float,
    rounds: int,
    seed: int,
) -> Iterator[PlayedRound]:
    """Play rounds in which every device takes part.

    Without noise integer sums add up to the same whoever is summed with whom, so several cohort sizes share one run.

    Args:
        world: the devices.
        recipe: what they do.
        cohort_sizes: aims of the draws; one alone with noise.
        epsilon: at release, over all rounds; infinite for no noise.
        rounds: how many.
        seed: of draws, rounding and noise.

    Raises:
        SpecError: values that cannot work.
        TrainingError: training diverged.
    """
    spec = agreed_spec(world, recipe, cohort_size=min(cohort_sizes), epsilon=epsilon, rounds=rounds)
    sizes = public_rows(world)
    weights = np.array([spec.weight(int(rows), 0) for rows in sizes])
    rng = np.random.default_rng((seed, 59))
    model = initial_vector(world.model, seed)
    ring = Ring(spec.bits, spec.dim)
    for number in range(1, rounds + 1):
        trained = train_batch(
            world.model, model, world.features, world.labels, recipe.training, _shuffling(world, number)
        )
        sent = _as_sent(world, trained, rng)
        noise = _device_noise(spec, sent.shape, seed, number)
        words = spec.codec(None, 0).encode_batch(sent, None, weights, [rng] * len(sent), noise).ring
        plan, beacon = RoundPlan(number, spec, model), beacon_of_run(seed, number)
        released: dict[int, tuple[ReleasedCohort, ...]] = {}
        for cohort_size in cohort_sizes:
            cohorts, everything = [], np.zeros(spec.dim, dtype=np.int64)
            for key, members in draw(world, beacon, cohort_size).items():
                total = ring.inverse(words[members].sum(axis=0, dtype=np.uint64))
                total = total + _hospital_noise(spec, key, beacon, seed, number)
                everything += total
                cohorts.append(ReleasedCohort(key, members, _mean(plan, total, sizes[members], beacon)))
            released[cohort_size] = tuple(cohorts)
        after = (model + _mean(plan, everything, sizes, beacon)).astype(np.float32)
        yield PlayedRound(number, model, after, _clipped(sent, weights, spec.clip_norm), released)
        model = after


def draw(world: World, beacon: bytes, cohort_size: int) -> dict[CohortKey, IntArray]:
    """The members of each hospital's cohorts, as indices of devices."""
    members = {}
    for hospital in range(world.hospitals):
        own = np.flatnonzero(world.home == hospital)
        drawn = draw_cohorts(beacon, hospital + 1, [0] * len(own), cohort_size=cohort_size, k_min=cohort_size)
        for index, cohort in enumerate(drawn):
            members[CohortKey(hospital + 1, index)] = own[list(cohort.positions)]
    return members


def _shuffling(world: World, number: int) -> list[int]:
    """Seeds of the devices' local shuffling, new in each round."""
    return [number * len(world.kinds) + index for index in range(len(world.kinds))]


def _as_sent(world: World, trained: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Updates with those of free riders in place: zeros, or noise as long as an honest update is on average."""
    sent = trained.copy()
    sent[world.of_kind(Kind.ZEROS)] = 0
    riders = world.of_kind(Kind.NOISE)
    if riders.any():
        honest = ~world.of_kind(Kind.FLIPPER, Kind.ZEROS, Kind.NOISE)
        length = np.linalg.norm(trained[honest], axis=1).mean()
        noise = rng.normal(size=(int(riders.sum()), trained.shape[1]))
        sent[riders] = length * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return sent


def _clipped(sent: Float32Array, weights: NDArray[np.float64], clip_norm: float) -> Float32Array:
    lengths = np.linalg.norm(sent, axis=1) * weights
    factors = np.minimum(1.0, clip_norm / np.maximum(lengths, _TINY))
    clipped: Float32Array = (sent * factors[:, None]).astype(np.float32)
    return clipped


def _device_noise(spec: RoundSpec, shape: tuple[int, ...], seed: int, number: int) -> IntArray | None:
    if spec.noise is None:
        return None
    source = NoiseSource.from_seed(_secret("devices", seed, number))
    return sample_skellam(spec.noise.local_variance, math.prod(shape), source).reshape(shape)


def _hospital_noise(spec: RoundSpec, key: CohortKey, beacon: bytes, seed: int, number: int) -> IntArray:
    if spec.noise is None:
        return np.zeros(spec.dim, dtype=np.int64)
    return global_noise(
        _secret(f"hospital {key.hospital}", seed, 0),
        beacon,
        round_number=number,
        hospital=key.hospital,
        cohort=key.cohort,
        variance=spec.noise.global_variance,
        size=spec.dim,
    )


def _mean(plan: RoundPlan, total: IntArray, rows: IntArray, beacon: bytes) -> NDArray[np.float64]:
    return mean_update(plan, Release(0, None, (len(rows),), (int(rows.sum()),), total), beacon)


def _secret(what: str, seed: int, number: int) -> bytes:
    """Simulated secrets: noise must be repeatable here."""
    return hashlib.sha256(f"valuation, {what}, {seed}, {number}".encode()).digest()
