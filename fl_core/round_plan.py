"""The plan of a round, what the cloud sends to start it: the spec, and the model to start from."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import canonical_json, parse_json, sha256
from fl_core.errors import SpecError
from fl_core.models import Float32Array, model_digest
from fl_core.spec import RoundSpec
from fl_core.updates import UpdateCodec, coordinate_mask

_PLAN_MAGIC = b"FRP2"
_PLAN_HEADER = struct.Struct(">4sQIIBI")
_NOTHING_CHANGED = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class RoundPlan:
    """What the cloud sends to start a round: the spec and the model to start from.

    Attributes:
        number: the round, from 1.
        spec: the round's spec.
        model: flat parameters, float32 (d,), finite.
        previous: the parameters that the round before started from, float32 (d,), from which the public part of the
            round's coordinates is taken; None in a run's first round, and where nothing is taken from it.
    """

    number: int
    spec: RoundSpec
    model: Float32Array
    previous: Float32Array | None = None

    def __post_init__(self) -> None:
        """Check that the model is one of the spec's.

        Raises:
            SpecError: a round that cannot be, or a model of another shape, or with values that are not finite.
        """
        if not 1 <= self.number < 1 << 53:
            raise SpecError(f"round {self.number}: rounds are numbered from 1")
        for model in (self.model,) if self.previous is None else (self.model, self.previous):
            if model.dtype != np.float32 or model.shape != (self.spec.dim,):
                raise SpecError(
                    f"round {self.number} starts from {model.dtype} {model.shape}, "
                    f"but the model has {self.spec.dim} float32 parameters"
                )
            if not np.isfinite(model).all():
                raise SpecError(
                    f"round {self.number} starts from parameters that are not finite: do not train on them"
                )

    @cached_property
    def model_hash(self) -> bytes:
        """Digest of the starting model, 32 bytes."""
        return model_digest(self.model)

    @cached_property
    def previous_hash(self) -> bytes | None:
        """Digest of the model that the round before started from, 32 bytes, where the plan holds it."""
        return None if self.previous is None else model_digest(self.previous)

    def coordinates(self, beacon: bytes) -> NDArray[np.int64] | None:
        """The coordinates that devices send in this round, in order, int64 (k,); None where they send all.

        A slower link class sends a prefix. Everybody derives them from what is public: the spec, the model before and
        after the last round, and the beacon.
        """
        return None if self.spec.compression is None else _coordinates(self, beacon)

    def codec(self, beacon: bytes, link_class: int) -> UpdateCodec:
        """How devices of a link class encode their updates in this round."""
        return _codec(self, beacon, link_class)

    def encode(self) -> bytes:
        """The plan as it travels: header, canonical spec, parameters, and the values that changed since `previous`.

        Numbers are little-endian; parameters are float32, what changed is listed by uint32 positions.
        """
        spec = canonical_json(self.spec.to_json())
        changed = _NOTHING_CHANGED if self.previous is None else _changed(self.previous, self.model)
        header = _PLAN_HEADER.pack(
            _PLAN_MAGIC, self.number, len(spec), self.model.size, self.previous is not None, len(changed)
        )
        values = b"" if self.previous is None else self.previous[changed].astype("<f4").tobytes()
        return header + spec + self.model.astype("<f4").tobytes() + changed.astype("<u4").tobytes() + values

    @classmethod
    def decode(cls, data: bytes) -> RoundPlan:
        """Read a plan from the wire.

        Raises:
            SpecError: truncated, oversized, not canonical, or a model that does not fit the spec.
        """
        if len(data) < _PLAN_HEADER.size:
            raise SpecError(f"round plan of {len(data)} bytes is truncated")
        magic, number, spec_size, dim, follows, count = _PLAN_HEADER.unpack_from(data)
        body = data[_PLAN_HEADER.size :]
        if (
            magic != _PLAN_MAGIC
            or len(body) != spec_size + 4 * dim + 8 * count
            or follows > 1
            or count > dim * follows
        ):
            raise SpecError("round plan is malformed: wrong magic or length")
        spec = RoundSpec.from_json(parse_json(body[:spec_size]))
        if spec.digest != sha256(body[:spec_size]):
            raise SpecError("round plan carries a spec that is not canonical JSON")
        model = np.frombuffer(body, dtype="<f4", count=dim, offset=spec_size).astype(np.float32)
        previous = None
        if follows:
            start = spec_size + 4 * dim
            changed = np.frombuffer(body, dtype="<u4", count=count, offset=start).astype(np.int64)
            if (np.diff(changed) < 1).any() or (count and changed[-1] >= dim):
                raise SpecError("round plan is malformed: what changed is not listed in order")
            previous = model.copy()
            previous[changed] = np.frombuffer(body, dtype="<f4", offset=start + 4 * count)
            if not np.array_equal(_changed(previous, model), changed):
                raise SpecError("round plan is malformed: it lists as changed what is not")
        return cls(number=number, spec=spec, model=model, previous=previous)


@lru_cache(maxsize=4)
def _coordinates(plan: RoundPlan, beacon: bytes) -> NDArray[np.int64]:
    compression = plan.spec.compression
    assert compression is not None
    last_update = None if plan.previous is None else plan.model - plan.previous
    chosen = coordinate_mask(
        compression, beacon=beacon, round_number=plan.number, dim=plan.spec.dim, last_update=last_update
    )
    chosen.flags.writeable = False
    return chosen


@lru_cache(maxsize=16)
def _codec(plan: RoundPlan, beacon: bytes, link_class: int) -> UpdateCodec:
    return plan.spec.codec(plan.coordinates(beacon), link_class)


@lru_cache(maxsize=2)
def decoded_plan(data: bytes) -> RoundPlan:
    """`RoundPlan.decode`, once for all simulated devices that were sent the very same bytes."""
    return RoundPlan.decode(data)


def _changed(before: Float32Array, after: Float32Array) -> NDArray[np.int64]:
    """Positions at which two vectors differ in any bit."""
    return np.flatnonzero(before.view(np.uint32) != after.view(np.uint32)).astype(np.int64)
