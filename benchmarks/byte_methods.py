"""Ways of sending updates whose bytes are compared: plain floats, int8, top-k, and the secure chain."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import sha256
from fl_core.cohorts import beacon_of_run
from fl_core.privacy import NoiseSource, sample_skellam
from fl_core.round_plan import RoundPlan
from fl_core.spec import RoundSpec
from fl_core.tiers.cloud import mean_update
from fl_core.tiers.release import Release
from fl_core.updates.model_patch import patch_bytes
from fl_core.updates.ring import Ring

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Method(Protocol):
    """One way of sending: a round begins, devices' updates come in parts, and the mean update goes out."""

    def begin(self, number: int, model: Float32Array) -> None:
        """Start round `number`, counted from 1, from the model (d,)."""

    def take(self, devices: IntArray, deltas: Float32Array, rows: IntArray) -> None:
        """Send the updates (n, d) of some devices, each of which counts by its rows (n,)."""

    def mean(self) -> Float64Array:
        """The round's weighted mean update as the server has it, float64 (d,)."""

    @property
    def up_bytes(self) -> int:
        """What one device sent in the round."""

    @property
    def down_bytes(self) -> int:
        """What one device was sent in the round."""

    def patch_bytes(self, missed: int) -> int:
        """The same, if devices were sent what changed since they last took part, `missed` rounds ago."""


@dataclass
class PlainMean:
    """FedAvg: float32 up and down."""

    dim: int
    _total: Float64Array = field(init=False)
    _rows: int = 0

    def begin(self, number: int, model: Float32Array) -> None:
        """Start with nothing."""
        self._total, self._rows = np.zeros(self.dim), 0

    def take(self, devices: IntArray, deltas: Float32Array, rows: IntArray) -> None:
        """Add the updates, weighted by rows."""
        self._total += rows @ self.received(devices, deltas)
        self._rows += int(rows.sum())

    def received(self, devices: IntArray, deltas: Float32Array) -> Float32Array:
        """The updates as the server reads them."""
        return deltas

    def mean(self) -> Float64Array:
        """Weighted mean."""
        return self._total / self._rows

    @property
    def up_bytes(self) -> int:
        """Four bytes an entry."""
        return 4 * self.dim

    @property
    def down_bytes(self) -> int:
        """The model, four bytes a parameter."""
        return 4 * self.dim

    def patch_bytes(self, missed: int) -> int:
        """Every parameter has changed."""
        return self.down_bytes


@dataclass
class Int8Mean(PlainMean):
    """Stochastic rounding to 255 levels between -max and max of each update; one float32 scale beside."""

    seed: int = 0

    def begin(self, number: int, model: Float32Array) -> None:
        """Start with nothing and the round's own generator."""
        super().begin(number, model)
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
    """The product's way: its spec, plan, coordinates, codec and mean; sums only, protocol messages counted in.

    Masks cancel in a sum, so that adding up is the same. Noise is added to the sum of all devices: sums of Skellam
    noise are Skellam noise, so this is the same as a share from each.

    Attributes:
        spec: of the rounds.
        devices: of the whole population.
        hospitals: each of which adds its share of the global noise.
        seed: of masks, rounding and noise.
        stands_for: devices that each one stands for; noise is scaled down with the sum.
        protocol: bytes of secure aggregation that a device sends and is sent, beside its packed vector.
    """

    spec: RoundSpec
    devices: int
    hospitals: int
    seed: int
    stands_for: float = 1.0
    protocol: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        """Residuals of all devices start at zero."""
        self._residuals = np.zeros((self.devices, self.spec.dim), dtype=np.float32)
        self._plan: RoundPlan | None = None

    def begin(self, number: int, model: Float32Array) -> None:
        """Make the round's plan and its codec."""
        before = None if self._plan is None or not self.spec.follows_updates else self._plan.model
        self._plan = RoundPlan(number, self.spec, model, before)
        self._beacon = beacon_of_run(self.seed, number)
        self._codec = replace(self._plan.codec(self._beacon, 0), noise_variance=0.0)  # it is added to the sum
        self._ring = Ring(self._codec.bits, self._codec.length)
        self._total = np.zeros(self._codec.length, dtype=np.int64)
        self._senders = self._rows = 0

    def take(self, devices: IntArray, deltas: Float32Array, rows: IntArray) -> None:
        """Encode, add up, and settle the residuals."""
        number = self._sent_plan.number
        rounding = [np.random.default_rng((self.seed, number, device)) for device in devices.tolist()]
        kept = self._residuals[devices] if self._codec.residual_norm else None
        batch = self._codec.encode_batch(deltas, kept, rows / self.spec.reference_rows, rounding)
        self._total += self._ring.inverse(batch.ring).sum(axis=0)
        if kept is not None:
            self._residuals[devices] = batch.settle(np.ones(len(devices), dtype=np.bool_))
        self._senders += len(devices)
        self._rows += int(rows.sum())

    def mean(self) -> Float64Array:
        """What the cloud makes of the noised sum, dense."""
        plan = self._sent_plan
        self._total += self._noise(plan.number)
        released = Release(0, None, (self._senders,), (self._rows,), self._total)
        return mean_update(plan, released, self._beacon)

    def _noise(self, number: int) -> IntArray:
        """Noise of all senders and hospitals: of 1, 2, 4, .. senders together, so that few tables are needed."""
        noise, size = self.spec.noise, len(self._total)
        total = np.zeros(size, dtype=np.int64)
        if noise is None:
            return total
        source = NoiseSource.from_seed(
            sha256(b"bytes" + self.seed.to_bytes(8, "big") + number.to_bytes(8, "big"))
        )
        own = noise.local_variance / self.stands_for
        for power in range(self._senders.bit_length()):
            if self._senders >> power & 1:
                total += sample_skellam(own * 2.0**power, size, source)
        if noise.global_variance:
            total += sample_skellam(noise.global_variance * self.hospitals / self.stands_for**2, size, source)
        return total

    @property
    def up_bytes(self) -> int:
        """The packed vector and the protocol's other messages."""
        return self._codec.wire_bytes + self.protocol[0]

    @property
    def down_bytes(self) -> int:
        """The encoded plan, spec and whole model, and the protocol's messages."""
        return len(self._sent_plan.encode()) + self.protocol[1]

    def patch_bytes(self, missed: int) -> int:
        """What `model_patch` would make of it: the rounds that the device has not seen, or the plan where that is less.

        The product does not send these yet.
        """
        patches = (missed + 1) * patch_bytes(self._codec.length)
        whole = self._sent_plan.number == missed + 1  # the first model comes whole
        return self.down_bytes if whole else min(self.down_bytes, patches + self.protocol[1])

    @property
    def _sent_plan(self) -> RoundPlan:
        assert self._plan is not None
        return self._plan
