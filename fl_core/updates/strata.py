"""Sums over devices that sent prefixes of different lengths, put together coordinate by coordinate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError


@dataclass(frozen=True, eq=False)
class Stratum:
    """What the devices of one link class sent together.

    Attributes:
        coordinates: int64 (k_s,), the prefix of the round's mask that they sent.
        total: float64 (k_s,), sum of their weighted updates there.
        weight: sum of their weights, at least 0.
    """

    coordinates: NDArray[np.int64]
    total: NDArray[np.float64]
    weight: float


def combine(strata: Sequence[Stratum], dim: int) -> NDArray[np.float64]:
    """The weighted mean of every coordinate over those who sent it, float64 (d,); 0 where nobody did.

    mean_j = sum over strata that hold j of total_j / sum of their weights. The mean is not scaled up by the share of
    rounds in which a coordinate is sent: with error feedback, what was not sent is still in the devices' residuals and
    arrives later, so that scaling would count it twice (Stich, Cordonnier and Jaggi, NeurIPS 2018).

    Raises:
        SpecError: a stratum whose parts do not belong together.
    """
    totals, weights = np.zeros(dim), np.zeros(dim)
    for stratum in strata:
        if stratum.coordinates.shape != stratum.total.shape or not stratum.weight >= 0:
            raise SpecError(
                f"stratum of {stratum.total.shape} sums at {stratum.coordinates.shape} coordinates "
                f"with weight {stratum.weight}: they do not belong together"
            )
        if stratum.coordinates.size and not 0 <= stratum.coordinates.min() <= stratum.coordinates.max() < dim:
            raise SpecError(f"stratum has coordinates outside 0..{dim - 1}")
        totals[stratum.coordinates] += stratum.total
        weights[stratum.coordinates] += stratum.weight
    return np.divide(totals, weights, out=np.zeros(dim), where=weights > 0)
