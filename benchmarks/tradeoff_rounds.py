"""Rounds of the trade-off benchmark: real updates, real integer noise, real scores; masks cancel, so plain sums do."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.tradeoff_federation import IntArray, Recipe, TrialFederation
from fl_core.batched import train_batch
from fl_core.canonical import digest_json
from fl_core.cohorts import beacon_of_run, draw_cohorts
from fl_core.models import Float32Array
from fl_core.privacy import NoiseSource, global_noise, sample_skellam
from fl_core.public_start import start_from_root
from fl_core.round_plan import RoundPlan
from fl_core.simulation.behaviours import Behaviour, labels_as_used
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers.cloud import mean_update
from fl_core.tiers.release import Release
from fl_core.training import evaluate
from fl_core.updates.ring import Ring
from fl_core.valuation import cohort_utilities, path_utilities
from incentives import (
    CohortKey,
    RoundEvidence,
    agree,
    bucket_rows,
    decode,
    hospital_scores,
    lower_median,
    round_evidence,
)
from scripts.federation.update_terms import UpdateTerms, agree_on_spec

Int64Array = NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """What a run led to.

    Attributes:
        accuracy: on the test rows after the last round.
        validation_accuracy: likewise on all validation rows, which settings are chosen by.
        start_accuracy: of the public start.
        auc: of finding label flippers by what the profile shows; None without flippers, and where it shows nothing.
        mu: the release is mu-GDP for a device over all rounds, by its calibrated variance; infinite without noise.
        edge_epsilon: at the edge; None without noise.
    """

    accuracy: float
    validation_accuracy: float
    start_accuracy: float
    auc: float | None
    mu: float
    edge_epsilon: float | None

    @property
    def auc_bound(self) -> float:
        """No test tells an honest device from a flipper better: Phi(sqrt(2) mu)."""
        return float(stats.norm.cdf(math.sqrt(2) * self.mu))


@dataclass(frozen=True, eq=False)
class Devices:
    """The devices of a run: the hospital of each (from 0), its public bucketed rows; the run's seed and rounding."""

    home: IntArray
    sizes: IntArray
    seed: int
    rounding: np.random.Generator


def noised_spec(
    federation: TrialFederation,
    recipe: Recipe,
    *,
    profile: Profile,
    epsilon: float,
    delta: float,
    rounds: int,
) -> RoundSpec:
    """The spec of a run's rounds, its noise agreed as `fediomt train` does: for the worst case of who survives.

    Args:
        federation: who holds what.
        recipe: what was tuned.
        profile: what is released.
        epsilon: at release, over all rounds; infinite for no noise.
        delta: of it.
        rounds: cap of rounds of a device.

    Raises:
        SpecError: values that cannot work.
    """
    layout = federation.layout
    sizes = sorted(bucket_rows(len(y)) for hospital in federation.devices for _, y in hospital)
    return agree_on_spec(
        UpdateTerms(
            profile=profile,
            hospitals=layout.hospitals,
            devices=len(sizes),
            rounds=rounds,
            cohort_size=layout.cohort_size,
            k_min=layout.k_min,
            epsilon=None if math.isinf(epsilon) else epsilon,
            delta=None if math.isinf(epsilon) else delta,
            clip_norm=recipe.clip_norm,
            compression=None,
            bits=None,
        ),
        recipe.model(federation.schema.features, federation.classes),
        recipe.training,
        reference_rows=sizes[len(sizes) // 2],
        schema_digest=digest_json(federation.schema.to_json()).hex(),
        scoring_digest=digest_json({}).hex(),
    )


def run_rounds(
    federation: TrialFederation,
    recipe: Recipe,
    *,
    profile: Profile,
    epsilon: float,
    delta: float,
    rounds: int,
    seed: int,
    flippers: float = 0.0,
) -> Outcome:
    """Train for `rounds` rounds with every device in each, and score devices by what the profile shows.

    Args:
        federation: who holds what.
        recipe: what was tuned.
        profile: what is released.
        epsilon: at release, over all rounds; infinite for no noise.
        delta: of it.
        rounds: rounds, all of which each device takes part in.
        seed: of flippers, rounding and noise.
        flippers: share of the devices that flip labels.

    Raises:
        SpecError: values that cannot work.
        TrainingError: training diverged.
    """
    spec = noised_spec(federation, recipe, profile=profile, epsilon=epsilon, delta=delta, rounds=rounds)
    rng = np.random.default_rng((seed, 29))
    home = np.repeat(np.arange(federation.layout.hospitals), [len(part) for part in federation.devices])
    flips = np.zeros(len(home), dtype=np.bool_)
    flips[rng.permutation(len(home))[: round(flippers * len(home))]] = True
    held = [rows for hospital in federation.devices for rows in hospital]
    features = [x for x, _ in held]
    labels = [
        labels_as_used(Behaviour.LABEL_FLIP if flip else Behaviour.HONEST, y, spec.model.classes)
        for (_, y), flip in zip(held, flips, strict=True)
    ]
    sizes = np.array([bucket_rows(len(y)) for y in labels])
    who = Devices(home, sizes, seed, rng)
    model = start_from_root(spec.model, *federation.root, seed=seed)
    start_accuracy = evaluate(spec.model, model, *federation.test).accuracy
    scores = DeviceScores(federation, home, sizes) if flippers and profile.scores_hospitals else None
    for number in range(1, rounds + 1):
        plan = RoundPlan(number=number, spec=spec, model=model)
        deltas = train_batch(spec.model, model, features, labels, spec.training, range(len(held)))
        totals, members = cohort_sums(spec, deltas, who, number)
        releases = released(spec, totals, members, who, number)
        beacon = beacon_of_run(seed, number)
        everything = Release(
            0, None, (len(held),), (int(sizes.sum()),), np.sum([r.total for r in releases], axis=0)
        )
        model = (model + mean_update(plan, everything, beacon)).astype(np.float32)
        if scores is not None:
            scores.see(plan, releases, members, beacon, model)
    return Outcome(
        accuracy=evaluate(spec.model, model, *federation.test).accuracy,
        validation_accuracy=evaluate(spec.model, model, *federation.all_validation).accuracy,
        start_accuracy=start_accuracy,
        auc=None if scores is None else auc(scores.result(spec.profile), flips),
        mu=_mu(spec, rounds),
        edge_epsilon=None if spec.noise is None else spec.loss(rounds).edge,
    )


def cohort_sums(
    spec: RoundSpec, deltas: Float32Array, who: Devices, number: int
) -> tuple[dict[CohortKey, Int64Array], dict[CohortKey, IntArray]]:
    """What secure aggregation gives the edges: sums of weighted, clipped, noised updates, and who is in them."""
    local = 0.0 if spec.noise is None else spec.noise.local_variance
    source = NoiseSource.from_seed(_seed_of("devices", who.seed, number))
    noise = sample_skellam(local, deltas.size, source).reshape(deltas.shape) if local else None
    weights = np.array([spec.weight(int(size), 0) for size in who.sizes])
    ring = spec.codec(None, 0).encode_batch(deltas, None, weights, [who.rounding] * len(deltas), noise).ring
    totals, members = {}, {}
    for hospital in range(int(who.home.max()) + 1):
        own = np.flatnonzero(who.home == hospital)
        drawn = draw_cohorts(
            beacon_of_run(who.seed, number),
            hospital + 1,
            [0] * len(own),
            cohort_size=spec.cohort_size,
            k_min=spec.k_min,
        )
        for index, cohort in enumerate(drawn):
            key = CohortKey(hospital + 1, index)
            members[key] = own[list(cohort.positions)]
            totals[key] = Ring(spec.bits, spec.dim).inverse(ring[members[key]].sum(axis=0, dtype=np.uint64))
    return totals, members


def released(
    spec: RoundSpec,
    totals: dict[CohortKey, Int64Array],
    members: dict[CohortKey, IntArray],
    who: Devices,
    number: int,
) -> list[Release]:
    """What is seen outside the hospitals, global noise included."""
    variance = 0.0 if spec.noise is None else spec.noise.global_variance

    def with_noise(total: Int64Array, hospital: int, cohort: int | None) -> Int64Array:
        return total + global_noise(
            _seed_of(f"hospital {hospital}", who.seed, 0),
            beacon_of_run(who.seed, number),
            round_number=number,
            hospital=hospital,
            cohort=cohort,
            variance=variance,
            size=len(total),
        )

    if spec.profile is Profile.ACCOUNTABLE:
        return [
            Release(
                key.hospital,
                key.cohort,
                (len(members[key]),),
                (int(who.sizes[members[key]].sum()),),
                with_noise(total, key.hospital, key.cohort),
            )
            for key, total in totals.items()
        ]
    sums = []
    for hospital in sorted({key.hospital for key in totals}):
        total = np.sum([total for key, total in totals.items() if key.hospital == hospital], axis=0)
        own = who.home == hospital - 1
        sums.append(
            Release(
                hospital,
                None,
                (int(own.sum()),),
                (int(who.sizes[own].sum()),),
                with_noise(total, hospital, None),
            )
        )
    if spec.profile is Profile.HOSPITAL:
        return sums
    return [
        Release(0, None, (len(who.home),), (int(who.sizes.sum()),), np.sum([r.total for r in sums], axis=0))
    ]


class DeviceScores:
    """What the validators, and the decoder after them, say of each device."""

    def __init__(self, federation: TrialFederation, home: IntArray, sizes: IntArray) -> None:
        """Start without evidence."""
        self._federation, self._home, self._sizes = federation, home, sizes
        self._history: dict[int, list[RoundEvidence]] = {}
        self._hospital_scores: dict[int, list[int]] = {}

    def see(
        self,
        plan: RoundPlan,
        releases: Sequence[Release],
        members: dict[CohortKey, IntArray],
        beacon: bytes,
        after: Float32Array,
    ) -> None:
        """Value a round's releases on every hospital's rows: hospitals by their gains, devices by their path gains.

        Args:
            plan: the round's plan.
            releases: what is seen.
            members: devices of each cohort.
            beacon: the round's.
            after: parameters after the round, float32 (d,).
        """
        if plan.spec.profile is Profile.HOSPITAL:
            views = self._views(plan, releases, beacon, None)
            found = [hospital_scores(view, validator=v) for v, view in views.items()]
            for release in releases:
                given = [view[release.hospital] for view in found if release.hospital in view]
                self._hospital_scores.setdefault(release.hospital, []).append(lower_median(given))
            return
        agreed = agree(self._views(plan, releases, beacon, after))
        accounts = {key: [account(int(i)) for i in own] for key, own in members.items()}
        weights = {account(i): plan.spec.credited_rows(int(size), 0) for i, size in enumerate(self._sizes)}
        for hospital in {release.hospital for release in releases}:
            evidence = round_evidence(
                plan.number, hospital, accounts, agreed.utilities, weights, agreed.scale
            )
            self._history.setdefault(hospital, []).append(evidence)

    def _views(
        self, plan: RoundPlan, releases: Sequence[Release], beacon: bytes, after: Float32Array | None
    ) -> dict[int, dict[CohortKey, int]]:
        """What each validator says of each release: path gains on the way to `after`, gains without it."""
        spec, views = plan.spec, {}
        means = {CohortKey(r.hospital, r.cohort or 0): mean_update(plan, r, beacon) for r in releases}
        clip, step = spec.utility_clip, spec.utility_step
        for validator, rows in enumerate(self._federation.validation, start=1):
            others = {key: mean for key, mean in means.items() if key.hospital != validator}
            updates = list(others.values())
            values = (
                cohort_utilities(spec.model, plan.model, updates, *rows, clip=clip, step=step)
                if after is None
                else path_utilities(spec.model, plan.model, updates, *rows, after=after, clip=clip, step=step)
            )
            views[validator] = dict(zip(others, values, strict=True))
        return views

    def result(self, profile: Profile) -> NDArray[np.float64]:
        """A score a device, low for who seems to do harm; in `hospital` that of its hospital."""
        if profile is Profile.HOSPITAL:
            means = {hospital: float(np.mean(given)) for hospital, given in self._hospital_scores.items()}
            return np.array([means[int(hospital) + 1] for hospital in self._home])
        scores = np.zeros(len(self._home))
        for hospital, history in self._history.items():
            quality = decode(history)
            for i in np.flatnonzero(self._home == hospital - 1):
                scores[i] = quality[account(int(i))]
        return scores


def account(index: int) -> bytes:
    """A simulated device's account, 20 bytes."""
    return index.to_bytes(20, "big")


def auc(scores: NDArray[np.float64], bad: NDArray[np.bool_]) -> float:
    """Chance that a bad one scores below a good one, ties counting half."""
    ranks = stats.rankdata(-scores)
    count = int(bad.sum())
    return float((ranks[bad].sum() - count * (count + 1) / 2) / (count * (len(bad) - count)))


def _mu(spec: RoundSpec, rounds: int) -> float:
    """sqrt(rounds) l2 / sigma: composition of Gaussian mechanisms (Dong, Roth and Su 2022, corollary 3.3)."""
    if spec.exposure is None:
        return math.inf
    return math.sqrt(rounds / spec.exposure.release) * spec.exposure.sensitivity.l2


def _seed_of(what: str, seed: int, number: int) -> bytes:
    """Simulated secrets: noise must be repeatable here."""
    return hashlib.sha256(f"tradeoff, {what}, {seed}, {number}".encode()).digest()
