"""Skellam noise: exact to a stated distance, vectorised, equal on all machines for one seed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.privacy.noise_source import NoiseSource
from fl_core.privacy.skellam_table import (
    EXTENSION_WORDS,
    MAX_TABLE_VARIANCE,
    SAMPLE_DISTANCE,
    WORD_BITS,
    SkellamTable,
    skellam_table,
)

MAX_PARTS = 1 << 12
MAX_VARIANCE = MAX_TABLE_VARIANCE * MAX_PARTS
MIN_VARIANCE = 2.0**-64
_BLOCK = 1 << 15

Int64Array = NDArray[np.int64]


def check_variance(variance: float) -> None:
    """Refuse a variance that cannot be sampled exactly.

    Raises:
        SpecError: it is not finite, negative, too small to mean anything or too large.
    """
    if not (math.isfinite(variance) and variance >= 0):
        raise SpecError(f"noise variance {variance}: choose a finite number, 0 for no noise")
    if 0 < variance < MIN_VARIANCE:
        raise SpecError(f"noise variance {variance}: choose 0 or at least {MIN_VARIANCE:.3g}")
    if variance > MAX_VARIANCE:
        raise SpecError(
            f"noise variance {variance:.4g} in squared integer steps is above {MAX_VARIANCE:.4g}: "
            "noise that wide needs no such fine steps, take fewer fraction bits"
        )


def parts_of(variance: float) -> int:
    """How many table draws make one sample: 1, or the power of two that brings the variance into a table's reach."""
    check_variance(variance)
    parts = 1
    while variance / parts > MAX_TABLE_VARIANCE:
        parts *= 2
    return parts


def sample_distance(variance: float) -> float:
    """Bound of the statistical distance between one sample and a true Skellam variable."""
    return SAMPLE_DISTANCE * parts_of(variance) if variance else 0.0


def sample_skellam(variance: float, size: int, source: NoiseSource) -> Int64Array:
    """Draw `size` independent symmetric Skellam variables, int64 (size,).

    Above a table's reach a sample is the sum of 2^j samples of variance / 2^j each, which is Skellam again (and exact:
    the division is by a power of two).

    Args:
        variance: in squared integer steps; 0 gives zeros and uses no randomness.
        size: how many.
        source: keystream; a fixed seed gives the same samples on every machine.

    Raises:
        SpecError: a variance that cannot be sampled exactly, or a negative size.
    """
    if size < 0:
        raise SpecError(f"noise of {size} entries: choose 0 or more")
    parts = parts_of(variance)
    samples = np.zeros(size, dtype=np.int64)
    if variance == 0:
        return samples
    table = skellam_table(variance / parts)
    for _ in range(parts):
        _add_samples(table, source, samples)
    return samples


def _add_samples(table: SkellamTable, source: NoiseSource, samples: Int64Array) -> None:
    """Add one draw of the table to each entry."""
    shift = np.uint32(WORD_BITS - table.index_bits)
    raw = np.empty(4 * _BLOCK, dtype=np.uint8)
    index = np.empty(_BLOCK, dtype=np.int64)
    entries = np.empty(_BLOCK, dtype=np.uint64)
    for start in range(0, samples.size, _BLOCK):
        part = samples[start : start + _BLOCK]
        n = part.size
        source.words(raw[: 4 * n])
        word = raw[: 4 * n].view("<u4")
        np.right_shift(word, shift, out=index[:n], casting="unsafe")
        entry = np.take(table.packed, index[:n], out=entries[:n], mode="clip")
        threshold = (entry >> np.uint64(32)).astype(np.uint32)
        odd = word | np.uint32(1)
        magnitude = np.where(odd < threshold, index[:n], (entry & np.uint64(0xFFFFFFFF)).view(np.int64))
        ties = np.flatnonzero(odd == threshold)
        if ties.size:
            magnitude[ties] = _settle(table, index[ties], source)
        sign = (word & np.uint32(1)).astype(np.int64)
        part += (magnitude ^ -sign) + sign


def _settle(table: SkellamTable, index: Int64Array, source: NoiseSource) -> Int64Array:
    """Magnitudes where the words' own bits equal the threshold's: compare 64 bits more, and more where those tie."""
    drawn = source.extension(EXTENSION_WORDS * index.size).reshape(-1, EXTENSION_WORDS)
    cut = table.extension[index]
    less = np.zeros(index.size, dtype=np.bool_)
    for j in reversed(range(EXTENSION_WORDS)):
        less = (drawn[:, j] < cut[:, j]) | ((drawn[:, j] == cut[:, j]) & less)
    alias = (table.packed[index] & np.uint64(0xFFFFFFFF)).view(np.int64)
    return np.where(less, index, alias)
