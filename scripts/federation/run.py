"""A whole run: from settings to a folder with bundles and a state that later commands read."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chain.deployments import Deployment
from fl_core.baseline import train_centralised
from fl_core.bundle import read_bundle, write_atomic
from fl_core.canonical import canonical_json, parse_json
from fl_core.data.tables import IntArray
from fl_core.errors import BundleError, FlError, SpecError
from fl_core.spec import RoundSpec, epoch_of
from fl_core.tiers import Cloud
from fl_core.training import evaluate
from scripts.federation.book import RoundBook
from scripts.federation.contributions import scoring_digest, scoring_settings
from scripts.federation.population import Accounts, Population, build_population
from scripts.federation.record import RoundRecord, round_folder
from scripts.federation.rounds import Coordinator, RoundSummary
from scripts.federation.settings import RunSettings
from scripts.federation.signing import domain_of, session_of, verifier_of

STATE_FILE = "run.json"


@dataclass
class RunState:
    """What a run's folder says of it.

    Attributes:
        run: the run's id.
        settings: what the user chose.
        deployment: the deployment that its rounds are recorded on, or None without a chain.
        status: "running", "complete" or "interrupted".
        rounds: numbers of the rounds whose bundles are there.
        accounts: each device's account (hex) by epoch, "hospital-index".
        results: figures of the run, once complete.
    """

    run: str
    settings: RunSettings
    deployment: dict[str, Any] | None
    status: str = "running"
    rounds: list[int] = field(default_factory=list)
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the state, whole or not at all."""
        value = {
            "run": self.run,
            "settings": self.settings.to_json(),
            "deployment": self.deployment,
            "status": self.status,
            "rounds": self.rounds,
            "accounts": self.accounts,
            "results": self.results,
        }
        write_atomic(folder / STATE_FILE, canonical_json(value))

    @classmethod
    def read(cls, folder: Path) -> RunState:
        """Read a run's state.

        Raises:
            BundleError: there is no run, or its state is malformed.
        """
        path = folder / STATE_FILE
        try:
            value = parse_json(path.read_bytes())
            state = cls(**{**value, "settings": RunSettings.from_json(value["settings"])})
            state.devices()
            if not all(type(number) is int and 0 < number < 1 << 64 for number in state.rounds):
                raise ValueError("rounds are no round numbers")
            if state.deployment is not None:
                Deployment(**state.deployment)
            return state
        except OSError as error:
            raise BundleError(f"no run at {folder}: {error.strerror}") from error
        except (FlError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise BundleError(f"{path} is malformed: {error}") from error

    def devices(self) -> dict[bytes, tuple[int, int, int]]:
        """Each device's (hospital, index, epoch) by its account, 20 bytes."""
        found = {}
        for epoch, accounts in self.accounts.items():
            for name, address in accounts.items():
                hospital, index = name.split("-")
                found[bytes.fromhex(address)] = (int(hospital), int(index), int(epoch))
        return found

    def read_round(self, folder: Path, number: int) -> tuple[RoundRecord, dict[str, bytes]]:
        """A round's record and its files.

        Raises:
            BundleError: the bundle is missing, altered or malformed.
        """
        files = read_bundle(round_folder(folder, number))
        return RoundRecord.from_files(files), files


def new_run_id() -> str:
    """A run's id: when it started, and four random hexadecimal digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Run:
    """A run in progress."""

    def __init__(
        self,
        settings: RunSettings,
        *,
        run_id: str,
        folder: Path,
        book: RoundBook,
        accounts: Accounts,
        deployment: dict[str, Any] | None,
    ) -> None:
        """Load the data and create the population; nothing is written before that works.

        Args:
            settings: what the user chose.
            run_id: the run's id.
            folder: the run's folder.
            book: where rounds are recorded.
            accounts: gives each device its account of an epoch.
            deployment: the deployment that rounds are recorded on, or None.

        Raises:
            DataError: the data cannot be used or split.
            SpecError: settings that cannot work.
        """
        self.settings = settings
        self.folder = folder
        self._book = book
        self.population: Population = build_population(
            settings,
            domain=domain_of(run_id, book.chain_id, book.ledger),
            verifier=verifier_of(book.chain_id),
            accounts=accounts,
            session=session_of(run_id),
        )
        self._scoring = scoring_settings()
        self.spec: RoundSpec = self.population.round_spec(scoring_digest(self._scoring))
        self.state = RunState(run=run_id, settings=settings, deployment=deployment)
        self.summaries: list[RoundSummary] = []

    def train(self, observe: Callable[[RoundSummary], None] = lambda _: None) -> None:
        """Run all rounds; each is on disk, and on the book, before the next begins.

        Args:
            observe: called after each round.

        Raises:
            RoundRejectedError: a hospital refused to attest.
        """
        population, number = self.population, self._book.next_round
        coordinator = Coordinator(
            run_id=self.state.run,
            population=population,
            cloud=Cloud(self.spec, seed=self.settings.seed, rounds_done=number - 1),
            book=self._book,
            folder=self.folder,
            scoring=self._scoring,
            accuracy=self.accuracy,
        )
        coordinator.begin_epoch(epoch_of(number - 1))
        population.agree_on_scaling(number - 1)
        self.state.save(self.folder)
        try:
            for _ in range(self.settings.rounds):
                summary = coordinator.run_round()
                self.summaries.append(summary)
                self._note(summary)
                observe(summary)
            self.state.status = "complete"
        finally:
            if self.state.status == "running":
                self.state.status = "interrupted"
            self.state.save(self.folder)

    def accuracy(self, model: NDArray[np.float32]) -> float:
        """Accuracy of a model on the test rows."""
        return evaluate(self.spec.model, model, *self._encoded(self.population.federation.test)).accuracy

    def centralised_accuracy(self) -> float:
        """Accuracy on the test rows of the same model trained on all devices' rows in one place."""
        federation = self.population.federation
        training, test = self._encoded(federation.training_rows), self._encoded(federation.test)
        return train_centralised(self.spec.model, *training, *test, seed=self.settings.seed).test.accuracy

    def _encoded(self, rows: IntArray) -> tuple[NDArray[np.float32], IntArray]:
        population = self.population
        if population.encoder is None:
            raise SpecError("the scaling has not been agreed on yet: train first")
        return population.encoder.encode(population.table, rows), population.table.labels[rows]

    def _note(self, summary: RoundSummary) -> None:
        epoch = str(summary.record.number // 256)
        self.state.accounts[epoch] = {
            f"{h.id}-{i}": device.address.hex()
            for h in self.population.hospitals
            for i, device in enumerate(h.devices)
        }
        self.state.rounds.append(summary.record.number)
        self.state.save(self.folder)
