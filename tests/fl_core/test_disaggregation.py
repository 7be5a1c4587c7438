"""What cohort sums give away: mean updates, by least squares on who was summed with whom (DESIGN.md section 3).

Updates are really trained, clipped, rounded and noised; cohorts really drawn. Sums are plain: secure aggregation yields
the same ones.
"""

import math

import numpy as np
import pytest

from benchmarks.tradeoff_federation import Layout, Recipe, build_federation
from benchmarks.tradeoff_rounds import Devices, cohort_sums, noised_spec, released
from fl_core.batched import train_batch
from fl_core.cohorts import beacon_of_run
from fl_core.data import load
from fl_core.models import initial_vector
from fl_core.round_plan import RoundPlan
from fl_core.spec import Profile
from fl_core.tiers.cloud import mean_update
from fl_core.tiers.release import Release
from fl_core.training import LocalTraining, train_local
from incentives import bucket_rows

pytestmark = pytest.mark.slow

HOSPITALS, EACH = 3, 48
RECIPE = Recipe(
    "wdbc",
    "logistic",
    (),
    0,
    4.0,
    LocalTraining(epochs=5, batch_size=8, learning_rate=0.1),
)


def settled(model, federation):
    """A model as it is late in training, when what a device pulls at is its own rows' and hardly changes."""
    held = [rows for hospital in federation.devices for rows in hospital]
    features, labels = (np.concatenate(part) for part in zip(*held, strict=True))
    training = LocalTraining(epochs=20, batch_size=32, learning_rate=0.1)
    return train_local(model, initial_vector(model, 0), features, labels, training, 0)


class Observed:
    """What an observer of the releases of some rounds knows, and (to judge it) what devices really sent on average."""

    def __init__(self, profile, epsilon, rounds, seed=0):
        layout = Layout(HOSPITALS, 16, 12)
        federation = build_federation(load("wdbc"), RECIPE, HOSPITALS * EACH, seed, layout)
        spec = noised_spec(federation, RECIPE, profile=profile, epsilon=epsilon, delta=1e-5, rounds=rounds)
        held = [rows for hospital in federation.devices for rows in hospital]
        home = np.repeat(np.arange(HOSPITALS), EACH)
        sizes = np.array([bucket_rows(len(y)) for _, y in held])
        who = Devices(home, sizes, seed, np.random.default_rng(seed))
        self.participation, self.sums, sent = [], [], np.zeros((len(held), spec.dim))
        model = settled(spec.model, federation)
        for number in range(1, rounds + 1):
            plan = RoundPlan(number=number, spec=spec, model=model)
            seeds = [1000 * number + i for i in range(len(held))]
            deltas = train_batch(spec.model, model, *map(list, zip(*held, strict=True)), spec.training, seeds)
            totals, members = cohort_sums(spec, deltas, who, number)
            seen = released(spec, totals, members, who, number)
            beacon = beacon_of_run(seed, number)
            self._see(spec, seen, members, home, sizes)
            lengths = np.linalg.norm(deltas, axis=1) * [spec.weight(int(n), 0) for n in sizes]
            sent += deltas * np.minimum(1, spec.clip_norm / np.maximum(lengths, 1e-12))[:, None] / rounds
            everything = Release(
                0, None, (len(held),), (int(sizes.sum()),), np.sum([item.total for item in seen], axis=0)
            )
            model = (model + mean_update(plan, everything, beacon)).astype(np.float32)
        self.truth = sent

    def _see(self, spec, seen, members, home, sizes):
        """One equation a release: weights of the devices in it, and the decoded sum, both against the round's mean."""
        rows, sums = [], []
        by_cohort = {(key.hospital, key.cohort): own for key, own in members.items()}
        for item in seen:
            if item.cohort is not None:
                inside = np.isin(np.arange(len(home)), by_cohort[item.hospital, item.cohort])
            else:
                inside = (home == item.hospital - 1) if item.hospital else np.ones(len(home), dtype=bool)
            weights = inside * sizes / spec.reference_rows
            rows.append(weights)
            sums.append(item.total * 2.0**-spec.fraction_bits)
        rows, sums = np.array(rows), np.array(sums)
        mean = sums.sum(axis=0) / rows.sum()
        self.participation.append(rows)
        self.sums.append(sums - rows.sum(axis=1, keepdims=True) * mean)


def recovered(observed, ridge=0.3, rng=None):
    """Devices' mean updates against the federation's: ridge least squares on the participation matrix."""
    design, sums = np.concatenate(observed.participation), np.concatenate(observed.sums)
    if rng is not None:
        sums = rng.permutation(sums)
    gram = design.T @ design + ridge * np.eye(design.shape[1])
    return np.linalg.solve(gram, design.T @ sums)


def mean_cosine(found, truth):
    """Mean cosine over devices, both sides against their mean over devices: what is known of a device in particular.

    Knowing the released mean alone gives 0; with the mean left in, the cosines are higher.
    """
    found, truth = found - found.mean(axis=0), truth - truth.mean(axis=0)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(truth, axis=1)
    return float(np.mean((found * truth).sum(axis=1) / np.maximum(lengths, 1e-12)))


@pytest.fixture(scope="module", params=(20, 40))
def accountable(request):
    return request.param, Observed(Profile.ACCOUNTABLE, math.inf, request.param)


def test_sums_of_cohorts_without_noise_give_mean_updates_away(accountable):
    rounds, observed = accountable
    assert mean_cosine(recovered(observed), observed.truth) > {20: 0.5, 40: 0.75}[rounds]


def test_the_attack_needs_to_know_who_was_summed_with_whom(accountable):
    _, observed = accountable
    wrong = recovered(observed, rng=np.random.default_rng(0))
    assert abs(mean_cosine(wrong, observed.truth)) < 0.15


@pytest.mark.parametrize("profile", [Profile.HOSPITAL, Profile.PRIVATE])
def test_other_profiles_show_no_device_even_without_noise(profile):
    observed = Observed(profile, math.inf, 40)
    assert abs(mean_cosine(recovered(observed), observed.truth)) < 0.2


@pytest.mark.parametrize("epsilon", [8.0, 1.0])
def test_noise_hides_devices_in_cohort_sums(epsilon):
    observed = Observed(Profile.ACCOUNTABLE, epsilon, 40)
    best = max(mean_cosine(recovered(observed, ridge), observed.truth) for ridge in (0.3, 3.0, 30.0))
    assert best < 0.3
