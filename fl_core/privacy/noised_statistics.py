"""Scaling statistics as a bounded, noised sum, for runs in which the exact sum would be a release without noise.

Exact statistics (`fl_core.statistics`) let one device move the sum as far as it has rows. Here each device sends three
numbers a column, whatever it has: whether it holds values, their mean, and the mean of their squares, both relative to
the column's declared magnitude. So devices count alike, not rows. The vector goes through the same codec as updates,
clip, rounding and noise included, and is charged to the same account.

A clipped vector is scaled as a whole, presence included, so that clipping gives a device less weight, not other values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fl_core.data.schema import Schema, Statistics
from fl_core.errors import DataError, SpecError
from fl_core.privacy.sensitivity import Sensitivity
from fl_core.privacy.skellam import Int64Array
from fl_core.updates.update_codec import UpdateCodec

ENTRIES_PER_COLUMN = 3
USABLE_ERROR = 0.05  # of the declared magnitude; columns typically spread over an eighth of it
_PRESENCE = 0.25  # scale of the presence entry: its error matters less
_TYPICAL_SQUARE = 0.3  # of mean and mean square together, a column; longer vectors are clipped
_LEAST_DEVICES = 2.0


@dataclass(frozen=True)
class NoisedStatistics:
    """How devices encode their statistics, and how sums of them are read.

    Attributes:
        columns: numeric columns, p.
        noise_variance: Skellam variance that each device adds to each entry, in squared integer steps; 0 for none.
        bits: ring width.
        fraction_bits: an integer step is 2^-fraction_bits of a declared magnitude.
    """

    columns: int
    noise_variance: float = 0.0
    bits: int = 32
    fraction_bits: int = 10

    def __post_init__(self) -> None:
        """Check that there is something to sum.

        Raises:
            SpecError: no column.
        """
        if self.columns < 1:
            raise SpecError(f"statistics of {self.columns} columns: at least 1 is needed")

    @property
    def length(self) -> int:
        """Entries of a device's vector."""
        return ENTRIES_PER_COLUMN * self.columns

    @cached_property
    def codec(self) -> UpdateCodec:
        """Clip, rounding, noise and ring."""
        norm = math.sqrt(self.columns * (_PRESENCE**2 + _TYPICAL_SQUARE))
        return UpdateCodec(
            dim=self.length,
            clip_norm=norm,
            bits=self.bits,
            fraction_bits=self.fraction_bits,
            noise_variance=self.noise_variance,
        )

    @property
    def sensitivity(self) -> Sensitivity:
        """Of one device's vector, in integer steps: the same with and without noise."""
        return Sensitivity(*self.codec.sensitivity)

    def encode(
        self,
        values: NDArray[np.float64],
        schema: Schema,
        rounding: np.random.Generator,
        noise: Int64Array | None = None,
    ) -> NDArray[np.uint64]:
        """One device's addend, uint64 (3 p,) ring elements.

        Args:
            values: float64 (n, p), the device's training rows of the schema's numeric columns, NaN where missing.
            schema: declares each column's magnitude.
            rounding: what the rounding draws from.
            noise: int64 (3 p,), exactly where `noise_variance` is not 0.

        Raises:
            DataError: values of another shape, or beyond the declared magnitude.
            SpecError: noise that does not fit.
        """
        self._check(schema)
        if values.ndim != 2 or values.shape[1] != self.columns:
            raise DataError(f"values of shape {values.shape} for {self.columns} numeric columns")
        exponents = np.array([column.exponent for column in schema.numeric])
        present = ~np.isnan(values)
        relative = np.ldexp(np.where(present, values, 0.0), -exponents)
        beyond = ~(np.abs(relative) <= 1)
        if beyond.any():
            column = schema.numeric[int(beyond.any(axis=0).argmax())]
            raise DataError(
                f"column {column.name!r} holds a value beyond its declared magnitude 2^{column.exponent}; "
                "correct the value, or declare a larger magnitude in the schema"
            )
        rows = np.maximum(present.sum(axis=0), 1)
        entries = np.stack(
            [
                _PRESENCE * present.any(axis=0),
                relative.sum(axis=0) / rows,
                np.square(relative).sum(axis=0) / rows,
            ],
            axis=1,
        )
        return self.codec.encode(entries.reshape(-1).astype(np.float32), None, 1.0, rounding, noise).ring

    def decode(self, total: Int64Array, schema: Schema, *, sum_variance: float) -> Statistics:
        """Statistics from the released sum.

        A column that drowns in noise gets its declared scaling; no variance is taken for smaller than twice its error.

        Args:
            total: int64 (3 p,), the signed sum.
            schema: declares each column's magnitude.
            sum_variance: variance of all noise that is expected in an entry of the sum, in squared integer steps.

        Raises:
            DataError: a sum of another length.
        """
        self._check(schema)
        if total.shape != (self.length,):
            raise DataError(f"statistics of shape {total.shape}, expected ({self.length},)")
        sums = total.reshape(self.columns, ENTRIES_PER_COLUMN) * 2.0**-self.fraction_bits
        devices = np.maximum(sums[:, 0] / _PRESENCE, _LEAST_DEVICES)
        mean = np.clip(sums[:, 1] / devices, -1, 1)
        variance = np.clip(sums[:, 2] / devices, 0, 1) - np.square(mean)
        error = math.sqrt(sum_variance) * 2.0**-self.fraction_bits / devices
        drowned = error > USABLE_ERROR
        scale = np.ldexp(1.0, np.array([column.exponent for column in schema.numeric]))
        return Statistics(
            count=np.rint(devices).astype(np.int64),
            mean=np.where(drowned, 0.0, mean) * scale,
            std=np.where(drowned, 1.0, np.sqrt(np.maximum(variance, 2 * error))) * scale,
        )

    def mean_error(self, sum_variance: float, devices: int) -> float:
        """Standard deviation of the error that noise causes in a column's mean, relative to its declared magnitude.

        Args:
            sum_variance: variance of all noise in an entry of the sum, in squared integer steps.
            devices: devices that hold values of the column.

        Raises:
            SpecError: no device.
        """
        if devices < 1:
            raise SpecError(f"{devices} devices: at least 1 is needed")
        return math.sqrt(sum_variance) * 2.0**-self.fraction_bits / devices

    def usable(self, sum_variance: float, devices: int) -> bool:
        """Whether such statistics are worth their privacy; else scale by declared magnitudes, which costs nothing."""
        return self.mean_error(sum_variance, devices) <= USABLE_ERROR

    def _check(self, schema: Schema) -> None:
        if len(schema.numeric) != self.columns:
            raise SpecError(f"schema of {len(schema.numeric)} numeric columns, statistics of {self.columns}")
