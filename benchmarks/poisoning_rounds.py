"""Rounds under attack: real updates, real rules, masks left out since they cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.tradeoff_federation import Recipe, TrialFederation
from fl_core.batched import train_batch
from fl_core.canonical import digest_json
from fl_core.cohorts import beacon_of_run, draw_cohorts
from fl_core.errors import TrainingError
from fl_core.models import Float32Array, initial_vector
from fl_core.robust import RootRows, RuleSpec, root_update
from fl_core.round_plan import RoundPlan
from fl_core.simulation import Behaviour, backdoor_success, rows_as_used
from fl_core.simulation.aims import Knowledge, aimed_mean
from fl_core.simulation.pulls import STRONGEST, Pull
from fl_core.simulation.steering import Colluder, clipped_update, forged_steps, wanted_part
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers import Release, next_model
from fl_core.training import evaluate
from fl_core.updates.ring import Ring
from incentives import bucket_rows
from scripts.federation.update_terms import UpdateTerms, agree_on_spec

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Threat:
    """Who attacks, and how.

    Attributes:
        behaviour: what attackers do; honest for nobody.
        share: of the devices that attack.
        unclipped: class (b), arbitrary inputs; otherwise (a), the clip holds.
        hospital: the hospital that all attackers are at, from 1, the share being of its devices; 0 for spread.
        pull: how the adaptive attack pulls where the rule trusts a root update.
    """

    behaviour: Behaviour = Behaviour.HONEST
    share: float = 0.0
    unclipped: bool = False
    hospital: int = 0
    pull: Pull = STRONGEST


class Outcome(NamedTuple):
    """What a run led to: accuracy on the test rows, and how often the backdoor's trigger works there."""

    accuracy: float
    backdoor: float


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A cohort of a round: its hospital, its number there, and its members as indices of devices."""

    hospital: int
    number: int
    members: IntArray


class AttackedFederation:
    """A federation whose devices are trained round by round, some of them attackers."""

    def __init__(
        self,
        federation: TrialFederation,
        recipe: Recipe,
        *,
        rule: RuleSpec,
        threat: Threat,
        seed: int,
    ) -> None:
        """Place the attackers and let them poison their rows.

        Args:
            federation: who holds what.
            recipe: model, clip and local training.
            rule: of combining cohort means.
            threat: who attacks.
            seed: of attackers, beacons and rounding.

        Raises:
            SpecError: values that cannot work.
        """
        self.federation, self.threat, self.seed = federation, threat, seed
        layout = federation.layout
        self.home = np.repeat(np.arange(1, layout.hospitals + 1), [len(part) for part in federation.devices])
        held = [rows for hospital in federation.devices for rows in hospital]
        self.sizes = np.array([bucket_rows(len(y)) for _, y in held])
        self.spec = _spec_of(federation, recipe, self.sizes, rule)
        self.bad = _attackers(self.home, threat, np.random.default_rng((seed, 41)))
        self.rounding = np.random.default_rng((seed, 43))
        self.features, self.labels = [], []
        for index, (x, y) in enumerate(held):
            used = rows_as_used(
                threat.behaviour if self.bad[index] else Behaviour.HONEST, x, y, federation.classes
            )
            self.features.append(used[0])
            self.labels.append(used[1])
        self.flipped = [(held[index][1] + 1) % federation.classes for index in np.flatnonzero(self.bad)]

    def run(self, rounds: int) -> Outcome:
        """Train for so many rounds from the seeded start; a model that explodes guesses, and tells nobody's class."""
        model = initial_vector(self.spec.model, self.seed)
        for number in range(1, rounds + 1):
            try:
                model = self.round(number, model)
            except TrainingError:  # an exploded model trains no further
                break
        return self.outcome(model)

    def outcome(self, model: Float32Array) -> Outcome:
        """How a model does on the test rows."""
        try:
            accuracy = evaluate(self.spec.model, model, *self.federation.test).accuracy
        except TrainingError:
            return Outcome(1 / self.spec.model.classes, 0.0)
        return Outcome(accuracy, backdoor_success(self.spec.model, model, *self.federation.test))

    def round(self, number: int, model: Float32Array) -> Float32Array:
        """The model after one more round."""
        spec, plan = self.spec, RoundPlan(number=number, spec=self.spec, model=model)
        beacon = beacon_of_run(self.seed, number)
        drawn = self._draw(beacon)
        seeds = (
            np.random.SeedSequence((self.seed, number)).generate_state(len(self.sizes), np.uint32).tolist()
        )
        deltas = train_batch(spec.model, model, self.features, self.labels, spec.training, seeds)
        taught = self._taught(plan, beacon)
        forged = self._attack(plan, drawn, deltas, taught, seeds)
        weights = self.sizes / spec.reference_rows
        ring = spec.codec(None, 0).encode_batch(deltas, None, weights, [self.rounding] * len(deltas)).ring
        for index, steps in forged.items():
            ring[index] = Ring(spec.bits, spec.dim).forward(steps)
        releases = [
            Release(
                cohort.hospital,
                cohort.number,
                (len(cohort.members),),
                (int(self.sizes[cohort.members].sum()),),
                Ring(spec.bits, spec.dim).inverse(ring[cohort.members].sum(axis=0, dtype=np.uint64)),
            )
            for cohort in drawn
        ]
        kept = [r for r in releases if np.abs(r.total).max() <= spec.reach(sum(r.devices))]
        return next_model(plan, kept, beacon, taught if spec.rule.takes_root else None)

    def _draw(self, beacon: bytes) -> list[_Drawn]:
        found = []
        for hospital in range(1, int(self.home.max()) + 1):
            own = np.flatnonzero(self.home == hospital)
            cohorts = draw_cohorts(
                beacon,
                hospital,
                [0] * len(own),
                cohort_size=self.spec.cohort_size,
                k_min=self.spec.k_min,
            )
            found += [
                _Drawn(hospital, number, own[list(cohort.positions)]) for number, cohort in enumerate(cohorts)
            ]
        return found

    def _taught(self, plan: RoundPlan, beacon: bytes) -> Float32Array | None:
        """The root update, where the rule trusts one."""
        spec = self.spec
        if not spec.rule.takes_root:
            return None
        return root_update(
            spec.model,
            plan.model,
            RootRows(*self.federation.root),
            spec.training,
            rows_each=spec.reference_rows,
            clip_norm=spec.clip_norm,
            beacon=beacon,
        )

    def _attack(
        self,
        plan: RoundPlan,
        drawn: list[_Drawn],
        deltas: Float32Array,
        taught: Float32Array | None,
        seeds: list[int],
    ) -> dict[int, IntArray]:
        """Replace what attackers hand to their encoding; the integers of those that forge them, by device."""
        behaviour = self.threat.behaviour
        if not self.bad.any() or not (behaviour.steers or self.threat.unclipped):
            return {}
        spec, who = self.spec, np.flatnonzero(self.bad)
        harmful = None
        if behaviour is Behaviour.ADAPTIVE and taught is not None and self.threat.pull.across == "flipped":
            features, own_seeds = [self.features[i] for i in who], [seeds[i] for i in who]
            harmful = train_batch(
                spec.model, plan.model, features, self.flipped, spec.training, own_seeds
            ).mean(axis=0, dtype=np.float64)
        reached = [cohort for cohort in drawn if self.bad[cohort.members].any()]
        known = Knowledge(
            rule=spec.rule,
            own=deltas[who].astype(np.float64),
            rows=self.sizes[who],
            means=len(drawn),
            corrupted=len(reached),
            members=len(self.home) // len(drawn),
            harmful=harmful,
            trusted=None if taught is None else taught.astype(np.float64),
        )
        rng = np.random.default_rng((self.seed, 47, plan.number))
        aim, typical = aimed_mean(behaviour, known, rng, pull=self.threat.pull), known.typical
        forged = {}
        for cohort in reached:
            inside = cohort.members[self.bad[cohort.members]]
            colluders = [Colluder(int(self.sizes[i]), len(cohort.members), len(inside)) for i in inside]
            part = wanted_part(spec, aim, typical, colluders, int(self.sizes[cohort.members].sum()))
            for index, colluder in zip(inside.tolist(), colluders, strict=True):
                if self.threat.unclipped:
                    forged[index] = forged_steps(spec, part, colluder)
                else:
                    deltas[index] = clipped_update(spec, part, colluder)
        return forged


def _attackers(home: IntArray, threat: Threat, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Who attacks: a share of all devices, or of one hospital's."""
    pool = np.flatnonzero(home == threat.hospital) if threat.hospital else np.arange(len(home))
    bad = np.zeros(len(home), dtype=np.bool_)
    bad[rng.permutation(pool)[: round(threat.share * len(pool))]] = True
    return bad


def _spec_of(federation: TrialFederation, recipe: Recipe, sizes: IntArray, rule: RuleSpec) -> RoundSpec:
    """The spec that `fediomt train` would have agreed on, without noise."""
    layout = federation.layout
    return agree_on_spec(
        UpdateTerms(
            profile=Profile.ACCOUNTABLE,
            hospitals=layout.hospitals,
            devices=len(sizes),
            rounds=1,
            cohort_size=layout.cohort_size,
            k_min=layout.k_min,
            epsilon=None,
            delta=None,
            clip_norm=recipe.clip_norm,
            compression=None,
            bits=None,
        ),
        recipe.model(federation.schema.features, federation.classes),
        recipe.training,
        reference_rows=int(np.sort(sizes)[len(sizes) // 2]),
        schema_digest=digest_json(federation.schema.to_json()).hex(),
        scoring_digest=digest_json({}).hex(),
        rule=rule,
    )
