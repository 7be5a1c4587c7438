"""The next model under a robust rule: from releases of different lengths, hospitals and sizes."""

import numpy as np
import pytest
from small_run import spec_of

from fl_core.errors import SpecError
from fl_core.privacy import NoiseSpec
from fl_core.robust import RuleSpec, median
from fl_core.round_plan import RoundPlan
from fl_core.tiers import Release, next_model
from fl_core.tiers.robust_update import robust_update
from fl_core.updates import CompressionSpec

BEACON = bytes(32)
MEDIAN = RuleSpec("median")
TRUST = RuleSpec("fltrust", root_digest="ab" * 32)
SPEC = spec_of(4, rule=MEDIAN)
START = np.linspace(-1, 1, SPEC.dim, dtype=np.float32)


def release(spec, mean, *, hospital, cohort=0, devices=(4,), rows=None):
    """A sum whose mean over its rows is `mean`, prefixes included, as float64 (k,)."""
    rows = tuple(6 * count for count in devices) if rows is None else rows
    reaching = np.zeros(len(mean))
    for length, count in zip(spec.terms.lengths, rows, strict=True):
        reaching[:length] += count
    total = np.rint(mean * reaching / spec.reference_rows * 2.0**spec.fraction_bits)
    return Release(hospital, cohort, devices, rows, total.astype(np.int64))


def plan_of(spec=SPEC, start=START):
    return RoundPlan(1, spec, start)


def test_the_update_is_the_rule_over_the_releases_means():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(5, SPEC.dim))
    parts = [release(SPEC, mean, hospital=h) for h, mean in enumerate(means, start=1)]
    expected = median(means, np.ones(5, dtype=np.int64))
    assert np.allclose(robust_update(plan_of(), parts, BEACON), expected, rtol=0, atol=1e-5)
    model = next_model(plan_of(), parts, BEACON)
    assert np.allclose(model, START + expected, rtol=0, atol=1e-5)
    assert model.dtype == np.float32


def test_a_hospital_is_one_vote_however_many_devices_and_rows_it_declares():
    good, bad = np.full(SPEC.dim, 1.0), np.full(SPEC.dim, -5.0)
    honest = [release(SPEC, good, hospital=h) for h in (1, 2)]
    sybils = [release(SPEC, bad, hospital=3, cohort=c, devices=(7,), rows=(7_000,)) for c in range(9)]
    found = robust_update(plan_of(), honest + sybils, BEACON)
    assert np.allclose(found, 1.0, rtol=0, atol=1e-5)


def test_without_any_sum_a_robust_rule_leaves_the_model_as_it_is():
    assert next_model(plan_of(), [], BEACON).tobytes() == START.tobytes()
    two = [release(SPEC, np.ones(SPEC.dim), hospital=h) for h in (1, 2)]
    assert next_model(plan_of(), two, BEACON).tobytes() == START.tobytes()  # no majority among two
    nobody = Release(3, 0, (0,), (0,), np.zeros(0, dtype=np.int64))
    assert next_model(plan_of(), [*two, nobody], BEACON).tobytes() == START.tobytes()


def two_classes(rule):
    """A spec of two link classes, of which the slower sends half; a plan of it, and how long a half is."""
    compression = CompressionSpec(1.0, prefixes=(1.0, 0.5), residual_norm=0.0)
    spec = spec_of(4, rule=rule, compression=compression)
    return spec, plan_of(spec), spec.terms.lengths[1]


def test_coordinates_that_fewer_send_are_combined_over_those_and_stay_where_too_few_do():
    spec, plan, half = two_classes(MEDIAN)
    where = plan.coordinates(BEACON)
    slow = [
        release(spec, np.full(half, v), hospital=1, cohort=c, devices=(0, 4))
        for c, v in enumerate((9.0, 9.0))
    ]
    fast = [release(spec, np.full(spec.dim, v), hospital=h, devices=(4, 0)) for h, v in ((2, 1.0), (3, 2.0))]
    found = robust_update(plan, slow + fast, BEACON)[where]
    assert np.allclose(found[:half], 2.0, rtol=0, atol=1e-5)  # hospital 1 is one vote of three
    assert not found[half:].any()  # two means are no majority
    third = release(spec, np.full(spec.dim, 4.0), hospital=4, devices=(4, 0))
    found = robust_update(plan, [*slow, *fast, third], BEACON)[where]
    assert np.allclose(found[half:], 2.0, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rule", [MEDIAN, RuleSpec("trimmed-mean", 0.3), RuleSpec("geometric-median"), TRUST])
def test_a_minority_of_hospitals_does_not_decide_over_a_tail_that_only_few_reach(rule):
    spec, plan, half = two_classes(rule)
    where, root = plan.coordinates(BEACON), None
    if rule is TRUST:
        root = np.ones(spec.dim, dtype=np.float32)
    slow = [release(spec, np.ones(half), hospital=h, devices=(0, 4)) for h in (1, 2, 3)]
    tail = np.concatenate([np.ones(half), np.full(spec.dim - half, 7.0)])
    reaching = [
        release(spec, tail, hospital=h, cohort=c, devices=(4, 0)) for h in (4, 5, 6) for c in range(3)
    ]
    found = robust_update(plan, slow + reaching, BEACON, root)[where]  # three of six hospitals
    assert np.allclose(found[:half], 1.0, rtol=0, atol=1e-4)
    assert not found[half:].any()
    found = robust_update(plan, slow[:2] + reaching, BEACON, root)[where]  # three of five
    assert found[half:].all()


def test_a_hospital_that_released_nothing_is_not_counted_among_those_that_could_reach():
    spec, plan, half = two_classes(MEDIAN)
    reaching = [release(spec, np.full(spec.dim, 2.0), hospital=h, devices=(4, 0)) for h in (1, 2, 3)]
    nobody = [Release(h, 0, (0, 0), (0, 0), np.zeros(0, dtype=np.int64)) for h in (4, 5, 6)]
    found = robust_update(plan, reaching + nobody, BEACON)
    assert np.allclose(found, 2.0, rtol=0, atol=1e-5)
    assert half < spec.dim


def test_as_many_votes_against_each_other_are_a_tie_however_they_are_shared():
    low = [release(SPEC, np.zeros(SPEC.dim), hospital=1, cohort=c) for c in range(3)]
    for count in (1, 3, 7):
        high = [release(SPEC, np.full(SPEC.dim, 4.0), hospital=2, cohort=c) for c in range(count)]
        assert np.allclose(robust_update(plan_of(), low + high, BEACON), 2.0, rtol=0, atol=1e-5)


def test_a_hospitals_sum_over_two_link_classes_has_its_own_mean_in_each_part():
    compression = CompressionSpec(1.0, prefixes=(1.0, 0.5), residual_norm=0.0)
    spec = spec_of(4, rule=MEDIAN, compression=compression)
    plan, half = plan_of(spec), spec.terms.lengths[1]
    parts = [
        release(spec, np.full(spec.dim, 0.5), hospital=h, cohort=None, devices=(3, 5)) for h in (1, 2, 3)
    ]
    found = robust_update(plan, parts, BEACON)
    assert np.allclose(found, 0.5, rtol=0, atol=1e-5)
    assert half < spec.dim


def test_trust_follows_the_root_update_and_nothing_is_learnt_where_it_says_nothing():
    spec = spec_of(4, rule=TRUST)
    plan, half = plan_of(spec), spec.dim // 2
    root = np.zeros(spec.dim, dtype=np.float32)
    root[:half] = 1.0
    good, bad = root.astype(np.float64), -9.0 * root.astype(np.float64)
    parts = [release(spec, mean, hospital=h) for h, mean in ((1, good), (2, bad), (3, bad))]
    found = robust_update(plan, parts, BEACON, root)
    assert np.allclose(found, good, rtol=0, atol=1e-4)
    compression = CompressionSpec(1.0, prefixes=(1.0, 0.5), residual_norm=0.0)
    spec = spec_of(4, rule=TRUST, compression=compression)
    plan = plan_of(spec)
    only_first = np.zeros(spec.dim, dtype=np.float32)
    only_first[plan.coordinates(BEACON)[: spec.terms.lengths[1]]] = 1.0
    slow = release(spec, np.ones(spec.terms.lengths[1]), hospital=1, devices=(0, 4))
    fast = [release(spec, np.ones(spec.dim), hospital=h, devices=(4, 0)) for h in (2, 3)]
    found = robust_update(plan, [slow, *fast], BEACON, only_first)
    assert np.allclose(found, only_first, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("rule", "root", "words"),
    [
        (TRUST, None, "needs a root update"),
        (MEDIAN, np.ones(10, np.float32), "takes no root update"),
        (RuleSpec(), np.ones(10, np.float32), "takes no root update"),
        (TRUST, np.zeros(10, np.float32), "not all of them zero"),
        (TRUST, np.ones(9, np.float32), "10 finite values"),
        (TRUST, np.full(10, np.nan, np.float32), "10 finite values"),
    ],
)
def test_a_root_update_that_the_rule_cannot_use_is_refused(rule, root, words):
    with pytest.raises(SpecError, match=words):
        next_model(plan_of(spec_of(4, rule=rule)), [], BEACON, root)


def test_noise_that_the_spec_promises_does_not_shorten_the_step():
    noise = NoiseSpec(8.0, 1e-5, 1, 1e10, 1e10, corrupted=1)
    spec = spec_of(500, rule=TRUST, bits=40, fraction_bits=10, noise=noise)
    plan = plan_of(spec, np.zeros(spec.dim, dtype=np.float32))
    rng = np.random.default_rng(2)
    root = np.full(spec.dim, 40.0, dtype=np.float32)
    deviation = np.sqrt(noise.local_variance * 4 + noise.global_variance)  # 55 in a mean of 40
    parts = []
    for hospital in range(1, 5):
        clean = release(spec, root.astype(np.float64), hospital=hospital)
        noised = clean.total + np.rint(deviation * rng.normal(size=spec.dim)).astype(np.int64)
        parts.append(Release(hospital, 0, clean.devices, clean.rows, noised))
    found = robust_update(plan, parts, BEACON, root)
    assert 0.9 < found @ root / (root @ root) < 1.1
