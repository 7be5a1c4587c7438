"""What the user chose for a run, and its translation into a round spec."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fl_core.canonical import digest_json
from fl_core.data import Schema, Table, load, load_csv
from fl_core.errors import SpecError
from fl_core.models import ModelSpec
from fl_core.privacy import default_delta
from fl_core.privacy.noise_spec import check_target
from fl_core.record_privacy import RecordPrivacy, noise_multiplier_for
from fl_core.spec import Profile, RoundSpec, check_cohort_sizes
from fl_core.tiers import MIN_JOINT_HOSPITALS
from fl_core.training import LocalTraining
from fl_core.updates import CompressionSpec
from incentives.suspicion import SuspicionSettings
from scripts.federation.public_ranges import PublicRanges, read_ranges
from scripts.federation.quarantine_settings import DEFAULT_QUARANTINE, QUARANTINE, read_quarantine
from scripts.federation.rule_settings import attacker_count, check_attack, check_root, check_rule, rule_spec
from scripts.federation.torch_device import check_device_name
from scripts.federation.update_terms import UpdateTerms, agree_on_spec

DEFAULT_EPSILON = 8.0
DEFAULT_HIDDEN = (16,)
DEFAULT_RECORD_CLIP = 1.0
PUBLIC_TOP = 0.5
_LISTS = ("hidden", "link_classes")


@dataclass(frozen=True)
class RunSettings:
    """A run as asked for on the command line.

    Attributes:
        data: name of an embedded data set, or None with `csv`.
        csv: path of a table, or None.
        label: label column of the table.
        group: group (patient) column of the table, or None.
        site: column that names the hospital of a row, or None.
        split_patients: whether a patient of the table may have several devices.
        hospitals: number of hospitals, 1..64.
        devices: devices a hospital.
        rounds: rounds to run.
        profile: "accountable", "hospital" or "private": what may be seen outside a device's cohort.
        model: "logistic" or "mlp".
        hidden: sizes of the hidden layers of an mlp; empty for the default.
        epochs: local epochs.
        batch_size: rows a local step.
        learning_rate: local step size.
        momentum: of the local steps, 0..1.
        proximal: pull of the local steps towards the round's model (FedProx).
        alpha: Dirichlet concentration of the label skew over devices.
        cohort_size: devices that are summed together.
        k_min: fewest devices whose sum may be seen.
        epsilon: target of differential privacy at release, over all rounds; None for no noise.
        edge_epsilon: the same at the edge; None for what follows.
        delta: of all epsilons; None for min(1e-5, 1 / devices^2).
        record_epsilon: target of per-record DP-SGD, for one record of a device over all rounds; None for plain SGD.
        record_clip: L2 bound of one record's gradient in it; None for the default.
        clip_norm: L2 bound of a device's weighted update; None for a default that depends on the noise.
        fraction: share of the coordinates that a round's devices send.
        link_classes: share of a round's coordinates that each link class sends, 1 first; devices are spread evenly.
        residual: clip norms of what a device keeps of what it did not send; None for the default.
        public_top: share of a round's coordinates that are the largest of the last update; None for the default.
        bits: ring width of a cohort's sum; None for as many as are needed.
        ranges: path of a file that declares the table's columns and classes, or None.
        root_share: share of the rows that the coordinator holds, taken from those that validate.
        start: "seed", or "root": the first model is trained on the root set.
        projection: directions of the public projection that is learnt from the root set; 0 for none.
        torch_device: where devices' training is computed: "cpu", or "cuda" of some index.
        threads: batches of devices that are trained at once, where there is one process.
        workers: processes that hospitals are spread over.
        dropout: probability that a device fails in a round.
        rule: what combines the released sums; None for fltrust where there is a root set, else the mean.
        rule_share: of the released sums, how many may be corrupted (trimmed-mean, multi-krum); None for the default.
        flippers: label flippers among the devices.
        free_riders: devices that send zeros.
        attack: what attackers among the devices do, or None.
        attackers: share of the devices that attack; None for 0.2, at a malicious hospital for all.
        malicious_hospital: id of the hospital that all attackers are at, or 0.
        unclipped: whether attackers put into their masked inputs whatever the ring takes.
        inflating_hospital: id of a hospital that declares more rows than it has, or 0.
        inflation: factor by which it does.
        own_payees: share of the devices that opt in to a payee of their own.
        quarantine: when devices are suspected and what follows (profile accountable); None for never.
        seed: seed of data split, training and simulation (never of a secret).
        auditor: X25519 key (hex) that transcripts of secure sums are sealed to; empty where none are kept.
        store: URL that bundles are kept under, or None for the run's folder.
    """

    data: str | None = "wdbc"
    csv: str | None = None
    label: str | None = None
    group: str | None = None
    site: str | None = None
    split_patients: bool = False
    hospitals: int = 4
    devices: int = 16
    rounds: int = 10
    profile: str = Profile.ACCOUNTABLE.value
    model: str = "logistic"
    hidden: tuple[int, ...] = ()
    epochs: int = 5
    batch_size: int = 8
    learning_rate: float = 0.1
    momentum: float = 0.0
    proximal: float = 0.0
    alpha: float = 2.0
    cohort_size: int = 8
    k_min: int = 5
    epsilon: float | None = None
    edge_epsilon: float | None = None
    delta: float | None = None
    record_epsilon: float | None = None
    record_clip: float | None = None
    clip_norm: float | None = None
    fraction: float = 1.0
    link_classes: tuple[float, ...] = (1.0,)
    residual: float | None = None
    public_top: float | None = None
    bits: int | None = None
    ranges: str | None = None
    root_share: float = 0.0
    start: str = "seed"
    projection: int = 0
    torch_device: str = "cpu"
    threads: int = 1
    workers: int = 1
    dropout: float = 0.0
    rule: str | None = None
    rule_share: float | None = None
    flippers: int = 0
    free_riders: int = 0
    attack: str | None = None
    attackers: float | None = None
    malicious_hospital: int = 0
    unclipped: bool = False
    inflating_hospital: int = 0
    inflation: int = 1
    own_payees: float = 0.5
    quarantine: SuspicionSettings | None = DEFAULT_QUARANTINE
    seed: int = 0
    auditor: str = ""
    store: str | None = None

    def __post_init__(self) -> None:
        """Check what no other part checks.

        Raises:
            SpecError: numbers that cannot work together; the message says what to change.
        """
        if not 0 <= self.seed < 1 << 63:
            raise SpecError(f"seed {self.seed}: choose 0 to 2^63 - 1")
        if not 0 < self.learning_rate <= 100:
            raise SpecError(f"learning rate {self.learning_rate}: choose above 0, at most 100")
        if self.rounds < 1:
            raise SpecError(f"{self.rounds} rounds: ask for at least 1")
        if self.model not in ("logistic", "mlp"):
            raise SpecError(f"model {self.model!r} is unknown: choose logistic or mlp")
        self.model_spec(1, 2)
        if not 1 <= self.hospitals <= 64:
            raise SpecError(f"{self.hospitals} hospitals: choose 1 to 64")
        if self.devices < self.k_min:
            raise SpecError(
                f"{self.devices} devices a hospital cannot make a cohort of at least {self.k_min} (k_min): "
                "take more devices or a smaller --k-min"
            )
        check_attack(self)
        if self.flippers + self.free_riders + attacker_count(self) > self.hospitals * self.devices:
            raise SpecError(
                "more dishonest devices than devices: take fewer flippers, free riders and attackers"
            )
        if not 0 <= self.inflating_hospital <= self.hospitals:
            raise SpecError(f"hospital {self.inflating_hospital} cannot inflate: there are {self.hospitals}")
        if self.inflation < 1 or not 0 <= self.own_payees <= 1:
            raise SpecError("inflation must be at least 1, and the share of own payees between 0 and 1")
        self._check_computing()
        self._check_updates()
        self._check_privacy()
        self._check_data()
        check_root(self)
        check_rule(self)

    def _check_updates(self) -> None:
        """Refuse what no update can be, before any data is read."""
        check_cohort_sizes(self.cohort_size, self.k_min)
        if self.profile not in [profile.value for profile in Profile]:
            raise SpecError(f"profile {self.profile!r} is unknown: choose accountable, hospital or private")
        if self.profile == Profile.PRIVATE.value and self.hospitals < MIN_JOINT_HOSPITALS:
            raise SpecError(
                f"profile private hides each hospital's sum among the others', which takes at least "
                f"{MIN_JOINT_HOSPITALS} hospitals, not {self.hospitals}: take more, or --profile hospital"
            )
        self.compression()
        if len(self.link_classes) > self.devices:
            raise SpecError(
                f"{len(self.link_classes)} link classes for {self.devices} devices a hospital: take fewer"
            )
        if self.clip_norm is not None and not (math.isfinite(self.clip_norm) and self.clip_norm > 0):
            raise SpecError(f"clip norm {self.clip_norm}: choose a positive finite number")

    def _check_computing(self) -> None:
        """Refuse places and numbers of processes to compute on that cannot be."""
        check_device_name(self.torch_device)
        if self.threads < 1:
            raise SpecError(f"{self.threads} threads: choose at least 1")
        if self.workers < 1:
            raise SpecError(f"{self.workers} worker processes: choose at least 1")
        if self.workers > 1 and (self.torch_device != "cpu" or self.threads > 1):
            raise SpecError(
                f"{self.workers} worker processes train on one thread of the CPU each: leave --device and --threads "
                "out, or take --workers 1"
            )

    def _check_privacy(self) -> None:
        """Refuse claims that cannot be, and parts of one that nothing asks for."""
        for target in (self.epsilon, self.edge_epsilon):
            if target is not None:
                check_target(target, self.chosen_delta, self.rounds)
        if self.epsilon is None and self.edge_epsilon is not None:
            raise SpecError(f"epsilon {self.edge_epsilon} at the edge without noise: name an --epsilon too")
        if not self.draws_noise and self.delta is not None:
            raise SpecError(f"delta {self.delta} without noise: name an --epsilon or a --record-epsilon too")
        if self.record_epsilon is None and self.record_clip is not None:
            raise SpecError(f"--record-clip {self.record_clip} is about --record-epsilon: name that too")
        self.training()

    def _check_data(self) -> None:
        """Refuse data that are named twice or in part."""
        if self.csv is None and (self.label or self.group or self.site):
            raise SpecError("--label, --group and --site are about a table: name it with --csv")
        if self.split_patients and self.group is None:
            raise SpecError("--split-patients is about patients of a table: name their column with --group")
        if (self.data is None) == (self.csv is None):
            raise SpecError("name either a data set (--data) or a table (--csv), not both")
        if self.csv is not None and self.label is None:
            raise SpecError("a table needs its label column: --label COLUMN")
        if self.ranges is not None and self.csv is None:
            raise SpecError("--ranges is about a table: name it with --csv")

    def load(self) -> Table:
        """Read the data.

        Raises:
            DataError: it cannot be used; the message says why.
        """
        if self.csv is not None:
            assert self.label is not None
            declared = self.declared()
            return load_csv(
                Path(self.csv),
                self.label,
                self.group,
                self.site,
                divisible_groups=self.split_patients,
                declared=None if declared is None else declared.columns,
            )
        assert self.data is not None
        return load(self.data)

    def declared(self) -> PublicRanges | None:
        """What the user's file says of the table's columns and classes; None without one.

        Raises:
            DataError: the file is missing or malformed.
        """
        return (
            None if self.ranges is None or self.label is None else read_ranges(Path(self.ranges), self.label)
        )

    @property
    def draws_noise(self) -> bool:
        """Whether anything is claimed that fresh noise pays for: then data are scaled by what is public only."""
        return self.epsilon is not None or self.record_epsilon is not None

    @property
    def chosen_delta(self) -> float:
        """The delta of all claims."""
        return default_delta(self.hospitals * self.devices) if self.delta is None else self.delta

    def training(self) -> LocalTraining:
        """How devices train; per-record noise is solved for all rounds together.

        Raises:
            SpecError: values out of range, or a target for records that no noise meets.
        """
        privacy = None
        if self.record_epsilon is not None:
            privacy = RecordPrivacy(
                noise_multiplier_for(self.record_epsilon, self.chosen_delta, self.epochs * self.rounds),
                DEFAULT_RECORD_CLIP if self.record_clip is None else self.record_clip,
                self.chosen_delta,
            )
        return LocalTraining(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            proximal=self.proximal,
            record_privacy=privacy,
        )

    def model_spec(self, features: int, classes: int) -> ModelSpec:
        """The model on so many features and classes.

        Raises:
            SpecError: hidden layers that cannot be, or that the model does not have.
        """
        kind: Literal["logistic", "mlp"] = "mlp" if self.model == "mlp" else "logistic"
        hidden = self.hidden or (DEFAULT_HIDDEN if kind == "mlp" else ())
        return ModelSpec(kind, features, classes, hidden)

    def compression(self) -> CompressionSpec | None:
        """Which coordinates devices send; None where all of them send all.

        Raises:
            SpecError: shares out of range, or settings without effect.
        """
        spec = CompressionSpec(
            self.fraction,
            public_top=PUBLIC_TOP if self.public_top is None else self.public_top,
            prefixes=self.link_classes,
            residual_norm=CompressionSpec.residual_norm if self.residual is None else self.residual,
        )
        if self.fraction < 1 or len(self.link_classes) > 1:
            return spec
        if self.residual is not None or self.public_top is not None:
            raise SpecError(
                "--residual and --public-top are about parameters that are not sent: name a --fraction below 1, or "
                "--link-classes"
            )
        return None

    def terms(self) -> UpdateTerms:
        """What is asked for about updates."""
        return UpdateTerms(
            profile=Profile(self.profile),
            hospitals=self.hospitals,
            devices=self.hospitals * self.devices,
            rounds=self.rounds,
            cohort_size=self.cohort_size,
            k_min=self.k_min,
            epsilon=self.epsilon,
            edge_epsilon=self.edge_epsilon,
            delta=self.delta,
            clip_norm=self.clip_norm,
            compression=self.compression(),
            bits=self.bits,
        )

    def round_spec(
        self, schema: Schema, *, reference_rows: int, scoring_digest: str, root_digest: str
    ) -> RoundSpec:
        """The spec of the run's rounds.

        Args:
            schema: the agreed data schema.
            reference_rows: rows that make a weight of 1.
            scoring_digest: digest (hex) of the agreed scoring settings.
            root_digest: digest (hex) of the root set.

        Raises:
            SpecError: settings that cannot work.
        """
        return agree_on_spec(
            self.terms(),
            self.model_spec(schema.features, schema.classes),
            self.training(),
            reference_rows=reference_rows,
            schema_digest=digest_json(schema.to_json()).hex(),
            scoring_digest=scoring_digest,
            rule=rule_spec(self, root_digest),
            auditor=self.auditor,
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RunSettings:
        """The settings that `to_json` wrote.

        Raises:
            SpecError: a setting is unknown or out of range.
        """
        try:
            known = {"rule": "mean", QUARANTINE: None, **value}  # what was, before it could be chosen
            known[QUARANTINE] = read_quarantine(known[QUARANTINE])
            return cls(**{**known, **{name: tuple(value[name]) for name in _LISTS if name in value}})
        except TypeError as error:
            raise SpecError(f"run settings are malformed: {error}") from error
