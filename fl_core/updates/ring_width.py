"""How wide a ring must be: inputs never wrap, and noise wraps with probability at most 2^-40."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fl_core.errors import SpecError
from fl_core.privacy.tails import noise_reach
from fl_core.updates.compression_spec import CompressionSpec
from fl_core.updates.ring import MIN_BITS
from fl_core.updates.rounding import MAX_FRACTION_BITS
from fl_core.updates.update_codec import update_bound

WIDEST = 32  # of what a device sends; sums of sums may take up to 64 bits


@dataclass(frozen=True)
class RingWidth:
    """The two widths of a spec.

    Attributes:
        bits: of a ring element, 8..32.
        fraction_bits: an integer step is 2^-fraction_bits.
    """

    bits: int
    fraction_bits: int


def finest_steps(
    compression: CompressionSpec | None, *, dim: int, clip_norm: float, members: int, bits: int
) -> RingWidth:
    """The finest steps with which a sum of `members` updates without noise cannot wrap a ring of `bits` bits.

    Args:
        compression: the spec's settings; None where all coordinates are sent.
        dim: entries of an update.
        clip_norm: the spec's clip norm.
        members: most devices of a cohort.
        bits: the ring's width, 8..32.

    Raises:
        SpecError: steps as coarse as the unit do not fit, or a width out of range.
    """
    if not MIN_BITS <= bits <= WIDEST:
        raise SpecError(f"ring of {bits} bits: choose {MIN_BITS}..{WIDEST}")
    for fraction_bits in range(MAX_FRACTION_BITS, -1, -1):
        needed = bits_needed(
            compression, dim=dim, clip_norm=clip_norm, members=members, fraction_bits=fraction_bits
        )
        if needed <= bits:
            return RingWidth(bits, fraction_bits)
    raise SpecError(
        f"a sum of {members} updates of clip norm {clip_norm} does not fit {bits} bits in whole steps: take more bits"
    )


def width_under_noise(
    compression: CompressionSpec | None,
    *,
    dim: int,
    clip_norm: float,
    members: int,
    deviation: float,
    inflation: float = 0.01,
) -> RingWidth:
    """The narrowest ring in which rounding adds at most `inflation` to the L2 sensitivity, and so to the noise.

    Args:
        compression: the spec's settings; None where all coordinates are sent.
        dim: entries of an update.
        clip_norm: the spec's clip norm.
        members: most devices of a cohort.
        deviation: standard deviation of one device's noise over the L2 sensitivity: sqrt(local_variance) / l2.
        inflation: what rounding may add to the L2 sensitivity, relative to the clip norm.

    Raises:
        SpecError: numbers that cannot be, or that take more than 32 bits.
    """
    if not (math.isfinite(deviation) and deviation >= 0 and inflation > 0):
        raise SpecError(
            f"noise of {deviation} sensitivities, inflation {inflation}: choose finite positive numbers"
        )
    for fraction_bits in range(MAX_FRACTION_BITS + 1):
        bound = update_bound(compression, dim=dim, clip_norm=clip_norm, fraction_bits=fraction_bits)
        if bound.l2 > (1 + inflation) * clip_norm * 2.0**fraction_bits:
            continue
        bits = bits_needed(
            compression,
            dim=dim,
            clip_norm=clip_norm,
            members=members,
            fraction_bits=fraction_bits,
            noise_variance=(deviation * bound.l2) ** 2,
        )
        if bits > WIDEST:
            break
        return RingWidth(max(MIN_BITS, bits), fraction_bits)
    raise SpecError(
        f"{members} updates of clip norm {clip_norm} with noise of {deviation:.3g} sensitivities need more than "
        f"{WIDEST} bits: select fewer coordinates, or allow rounding to add more than {inflation:.1%}"
    )


def bits_needed(
    compression: CompressionSpec | None,
    *,
    dim: int,
    clip_norm: float,
    members: int,
    fraction_bits: int,
    noise_variance: float = 0.0,
) -> int:
    """Bits in which the sum of `members` updates and their noise (squared steps each) fits, sign included."""
    bound = update_bound(compression, dim=dim, clip_norm=clip_norm, fraction_bits=fraction_bits)
    entries = dim if compression is None else compression.lengths(dim)[0]
    noise = noise_reach(noise_variance, entries=entries, summands=members)
    return (members * int(bound.peak) + noise).bit_length() + 1
