import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.errors import DataError
from fl_core.models import ModelSpec, initial_vector
from fl_core.training import LocalTraining, per_record_loss, train_local
from fl_core.valuation import UTILITY_UNIT, cohort_utilities, model_score

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
