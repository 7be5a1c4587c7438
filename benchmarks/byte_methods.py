"""Ways of sending updates whose bytes are compared: plain floats, int8, top-k, and the secure chain."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import sha256
from fl_core.privacy import NoiseSource, NoiseSpec, sample_skellam
from fl_core.updates import CompressionSpec, Stratum, UpdateCodec, combine, coordinate_mask, inclusion
from fl_core.updates.model_patch import patch_bytes
from fl_core.updates.ring import Ring
from fl_core.updates.ring_width import RingWidth

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Method(Protocol):
    """One way of sending: a round begins, devices' updates come in parts, and the mean update goes out."""

    def begin(self, number: int) -> None:
        """Start round `number`, counted from 1."""

    def take(self, devices: IntArray, deltas: Float32Array, weights: Float64Array) -> None:
        """Send the updates (n, d) of some devices, each with its weight (n,)."""

    def mean(self) -> Float64Array:
        """The round's weighted mean update as the server has it, float64 (d,)."""

    @property
    def up_bytes(self) -> int:
        """What one device sent in the round."""

    def down_bytes(self, missed: int) -> int:
        """What one device was sent in the round, if it had missed as many rounds before."""


@dataclass
class PlainMean:
    """FedAvg: float32 up and down."""

    dim: int
    _total: Float64Array = field(init=False)
    _weight: float = 0.0

    def begin(self, number: int) -> None:
        """Start with nothing."""
        self._total, self._weight = np.zeros(self.dim), 0.0

    def take(self, devices: IntArray, deltas: Float32Array, weights: Float64Array) -> None:
        """Add the weighted updates."""
        self._total += weights @ self.received(devices, deltas)
        self._weight += float(weights.sum())

    def received(self, devices: IntArray, deltas: Float32Array) -> Float32Array:
        """The updates as the server reads them."""
        return deltas

    def mean(self) -> Float64Array:
        """Weighted mean."""
        return self._total / self._weight

    @property
    def up_bytes(self) -> int:
        """Four bytes an entry."""
        return 4 * self.dim

    def down_bytes(self, missed: int) -> int:
        """The model, four bytes a parameter."""
        return 4 * self.dim


@dataclass
class Int8Mean(PlainMean):
    """Stochastic rounding to 255 levels between -max and max of each update; one float32 scale beside."""

    seed: int = 0

    def begin(self, number: int) -> None:
        """Start with nothing and the round's own generator."""
        super().begin(number)
        self._rng = np.random.default_rng((self.seed, number))

    def received(self, devices: IntArray, deltas: Float32Array) -> Float32Array:
        """Quantised and read back."""
        scale = np.abs(deltas).max(axis=1, keepdims=True) / np.float32(127)
        scale[scale == 0] = 1
        steps = np.floor(deltas / scale + self._rng.random(deltas.shape, dtype=np.float32))
        received: Float32Array = np.clip(steps, -127, 127) * scale
        return received

    @property
    def up_bytes(self) -> int:
        """One byte an entry and the scale."""
        return self.dim + 4


@dataclass
class TopKMean(PlainMean):
    """The largest tenth of update plus residual as float32, with the cheaper of bitmap and 32-bit positions."""

    devices: int = 0
    share: float = 0.1

    def __post_init__(self) -> None:
        """Residuals of all devices start at zero."""
        self._residuals = np.zeros((self.devices, self.dim), dtype=np.float32)

    def received(self, devices: IntArray, deltas: Float32Array) -> Float32Array:
        """The largest entries; the others stay in the residual."""
        sent = np.zeros_like(deltas)
        for row, device in enumerate(devices):
            whole = self._residuals[device]
            whole += deltas[row]
            top = np.argpartition(np.abs(whole), self.dim - self._kept)[self.dim - self._kept :]
            sent[row, top] = whole[top]
            whole[top] = 0
        return sent

    @property
    def _kept(self) -> int:
        return max(1, round(self.share * self.dim))

    @property
    def up_bytes(self) -> int:
        """Values and positions."""
        return 4 * self._kept + min(4 * self._kept, math.ceil(self.dim / 8))


@dataclass
class SecureMean:
    """The product's chain: mask, clip, rounding, noise, ring; sums only, protocol messages counted in.

    Noise is added to the sum of all devices: sums of Skellam noise are Skellam, so this is the
    same as a share from each.

    Attributes:
        dim: parameters.
        compression: what is sent.
        clip_norm: L2 bound of a weighted update.
        width: the ring.
        devices: of the whole population.
        seed: of masks and rounding.
        noise: as the spec has it; None for none.
        shares: how many times the global noise is in the sum.
        protocol_up: bytes that a device sends in a round beside its packed vector.
        protocol_down: bytes that a device is sent in a round beside the model.
    """

    dim: int
    compression: CompressionSpec
    clip_norm: float
    width: RingWidth
    devices: int
    seed: int
    noise: NoiseSpec | None
    shares: int
    protocol_up: int
    protocol_down: int

    def __post_init__(self) -> None:
        """Residuals of all devices start at zero."""
        self._residuals = np.zeros((self.devices, self.dim), dtype=np.float32)
        self._last: Float64Array | None = None
        self._ring = Ring(self.width.bits, self.compression.lengths(self.dim)[0])

    def begin(self, number: int) -> None:
        """Draw the round's mask."""
        self._number = number
        beacon = sha256(b"bytes" + self.seed.to_bytes(8, "big") + number.to_bytes(8, "big"))
        self._mask = coordinate_mask(
            self.compression, beacon=beacon, round_number=number, dim=self.dim, last_update=self._last
        )
        self._codec = UpdateCodec.of_link_class(
            self.compression,
            dim=self.dim,
            clip_norm=self.clip_norm,
            bits=self.width.bits,
            fraction_bits=self.width.fraction_bits,
            mask=self._mask,
        )
        self._total = np.zeros(len(self._mask), dtype=np.int64)
        self._weight, self._senders = 0.0, 0

    def take(self, devices: IntArray, deltas: Float32Array, weights: Float64Array) -> None:
        """Encode, add up, and settle the residuals."""
        rounding = [np.random.default_rng((self.seed, self._number, device)) for device in devices.tolist()]
        kept = self._residuals[devices] if self.compression.residual_norm else None
        batch = self._codec.encode_batch(deltas, kept, weights, rounding)
        for words in batch.ring:
            self._total += self._ring.inverse(words)
        if kept is not None:
            self._residuals[devices] = batch.settle(np.ones(len(devices), dtype=np.bool_))
        self._weight += float(weights.sum())
        self._senders += len(devices)

    def mean(self) -> Float64Array:
        """The noised sum as a mean, dense."""
        if self.noise is not None:
            variance = self.noise.local_variance * self._senders + self.noise.global_variance * self.shares
            source = NoiseSource.from_seed(
                sha256(b"noise" + self.seed.to_bytes(8, "big") + bytes([self._number]))
            )
            self._total += sample_skellam(variance, len(self._mask), source)
        total = self._total.astype(np.float64) * 2.0**-self.width.fraction_bits
        mean = combine([Stratum(self._mask, total, self._weight)], self.dim)
        if not self.compression.residual_norm:
            mean /= inclusion(self.compression, dim=self.dim, last_update=self._last)
        self._last = mean
        return mean

    @property
    def up_bytes(self) -> int:
        """The packed vector and the protocol's other messages."""
        return self._codec.wire_bytes + self.protocol_up

    def down_bytes(self, missed: int) -> int:
        """The patches of the rounds that the device has not seen, or the model where that is less."""
        first = self._number == missed + 1
        patches = (missed + 1) * patch_bytes(len(self._mask))
        return (4 * self.dim if first else min(patches, 4 * self.dim)) + self.protocol_down
