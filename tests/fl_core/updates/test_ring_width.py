import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.errors import SpecError
from fl_core.privacy import noise_reach
from fl_core.updates import CompressionSpec, update_bound
from fl_core.updates.ring_width import finest_steps, width_under_noise

TENTH = CompressionSpec(0.1, peak=4.0)


@given(
    st.integers(8, 32),
    st.integers(2, 500),
    st.floats(0.01, 10),
    st.sampled_from([None, TENTH, CompressionSpec(0.1)]),
)
def test_the_finest_steps_hold_every_sum_and_half_of_them_would_not(bits, members, clip_norm, spec):
    try:
        width = finest_steps(spec, dim=3366, clip_norm=clip_norm, members=members, bits=bits)
    except SpecError:
        return
    largest = (1 << (bits - 1)) - 1

    def reach(fraction_bits):
        bound = update_bound(spec, dim=3366, clip_norm=clip_norm, fraction_bits=fraction_bits)
        return members * bound.peak

    assert reach(width.fraction_bits) <= largest
    assert width.fraction_bits == 52 or reach(width.fraction_bits + 1) > largest


@given(
    st.floats(0.01, 5), st.integers(3, 1000), st.sampled_from([None, TENTH]), st.sampled_from([337, 80_582])
)
def test_under_noise_the_ring_holds_sum_and_noise_and_rounding_costs_little(deviation, members, spec, dim):
    width = width_under_noise(spec, dim=dim, clip_norm=0.7, members=members, deviation=deviation)
    bound = update_bound(spec, dim=dim, clip_norm=0.7, fraction_bits=width.fraction_bits)
    entries = dim if spec is None else spec.lengths(dim)[0]
    noise = noise_reach((deviation * bound.l2) ** 2, entries=entries, summands=members)
    assert members * bound.peak + noise <= (1 << (width.bits - 1)) - 1
    assert bound.l2 <= 1.01 * 0.7 * 2.0**width.fraction_bits


def test_fifteen_bits_or_so_serve_under_noise_and_eight_without():
    assert width_under_noise(TENTH, dim=80_582, clip_norm=1.0, members=47, deviation=0.3).bits == 15
    assert finest_steps(TENTH, dim=80_582, clip_norm=1.0, members=47, bits=8).fraction_bits == 5


def test_cutting_single_coordinates_saves_bits():
    loose = finest_steps(CompressionSpec(0.1), dim=80_582, clip_norm=1.0, members=47, bits=12)
    assert (
        finest_steps(TENTH, dim=80_582, clip_norm=1.0, members=47, bits=12).fraction_bits
        >= loose.fraction_bits + 4
    )


@pytest.mark.parametrize("bits", [7, 33])
def test_widths_out_of_range_are_refused(bits):
    with pytest.raises(SpecError, match=f"{bits} bits"):
        finest_steps(TENTH, dim=3366, clip_norm=1.0, members=47, bits=bits)


def test_what_fits_no_ring_is_refused():
    with pytest.raises(SpecError, match="does not fit 8 bits"):
        finest_steps(None, dim=3366, clip_norm=1.0, members=1000, bits=8)
    with pytest.raises(SpecError, match="more than 32 bits"):
        width_under_noise(TENTH, dim=80_582, clip_norm=1.0, members=1000, deviation=1e6)
    with pytest.raises(SpecError, match="finite positive"):
        width_under_noise(TENTH, dim=80_582, clip_norm=1.0, members=47, deviation=-1.0)
