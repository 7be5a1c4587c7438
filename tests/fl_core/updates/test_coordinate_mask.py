import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.canonical import sha256
from fl_core.errors import SpecError
from fl_core.updates import CompressionSpec, coordinate_mask

DIM = 1000


def mask(spec, *, beacon=b"\1" * 32, number=3, dim=DIM, last=None):
    return coordinate_mask(spec, beacon=beacon, round_number=number, dim=dim, last_update=last)


def update(seed=0, dim=DIM):
    return np.random.default_rng(seed).normal(size=dim)


@given(
    st.integers(1, 300),
    st.floats(0.001, 1),
    st.floats(0, 1, exclude_max=True),
    st.booleans(),
    st.integers(0, 99),
)
def test_a_mask_holds_the_agreed_number_of_distinct_coordinates(dim, fraction, top, follows, seed):
    spec = CompressionSpec(fraction, top)
    chosen = mask(spec, dim=dim, last=update(seed, dim) if follows else None, number=seed + 1)
    assert chosen.dtype == np.int64
    assert len(chosen) == len(set(chosen.tolist())) == spec.lengths(dim)[0]
    assert 0 <= chosen.min() <= chosen.max() < dim


def test_everybody_derives_the_same_mask_and_each_round_and_beacon_another():
    spec = CompressionSpec(0.2, 0.5)
    first = mask(spec, last=update())
    assert first.tolist() == mask(spec, last=update()).tolist()
    assert first.tolist() != mask(spec, last=update(), number=4).tolist()
    assert first.tolist() != mask(spec, last=update(), beacon=b"\2" * 32).tolist()


def test_the_mask_of_a_known_beacon_never_changes():
    """A change of the derivation would split a federation of old and new devices."""
    chosen = mask(CompressionSpec(0.01, 0.5), last=np.arange(1000.0))
    assert sha256(chosen.astype("<i8").tobytes()).hex() == FROZEN


FROZEN = "04e95b811145e29bb4fde6e8e83fb75ad8c8a11615f80e81ea099410d272e0e0"


def test_the_stated_share_comes_from_the_top_of_the_last_update():
    last = update()
    top = set(np.argsort(-np.abs(last))[:50].tolist())
    chosen = set(mask(CompressionSpec(0.1, 0.5), last=last).tolist())
    assert top <= chosen
    assert chosen - top != set(np.argsort(-np.abs(last))[50:100].tolist())


def test_coordinates_that_did_not_move_are_not_taken_for_the_top():
    last = np.zeros(DIM)
    last[[5, 7]] = 1.0, -2.0
    chosen = mask(CompressionSpec(0.1, 0.9), last=last)
    assert {5, 7} <= set(chosen.tolist())
    assert len(chosen) == 100
    assert not set(range(100)) <= set(chosen.tolist())


def test_a_prefix_holds_the_same_mixture_as_the_whole():
    last = update(dim=20_000)
    chosen = mask(CompressionSpec(0.2, 0.5), last=last, dim=20_000)
    top = np.argsort(-np.abs(last))[:2000]
    share = np.isin(chosen[:1000], top).mean()
    assert abs(share - 0.5) < 5 * np.sqrt(0.25 / 1000)


def test_without_a_last_update_every_coordinate_is_as_likely():
    counts = np.zeros(200)
    for number in range(400):
        counts[mask(CompressionSpec(0.25, 0.5), dim=200, number=number)] += 1
    assert abs(counts.mean() - 100) < 1e-9
    assert np.abs(counts - 100).max() < 6 * np.sqrt(400 * 0.25 * 0.75)


@pytest.mark.parametrize(("top", "dim"), [(0.0, 200), (0.5, 200), (0.9, 50)])
def test_the_top_is_always_sent_and_all_others_are_as_likely(top, dim):
    spec, last = CompressionSpec(0.25, top), np.where(np.arange(dim) < 10, 1.0 + np.arange(dim), 0.0)
    size, sure = spec.lengths(dim)[0], min(spec.top_count(dim), 10)
    largest = np.isin(np.arange(dim), np.argsort(-last, kind="stable")[:sure])
    likely, counts = np.where(largest, 1.0, (size - sure) / (dim - sure)), np.zeros(dim)
    for number in range(600):
        counts[mask(spec, dim=dim, number=number, last=last)] += 1
    assert likely.sum() == pytest.approx(size)
    assert np.abs(counts / 600 - likely).max() < 6 * np.sqrt(0.25 / 600)


@pytest.mark.parametrize(
    "changes", [{"beacon": b"short"}, {"last": np.zeros(5)}, {"last": np.full(DIM, np.nan)}]
)
def test_what_cannot_be_derived_from_is_refused(changes):
    with pytest.raises(SpecError):
        mask(CompressionSpec(0.1, 0.5), **changes)
