"""What a round is: its spec, everything that is agreed before a device trains."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import canonical_json, sha256
from fl_core.cohorts import CohortTerms, survivors_needed
from fl_core.errors import SpecError
from fl_core.json_fields import from_fields
from fl_core.models import ModelSpec, parameter_count
from fl_core.privacy import (
    NoiseSpec,
    PrivacyLoss,
    RoundExposure,
    Sensitivity,
    composed_loss,
    fewest_survivors,
    noise_reach,
    rho_per_round,
    round_exposure,
)
from fl_core.profile import DEVICE_CLASSES, DeviceClass, Profile
from fl_core.robust.rule_spec import MEAN, RuleSpec
from fl_core.secagg.plan import (
    MAX_BITS,
    MAX_DIM,
    MAX_MEMBERS,
    MIN_BITS,
    MIN_MEMBERS,
    ROUNDS_PER_EPOCH_LOG2,
)
from fl_core.training import LocalTraining
from fl_core.updates import CompressionSpec, UpdateCodec, update_bound
from fl_core.updates.stage import Bound

__all__ = [
    "DEVICE_CLASSES",
    "EPOCH_ROUNDS",
    "MAX_HOSPITALS",
    "MIN_COHORT",
    "DeviceClass",
    "Profile",
    "RoundSpec",
    "check_cohort_sizes",
    "epoch_of",
]

EPOCH_ROUNDS = 1 << ROUNDS_PER_EPOCH_LOG2
MIN_COHORT = MIN_MEMBERS  # with two, each would learn the other's part from the sum
MAX_HOSPITALS = 64
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def epoch_of(round_number: int) -> int:
    """The epoch of a round: 256 rounds share keys, roster and slots."""
    return round_number // EPOCH_ROUNDS


def check_cohort_sizes(cohort_size: int, k_min: int) -> None:
    """Refuse cohorts that secure sums cannot have.

    Raises:
        SpecError: too small, too large, or fewer than may be seen.
    """
    if not MIN_COHORT <= k_min <= cohort_size or 2 * cohort_size - 1 > MAX_MEMBERS:
        raise SpecError(
            f"k_min {k_min} with cohorts of {cohort_size}: "
            f"need {MIN_COHORT} <= k_min <= cohort size <= {MAX_MEMBERS // 2}"
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
        bits: ring width of a cohort's secure sum.
        fraction_bits: fixed-point fraction bits of an update.
        reference_rows: rows that make a weight of 1.
        utility_clip: bound of one validation record's part in a utility.
        utility_step: utilities are rounded to multiples of this (in millionths of a nat).
        schema_digest: SHA-256 (hex) of the agreed data schema.
        scoring_digest: SHA-256 (hex) of the agreed scoring settings.
        profile: what may be seen.
        min_hospitals: fewest hospitals whose sum may be seen (profile `private`); 1 elsewhere.
        classes: the device classes; what each may score at most is part of the ledger's reward rule.
        compression: which coordinates are sent; None for all.
        noise: how much noise is added, and for which claim; None for none.
        rule: what combines the released sums into the next model.
        auditor: X25519 key (hex) that transcripts of the secure sums are sealed to; empty where none are kept.
        scaling_digest: SHA-256 (hex) of the agreed scaling (`Encoder.scaling_digest`), under which alone a root set
            teaches what it does; empty where nothing that is in the record depends on it.
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
    min_hospitals: int = 1
    classes: tuple[DeviceClass, ...] = DEVICE_CLASSES
    compression: CompressionSpec | None = None
    noise: NoiseSpec | None = None
    rule: RuleSpec = MEAN
    auditor: str = ""
    scaling_digest: str = ""

    def __post_init__(self) -> None:
        """Check that a cohort can work at all.

        Raises:
            SpecError: sizes, widths or bounds that cannot work.
        """
        check_cohort_sizes(self.cohort_size, self.k_min)
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
        if self.scaling_digest and not _HEX_DIGEST.match(self.scaling_digest):
            raise SpecError(f"scaling digest {self.scaling_digest!r}: 64 hexadecimal digits are needed")
        if self.auditor and not _HEX_DIGEST.match(self.auditor):
            raise SpecError(f"auditor's key {self.auditor!r}: 64 hexadecimal digits are needed")
        if not self.classes or min(item.max_rows for item in self.classes) < 1:
            raise SpecError("device classes: at least one is needed, each of at least 1 row")
        self._check_profile()
        self._check_ring()
        if self.noise is not None and not self.loss(self.noise.rounds).release <= self.noise.epsilon:
            raise SpecError(
                f"the noise does not keep epsilon {self.noise.epsilon} over {self.noise.rounds} rounds, but "
                f"{self.loss(self.noise.rounds).release:.4g}: calibrate it anew"
            )

    def _check_profile(self) -> None:
        """Refuse what the profile has no use for, or does not do without."""
        if self.profile is Profile.PRIVATE and self.min_hospitals < MIN_COHORT:
            raise SpecError(
                f"profile private hides each hospital's sum among the others': at least {MIN_COHORT} hospitals are "
                f"needed, the spec says {self.min_hospitals}"
            )
        if self.profile is not Profile.PRIVATE and self.min_hospitals != 1:
            raise SpecError(
                f"at least {self.min_hospitals} hospitals: only profile private sums over hospitals"
            )
        if self.profile is Profile.PRIVATE and self.rule != MEAN:
            raise SpecError(
                f"profile private releases one sum over all hospitals, in which no rule tells good from bad: "
                f"{self.rule.name} needs profile accountable or hospital"
            )
        if self.profile is Profile.PRIVATE and self.noise is not None and not self.noise.corrupted_hospitals:
            raise SpecError(
                "profile private with noise: a hospital can take its own part off the sum, noise included, so that at "
                "least 1 corrupted hospital must be counted on"
            )

    def _check_ring(self) -> None:
        """Refuse a ring that the sum of the largest cohort could wrap (with noise: but for a chance of 2^-40)."""
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise SpecError(f"ring of {self.bits} bits: choose {MIN_BITS}..{MAX_BITS}")
        room = (1 << (self.bits - 1)) - 1
        if self.reach(self.largest_cohort) > room:
            raise SpecError(
                f"a sum of {self.largest_cohort} updates can wrap a ring of {self.bits} bits: take more bits, fewer "
                "fraction bits or a smaller clip norm"
            )

    @property
    def largest_cohort(self) -> int:
        """Most devices of a cohort: a draw merges remainders."""
        return 2 * self.cohort_size - 1

    @cached_property
    def bound(self) -> Bound:
        """What is certain about one device's integers before noise, in integer steps."""
        return update_bound(
            self.compression, dim=self.dim, clip_norm=self.clip_norm, fraction_bits=self.fraction_bits
        )

    @cached_property
    def exposure(self) -> RoundExposure | None:
        """What a round shows of a device in the worst case of who survives; None where noise is off."""
        if self.noise is None:
            return None
        survivors = fewest_survivors(
            self.threshold(self.k_min),
            min_hospitals=self.min_hospitals,
            corrupted=self.noise.corrupted,
            corrupted_hospitals=self.noise.corrupted_hospitals,
            link_classes=len(self.terms.lengths),
        )
        return round_exposure(
            self.noise,
            Sensitivity(self.bound.l1, self.bound.l2),
            profile=self.profile.value,
            honest_in_cohort=survivors.honest_in_cohort,
            honest_at_release=survivors.honest_at_release,
            hospitals_at_release=self.min_hospitals,
            entries=self.terms.lengths[0],
        )

    def loss(self, rounds: int) -> PrivacyLoss:
        """What a device that took part in so many rounds has lost; infinite where noise is off."""
        if self.exposure is None or self.noise is None:
            return PrivacyLoss(math.inf, math.inf, math.inf)
        return composed_loss([(self.exposure, rounds)], self.noise.delta)

    @property
    def rho_micro(self) -> int:
        """What a round declares on the ledger, in millionths of rho; 0 where noise is off."""
        return 0 if self.exposure is None else rho_per_round(self.exposure)

    @cached_property
    def dim(self) -> int:
        """Parameters of the model."""
        return parameter_count(self.model)

    @cached_property
    def terms(self) -> CohortTerms:
        """What everybody agreed on about the cohorts."""
        lengths = (self.dim,) if self.compression is None else self.compression.lengths(self.dim)
        return CohortTerms(self.cohort_size, self.k_min, self.bits, lengths)

    @property
    def follows_updates(self) -> bool:
        """Whether a round's coordinates depend on the update of the round before, so that plans hold it."""
        return self.compression is not None and self.compression.public_top > 0

    def codec(self, mask: NDArray[np.int64] | None, link_class: int) -> UpdateCodec:
        """How devices of a link class encode their updates, given the round's coordinates (see `RoundPlan`)."""
        return UpdateCodec.of_link_class(
            self.compression,
            dim=self.dim,
            clip_norm=self.clip_norm,
            bits=self.bits,
            fraction_bits=self.fraction_bits,
            noise_variance=0.0 if self.noise is None else self.noise.local_variance,
            mask=mask,
            link_class=link_class,
        )

    def reach(self, devices: int) -> int:
        """Largest magnitude of an entry of the sum of so many devices' encoded updates, their own noise included.

        With noise, but for a chance of 2^-40.
        """
        steps = math.ceil(self.bound.peak) * devices
        if self.noise is None:
            return steps
        return steps + noise_reach(self.noise.local_variance, entries=self.terms.lengths[0], summands=devices)

    def release_reach(self, devices: int) -> int:
        """The same of what is released, with the global noise: in profile `private`, that of 64 hospitals."""
        if self.noise is None:
            return self.reach(devices)
        shares = MAX_HOSPITALS if self.profile is Profile.PRIVATE else 1
        return self.reach(devices) + noise_reach(
            self.noise.global_variance, entries=self.terms.lengths[0], summands=shares
        )

    def threshold(self, members: int) -> int:
        """Survivors that a cohort of `members` needs."""
        return survivors_needed(members, self.k_min)

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
        """The spec as a JSON object, every value by its own name.

        The plain mean, no auditor and no scaling go without saying, so that the digest of a spec from before there was
        anything else is what it was.
        """
        value = {**asdict(self), "profile": self.profile.value}
        if self.rule == MEAN:
            del value["rule"]
        for name in ("auditor", "scaling_digest"):
            if not value[name]:
                del value[name]
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RoundSpec:
        """The spec that `to_json` wrote.

        Raises:
            SpecError: a field is missing, unknown or out of range.
        """
        if isinstance(value, dict):
            value = {"rule": asdict(MEAN), "auditor": "", "scaling_digest": "", **value}
        return from_fields(cls, value)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical spec, 32 bytes: the spec hash on chain."""
        return sha256(canonical_json(self.to_json()))
