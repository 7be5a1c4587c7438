"""Global noise that no edge can pick and any auditor can check: a function of a committed seed and a later beacon."""

from __future__ import annotations

import hashlib
import struct

from fl_core.errors import SpecError
from fl_core.privacy.noise_source import SEED_BYTES, NoiseSource
from fl_core.privacy.skellam import Int64Array, check_variance, sample_skellam

_TAG = b"FedIoMT.GlobalNoise.v1"
_CONTEXT = struct.Struct(">QIQIdQ")
_BEACON_BYTES = 32


def global_noise(
    seed: bytes,
    beacon: bytes,
    *,
    round_number: int,
    hospital: int,
    cohort: int | None,
    variance: float,
    size: int,
    link_class: int = 0,
) -> Int64Array:
    """The global noise of one released sum, int64 (size,): the same on every machine.

    The keystream's seed is SHA-256 of a tag, both seeds and everything that tells released sums apart, so that no two
    of them share noise.

    Args:
        seed: the hospital's seed of the epoch, 32 bytes, committed before the beacon was known; secret.
        beacon: the round's beacon, 32 bytes.
        round_number: the round.
        hospital: the hospital's id.
        cohort: the cohort whose sum is released; None for a hospital's sum.
        variance: Skellam variance an entry, in squared integer steps.
        size: entries of the sum.
        link_class: where sums of several link classes are released apart.

    Raises:
        SpecError: a seed, beacon, number or variance that cannot be.
    """
    if len(seed) != SEED_BYTES or len(beacon) != _BEACON_BYTES:
        raise SpecError(
            f"global noise: seed of {len(seed)} and beacon of {len(beacon)} bytes, {SEED_BYTES} and {_BEACON_BYTES} "
            "are needed"
        )
    check_variance(variance)
    try:
        context = _CONTEXT.pack(
            round_number, hospital, 0 if cohort is None else cohort + 1, link_class, variance, size
        )
    except struct.error as error:
        raise SpecError(
            f"global noise of round {round_number}, hospital {hospital}, cohort {cohort}, link class {link_class}, "
            f"{size} entries: {error}"
        ) from error
    return sample_skellam(
        variance, size, NoiseSource.from_seed(hashlib.sha256(_TAG + seed + beacon + context).digest())
    )
