import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.errors import SpecError, TrainingError
from fl_core.updates import CompressionSpec, UpdateCodec, coordinate_mask, update_bound

DIM = 200
SPEC = CompressionSpec(0.25, 0.0, (1.0, 0.4), residual_norm=3.0, peak=3.0)
MASK = coordinate_mask(SPEC, beacon=bytes(32), round_number=1, dim=DIM)


def codec(spec=SPEC, link_class=0, **changes):
    settings_ = {"dim": DIM, "clip_norm": 1.0, "bits": 24, "fraction_bits": 12, "mask": MASK, **changes}
    return UpdateCodec.of_link_class(spec, link_class=link_class, **settings_)


def updates(count, seed=0, size=1.0):
    values = np.random.default_rng(seed).normal(size=(count, DIM))
    return (values * (size / np.linalg.norm(values, axis=1, keepdims=True))).astype(np.float32)


def generators(count, seed=0):
    return [np.random.default_rng((seed, device)) for device in range(count)]


def ring_sum(rings, bits=24):
    total = rings.sum(axis=0, dtype=np.uint64)
    return total & np.uint64((1 << bits) - 1)


def test_the_server_reads_the_weighted_mean_at_the_mask_and_nothing_elsewhere():
    deltas, weights = updates(8, size=0.3), np.linspace(0.5, 2, 8)
    one = codec()
    batch = one.encode_batch(deltas, None, weights, generators(8))
    mean = one.decode(ring_sum(batch.ring), weights.sum())
    expected = weights @ deltas.astype(float) / weights.sum()
    assert np.abs(mean - expected)[MASK].max() < 8 * 2.0**-12 / weights.sum()
    others = np.setdiff1d(np.arange(DIM), MASK)
    assert not mean[others].any()


def test_without_compression_all_coordinates_are_sent_and_nothing_is_kept():
    plain = UpdateCodec(DIM, 1.0, 24, 12)
    deltas = updates(4, size=0.5)
    batch = plain.encode_batch(deltas, None, np.ones(4), generators(4))
    assert np.abs(plain.decode(ring_sum(batch.ring), 4.0) - deltas.mean(axis=0)).max() < 2.0**-12
    assert not batch.settle(np.ones(4, dtype=bool)).any()
    with pytest.raises(SpecError, match="no error feedback"):
        plain.encode_batch(deltas, deltas.copy(), np.ones(4), generators(4))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 1), st.booleans(), st.booleans(), st.integers(0, 99))
def test_a_batch_gives_each_device_what_it_gets_alone(count, link_class, noised, with_residual, seed):
    rng = np.random.default_rng(seed)
    one = codec(link_class=link_class, noise_variance=4.0 if noised else 0.0)
    deltas, weights = updates(count, seed, size=2.0), rng.uniform(0.5, 2, count)
    residuals = updates(count, seed + 1) if with_residual else None
    noise = rng.integers(-5, 6, (count, one.length)) if noised else None
    included = rng.random(count) < 0.5
    kept = None if residuals is None else residuals.copy()
    batch = one.encode_batch(deltas, kept, weights, generators(count, seed), noise)
    settled = batch.settle(included)
    for i in range(count):
        alone = one.encode(
            deltas[i],
            None if residuals is None else residuals[i],
            float(weights[i]),
            generators(count, seed)[i],
            None if noise is None else noise[i],
        )
        assert alone.ring.tolist() == batch.ring[i].tolist()
        assert alone.settle(included=bool(included[i])).tolist() == settled[i].tolist()


def test_encoding_one_update_leaves_its_arguments_as_they_are():
    delta, residual = updates(1)[0], updates(1, seed=1)[0]
    before = delta.copy(), residual.copy()
    codec().encode(delta, residual, 1.0, np.random.default_rng(0)).settle(included=True)
    assert (delta.tolist(), residual.tolist()) == (before[0].tolist(), before[1].tolist())


def test_what_was_sent_and_what_is_kept_add_up_to_update_and_residual():
    one, weight = codec(), 1.7
    delta, residual = updates(1, size=0.5)[0], updates(1, seed=1, size=0.4)[0]
    encoded = one.encode(delta, residual, weight, np.random.default_rng(0))
    sent = one.decode(encoded.ring, weight)
    kept = encoded.settle(included=True)
    assert np.abs(sent + kept - (delta + residual)).max() < 1e-6


def test_a_device_whose_input_was_lost_keeps_everything():
    encoded = codec().encode(updates(1)[0], updates(1, seed=1)[0], 1.0, np.random.default_rng(0))
    assert np.allclose(encoded.settle(included=False), updates(1)[0] + updates(1, seed=1)[0], atol=1e-7)


def test_noise_is_no_part_of_the_residual():
    plain, noised = codec(), codec(noise_variance=100.0)
    noise = np.random.default_rng(5).integers(-3000, 3000, noised.length)
    delta = updates(1)[0]
    without = plain.encode(delta, None, 1.0, np.random.default_rng(0))
    with_noise = noised.encode(delta, None, 1.0, np.random.default_rng(0), noise)
    assert without.ring.tolist() != with_noise.ring.tolist()
    assert without.settle(included=True).tolist() == with_noise.settle(included=True).tolist()


def test_noise_beyond_the_ring_leaves_the_residual_right():
    narrow = codec(bits=16, noise_variance=1.0)
    delta, noise = updates(1)[0], np.full(narrow.length, 40_000)
    kept = narrow.encode(delta, None, 1.0, np.random.default_rng(0), noise).settle(included=True)
    plain = codec(bits=16).encode(delta, None, 1.0, np.random.default_rng(0)).settle(included=True)
    assert kept.tolist() == plain.tolist()


@pytest.mark.parametrize("included", [True, False])
@pytest.mark.parametrize("weight", [0.25, 1.0, 4.0])
def test_a_weighted_residual_never_exceeds_its_norm(included, weight):
    one = codec()
    residual = np.zeros(DIM, dtype=np.float32)
    for number in range(6):
        encoded = one.encode(updates(1, seed=number, size=5.0)[0], residual, weight, np.random.default_rng(0))
        residual = encoded.settle(included=included)
        assert weight * np.linalg.norm(residual) <= 3.0 * 1.0 * (1 + 1e-6)
        assert residual.dtype == np.float32


def test_error_feedback_delivers_a_constant_update_in_full_over_the_rounds():
    """Each round's mask sends a tenth; what is left out comes later, so that the total does not fall behind."""
    spec, rounds = CompressionSpec(0.1, residual_norm=1e6), 200
    delta = updates(1, size=0.01)[0]
    residual, total = None, np.zeros(DIM)
    for number in range(rounds):
        mask = coordinate_mask(spec, beacon=bytes(32), round_number=number, dim=DIM)
        one = UpdateCodec.of_link_class(spec, dim=DIM, clip_norm=100.0, bits=32, fraction_bits=16, mask=mask)
        encoded = one.encode(delta, residual, 1.0, np.random.default_rng(number))
        residual = encoded.settle(included=True)
        total += one.decode(encoded.ring, 1.0)
    assert np.linalg.norm(total + residual - rounds * delta) < 1e-3 * np.linalg.norm(rounds * delta)
    assert np.linalg.norm(total - rounds * delta) < 0.2 * np.linalg.norm(rounds * delta)


@pytest.mark.parametrize("link_class", [0, 1, 7])
def test_no_device_moves_the_sum_further_than_the_stated_sensitivity(link_class):
    one = codec(link_class=link_class, fraction_bits=5)
    l1, l2 = one.sensitivity
    batch = one.encode_batch(updates(50, size=30.0), None, np.ones(50), generators(50))
    whole = 1 << 24
    steps = np.where(
        batch.ring < whole // 2, batch.ring.astype(np.int64), batch.ring.astype(np.int64) - whole
    )
    assert np.linalg.norm(steps, axis=1).max() <= l2
    assert np.abs(steps).sum(axis=1).max() <= l1
    assert np.abs(steps).max() <= one.bound.peak


def test_the_bound_of_a_spec_is_that_of_its_fastest_link_class_and_covers_the_others():
    whole = update_bound(SPEC, dim=DIM, clip_norm=1.0, fraction_bits=12)
    assert whole == codec().bound
    slower = codec(link_class=1).bound
    assert slower.l1 <= whole.l1
    assert slower.l2 <= whole.l2
    assert slower.peak == whole.peak


def test_a_slower_link_class_sends_a_prefix_in_fewer_bytes():
    assert codec(link_class=1).coordinates.tolist() == MASK[:20].tolist()
    assert codec(link_class=5).coordinates.tolist() == MASK[:20].tolist()
    assert codec(link_class=1).wire_bytes == 20 * 3
    assert codec().wire_bytes == 50 * 3


def test_as_many_updates_as_fit_never_wrap():
    narrow = codec(bits=12, fraction_bits=6)
    members = narrow.capacity
    assert members * narrow.bound.peak <= 2047 < (members + 1) * narrow.bound.peak
    spike = np.zeros((members, DIM), dtype=np.float32)
    spike[:, MASK[0]] = 9.0
    batch = narrow.encode_batch(spike, None, np.ones(members), generators(members))
    assert narrow.decode(ring_sum(batch.ring, 12), members)[MASK[0]] > 0


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"clip_norm": 0.0}, "clip norm 0.0"),
        ({"clip_norm": np.nan}, "clip norm nan"),
        ({"bits": 7}, "7 bits"),
        ({"bits": 65}, "65 bits"),
        ({"bits": 8, "fraction_bits": 10}, "does not fit 8 bits"),
        ({"fraction_bits": -1}, "-1 fraction bits"),
        ({"noise_variance": -1.0}, "variance -1.0"),
        ({"noise_variance": np.inf}, "variance inf"),
        ({"mask": None}, "coordinate mask"),
        ({"mask": MASK + DIM}, "coordinates of a mask"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_any_update_is_seen(changes, what):
    with pytest.raises(SpecError, match=what):
        codec(**changes)


def test_other_settings_that_cannot_work_are_refused():
    for changes, what in (({"dim": 0}, "0 entries"), ({"residual_norm": -1.0}, "residual of -1.0")):
        with pytest.raises(SpecError, match=what):
            dataclasses.replace(UpdateCodec(DIM, 1.0, 24, 12), **changes)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_update_that_is_not_finite_is_refused_wherever_it_is_not(bad):
    deltas = updates(3)
    for coordinate in (int(MASK[0]), int(np.setdiff1d(np.arange(DIM), MASK)[0])):
        broken = deltas.copy()
        broken[1, coordinate] = bad
        with pytest.raises(TrainingError, match="is not finite"):
            codec().encode_batch(broken, None, np.ones(3), generators(3))


def test_an_update_that_a_weight_blows_up_is_refused():
    with pytest.raises(TrainingError, match="devices 0 to 0: update 0 has no finite length"):
        codec().encode_batch(updates(1, size=1e20), None, np.array([1e25]), generators(1))


@pytest.mark.parametrize(
    "arguments",
    [
        (updates(2).astype(np.float64), None, np.ones(2), generators(2)),
        (updates(2)[:, 1:], None, np.ones(2), generators(2)),
        (updates(2), updates(3), np.ones(2), generators(2)),
        (updates(2), None, np.ones(3), generators(2)),
        (updates(2), None, np.array([1.0, 0.0]), generators(2)),
        (updates(2), None, np.array([1.0, np.nan]), generators(2)),
        (updates(2), None, np.ones(2), generators(1)),
        (updates(2), None, np.ones(2), generators(2), np.zeros((2, 3), dtype=np.int64)),
        (updates(2), None, np.ones(2), generators(2), np.zeros((2, 50), dtype=np.int64)),
    ],
)
def test_shapes_weights_and_noise_that_do_not_fit_are_refused(arguments):
    with pytest.raises(SpecError):
        codec().encode_batch(*arguments)
