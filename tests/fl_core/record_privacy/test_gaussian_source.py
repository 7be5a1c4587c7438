import numpy as np
import pytest
import torch
from scipy import stats

from fl_core.errors import SpecError
from fl_core.record_privacy import GaussianSource


def samples(count, key=bytes(range(32))):
    out = torch.empty(count)
    GaussianSource(key).fill(out)
    return out.numpy()


def test_samples_are_standard_normal():
    drawn = samples(400_000).astype(np.float64)
    assert abs(drawn.mean()) < 4 / np.sqrt(len(drawn))
    assert abs(drawn.var() - 1) < 4 * np.sqrt(2 / len(drawn))
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    for sigmas in (3.0, 4.0):
        expected = len(drawn) * 2 * stats.norm.sf(sigmas)
        assert abs((np.abs(drawn) > sigmas).sum() - expected) < 4 * np.sqrt(expected)


def test_samples_of_a_pair_are_independent():
    block = samples(1 << 14).astype(np.float64)
    cosines, sines = np.split(block, 2)
    assert abs(np.corrcoef(cosines, sines)[0, 1]) < 4 / np.sqrt(len(cosines))
    assert abs(np.corrcoef(cosines**2, sines**2)[0, 1]) < 4 / np.sqrt(len(cosines))


def test_the_stream_does_not_depend_on_how_it_is_cut():
    source, parts = GaussianSource(bytes(32)), []
    for shape in ((3,), (1000, 7), (20_000,), (1,), (4, 4096)):
        parts.append(torch.empty(shape))
        source.fill(parts[-1])
    joined = torch.cat([part.view(-1) for part in parts]).numpy()
    assert np.array_equal(joined, samples(len(joined), bytes(32)))


def test_the_same_key_gives_the_same_noise_and_the_operating_system_never_does():
    assert np.array_equal(samples(100), samples(100))
    assert not np.array_equal(samples(100), samples(100, bytes(32)))
    first, second = torch.empty(100), torch.empty(100)
    GaussianSource.from_os().fill(first)
    GaussianSource.from_os().fill(second)
    assert not torch.equal(first, second)


def test_large_values_come_from_the_radius_in_float64():
    # 63 bits: the largest radius that is not infinite is sqrt(2 * 63 * ln 2)
    source = GaussianSource(bytes(32))
    source._stream = Words(radius=1, angle=0)
    out = torch.empty(1)
    source.fill(out)
    assert out.item() == pytest.approx(np.sqrt(2 * 63 * np.log(2)), rel=1e-6)
    source = GaussianSource(bytes(32))
    source._stream = Words(radius=-(1 << 63), angle=0)
    source.fill(out)
    assert 0 <= out.item() < 1e-6


class Words:
    """A keystream of one radius and one angle."""

    def __init__(self, radius, angle):
        self.radius, self.angle = radius, angle

    def update_into(self, _, words):
        pairs = len(words) // 12
        words[:] = (
            self.radius.to_bytes(8, "little", signed=True) * pairs + self.angle.to_bytes(4, "little") * pairs
        )


@pytest.mark.parametrize("out", [torch.empty(3, dtype=torch.float64), torch.empty(4, 4).t()])
def test_only_contiguous_float32_is_filled(out):
    if out.dtype == torch.float32:
        out = torch.empty(4, 5).t()
    with pytest.raises(SpecError, match="contiguous float32"):
        GaussianSource.from_os().fill(out)


def test_a_key_of_another_length_is_refused():
    with pytest.raises(SpecError, match="noise key of 16 bytes"):
        GaussianSource(bytes(16))
