"""A round's record: what the bundle holds, as dataclasses, with their canonical files and back.

Files of a bundle: `round.json` (spec, rule, beacon, validators, who is in the sum over hospitals, signatures), one
`hospital-<id>.json` each, and `tensors.safetensors` (models, and the sums that the profile lets be seen). A hospital's
entry carries the digest of its own file; hospitals attest the digest of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from fl_core.canonical import canonical_json, digest_json, parse_json, sha256
from fl_core.cohorts import ReadyDevice
from fl_core.errors import BundleError, FlError
from fl_core.round_plan import RoundPlan
from fl_core.secagg import Advertisement
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers import JOINT_HOSPITAL, CohortReport, Release
from incentives import CohortKey, Contribution, EntryDomain, IncentivesError, RewardRule
from incentives.suspicion_standing import Status
from incentives.suspicion_watch import Decision
from scripts.federation.sums_json import (
    bytes_map,
    hex_map,
    read_release,
    read_report,
    release_json,
    report_json,
    sum_name,
)

ROUND_FILE = "round.json"
TENSORS_FILE = "tensors.safetensors"


@dataclass(frozen=True)
class HospitalRecord:
    """A hospital's own part of a round's bundle.

    Attributes:
        hospital: its id.
        keys: its own keys of the epoch, an encoded `Advertisement` signed by its account.
        seed_digest: digest of the seed of its global noise, 32 bytes.
        advertisements: the epoch's roster, each device's encoded `Advertisement`.
        ready: its ready list.
        cohorts: who was in its cohorts, failed ones included.
        releases: the sums that it released, as the round's profile says.
        slots: the slot of each enrolled device in this epoch.
        contributions: one a surviving device, in slot order.
        salts: 32 bytes a slot of the tree; empty where no device is in a released sum.
        receipts: each surviving device's receipt, sealed to its channel key.
        decisions: whose standing changes after this round, by device.
    """

    hospital: int
    keys: bytes
    seed_digest: bytes
    advertisements: tuple[bytes, ...]
    ready: tuple[ReadyDevice, ...]
    cohorts: tuple[CohortReport, ...]
    releases: tuple[Release, ...]
    slots: Mapping[bytes, int]
    contributions: tuple[Contribution, ...]
    salts: tuple[bytes, ...]
    receipts: Mapping[bytes, bytes]
    decisions: tuple[Decision, ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the hospital's file in the bundle."""
        return f"hospital-{self.hospital}.json"

    def encode(self) -> bytes:
        """Canonical JSON of everything but the sums, which are tensors."""
        return canonical_json(
            {
                "hospital": self.hospital,
                "keys": self.keys.hex(),
                "seed_digest": self.seed_digest.hex(),
                "advertisements": [data.hex() for data in self.advertisements],
                "ready": [line.to_json() for line in self.ready],
                "cohorts": [report_json(report) for report in self.cohorts],
                "releases": [release_json(release) for release in self.releases],
                "slots": {address.hex(): slot for address, slot in self.slots.items()},
                "contributions": [_contribution_json(item) for item in self.contributions],
                "salts": [salt.hex() for salt in self.salts],
                "receipts": hex_map(self.receipts),
                "decisions": [_decision_json(item) for item in self.decisions],
            }
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the hospital's file, 32 bytes: the bundle digest of its entry."""
        return sha256(self.encode())


@dataclass(frozen=True)
class ValidatorRecord:
    """What a hospital said of the round as a validator.

    Attributes:
        utilities: what each sum that another hospital released gained on its rows, in millionths of a nat; the sum of
            a whole hospital counts as its cohort 0.
        path_gains: what each of them contributed to what the round gained, likewise.
        scores: scores (0..10,000) of the other hospitals.
        model_score: score of the new model on its rows, 0..10,000.
        salt: salt of its commitment, 32 bytes.
    """

    utilities: Mapping[CohortKey, int]
    path_gains: Mapping[CohortKey, int]
    scores: Mapping[int, int]
    model_score: int
    salt: bytes

    def utilities_digest(self, round_number: int, validator: int) -> bytes:
        """The digest of the utilities that the validator commits to, 32 bytes."""
        return digest_json({"round": round_number, "validator": validator, **self._utility_rows()})

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {
            **self._utility_rows(),
            "scores": {str(hospital): value for hospital, value in self.scores.items()},
            "model_score": self.model_score,
            "salt": self.salt.hex(),
        }

    def _utility_rows(self) -> dict[str, list[list[int]]]:
        both = {"utilities": self.utilities, "path_gains": self.path_gains}
        return {
            name: [[k.hospital, k.cohort, v] for k, v in sorted(item.items())] for name, item in both.items()
        }


@dataclass(frozen=True)
class RoundRecord:
    """Everything from which a round can be recomputed.

    Attributes:
        run: the run's id.
        number: the round.
        chain_id: id of the chain, 0 without one.
        ledger: address of the ledger, 20 bytes; zeros without a chain.
        spec: the round's spec.
        scoring: the scoring settings whose digest the spec holds.
        rule: the reward rule frozen into the round.
        beacon: what the cohorts were drawn from, 32 bytes.
        model_before: parameters before, float32 (d,).
        model_after: parameters after, float32 (d,).
        previous: parameters that the round before started from, float32 (d,), where the plan held them.
        hospitals: each hospital's part.
        joint: who took part in the sum over hospitals, or None but in profile `private`.
        total: the sum over hospitals, or None.
        validators: what each hospital said of the round.
        root_update: what the root set taught, float32 (d,), where the spec's rule takes it.
        signed_parts: signatures of hospitals over the digests of their parts, where no entry on the ledger names these.
    """

    run: str
    number: int
    chain_id: int
    ledger: bytes
    spec: RoundSpec
    scoring: Mapping[str, Any]
    rule: RewardRule
    beacon: bytes
    model_before: NDArray[np.float32]
    model_after: NDArray[np.float32]
    hospitals: Mapping[int, HospitalRecord]
    validators: Mapping[int, ValidatorRecord]
    previous: NDArray[np.float32] | None = None
    joint: CohortReport | None = None
    total: Release | None = None
    root_update: NDArray[np.float32] | None = None
    signed_parts: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def device_quality_scored(self) -> bool:
        """Whether device quality counts in this round's profile."""
        return self.spec.profile.scores_devices

    @property
    def plan(self) -> RoundPlan:
        """What the cloud sent to start the round."""
        return RoundPlan(self.number, self.spec, self.model_before, self.previous)

    @property
    def releases(self) -> tuple[Release, ...]:
        """Every sum that was seen outside the hospitals."""
        own = tuple(release for part in self.hospitals.values() for release in part.releases)
        return own if self.total is None else (*own, self.total)

    def counted(self, part: HospitalRecord) -> tuple[CohortReport, ...]:
        """The cohorts of a hospital whose sums are in a released sum."""
        if self.spec.profile is Profile.PRIVATE:
            account = Advertisement.decode(part.keys).address
            if self.joint is None or account not in self.joint.survivors:
                return ()
        return tuple(report for report in part.cohorts if report.summed)

    def entry_domain(self, hospital: int) -> EntryDomain:
        """What binds a hospital's leaves."""
        return EntryDomain(chain_id=self.chain_id, ledger=self.ledger, round=self.number, hospital=hospital)

    def to_files(self) -> dict[str, bytes]:
        """The bundle's files by name."""
        tensors: dict[str, NDArray[Any]] = {
            "model_before": self.model_before,
            "model_after": self.model_after,
        }
        if self.previous is not None:
            tensors["previous"] = self.previous
        if self.root_update is not None:
            tensors["root_update"] = self.root_update
        for release in self.releases:
            tensors[sum_name(release.hospital, release.cohort)] = release.total
        files = {part.file_name: part.encode() for part in self.hospitals.values()}
        files[TENSORS_FILE] = save_tensors(tensors)
        files[ROUND_FILE] = canonical_json(
            {
                "run": self.run,
                "round": self.number,
                "chain_id": self.chain_id,
                "ledger": self.ledger.hex(),
                "spec": self.spec.to_json(),
                "scoring": dict(self.scoring),
                "rule": asdict(self.rule),
                "beacon": self.beacon.hex(),
                "hospitals": sorted(self.hospitals),
                "validators": {str(h): record.to_json() for h, record in self.validators.items()},
                "joint": None if self.joint is None else report_json(self.joint),
                "total": None if self.total is None else release_json(self.total),
                "signed_parts": {str(h): signature.hex() for h, signature in self.signed_parts.items()},
            }
        )
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> RoundRecord:
        """Read a bundle's files. What is read says nothing about their form: see `require_own_form`.

        Raises:
            BundleError: a file is missing or malformed; the message names it.
        """
        name = ROUND_FILE
        try:
            common = parse_json(files[name])
            name = TENSORS_FILE
            tensors = load_tensors(files[name])
            name = ROUND_FILE
            hospitals = {}
            for hospital in common["hospitals"]:
                name = f"hospital-{int(hospital)}.json"
                hospitals[int(hospital)] = _read_hospital(parse_json(files[name]), tensors)
            name = ROUND_FILE
            record = cls(
                run=str(common["run"]),
                number=int(common["round"]),
                chain_id=int(common["chain_id"]),
                ledger=bytes.fromhex(common["ledger"]),
                spec=RoundSpec.from_json(common["spec"]),
                scoring=common["scoring"],
                rule=_read_rule(common["rule"]),
                beacon=bytes.fromhex(common["beacon"]),
                model_before=tensors["model_before"],
                model_after=tensors["model_after"],
                hospitals=hospitals,
                validators={int(h): _read_validator(v) for h, v in common["validators"].items()},
                previous=tensors.get("previous"),
                root_update=tensors.get("root_update"),
                joint=None if common["joint"] is None else read_report(JOINT_HOSPITAL, common["joint"]),
                total=None
                if common["total"] is None
                else read_release(JOINT_HOSPITAL, common["total"], tensors),
                signed_parts={int(h): bytes.fromhex(text) for h, text in common["signed_parts"].items()},
            )
            name = TENSORS_FILE
            record._check_shapes()
            return record
        except KeyError as error:
            raise BundleError(f"bundle lacks {error} (looking at {name})") from error
        except _UNREADABLE as error:
            raise BundleError(f"bundle file {name} is malformed: {error}") from error

    def require_own_form(self, files: Mapping[str, bytes]) -> None:
        """Refuse files that are not byte for byte what this record is written as: nothing added, nothing recoded.

        Raises:
            BundleError: a file differs, is missing or is there besides; the message names it.
        """
        try:
            own = self.to_files()
        except _UNREADABLE as error:
            raise BundleError(f"the bundle says what no bundle can: {error}") from error
        for name in sorted(own.keys() | files.keys()):
            if own.get(name) != files.get(name):
                raise BundleError(f"bundle file {name} is not in the form in which what it says is written")

    def _check_shapes(self) -> None:
        """Check that tensors have the model's length and their own types.

        Raises:
            BundleError: one has not.
        """
        dim, lengths = self.spec.dim, {0, *self.spec.terms.lengths}
        models = {"model_before": self.model_before, "model_after": self.model_after}
        if self.previous is not None:
            models["previous"] = self.previous
        if self.root_update is not None:
            models["root_update"] = self.root_update
        for name, model in models.items():
            if model.shape != (dim,) or model.dtype != np.float32:
                raise BundleError(f"tensor {name} is {model.dtype} {model.shape}, not float32 ({dim},)")
        for release in self.releases:
            total = release.total
            if total.ndim != 1 or len(total) not in lengths or total.dtype != np.int64:
                raise BundleError(
                    f"tensor {sum_name(release.hospital, release.cohort)} is {total.dtype} {total.shape}, not int64 "
                    f"of a length that the spec knows: {sorted(lengths)}"
                )


_UNREADABLE = (
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    SafetensorError,
    FlError,
    IncentivesError,
)


def _contribution_json(item: Contribution) -> list[Any]:
    payee = None if item.payee is None else item.payee.hex()
    return [item.device.hex(), item.slot, item.device_class, payee, item.volume, item.quality, item.compute]


def _decision_json(item: Decision) -> list[Any]:
    return [item.device.hex(), item.status.value, item.until, item.evidence, item.limit]


def _read_hospital(value: dict[str, Any], tensors: Mapping[str, NDArray[Any]]) -> HospitalRecord:
    hospital = int(value["hospital"])
    return HospitalRecord(
        hospital=hospital,
        keys=bytes.fromhex(value["keys"]),
        seed_digest=bytes.fromhex(value["seed_digest"]),
        advertisements=tuple(bytes.fromhex(data) for data in value["advertisements"]),
        ready=tuple(ReadyDevice.from_json(line) for line in value["ready"]),
        cohorts=tuple(read_report(hospital, item) for item in value["cohorts"]),
        releases=tuple(read_release(hospital, item, tensors) for item in value["releases"]),
        slots={bytes.fromhex(address): int(slot) for address, slot in value["slots"].items()},
        contributions=tuple(
            Contribution(
                device=bytes.fromhex(device),
                slot=int(slot),
                device_class=int(kind),
                payee=None if payee is None else bytes.fromhex(payee),
                volume=int(volume),
                quality=int(quality),
                compute=int(compute),
            )
            for device, slot, kind, payee, volume, quality, compute in value["contributions"]
        ),
        salts=tuple(bytes.fromhex(salt) for salt in value["salts"]),
        receipts=bytes_map(value["receipts"]),
        decisions=tuple(
            Decision(bytes.fromhex(device), Status(status), int(until), int(evidence), int(limit))
            for device, status, until, evidence, limit in value["decisions"]
        ),
    )


def _read_validator(value: dict[str, Any]) -> ValidatorRecord:
    return ValidatorRecord(
        utilities={CohortKey(int(h), int(c)): int(u) for h, c, u in value["utilities"]},
        path_gains={CohortKey(int(h), int(c)): int(u) for h, c, u in value["path_gains"]},
        scores={int(hospital): int(score) for hospital, score in value["scores"].items()},
        model_score=int(value["model_score"]),
        salt=bytes.fromhex(value["salt"]),
    )


def _read_rule(value: dict[str, Any]) -> RewardRule:
    return RewardRule(
        **{**value, "volume_cap": tuple(value["volume_cap"]), "compute_cap": tuple(value["compute_cap"])}
    )
