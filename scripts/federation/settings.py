"""What the user chose for a run, and its translation into a round spec."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fl_core.canonical import digest_json
from fl_core.data import Schema, Table, load, load_csv
from fl_core.errors import SpecError
from fl_core.models import ModelSpec
from fl_core.spec import RoundSpec
from fl_core.training import LocalTraining


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
        model: "logistic" or "mlp".
        epochs: local epochs.
        batch_size: rows a local step.
        learning_rate: local step size.
        alpha: Dirichlet concentration of the label skew over devices.
        cohort_size: devices that are summed together.
        k_min: fewest devices whose sum may be seen.
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
    model: str = "logistic"
    epochs: int = 5
    batch_size: int = 8
    learning_rate: float = 0.1
    alpha: float = 2.0
    cohort_size: int = 8
    k_min: int = 5
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
        if self.csv is None and (self.label or self.group or self.site):
            raise SpecError("--label, --group and --site are about a table: name it with --csv")
        if (self.data is None) == (self.csv is None):
            raise SpecError("name either a data set (--data) or a table (--csv), not both")
        if self.csv is not None and self.label is None:
            raise SpecError("a table needs its label column: --label COLUMN")

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

    def round_spec(self, schema: Schema, *, reference_rows: int, scoring_digest: str) -> RoundSpec:
        """The spec of the run's rounds.

        Args:
            schema: the agreed data schema.
            reference_rows: rows that make a weight of 1.
            scoring_digest: digest (hex) of the agreed scoring settings.
        """
        kind: Literal["logistic", "mlp"] = "mlp" if self.model == "mlp" else "logistic"
        hidden = (16,) if kind == "mlp" else ()
        return RoundSpec(
            model=ModelSpec(kind, schema.features, schema.classes, hidden),
            training=LocalTraining(
                epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate
            ),
            cohort_size=self.cohort_size,
            k_min=self.k_min,
            clip_norm=16.0,
            bits=32,
            fraction_bits=20,
            reference_rows=reference_rows,
            utility_clip=1.0,
            utility_step=100,
            schema_digest=digest_json(schema.to_json()).hex(),
            scoring_digest=scoring_digest,
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
