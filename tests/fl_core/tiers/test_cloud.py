from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_run import spec_of

from fl_core.errors import SpecError
from fl_core.models import initial_vector
from fl_core.round_plan import RoundPlan
from fl_core.tiers import Cloud, Release, federated_average, mean_update

SPEC = spec_of(4)
BEACON = bytes(32)
START = np.linspace(-1, 1, SPEC.dim, dtype=np.float32)


def release(updates, rows, *, spec=SPEC, hospital=1, number=0):
    """The sum of real-valued updates (m, d) of devices with so many rows, as an edge would release it."""
    weights = np.array(rows) / spec.reference_rows
    total = sum(
        np.rint(w * u * 2.0**spec.fraction_bits).astype(np.int64)
        for u, w in zip(updates, weights, strict=True)
    )
    return Release(hospital, number, (len(rows),), (int(sum(rows)),), total)


def averaged(releases, *, start=START, spec=SPEC):
    return federated_average(RoundPlan(1, spec, start), releases, BEACON)


def test_the_federated_average_is_the_plain_weighted_average():
    rng = np.random.default_rng(0)
    updates, rows = rng.normal(size=(12, SPEC.dim)) * 0.3, rng.integers(1, 20, 12)
    releases = [release(updates[i : i + 4], rows[i : i + 4], number=i) for i in (0, 4, 8)]
    plain = START + (updates * rows[:, None]).sum(axis=0) / rows.sum()
    assert np.allclose(averaged(releases), plain, rtol=0, atol=1e-6)
    assert averaged(releases).dtype == np.float32
    mean = (updates[:4] * rows[:4, None]).sum(axis=0) / rows[:4].sum()
    assert np.allclose(mean_update(RoundPlan(1, SPEC, START), releases[0], BEACON), mean, rtol=0, atol=1e-6)


@given(st.permutations(range(12)), st.integers(1, 11))
def test_the_model_does_not_depend_on_who_was_summed_with_whom(order, cut):
    rng = np.random.default_rng(3)
    units = [
        release(rng.normal(size=(1, SPEC.dim)), [r], number=i) for i, r in enumerate(rng.integers(1, 9, 12))
    ]
    groups = [[units[i] for i in order[:cut]], [units[i] for i in order[cut:]]]
    merged = [
        Release(1, n, (len(g),), (sum(u.rows[0] for u in g),), sum(u.total for u in g))
        for n, g in enumerate(groups)
    ]
    assert averaged(merged).tobytes() == averaged(units).tobytes()


def test_without_any_sum_the_model_stays_and_is_not_shared():
    model = averaged([])
    assert model.tobytes() == START.tobytes()
    assert model is not START


def test_a_sum_of_nobody_has_no_mean():
    nobody = Release(1, 9, (0,), (0,), np.zeros(SPEC.dim, np.int64))
    with pytest.raises(SpecError, match="sum of hospital 1, cohort 9 holds no rows"):
        mean_update(RoundPlan(1, SPEC, START), nobody, BEACON)


def test_sums_of_many_cohorts_do_not_wrap_even_where_one_fills_the_ring():
    spec = spec_of(4, bits=64, fraction_bits=52, clip_norm=256.0)
    members = spec.largest_cohort
    full = np.full(spec.dim, spec.reach(members), dtype=np.int64)
    assert 2 * int(full[0]) >= 1 << 63, "two such sums are more than an int64 holds"
    rows = members * spec.reference_rows
    releases = [Release(1, n, (members,), (rows,), full) for n in range(5)]
    exact = Fraction(int(full[0]), 2**52) * spec.reference_rows / rows
    model = averaged(releases, start=np.zeros(spec.dim, np.float32), spec=spec)
    assert model.tolist() == [np.float32(float(exact))] * spec.dim


def test_the_cloud_moves_from_round_to_round():
    cloud = Cloud(SPEC, seed=1, rounds_done=4)
    plan = cloud.plan()
    assert plan.number == 5
    assert plan.model.tobytes() == initial_vector(SPEC.model, 1).tobytes()
    model = cloud.combine(plan, [release(np.full((3, SPEC.dim), 0.5), [6, 6, 6])], BEACON)
    assert model is cloud.model
    assert np.allclose(model, plan.model + 0.5, atol=1e-6)
    assert cloud.plan().number == 6


@pytest.mark.parametrize("number", [4, 6])
def test_the_plan_of_another_round_is_refused(number):
    cloud = Cloud(SPEC, seed=1, rounds_done=4)
    with pytest.raises(SpecError, match="not the next one: 5"):
        cloud.combine(RoundPlan(number, SPEC, cloud.model), [], BEACON)
    assert cloud.rounds_done == 4


def test_a_plan_that_starts_from_another_model_is_refused():
    cloud = Cloud(SPEC, seed=1)
    with pytest.raises(SpecError, match="another model"):
        cloud.combine(replace(cloud.plan(), model=START), [], BEACON)
