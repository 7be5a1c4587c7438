"""From a device's update to the ring vector that it masks, and from a sum of such vectors to the mean update."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError, TrainingError
from fl_core.updates.clipping import Clipped
from fl_core.updates.compression_spec import CompressionSpec
from fl_core.updates.linear import Selected, Weighted
from fl_core.updates.ring import MAX_BITS, Noised, Ring
from fl_core.updates.rounding import Rounded
from fl_core.updates.stage import UNBOUNDED, Bound, Float64Array, Given, IntArray, Stage, Words

Float32Array = NDArray[np.float32]
_BLOCK_VALUES = 1 << 17  # values of a block of devices: stays within the second-level cache


@dataclass(frozen=True, eq=False)
class EncodedUpdate:
    """What encoding gives a device: the vector to mask, and what it must keep, whichever way the round ends.

    Attributes:
        ring: uint64 (k,), elements below 2^bits.
        batch: the encoding of this one device.
    """

    ring: Words
    batch: EncodedBatch

    def settle(self, *, included: bool) -> Float32Array:
        """The residual for the next round, float32 (d,); see `EncodedBatch.settle`. To be called once."""
        residual: Float32Array = self.batch.settle(np.array([included]))[0]
        return residual


@dataclass(frozen=True, eq=False)
class EncodedBatch:
    """What encoding gives n devices.

    Attributes:
        ring: uint64 (n, k), elements below 2^bits.
        codec: what encoded them.
        weights: float64 (n,), the devices' weights.
        noise: int64 (n, k), what was added to their integers; None where nothing was.
        intended: float32 (n, d), update plus residual, unweighted; None without error feedback.
    """

    ring: Words
    codec: UpdateCodec
    weights: Float64Array
    noise: IntArray | None
    intended: Float32Array | None

    def settle(self, included: NDArray[np.bool_]) -> Float32Array:
        """The residuals for the next round, float32 (n, d), in the memory of `intended`. To be called once.

        A residual is what was intended minus what entered the sum (nothing, where the device's input did not), in
        units of the unweighted update, since a weight may change between rounds. It is scaled down where its weighted
        L2 norm exceeds `residual_norm` clip norms. Noise is never in it.

        Args:
            included: bool (n,), whose input entered a sum that was opened.
        """
        codec = self.codec
        if self.intended is None:
            return np.zeros((len(self.ring), codec.dim), dtype=np.float32)
        largest = codec.residual_norm * codec.clip_norm / self.weights
        step = 2.0**-codec.fraction_bits / self.weights
        ring = Ring(codec.bits, codec.length)
        everywhere = slice(None) if codec.coordinates is None else codec.coordinates
        for row in range(len(self.intended)):
            residual = self.intended[row]
            if included[row]:
                words = (
                    self.ring[row] if self.noise is None else self.ring[row] - self.noise[row].view(np.uint64)
                )
                residual[everywhere] = residual[everywhere] - ring.inverse(words) * step[row]
            length = math.sqrt(float(np.einsum("j,j->", residual, residual)))
            if length > largest[row]:
                np.multiply(residual, np.float32(largest[row] / length), out=residual)
        return self.intended


@dataclass(frozen=True, eq=False)
class UpdateCodec:
    """The way of an update: weight -> select -> clip -> round -> noise -> ring, and back.

    Attributes:
        dim: entries of an update, d.
        clip_norm: L2 bound of the weighted, selected update.
        bits: ring width.
        fraction_bits: an integer step is 2^-fraction_bits.
        coordinates: int64 (k,), what is sent, in order; None for all.
        noise_variance: of the noise that a device adds to each entry, in squared steps; 0 for none.
        residual_norm: error feedback: a residual is kept up to this multiple of the clip norm; 0 for none.
        peak: largest magnitude of a coordinate of the weighted update; None where the clip norm is the only bound.
    """

    dim: int
    clip_norm: float
    bits: int
    fraction_bits: int
    coordinates: IntArray | None = None
    noise_variance: float = 0.0
    residual_norm: float = 0.0
    peak: float | None = None

    @classmethod
    def of_link_class(
        cls,
        compression: CompressionSpec | None,
        *,
        dim: int,
        clip_norm: float,
        bits: int,
        fraction_bits: int,
        noise_variance: float = 0.0,
        mask: IntArray | None = None,
        link_class: int = 0,
    ) -> UpdateCodec:
        """The codec of a link class's devices in a round.

        Args:
            compression: the spec's settings; None where all coordinates are sent.
            dim: entries of an update.
            clip_norm: the spec's clip norm.
            bits: the spec's ring width.
            fraction_bits: the spec's fraction bits.
            noise_variance: of one device's noise, in squared steps.
            mask: the round's coordinate mask, int64; None exactly where `compression` is.
            link_class: index of the prefix; later classes than there are take the last.

        Raises:
            SpecError: values that cannot work.
        """
        if (compression is None) != (mask is None):
            raise SpecError("a coordinate mask belongs to a spec with compression, and the other way round")
        if compression is None or mask is None:
            return cls(dim, clip_norm, bits, fraction_bits, noise_variance=noise_variance)
        lengths = compression.lengths(dim)
        return cls(
            dim,
            clip_norm,
            bits,
            fraction_bits,
            coordinates=mask[: lengths[min(link_class, len(lengths) - 1)]],
            noise_variance=noise_variance,
            residual_norm=compression.residual_norm,
            peak=compression.peak_of(clip_norm, dim),
        )

    def __post_init__(self) -> None:
        """Check that the settings can work.

        Raises:
            SpecError: one is out of range, or not even one update fits the ring.
        """
        if self.dim < 1:
            raise SpecError(f"updates of {self.dim} entries: at least 1 is needed")
        if not (math.isfinite(self.noise_variance) and self.noise_variance >= 0):
            raise SpecError(f"noise of variance {self.noise_variance}: choose 0 or a finite number above")
        if not (math.isfinite(self.residual_norm) and self.residual_norm >= 0):
            raise SpecError(f"residual of {self.residual_norm} clip norms: choose 0 or a finite multiple")
        if self.capacity < 1:
            raise SpecError(
                f"a value of {self.bound.peak} steps does not fit {self.bits} bits: "
                "take more bits or fewer fraction bits"
            )

    @property
    def length(self) -> int:
        """Entries that are sent, k."""
        return self.dim if self.coordinates is None else len(self.coordinates)

    @cached_property
    def chain(self) -> Stage:
        """The steps, each around those that follow."""
        noised = Noised(Ring(self.bits, self.length), self.noise_variance)
        rounded = Rounded(noised, self.fraction_bits, self.clip_norm, self.length)
        clipped = Clipped(rounded, self.clip_norm, self.clip_norm if self.peak is None else self.peak)
        return Weighted(Selected(clipped, self.coordinates, self.dim))

    @cached_property
    def bound(self) -> Bound:
        """L1 and L2 norm and largest entry of one device's integers before noise."""
        return self.chain.bound(UNBOUNDED)

    @property
    def sensitivity(self) -> tuple[float, float]:
        """L1 and L2 sensitivity of a sum to replacing a device's input by zero, in integer steps, rounding included."""
        return self.bound.l1, self.bound.l2

    @property
    def wire_bytes(self) -> int:
        """Length of a packed vector."""
        return self.chain.wire_bytes

    @property
    def capacity(self) -> int:
        """How many devices' integers, before noise, are summed with no entry wrapping."""
        return Ring(self.bits, self.length).largest // int(max(1, self.bound.peak))

    def encode(
        self,
        delta: Float32Array,
        residual: Float32Array | None,
        weight: float,
        rounding: np.random.Generator,
        noise: IntArray | None = None,
    ) -> EncodedUpdate:
        """Encode one device's update.

        Args:
            delta: float32 (d,), the trained change of the parameters.
            residual: float32 (d,), what earlier rounds left; None for nothing.
            weight: the device's public weight, above 0.
            rounding: what the rounding draws from.
            noise: int64 (k,), the device's share of the noise, exactly where the spec has some.

        Raises:
            SpecError: shapes, weight or noise that do not fit.
            TrainingError: an update that is not finite.
        """
        kept = None if residual is None else residual[np.newaxis].copy()
        added = None if noise is None else noise[np.newaxis]
        batch = self.encode_batch(delta[np.newaxis], kept, np.array([weight]), [rounding], added)
        return EncodedUpdate(batch.ring[0], batch)

    def encode_batch(
        self,
        deltas: Float32Array,
        residuals: Float32Array | None,
        weights: NDArray[np.floating],
        rounding: Sequence[np.random.Generator],
        noise: IntArray | None = None,
    ) -> EncodedBatch:
        """Encode n devices' updates, each exactly as `encode` does.

        Args:
            deltas: float32 (n, d).
            residuals: float32 (n, d); its memory is taken over for what `settle` gives back. None for zeros.
            weights: (n,), above 0.
            rounding: n generators.
            noise: int64 (n, k), exactly where the spec has some.

        Raises:
            SpecError: shapes, weights or noise that do not fit.
            TrainingError: an update that is not finite.
        """
        count = len(deltas)
        factors = np.asarray(weights, dtype=np.float64)
        self._check(deltas, residuals, factors, len(rounding))
        if noise is not None and noise.shape != (count, self.length):
            raise SpecError(f"noise of shape {noise.shape} for {count} updates of {self.length} entries")
        intended = None
        if self.residual_norm:
            intended = np.zeros_like(deltas) if residuals is None else residuals
        ring = np.empty((count, self.length), dtype=np.uint64)
        rows = max(1, _BLOCK_VALUES // self.dim)
        for start in range(0, count, rows):
            block = slice(start, start + rows)
            values = deltas[block]
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
                if intended is not None:
                    values = np.add(intended[block], values, out=intended[block])
                finite = np.isfinite(values.sum(axis=1))
            if not finite.all():
                raise TrainingError(
                    f"update {start + int(np.argmin(finite))} is not finite: lower the learning rate or check the data"
                )
            given = Given(factors[block], rounding[block], None if noise is None else noise[block])
            try:
                ring[block] = self.chain.forward(values, given)
            except TrainingError as error:
                raise TrainingError(f"devices {start} to {start + len(values) - 1}: {error}") from error
        return EncodedBatch(ring, self, factors, noise, intended)

    def decode(self, total: NDArray[np.integer], weight: float) -> Float64Array:
        """The weighted mean update, float64 (d,), 0 at coordinates that were not sent.

        Args:
            total: (k,), a sum as uint64 ring elements, or as signed int64 where sums were added up.
            weight: sum of the weights of those in it.

        Raises:
            SpecError: another shape or type, or no weight.
        """
        mean: Float64Array = self.chain.inverse(total, weight)
        return mean

    def _check(
        self,
        deltas: Float32Array,
        residuals: Float32Array | None,
        weights: Float64Array,
        generators: int,
    ) -> None:
        count = len(deltas)
        for name, values in (("updates", deltas), ("residuals", residuals)):
            if values is not None and (values.dtype != np.float32 or values.shape != (count, self.dim)):
                raise SpecError(
                    f"{name} of {values.dtype} {values.shape}: expected float32 ({count}, {self.dim})"
                )
        if residuals is not None and not self.residual_norm:
            raise SpecError("a residual where the spec has no error feedback")
        if weights.shape != (count,) or not (np.isfinite(weights) & (weights > 0)).all():
            raise SpecError(f"weights of {count} updates: one each is needed, above 0 and finite")
        if generators != count:
            raise SpecError(f"{generators} generators for the rounding of {count} updates")


def update_bound(
    compression: CompressionSpec | None, *, dim: int, clip_norm: float, fraction_bits: int
) -> Bound:
    """What is certain about the integers that any device of any link class sends, before noise.

    The same as `UpdateCodec.bound` of the fastest link class, known before a round has a mask.

    Args:
        compression: the spec's settings; None where all coordinates are sent.
        dim: entries of an update.
        clip_norm: the spec's clip norm.
        fraction_bits: the spec's fraction bits.
    """
    length = dim if compression is None else compression.lengths(dim)[0]
    peak = clip_norm if compression is None else compression.peak_of(clip_norm, dim)
    noised = Noised(Ring(MAX_BITS, length), 0.0)
    return Clipped(Rounded(noised, fraction_bits, clip_norm, length), clip_norm, peak).bound(UNBOUNDED)
