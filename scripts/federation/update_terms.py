"""From what a run asks for to the terms of its updates: clip, noise, coordinates, steps and ring that fit together."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fl_core.cohorts import default_threshold
from fl_core.errors import SpecError
from fl_core.models import ModelSpec, parameter_count
from fl_core.privacy import NoiseSpec, Sensitivity, calibrate, default_delta, fewest_survivors
from fl_core.robust import MEAN, RuleSpec
from fl_core.secagg import minimum_threshold
from fl_core.secagg.plan import MAX_BITS, MIN_BITS
from fl_core.spec import Profile, RoundSpec
from fl_core.training import LocalTraining
from fl_core.updates import CompressionSpec, update_bound
from fl_core.updates.ring_width import bits_needed

CLIP_WITHOUT_NOISE = 16.0
CLIP_WITH_NOISE = 0.5
PLAIN_BITS = 32
PLAIN_FRACTION_BITS = 20
UTILITY_CLIP = 1.0
UTILITY_STEP = 100
CORRUPTED = 2
CORRUPTED_HOSPITALS = 1  # any hospital can take its own part, noise included, off the sum of all
_STEPS = (
    16.0  # clip norm over the rounding error of all coordinates: rounding then adds 3% to the sensitivity
)


@dataclass(frozen=True)
class UpdateTerms:
    """What is asked for.

    Attributes:
        profile: what may be seen.
        hospitals: how many there are.
        devices: how many there are in all.
        rounds: rounds that a device may take part in.
        cohort_size: the aim of the draw.
        k_min: fewest devices whose sum may be seen.
        epsilon: target at release; None for no noise.
        delta: of the same; None for the default.
        clip_norm: L2 bound of a device's weighted update; None for the default.
        compression: which coordinates are sent, and what is kept of the others; None for all of them.
        bits: ring width; None for as many as are needed.
        edge_epsilon: target at the edge; None for what `calibrate` takes.
    """

    profile: Profile
    hospitals: int
    devices: int
    rounds: int
    cohort_size: int
    k_min: int
    epsilon: float | None
    delta: float | None
    clip_norm: float | None
    compression: CompressionSpec | None
    bits: int | None
    edge_epsilon: float | None = None


@dataclass(frozen=True)
class AgreedUpdates:
    """The parts of a round's spec that follow; see `RoundSpec`."""

    clip_norm: float
    bits: int
    fraction_bits: int
    min_hospitals: int
    compression: CompressionSpec | None
    noise: NoiseSpec | None


def agree_on_updates(terms: UpdateTerms, dim: int) -> AgreedUpdates:
    """Terms of updates of `dim` entries.

    Without noise an update is fixed-point with as many fraction bits as the ring leaves room for, 20 at most. With
    noise steps are as coarse as the rounding may be beside the clip, and the ring as narrow as clip and noise allow.

    Raises:
        SpecError: values that cannot work, alone or together.
    """
    if terms.bits is not None and not MIN_BITS <= terms.bits <= MAX_BITS:
        raise SpecError(f"ring of {terms.bits} bits: choose {MIN_BITS}..{MAX_BITS}")
    compression = terms.compression
    min_hospitals = minimum_threshold(terms.hospitals) if terms.profile is Profile.PRIVATE else 1
    default = CLIP_WITHOUT_NOISE if terms.epsilon is None else CLIP_WITH_NOISE
    clip_norm = default if terms.clip_norm is None else terms.clip_norm
    if not (math.isfinite(clip_norm) and clip_norm > 0):
        raise SpecError(f"clip norm {clip_norm}: choose a positive finite number")
    if terms.epsilon is None:
        bits = PLAIN_BITS if terms.bits is None else terms.bits
        fraction_bits = _fraction_bits(terms, dim, clip_norm, compression, bits)
        return AgreedUpdates(clip_norm, bits, fraction_bits, min_hospitals, compression, None)
    length = dim if compression is None else compression.lengths(dim)[0]
    fraction_bits = max(0, math.ceil(math.log2(_STEPS * math.sqrt(length) / clip_norm)))
    noise = _noise(terms, dim, clip_norm, compression, fraction_bits, min_hospitals)
    needed = _bits(terms, dim, clip_norm, compression, fraction_bits, noise)
    return AgreedUpdates(
        clip_norm,
        needed if terms.bits is None else terms.bits,
        fraction_bits,
        min_hospitals,
        compression,
        noise,
    )


def agree_on_spec(
    terms: UpdateTerms,
    model: ModelSpec,
    training: LocalTraining,
    *,
    reference_rows: int,
    schema_digest: str,
    scoring_digest: str,
    rule: RuleSpec = MEAN,
    auditor: str = "",
) -> RoundSpec:
    """The spec of a run's rounds.

    Args:
        terms: what is asked for about updates.
        model: the architecture.
        training: what devices do in a round.
        reference_rows: rows that make a weight of 1.
        schema_digest: digest (hex) of the agreed data schema.
        scoring_digest: digest (hex) of the agreed scoring settings.
        rule: what combines the released sums.
        auditor: X25519 key (hex) that transcripts are sealed to; empty for none.

    Raises:
        SpecError: values that cannot work, alone or together.
    """
    agreed = agree_on_updates(terms, parameter_count(model))
    return RoundSpec(
        model=model,
        training=training,
        cohort_size=terms.cohort_size,
        k_min=terms.k_min,
        clip_norm=agreed.clip_norm,
        bits=agreed.bits,
        fraction_bits=agreed.fraction_bits,
        reference_rows=reference_rows,
        utility_clip=UTILITY_CLIP,
        utility_step=UTILITY_STEP,
        schema_digest=schema_digest,
        scoring_digest=scoring_digest,
        profile=terms.profile,
        min_hospitals=agreed.min_hospitals,
        compression=agreed.compression,
        noise=agreed.noise,
        rule=rule,
        auditor=auditor,
    )


def _noise(
    terms: UpdateTerms,
    dim: int,
    clip_norm: float,
    compression: CompressionSpec | None,
    fraction_bits: int,
    min_hospitals: int,
) -> NoiseSpec:
    assert terms.epsilon is not None
    bound = update_bound(compression, dim=dim, clip_norm=clip_norm, fraction_bits=fraction_bits)
    corrupted_hospitals = CORRUPTED_HOSPITALS if terms.profile is Profile.PRIVATE else 0
    survivors = fewest_survivors(
        default_threshold(terms.k_min, terms.k_min),
        min_hospitals=min_hospitals,
        corrupted=CORRUPTED,
        corrupted_hospitals=corrupted_hospitals,
        link_classes=1 if compression is None else len(compression.prefixes),
    )
    return calibrate(
        profile=terms.profile.value,
        epsilon=terms.epsilon,
        delta=default_delta(terms.devices) if terms.delta is None else terms.delta,
        rounds=terms.rounds,
        sensitivity=Sensitivity(bound.l1, bound.l2),
        honest_in_cohort=survivors.honest_in_cohort,
        honest_at_release=survivors.honest_at_release,
        hospitals_at_release=min_hospitals,
        edge_epsilon=terms.edge_epsilon,
        corrupted=CORRUPTED,
        corrupted_hospitals=corrupted_hospitals,
        entries=dim if compression is None else compression.lengths(dim)[0],
    )


def _bits(
    terms: UpdateTerms,
    dim: int,
    clip_norm: float,
    compression: CompressionSpec | None,
    fraction_bits: int,
    noise: NoiseSpec | None,
) -> int:
    """The narrowest ring that the sum of the largest cohort fits."""
    needed = bits_needed(
        compression,
        dim=dim,
        clip_norm=clip_norm,
        members=2 * terms.cohort_size - 1,
        fraction_bits=fraction_bits,
        noise_variance=0.0 if noise is None else noise.local_variance,
    )
    return max(MIN_BITS, needed)


def _fraction_bits(
    terms: UpdateTerms, dim: int, clip_norm: float, compression: CompressionSpec | None, bits: int
) -> int:
    """The most fraction bits, up to 20, with which the largest cohort's sum fits the ring.

    Raises:
        SpecError: not even whole numbers fit.
    """
    for fraction_bits in range(PLAIN_FRACTION_BITS, -1, -1):
        if _bits(terms, dim, clip_norm, compression, fraction_bits, None) <= bits:
            return fraction_bits
    raise SpecError(
        f"a sum of {2 * terms.cohort_size - 1} updates clipped at {clip_norm} does not fit {bits} bits: take more "
        "bits, a smaller --clip or smaller cohorts"
    )
