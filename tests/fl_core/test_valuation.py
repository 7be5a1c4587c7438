import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.errors import DataError, SpecError
from fl_core.models import ModelSpec, initial_vector
from fl_core.training import LocalTraining, per_record_loss, train_local
from fl_core.valuation import (
    UTILITY_UNIT,
    cohort_utilities,
    model_score,
    path_utilities,
    stacked,
    unseen_classes,
)

SPEC = ModelSpec("logistic", 3, 2)
START = initial_vector(SPEC, 0)


def rows_of(count, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 3)).astype(np.float32)
    return features, (features[:, 0] > 0).astype(np.int64)


FEATURES, LABELS = rows_of(50)
UPDATES = st.lists(st.floats(-50, 50), min_size=8, max_size=8).map(np.array)


def utilities(updates, *, clip=1.0, step=1, features=FEATURES, labels=LABELS, start=START):
    return cohort_utilities(SPEC, start, updates, features, labels, clip=clip, step=step)


def trained(flipped):
    labels = 1 - LABELS if flipped else LABELS
    return train_local(SPEC, START, FEATURES, labels, LocalTraining(), 1).astype(np.float64)


def test_a_utility_is_the_mean_loss_saved_in_millionths_of_a_nat():
    update = trained(flipped=False)
    before = per_record_loss(SPEC, START, FEATURES, LABELS)
    after = per_record_loss(SPEC, (START + update).astype(np.float32), FEATURES, LABELS)
    assert utilities([update], clip=100.0) == [round((before - after).mean() * UTILITY_UNIT)]


def test_a_good_update_is_worth_more_than_none_and_a_flipped_one_less():
    good, nothing, flipped = utilities([trained(flipped=False), np.zeros(8), trained(flipped=True)])
    assert flipped < nothing == 0 < good


@settings(max_examples=50)
@given(st.lists(UPDATES, min_size=1, max_size=3), st.floats(0.01, 5), st.integers(1, 10_000))
def test_utilities_are_multiples_of_the_step_and_within_the_clip(updates, clip, step):
    values = utilities(updates, clip=clip, step=step)
    assert len(values) == len(updates)
    assert all(type(value) is int and value % step == 0 for value in values)
    assert all(abs(value) <= clip * UTILITY_UNIT + step for value in values)


@settings(max_examples=50)
@given(
    UPDATES, st.floats(0.01, 2), st.integers(0, 49), st.lists(st.floats(-100, 100), min_size=3, max_size=3)
)
def test_one_record_moves_a_utility_by_no_more_than_its_clipped_part(update, clip, record, reading):
    features, labels = FEATURES.copy(), LABELS.copy()
    features[record], labels[record] = reading, 1 - labels[record]
    (before,) = utilities([update], clip=clip)
    (after,) = utilities([update], clip=clip, features=features, labels=labels)
    assert abs(after - before) <= 2 * clip * UTILITY_UNIT / len(LABELS) + 1


@pytest.mark.parametrize("size", [1e200, np.inf, np.nan])
def test_an_update_that_explodes_is_worth_the_least_that_there_is(size):
    assert utilities([np.full(8, size)], clip=0.5) == [-500_000]


def test_a_boosted_update_in_the_wrong_direction_costs_no_more_than_the_clip():
    (value,) = utilities([1e30 * trained(flipped=True)], clip=0.5)
    assert -500_000 <= value < -400_000


def test_no_cohorts_have_no_utilities():
    assert utilities([]) == []


def test_a_validator_without_rows_cannot_value():
    with pytest.raises(DataError, match="without validation rows"):
        utilities([np.zeros(8)], features=FEATURES[:0], labels=LABELS[:0])
    with pytest.raises(DataError, match="no rows"):
        model_score(SPEC, START, FEATURES[:0], LABELS[:0])


def test_the_score_of_a_model_is_its_accuracy():
    model = (START + trained(flipped=False)).astype(np.float32)
    right = (FEATURES @ model[:6].reshape(2, 3).T + model[6:]).argmax(axis=1) == LABELS
    assert model_score(SPEC, model, FEATURES, LABELS) == round(10_000 * right.mean()) > 9_000


MODELS = [
    ModelSpec("logistic", 6, 3),
    ModelSpec("mlp", 6, 3, (5,)),
    ModelSpec("conv1d", 12, 3, (4,), channels=2, kernel=3),
]


def path_gains(
    updates, *, after=None, clip=100.0, step=1, features=FEATURES, labels=LABELS, spec=SPEC, start=START
):
    return path_utilities(
        spec, start, updates, features, labels, after=start if after is None else after, clip=clip, step=step
    )


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.kind)
def test_the_path_gain_of_a_small_step_is_what_it_gains(spec):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(40, spec.features)).astype(np.float32)
    labels = rng.integers(0, spec.classes, 40)
    start = initial_vector(spec, 3) + rng.normal(0, 0.2, len(initial_vector(spec, 3))).astype(np.float32)
    for _ in range(3):
        update = rng.normal(0, 1e-3, len(start))
        (found,) = path_gains([update], features=features, labels=labels, spec=spec, start=start)
        (gained,) = utilities_of(spec, update, features, labels, start)
        assert abs(found - gained) <= 25  # curvature, millionths of a nat


def utilities_of(spec, update, features, labels, start):
    return cohort_utilities(spec, start, [update], features, labels, clip=100.0, step=1)


@settings(max_examples=30)
@given(UPDATES, UPDATES, st.floats(0, 1))
def test_path_gains_are_linear_in_the_update(one, other, share):
    after = (START + trained(flipped=False)).astype(np.float32)
    of_one, of_other, of_mean = path_gains([one, other, share * one + (1 - share) * other], after=after)
    size = 1 + max(abs(of_one), abs(of_other))
    assert abs(share * of_one + (1 - share) * of_other - of_mean) <= 2 + 1e-5 * size


def test_path_gains_of_all_cohorts_add_up_to_about_what_the_round_gained():
    one, other = trained(flipped=False), 0.3 * trained(flipped=True)
    after = (START + (one + other) / 2).astype(np.float32)
    gained = (
        per_record_loss(SPEC, START, FEATURES, LABELS) - per_record_loss(SPEC, after, FEATURES, LABELS)
    ).mean()
    found = np.mean(path_gains([one, other], after=after)) / UTILITY_UNIT
    assert found == pytest.approx(gained, rel=0.15)


def test_an_idle_update_has_no_path_gain_and_a_flipped_one_a_negative_one():
    after = (START + trained(flipped=False)).astype(np.float32)
    good, nothing, flipped = path_gains(
        [trained(flipped=False), np.zeros(8), trained(flipped=True)], after=after
    )
    assert flipped < nothing == 0 < good


@pytest.mark.parametrize("size", [1e200, np.inf, np.nan])
def test_an_exploding_update_has_the_least_path_gain_that_there_is(size):
    assert path_gains([np.full(8, size)], clip=0.5) == [-500_000]


def test_where_the_next_model_exploded_all_cohorts_have_the_same_path_gain():
    after = np.full(8, np.nan, dtype=np.float32)
    assert path_gains([trained(flipped=False), np.zeros(8)], after=after, clip=0.5) == [-500_000] * 2


@settings(max_examples=30)
@given(UPDATES, st.floats(0.01, 2), st.integers(0, 49))
def test_one_record_moves_a_path_gain_by_no_more_than_its_clipped_part(update, clip, record):
    features, labels = FEATURES.copy(), LABELS.copy()
    features[record], labels[record] = 90, 1 - labels[record]
    (before,) = path_gains([update], clip=clip)
    (after,) = path_gains([update], clip=clip, features=features, labels=labels)
    assert abs(after - before) <= 2 * clip * UTILITY_UNIT / len(LABELS) + 1


def test_a_validator_that_lacks_a_class_is_told_which_and_values_all_the_same():
    only = np.flatnonzero(LABELS == 1)
    assert unseen_classes(LABELS[only], 2) == (0,)
    assert unseen_classes(LABELS, 2) == ()
    assert len(path_gains([np.zeros(8)], features=FEATURES[only], labels=LABELS[only])) == 1


@pytest.mark.parametrize(("clip", "step"), [(0.0, 1), (float("nan"), 1), (1.0, 0)])
def test_a_clip_or_step_that_is_none_is_refused(clip, step):
    with pytest.raises(SpecError, match="positive clip and a step"):
        path_gains([np.zeros(8)], clip=clip, step=step)


def test_no_rows_have_no_path_gain():
    with pytest.raises(DataError, match="without validation rows"):
        path_gains([np.zeros(8)], features=FEATURES[:0], labels=LABELS[:0])


@pytest.mark.parametrize("most", [1, 200, 1 << 20])
@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.kind)
def test_cohorts_valued_side_by_side_have_the_very_values_that_each_has_alone(spec, most, monkeypatch):
    monkeypatch.setattr(stacked, "_LOGITS", most)
    rng = np.random.default_rng(2)
    features = rng.normal(size=(37, spec.features)).astype(np.float32)
    labels = rng.integers(0, spec.classes, 37)
    start = (initial_vector(spec, 3) + rng.normal(0, 0.2, len(initial_vector(spec, 3)))).astype(np.float32)
    after = (start + rng.normal(0, 0.2, len(start))).astype(np.float32)
    updates = [rng.normal(0, size, len(start)) for size in np.geomspace(1e-3, 10, 9)]
    updates += [np.full(len(start), np.nan), np.full(len(start), 1e200), np.zeros(len(start))]

    def gains(some):
        return cohort_utilities(spec, start, some, features, labels, clip=1.0, step=1)

    def paths(some):
        return path_utilities(spec, start, some, features, labels, after=after, clip=1.0, step=1)

    assert gains(updates) == [gains([update])[0] for update in updates]
    assert paths(updates) == [paths([update])[0] for update in updates]


@settings(max_examples=30)
@given(st.lists(UPDATES, min_size=1, max_size=4), st.floats(0.01, 5))
def test_a_gain_is_to_the_last_bit_the_mean_of_what_each_record_saves(updates, clip):
    before = per_record_loss(SPEC, START, FEATURES, LABELS)
    plain = []
    for update in updates:
        after = per_record_loss(SPEC, (START + update).astype(np.float32), FEATURES, LABELS)
        plain.append(round(float(np.clip(before - after, -clip, clip).mean()) * UTILITY_UNIT))
    assert utilities(updates, clip=clip) == plain


def test_a_bound_that_is_none_is_refused_before_anything_is_valued():
    with pytest.raises(SpecError, match="positive clip and a step"):
        utilities([], clip=-1.0)
