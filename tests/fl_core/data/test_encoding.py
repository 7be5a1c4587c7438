import json

import numpy as np
import pytest

from fl_core.canonical import canonical_json
from fl_core.data import Encoder, Schema, Statistics, Table, derive_schema, load
from fl_core.errors import DataError, SpecError
from fl_core.statistics import pooled_statistics

NAN = float("nan")


@pytest.fixture
def table():
    return Table(
        name="mixed",
        source="made here",
        numeric_names=("age", "lactate", "flat"),
        numeric=np.array(
            [[50, 1.0, 7], [60, NAN, 7], [70, 3.0, 7], [80, 2.0, 7], [NAN, 1e30, 9]], dtype=np.float64
        ),
        categorical_names=("ward", "drug"),
        categorical=np.array(
            [["A", "x"], ["B", None], ["A", "y"], ["C", "x"], ["D", None]], dtype=np.object_
        ),
        labels=np.array([0, 1, 0, 1, 0], dtype=np.int64),
        class_names=("no", "yes"),
    )


TRAIN = np.arange(4)


def encoder_of(table, rows=TRAIN, **options):
    schema = derive_schema(table, rows)
    return Encoder(schema, pooled_statistics(table.numeric[rows], schema), **options)


def test_the_schema_knows_training_rows_only(table):
    schema = derive_schema(table, TRAIN)
    assert [(c.name, c.exponent, c.has_missing) for c in schema.numeric] == [
        ("age", 7, False),
        ("lactate", 2, True),
        ("flat", 3, False),
    ]
    assert [(c.categories, c.has_missing) for c in schema.categorical] == [
        (("A", "B", "C"), False),
        (("x", "y"), True),
    ]
    assert schema.features == len(schema.feature_names) == 3 + 1 + 4 + 4
    assert schema.classes == 2


def test_declared_magnitudes_are_the_least_powers_of_two_above_every_value():
    table = load("wdbc")
    schema = derive_schema(table, np.arange(len(table)))
    largest = np.abs(table.numeric).max(axis=0)
    bounds = np.array([2.0**column.exponent for column in schema.numeric])
    assert (largest < bounds).all()
    assert (largest >= bounds / 2).all()


def test_rows_are_standardised_imputed_and_one_hot(table):
    encoder = encoder_of(table)
    x = encoder.encode(table, TRAIN)
    assert x.dtype == np.float32
    assert x.shape == (4, encoder.features)
    assert x.flags.c_contiguous
    age = np.array([50, 60, 70, 80])
    np.testing.assert_allclose(x[:, 0], (age - age.mean()) / age.std(), rtol=1e-6)
    assert x[1, 1] == 0  # missing: the mean
    assert x[:, 3].tolist() == [0, 1, 0, 0]  # and its indicator
    assert x[:, 2].tolist() == [0, 0, 0, 0]  # no variance
    assert x[:, 4:8].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]
    assert x[:, 8:].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]]


def test_what_training_never_saw_stays_bounded(table):
    row = encoder_of(table).encode(table, np.array([4]))[0]
    assert row[0] == 0  # missing, in a column that has no indicator
    assert row[1] == 10  # clipped
    assert row[2] == 0  # differs from a constant
    assert row[4:8].tolist() == [0, 0, 0, 1]  # another value
    assert encoder_of(table, z_max=3.0).encode(table, np.array([4]))[0, 1] == 3


def test_encoding_a_part_equals_a_part_of_the_encoding():
    table = load("wdbc")
    encoder = encoder_of(table, np.arange(300))
    rows = np.array([5, 400, 3])
    assert np.array_equal(encoder.encode(table)[rows], encoder.encode(table, rows))


def test_rare_categories_share_a_slot(table):
    schema = derive_schema(table, TRAIN, max_categories=1)
    assert schema.categorical[0].categories == ("A",)
    assert schema.categorical[1].categories == ("x",)


def test_a_column_missing_in_every_training_row_encodes_to_zero(table):
    encoder = encoder_of(table, np.array([1]))
    assert encoder.statistics.count.tolist() == [1, 0, 1]
    assert encoder.encode(table)[:, 1].tolist() == [0] * 5


def test_schema_and_statistics_survive_json(table):
    encoder = encoder_of(table)
    schema = Schema.from_json(json.loads(canonical_json(encoder.schema.to_json())))
    statistics = Statistics.from_json(json.loads(canonical_json(encoder.statistics.to_json())))
    assert schema == encoder.schema
    assert np.array_equal(Encoder(schema, statistics).encode(table), encoder.encode(table))


def test_what_does_not_fit_is_refused(table):
    encoder = encoder_of(table)
    with pytest.raises(DataError, match="wdbc: its columns are not those that the schema declares"):
        encoder.encode(load("wdbc"))
    with pytest.raises(SpecError, match="statistics of 30 columns for a schema with 3"):
        Encoder(encoder.schema, encoder_of(load("wdbc"), np.arange(500)).statistics)
    bad = Statistics(encoder.statistics.count, encoder.statistics.mean * NAN, encoder.statistics.std)
    with pytest.raises(SpecError, match="not finite"):
        Encoder(encoder.schema, bad)
    with pytest.raises(SpecError, match="negative standard deviation"):
        Encoder(encoder.schema, Statistics(bad.count, encoder.statistics.mean, encoder.statistics.std - 100))
    with pytest.raises(SpecError, match="z_max 0"):
        Encoder(encoder.schema, encoder.statistics, z_max=0)
    with pytest.raises(DataError, match="no training rows"):
        derive_schema(table, np.array([], dtype=np.int64))
    with pytest.raises(SpecError, match="not a schema"):
        Schema.from_json({"numeric": [{"name": "age"}]})
    with pytest.raises(SpecError, match="differ in length"):
        Statistics.from_json({"count": [1], "mean": [1.0, 2.0], "std": [0.0]})
    with pytest.raises(SpecError, match="not statistics"):
        Statistics.from_json({"count": ["many"], "mean": [1.0], "std": [0.0]})
