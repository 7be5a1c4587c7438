import json
from dataclasses import replace

import numpy as np
import pytest

from fl_core.canonical import canonical_json, digest_json
from fl_core.data import (
    Encoder,
    Projection,
    Schema,
    Statistics,
    derive_schema,
    discriminant_projection,
    load,
    set_aside_root,
    split,
)
from fl_core.errors import DataError, SpecError


def two_classes(rows=60, width=20, seed=0):
    """Classes differ along axis 0 by little, and vary along axis 1 by much."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows, dtype=np.int64) % 2
    features = 0.05 * rng.normal(size=(rows, width))
    features[:, 0] += 0.3 * labels
    features[:, 1] += 3.0 * rng.normal(size=rows)
    return features, labels


def test_full_whitening_makes_the_scatter_within_classes_round():
    rng = np.random.default_rng(2)
    labels = np.arange(400, dtype=np.int64) % 2
    features = rng.normal(size=(400, 5)) * [1.0, 5.0, 0.2, 2.0, 0.7] + 0.1 * labels[:, None]
    projected = discriminant_projection(
        features, labels, 5, learnt_from="made", shrinkage=1e-9, exponent=1.0
    ).apply(features)
    within = projected - np.stack([projected[labels == k].mean(axis=0) for k in range(2)])[labels]
    scatter = within.T @ within / len(within)
    assert np.allclose(scatter, np.eye(5) * scatter[0, 0], atol=1e-4)


def test_the_first_direction_tells_classes_apart_where_principal_components_do_not():
    features, labels = two_classes()

    def separation(exponent):
        projection = discriminant_projection(
            features, labels, 1, learnt_from="made", exponent=exponent, shrinkage=0.01
        )
        line = projection.apply(features)[:, 0]
        return abs(line[labels == 1].mean() - line[labels == 0].mean()) / line.std()

    assert separation(0.0) < 0.6
    assert separation(1.0) > 1.5


def test_without_whitening_it_is_principal_components():
    features, labels = two_classes()
    projection = discriminant_projection(features, labels, 3, learnt_from="made", exponent=0.0)
    projected = projection.apply(features)
    covariance = projected.T @ projected / len(projected)
    assert np.allclose(covariance, np.diag(np.diag(covariance)), atol=1e-4)
    assert np.sqrt(np.square(projected).sum(axis=1).mean()) == pytest.approx(5.0, abs=1e-4)


def test_more_directions_than_public_rows_allow_are_refused():
    features, labels = two_classes(rows=10)
    with pytest.raises(DataError, match="10 directions from 10 public rows of 20 features: at most 9"):
        discriminant_projection(features, labels, 10, learnt_from="made")
    with pytest.raises(DataError, match="do not vary within"):
        discriminant_projection(np.ones((10, 4)), labels, 2, learnt_from="made")
    with pytest.raises(SpecError, match="exponent 2"):
        discriminant_projection(features, labels, 2, learnt_from="made", exponent=2)


def test_a_projection_survives_json_exactly_and_bad_ones_are_refused():
    features, labels = two_classes()
    projection = discriminant_projection(features, labels, 4, learnt_from="made")
    restored = Projection.from_json(json.loads(canonical_json(projection.to_json())))
    assert restored == projection
    assert np.array_equal(restored.apply(features), projection.apply(features))
    with pytest.raises(SpecError, match="not a projection"):
        Projection.from_json({**projection.to_json(), "centre": "?"})
    with pytest.raises(SpecError, match="other sizes"):
        replace(projection, outputs=5)
    with pytest.raises(SpecError, match="not finite"):
        Projection.of(np.full(3, np.nan), np.ones((3, 2)), "made")
    with pytest.raises(SpecError, match=r"shape \(2, 19\)"):
        projection.apply(np.zeros((2, 19)))


def test_the_schema_digest_covers_the_projection_and_the_encoder_applies_it():
    table = load("wdbc")
    rng = np.random.default_rng(0)
    parts = split(table, hospitals=4, rng=rng)
    schema = derive_schema(table, parts.train[0])
    plain = Encoder(schema, Statistics.unscaled(schema))
    root, parts = set_aside_root(table, parts, rows=30, rng=rng)
    projection = discriminant_projection(
        plain.encode(table, root), table.labels[root], 6, learnt_from="root set"
    )
    projected = replace(schema, projection=projection)
    assert (projected.features, len(projected.feature_names)) == (6, 6)
    assert Schema.from_json(projected.to_json()) == projected
    assert "projection" not in schema.to_json()
    other = replace(projected, projection=replace(projection, learnt_from="elsewhere"))
    digests = {digest_json(item.to_json()) for item in (schema, projected, other)}
    assert len(digests) == 3
    encoder = Encoder(projected, Statistics.unscaled(schema))
    expected = projection.apply(plain.encode(table, parts.test))
    assert np.array_equal(encoder.encode(table, parts.test), expected)
    assert encoder.features == 6
    with pytest.raises(SpecError, match="encode to 30 values, its projection takes 20"):
        replace(schema, projection=discriminant_projection(*two_classes(), 3, learnt_from="made"))


def test_the_root_set_is_taken_from_validation_in_proportion():
    table = load("wdbc")
    parts = split(table, hospitals=4, rng=np.random.default_rng(0))
    before = np.concatenate(parts.validation)
    root, left = set_aside_root(table, parts, rows=24, rng=np.random.default_rng(1))
    assert len(root) == 24
    assert set(root) <= set(before)
    assert sorted([*root, *np.concatenate(left.validation)]) == sorted(before)
    assert table.labels[root].mean() == pytest.approx(table.labels[before].mean(), abs=0.05)
    given = [len(a) - len(b) for a, b in zip(parts.validation, left.validation, strict=True)]
    assert max(given) - min(given) <= 4
    assert np.array_equal(left.test, parts.test)
    with pytest.raises(DataError, match="out of 114 validation rows leaves too few"):
        set_aside_root(table, parts, rows=112, rng=np.random.default_rng(1))
