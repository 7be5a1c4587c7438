"""How the one vote of each hospital is shared by its releases, in whole numbers, so that majorities are exact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_EXACT = 1 << 53  # float64 still holds every whole number up to it
_VOTE = (
    1 << 40
)  # of a hospital where no common denominator is that small: 64 hospitals have 2^46, far below 2^53


def votes_of(hospitals: Sequence[int], devices: Sequence[int]) -> NDArray[np.int64]:
    """Votes of releases, int64 (k,), each at least 1: those of every hospital add up to the same number.

    A hospital's vote is shared in proportion to the devices of its releases: exactly, in units of the least common
    denominator of all shares, while the votes of all then stay below 2^53. Where they would not, a hospital has 2^40
    votes, of which each release gets its share rounded down, and one more where most was cut off until none is left
    (largest remainders; ties go to the earlier release).

    Args:
        hospitals: (k,), the hospital of each release.
        devices: (k,), devices of each, from 1 to 2^31.
    """
    of_hospital: dict[int, int] = {}
    for hospital, count in zip(hospitals, devices, strict=True):
        of_hospital[hospital] = of_hospital.get(hospital, 0) + count
    totals = [of_hospital[hospital] for hospital in hospitals]
    pairs = list(zip(devices, totals, strict=True))
    common = math.lcm(*(total // math.gcd(count, total) for count, total in pairs))
    if common * len(of_hospital) < _EXACT:
        return np.array([common * count // total for count, total in pairs], dtype=np.int64)
    return np.array(_by_largest_remainder(hospitals, devices, of_hospital), dtype=np.int64)


def _by_largest_remainder(
    hospitals: Sequence[int], devices: Sequence[int], of_hospital: Mapping[int, int]
) -> list[int]:
    votes = [_VOTE * count // of_hospital[h] for h, count in zip(hospitals, devices, strict=True)]
    cut_off = [_VOTE * count % of_hospital[h] for h, count in zip(hospitals, devices, strict=True)]
    for hospital in of_hospital:
        own = [index for index, home in enumerate(hospitals) if home == hospital]
        left = _VOTE - sum(votes[index] for index in own)
        for index in sorted(own, key=lambda i: (-cut_off[i], i))[:left]:
            votes[index] += 1
    return votes
