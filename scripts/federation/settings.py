"""What the user chose for a run, and its translation into a round spec."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fl_core.canonical import digest_json
from fl_core.data import Encoder, Schema, Table, load, load_csv
from fl_core.errors import SpecError
from fl_core.models import ModelSpec, parameter_count
from fl_core.privacy.noise_spec import check_target
from fl_core.spec import Profile, RoundSpec, check_cohort_sizes
from fl_core.tiers import MIN_JOINT_HOSPITALS
from fl_core.training import LocalTraining
from fl_core.updates import CompressionSpec
from scripts.federation.public_ranges import known_ranges, read_ranges
from scripts.federation.update_terms import UpdateTerms, agree_on_updates

DEFAULT_EPSILON = 8.0
DEFAULT_DELTA = 1e-5  # the most that a default may be


@dataclass(frozen=True)
class RunSettings:
    """A run as asked for on the command line.

    Attributes:
        data: name of an embedded data set, or None with `csv`.
        csv: path of a table, or None.
        label: label column of the table.
        group: group (patient) column of the table, or None.
        site: column that names the hospital of a row, or None.
        hospitals: number of hospitals, 1..64.
        devices: devices a hospital.
        rounds: rounds to run.
        profile: "accountable", "hospital" or "private": what may be seen outside a device's cohort.
        model: "logistic" or "mlp".
        epochs: local epochs.
        batch_size: rows a local step.
        learning_rate: local step size.
        alpha: Dirichlet concentration of the label skew over devices.
        cohort_size: devices that are summed together.
        k_min: fewest devices whose sum may be seen.
        epsilon: target of differential privacy at release, over all rounds; None for no noise.
        delta: of the same; None for min(1e-5, 1 / devices^2).
        clip_norm: L2 bound of a device's weighted update; None for a default that depends on the noise.
        fraction: share of the coordinates that a round's devices send.
        bits: ring width of a cohort's sum; None for as many as are needed.
        ranges: path of a file with public ranges of the columns, or None.
        dropout: probability that a device fails in a round.
        flippers: label flippers among the devices.
        free_riders: devices that send zeros.
        inflating_hospital: id of a hospital that declares more rows than it has, or 0.
        inflation: factor by which it does.
        own_payees: share of the devices that opt in to a payee of their own.
        seed: seed of data split, training and simulation (never of a secret).
    """

    data: str | None = "wdbc"
    csv: str | None = None
    label: str | None = None
    group: str | None = None
    site: str | None = None
    hospitals: int = 4
    devices: int = 16
    rounds: int = 10
    profile: str = Profile.ACCOUNTABLE.value
    model: str = "logistic"
    epochs: int = 5
    batch_size: int = 8
    learning_rate: float = 0.1
    alpha: float = 2.0
    cohort_size: int = 8
    k_min: int = 5
    epsilon: float | None = None
    delta: float | None = None
    clip_norm: float | None = None
    fraction: float = 1.0
    bits: int | None = None
    ranges: str | None = None
    dropout: float = 0.0
    flippers: int = 0
    free_riders: int = 0
    inflating_hospital: int = 0
    inflation: int = 1
    own_payees: float = 0.5
    seed: int = 0

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
        if not 1 <= self.hospitals <= 64:
            raise SpecError(f"{self.hospitals} hospitals: choose 1 to 64")
        if self.devices < self.k_min:
            raise SpecError(
                f"{self.devices} devices a hospital cannot make a cohort of at least {self.k_min} (k_min): "
                "take more devices or a smaller --k-min"
            )
        if self.flippers + self.free_riders > self.hospitals * self.devices:
            raise SpecError("more dishonest devices than devices: take fewer flippers and free riders")
        if not 0 <= self.inflating_hospital <= self.hospitals:
            raise SpecError(f"hospital {self.inflating_hospital} cannot inflate: there are {self.hospitals}")
        if self.inflation < 1 or not 0 <= self.own_payees <= 1:
            raise SpecError("inflation must be at least 1, and the share of own payees between 0 and 1")
        self._check_updates()
        self._check_data()

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
        if self.epsilon is not None:
            check_target(self.epsilon, DEFAULT_DELTA if self.delta is None else self.delta, self.rounds)
        elif self.delta is not None:
            raise SpecError(f"delta {self.delta} without noise: name an --epsilon too")
        CompressionSpec(self.fraction)
        if self.clip_norm is not None and not (math.isfinite(self.clip_norm) and self.clip_norm > 0):
            raise SpecError(f"clip norm {self.clip_norm}: choose a positive finite number")

    def _check_data(self) -> None:
        """Refuse data that are named twice or in part."""
        if self.csv is None and (self.label or self.group or self.site):
            raise SpecError("--label, --group and --site are about a table: name it with --csv")
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
            return load_csv(Path(self.csv), self.label, self.group, self.site)
        assert self.data is not None
        return load(self.data)

    def encoder(self, table: Table) -> Encoder | None:
        """The encoder that follows from public ranges; None where scaling statistics are summed instead (no noise).

        Raises:
            DataError: the file of ranges cannot be used, or lacks a column.
            SpecError: noise is on, and no public ranges are known.
        """
        if self.ranges is not None:
            return read_ranges(Path(self.ranges)).encoder(table)
        return None if self.epsilon is None else known_ranges(table).encoder(table)

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
            delta=self.delta,
            clip_norm=self.clip_norm,
            fraction=self.fraction,
            bits=self.bits,
        )

    def round_spec(self, schema: Schema, *, reference_rows: int, scoring_digest: str) -> RoundSpec:
        """The spec of the run's rounds.

        Args:
            schema: the agreed data schema.
            reference_rows: rows that make a weight of 1.
            scoring_digest: digest (hex) of the agreed scoring settings.

        Raises:
            SpecError: settings that cannot work.
        """
        kind: Literal["logistic", "mlp"] = "mlp" if self.model == "mlp" else "logistic"
        model = ModelSpec(kind, schema.features, schema.classes, (16,) if kind == "mlp" else ())
        agreed = agree_on_updates(self.terms(), parameter_count(model))
        return RoundSpec(
            model=model,
            training=LocalTraining(
                epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate
            ),
            cohort_size=self.cohort_size,
            k_min=self.k_min,
            clip_norm=agreed.clip_norm,
            bits=agreed.bits,
            fraction_bits=agreed.fraction_bits,
            reference_rows=reference_rows,
            utility_clip=1.0,
            utility_step=100,
            schema_digest=digest_json(schema.to_json()).hex(),
            scoring_digest=scoring_digest,
            profile=Profile(self.profile),
            min_hospitals=agreed.min_hospitals,
            compression=agreed.compression,
            noise=agreed.noise,
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
            return cls(**value)
        except TypeError as error:
            raise SpecError(f"run settings are malformed: {error}") from error
