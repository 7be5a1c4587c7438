"""What a round is: its spec (everything a device must know before it trains) and its plan (spec and model)."""

from __future__ import annotations

import re
import struct
from dataclasses import asdict, dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from fl_core.canonical import canonical_json, parse_json, sha256
from fl_core.cohorts import default_threshold
from fl_core.errors import SpecError
from fl_core.fixed_point import FixedPoint
from fl_core.json_fields import from_fields
from fl_core.models import Float32Array, ModelSpec, model_digest, parameter_count
from fl_core.secagg.plan import MAX_DIM, MAX_MEMBERS, MIN_MEMBERS, ROUNDS_PER_EPOCH_LOG2
from fl_core.training import LocalTraining

EPOCH_ROUNDS = 1 << ROUNDS_PER_EPOCH_LOG2
MIN_COHORT = MIN_MEMBERS  # with two, each device would learn the other's update from the sum
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_PLAN_MAGIC = b"FRP1"
_PLAN_HEADER = struct.Struct(">4sQII")


def epoch_of(round_number: int) -> int:
    """The epoch of a round: 256 rounds share keys, roster and slots."""
    return round_number // EPOCH_ROUNDS


class Profile(Enum):
    """What may be seen outside a device's cohort, and so what can be scored (DESIGN.md section 3)."""

    ACCOUNTABLE = "accountable"
    HOSPITAL = "hospital"
    PRIVATE = "private"

    @property
    def code(self) -> int:
        """The profile's number on chain."""
        return list(Profile).index(self)


@dataclass(frozen=True)
class DeviceClass:
    """A kind of device and what it can plausibly hold.

    Attributes:
        name: the class's name.
        max_rows: most training rows that a device of the class is credited with.
    """

    name: str
    max_rows: int


DEVICE_CLASSES = (
    DeviceClass("wearable", max_rows=1_024),
    DeviceClass("bedside", max_rows=8_192),
    DeviceClass("imaging", max_rows=32_768),
    DeviceClass("server", max_rows=1_048_576),
)


@dataclass(frozen=True)
class RoundSpec:
    """Everything about a round that is agreed beforehand and hashed on chain.

    Attributes:
        model: architecture.
        training: what a device does with its records.
        cohort_size: devices that are summed together, the aim of the draw.
        k_min: fewest devices whose sum may be seen, in a cohort and in a ledger entry.
        clip_norm: L2 bound of a device's weighted update.
        bits: ring width of the secure sum.
        fraction_bits: fixed-point fraction bits of an update.
        reference_rows: rows that make a weight of 1.
        utility_clip: bound of one validation record's part in a utility.
        utility_step: utilities are rounded to multiples of this (in millionths of a nat).
        schema_digest: SHA-256 (hex) of the agreed data schema.
        scoring_digest: SHA-256 (hex) of the agreed scoring settings.
        profile: what may be seen.
        classes: the device classes; what each may score at most is part of the ledger's reward rule.
    """

    model: ModelSpec
    training: LocalTraining
    cohort_size: int
    k_min: int
    clip_norm: float
    bits: int
    fraction_bits: int
    reference_rows: int
    utility_clip: float
    utility_step: int
    schema_digest: str
    scoring_digest: str
    profile: Profile = Profile.ACCOUNTABLE
    classes: tuple[DeviceClass, ...] = DEVICE_CLASSES

    def __post_init__(self) -> None:
        """Check that a cohort can work at all.

        Raises:
            SpecError: sizes, widths or bounds that cannot work.
        """
        largest_cohort = 2 * self.cohort_size - 1  # a draw merges remainders
        if not MIN_COHORT <= self.k_min <= self.cohort_size or largest_cohort > MAX_MEMBERS:
            raise SpecError(
                f"k_min {self.k_min} with cohorts of {self.cohort_size}: "
                f"need {MIN_COHORT} <= k_min <= cohort size <= {MAX_MEMBERS // 2}"
            )
        if self.dim > MAX_DIM:
            raise SpecError(f"a model of {self.dim} parameters: secure sums have at most {MAX_DIM}")
        if not (np.isfinite(self.clip_norm) and self.clip_norm > 0):
            raise SpecError(f"clip norm {self.clip_norm}: choose a positive finite number")
        if self.reference_rows < 1:
            raise SpecError(f"reference rows {self.reference_rows}: choose at least 1")
        if not (np.isfinite(self.utility_clip) and self.utility_clip > 0) or self.utility_step < 1:
            raise SpecError(
                f"utilities clipped at {self.utility_clip} in steps of {self.utility_step}: "
                "choose a positive finite clip and a step of at least 1"
            )
        for what, digest in (("schema", self.schema_digest), ("scoring", self.scoring_digest)):
            if not _HEX_DIGEST.match(digest):
                raise SpecError(f"{what} digest {digest!r}: 64 hexadecimal digits are needed")
        if not self.classes or min(item.max_rows for item in self.classes) < 1:
            raise SpecError("device classes: at least one is needed, each of at least 1 row")
        if self.profile is not Profile.ACCOUNTABLE:
            raise SpecError(
                f"profile {self.profile.value} needs differential privacy, which is not built yet: use accountable"
            )
        self.fixed_point.require_capacity(largest_cohort)

    @property
    def fixed_point(self) -> FixedPoint:
        """The encoding of a device's clipped, weighted update."""
        return FixedPoint(bits=self.bits, fraction_bits=self.fraction_bits, bound=self.clip_norm)

    @property
    def dim(self) -> int:
        """Parameters of the model."""
        return parameter_count(self.model)

    def threshold(self, members: int) -> int:
        """Survivors that a cohort of `members` needs."""
        return default_threshold(members, self.k_min)

    def credited_rows(self, declared_rows: int, device_class: int) -> int:
        """Declared rows, capped by the device's class.

        Raises:
            SpecError: there is no such class.
        """
        if not 0 <= device_class < len(self.classes):
            raise SpecError(f"device class {device_class}: choose 0..{len(self.classes) - 1}")
        return min(declared_rows, self.classes[device_class].max_rows)

    def weight(self, declared_rows: int, device_class: int) -> float:
        """A device's public weight in federated averaging."""
        return self.credited_rows(declared_rows, device_class) / self.reference_rows

    def to_json(self) -> dict[str, Any]:
        """The spec as a JSON object, every value by its own name."""
        return {**asdict(self), "profile": self.profile.value, "noise": None}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RoundSpec:
        """The spec that `to_json` wrote.

        Raises:
            SpecError: a field is missing, unknown or out of range.
        """
        if not isinstance(value, dict) or value.get("noise", "missing") is not None:
            raise SpecError("spec: noise must be null, differential privacy is not built yet")
        return from_fields(cls, {name: item for name, item in value.items() if name != "noise"})

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical spec, 32 bytes: the spec hash on chain."""
        return sha256(canonical_json(self.to_json()))


@dataclass(frozen=True, eq=False)
class RoundPlan:
    """What the cloud sends to start a round: the spec and the model to start from.

    Attributes:
        number: the round, from 1.
        spec: the round's spec.
        model: flat parameters, float32 (d,), finite.
    """

    number: int
    spec: RoundSpec
    model: Float32Array

    def __post_init__(self) -> None:
        """Check that the model is one of the spec's.

        Raises:
            SpecError: a round that cannot be, or a model of another shape, or with values that are not finite.
        """
        if not 1 <= self.number < 1 << 53:
            raise SpecError(f"round {self.number}: rounds are numbered from 1")
        if self.model.dtype != np.float32 or self.model.shape != (self.spec.dim,):
            raise SpecError(
                f"round {self.number} starts from {self.model.dtype} {self.model.shape}, "
                f"but the model has {self.spec.dim} float32 parameters"
            )
        if not np.isfinite(self.model).all():
            raise SpecError(
                f"round {self.number} starts from parameters that are not finite: do not train on them"
            )

    @property
    def model_hash(self) -> bytes:
        """Digest of the starting model, 32 bytes."""
        return model_digest(self.model)

    def encode(self) -> bytes:
        """The plan as it travels: header, canonical spec, little-endian float32 parameters."""
        spec = canonical_json(self.spec.to_json())
        header = _PLAN_HEADER.pack(_PLAN_MAGIC, self.number, len(spec), self.model.size)
        return header + spec + self.model.astype("<f4").tobytes()

    @classmethod
    def decode(cls, data: bytes) -> RoundPlan:
        """Read a plan from the wire.

        Raises:
            SpecError: truncated, oversized, not canonical, or a model that does not fit the spec.
        """
        if len(data) < _PLAN_HEADER.size:
            raise SpecError(f"round plan of {len(data)} bytes is truncated")
        magic, number, spec_size, dim = _PLAN_HEADER.unpack_from(data)
        body = data[_PLAN_HEADER.size :]
        if magic != _PLAN_MAGIC or len(body) != spec_size + 4 * dim:
            raise SpecError("round plan is malformed: wrong magic or length")
        spec = RoundSpec.from_json(parse_json(body[:spec_size]))
        if spec.digest != sha256(body[:spec_size]):
            raise SpecError("round plan carries a spec that is not canonical JSON")
        model = np.frombuffer(body, dtype="<f4", offset=spec_size).astype(np.float32)
        return cls(number=number, spec=spec, model=model)
