"""From where attackers want a released mean to what each of them sends.

Colluders in a release know from the public draw who else is in it and how much everybody counts. They guess that the
others send what they themselves would have trained, and share the difference to their aim evenly.

(a) Honest software: what they want is the update that goes through weight and clip. It stands for the worst that
poisoned rows could teach. (b) Arbitrary inputs: it goes straight into the ring. The farthest that helps there is not
the ring's end: a cohort's sum beyond what its devices' clipped updates can give is refused, so that a cohort of m
devices takes (m - 1) clip norms in every coordinate from its attackers, while the honest ones together fill less than
one. Attackers send that much and bet on everybody staying: where devices drop out after they sent, their cohort fails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.spec import RoundSpec

Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class Colluder:
    """An attacker in a release.

    Attributes:
        rows: its credited rows.
        members: devices of its cohort.
        accomplices: attackers in its cohort, itself included.
    """

    rows: int
    members: int
    accomplices: int


def wanted_part(
    spec: RoundSpec, aim: Float64Array, typical: Float64Array, colluders: Sequence[Colluder], rows: int
) -> Float64Array:
    """What each colluder would add to a release for its mean to be `aim`: a weighted update, float64 (d,).

    Args:
        spec: the round's spec.
        aim: float64 (d,), the mean that they want.
        typical: float64 (d,), what they take the others' mean to be.
        colluders: those in the release.
        rows: credited rows of all devices in the release, theirs included.
    """
    honest = rows - sum(colluder.rows for colluder in colluders)
    return (aim * rows - typical * honest) / (spec.reference_rows * len(colluders))


def clipped_update(spec: RoundSpec, part: Float64Array, colluder: Colluder) -> NDArray[np.float32]:
    """The update of class (a) whose weighted part in the sum is `part`, where the clip lets it, float32 (d,)."""
    wanted = part * (spec.reference_rows / colluder.rows)
    longest = 2 * spec.clip_norm * spec.reference_rows / colluder.rows
    length = float(np.linalg.norm(wanted))
    if length > longest:  # the clip cuts it all the same; float32 holds it
        wanted = wanted * (longest / length)
    return wanted.astype(np.float32)


def forged_steps(spec: RoundSpec, part: Float64Array, colluder: Colluder) -> NDArray[np.int64]:
    """The integers of class (b): `part` in integer steps, or what is not refused of it if all stay, int64 (d,)."""
    largest = math.floor(spec.bound.peak) * max(colluder.members - 1, 1) / colluder.accomplices
    steps = part * 2.0**spec.fraction_bits
    peak = float(np.abs(steps).max())
    return np.rint(steps * min(1.0, largest / peak) if peak > 0 else steps).astype(np.int64)
