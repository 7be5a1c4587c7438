"""A whole run: from settings to a folder with bundles and a state that later commands read."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.baseline import train_centralised
from fl_core.canonical import canonical_json
from fl_core.checkpoint import Checkpoint, CheckpointError, CheckpointStore, Snapshot
from fl_core.data import Encoder
from fl_core.data.tables import IntArray
from fl_core.errors import SpecError
from fl_core.record_privacy import record_epsilon
from fl_core.spec import Profile, RoundSpec, epoch_of
from fl_core.stores import open_store
from fl_core.tiers import Cloud
from fl_core.training import evaluate
from scripts.federation import resume_figures, resume_world
from scripts.federation.alerts import Alerts
from scripts.federation.begun_rounds import note_begun
from scripts.federation.book import RoundBook
from scripts.federation.channel_keys import write_channel_keys
from scripts.federation.contributions import scoring_digest, scoring_settings
from scripts.federation.population import (
    Accounts,
    HospitalAccounts,
    NoiseSources,
    Population,
    build_population,
)
from scripts.federation.root_set_file import write_root_set
from scripts.federation.rounds import Coordinator, RoundSummary
from scripts.federation.run_state import STATE_FILE, RunState
from scripts.federation.schema_file import SCHEMA_FILE, read_schema, write_schema
from scripts.federation.settings import RunSettings
from scripts.federation.signing import domain_of, session_of, verifier_of

__all__ = ["CHECKPOINTS", "STATE_FILE", "Run", "RunState", "new_run_id"]

CHECKPOINTS = "checkpoint"  # folder of a run's checkpoints, the owner's alone


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
        hospital_accounts: HospitalAccounts,
        deployment: dict[str, Any] | None,
        account_secret: bytes = b"",
        noise: NoiseSources | None = None,
    ) -> None:
        """Load the data and create the population; nothing is written before that works.

        Args:
            settings: what the user chose.
            run_id: the run's id.
            folder: the run's folder.
            book: where rounds are recorded.
            accounts: gives each device its account of an epoch.
            hospital_accounts: gives each hospital its account.
            deployment: the deployment that rounds are recorded on, or None.
            account_secret: what the accounts of a run without a chain come from, for its checkpoints.
            noise: where devices' noise comes from; None for the operating system, anything else is for tests.

        Raises:
            DataError: the data cannot be used or split.
            SpecError: settings that cannot work.
            BundleError: the folder holds a schema that cannot be read.
        """
        self.settings = settings
        self.folder = folder
        self.store = open_store(settings.store, run_id, folder)
        self.alerts = Alerts(run_id, folder)
        self._book = book
        self._account_secret = account_secret
        self._notes_begun = settings.draws_noise and noise is None and deployment is None
        agreed = read_schema(folder)
        self.population: Population = build_population(
            settings,
            known=None if agreed is None else agreed.projection,
            domain=domain_of(run_id, book.chain_id, book.ledger),
            verifier=verifier_of(book.chain_id),
            accounts=accounts,
            hospital_accounts=hospital_accounts,
            session=session_of(run_id),
            noise=noise,
        )
        scores = Profile(settings.profile).scores_devices
        scoring = scoring_settings(settings.quarantine if scores else None)
        self.spec: RoundSpec = self.population.round_spec(scoring_digest(scoring))
        self.record_epsilon(settings.rounds)
        self.state = RunState(run=run_id, settings=settings, deployment=deployment)
        self.summaries: list[RoundSummary] = []
        self.cloud = Cloud(self.spec, seed=settings.seed, rounds_done=book.next_round - 1)
        self._coordinator = Coordinator(
            run_id=run_id,
            population=self.population,
            cloud=self.cloud,
            book=book,
            store=self.store,
            scoring=scoring,
            accuracy=self.accuracy,
        )
        self._store: CheckpointStore | None = None

    def train(self, observe: Callable[[RoundSummary], None] = lambda _: None) -> None:
        """Run the rounds that are left; each is on disk, in a checkpoint and on the book, before the next begins.

        Args:
            observe: called after each round.

        Raises:
            RoundRejectedError: a hospital refused to attest.
            CheckpointError: the checkpoint cannot be written; the one before it stays.
        """
        if self._store is None:
            self._draw_epoch(epoch_of(self.cloud.rounds_done))
            self.population.agree_on_scaling(self.cloud.rounds_done)
            self._commit_to_scaling()
            if self.settings.start == "root":
                self.cloud.model = self.population.public_start(self.spec)
            if self.spec.rule.takes_root:
                write_root_set(self.folder, self.population)
            if self.population.schema.projection is not None:
                write_schema(self.folder, self.population.schema)
                if self.settings.store is not None:
                    self.store.write_document(SCHEMA_FILE, canonical_json(self.population.schema.to_json()))
        with self._store or CheckpointStore(self.folder / CHECKPOINTS) as store:
            store.write(self.checkpoint())
            self.state.save(self.folder)
            try:
                self._coordinator.register_epoch()
                if self.summaries:
                    self._coordinator.conclude(self.summaries[-1])
                    self.alerts.tell(self.summaries[-1].record)
                while self.rounds_left > 0:
                    observe(self._round(store))
                self.state.status = "complete"
            finally:
                if self.state.status == "running":
                    self.state.status = "interrupted"
                self.state.save(self.folder)
            store.clear()

    def checkpoint(self) -> Checkpoint:
        """Everything that the run holds, between two rounds."""
        state = Snapshot(
            values={"run": self.state.to_json(), "world": self._world},
            secrets={"accounts": self._account_secret},
            parts={
                "cloud": self.cloud.snapshot(),
                "coordinator": self._coordinator.snapshot(),
                "figures": resume_figures.snapshot_of(self.summaries),
                "population": resume_world.snapshot_of(self.population),
            },
        )
        return Checkpoint(self.state.run, self.cloud.rounds_done, state)

    def restore(self, checkpoint: Checkpoint, store: CheckpointStore) -> None:
        """Set a run that was made from the same settings to where a checkpoint was taken; `train` goes on there.

        Args:
            checkpoint: what `checkpoint` gave.
            store: where it came from, and where the next ones go.

        Raises:
            CheckpointError: it is of another run, or data or code have changed since.
            FlError: what it holds cannot be used.
        """
        state = checkpoint.state
        if checkpoint.run != self.state.run:
            raise CheckpointError(f"checkpoint of run {checkpoint.run} in the folder of {self.state.run}")
        if state.value("world") != self._world:
            raise CheckpointError(
                f"run {self.state.run} cannot go on: its data, or what this version makes of its settings, is not what "
                "it was"
            )
        self.state = RunState.from_json(state.value("run"))
        self.state.status = "running"
        self.cloud.restore(state.part("cloud"))
        resume_world.restore(self.population, state.part("population"), dim=self.spec.dim)
        self._commit_to_scaling()
        self.summaries = resume_figures.summaries_from(state.part("figures"), self.store)
        records = [summary.record for summary in self.summaries]
        self._coordinator.restore(state.part("coordinator"), records)
        self._store = store

    def abandon(self, round_number: int) -> None:
        """Pass over a round that was interrupted and gives no model; every device's privacy account pays for it.

        Whoever could have taken part may have sent its masked input, and nobody knows any more who did.

        Raises:
            SpecError: it is not the next round.
        """
        self.cloud.abandon(round_number)
        for hospital in self.population.hospitals:
            for device in hospital.devices:
                device.charge_interrupted(self.spec, round_number)
        self.state.abandoned.append(round_number)

    def accuracy(self, model: NDArray[np.float32]) -> float:
        """Accuracy of a model on the test rows."""
        rows = self._encoded(self.population.federation.test, self._encoder)
        return evaluate(self.spec.model, model, *rows).accuracy

    def centralised_accuracy(self) -> float:
        """Accuracy on the test rows of the same model trained on all devices' rows in one place, not projected."""
        encoder, federation = self._encoder, self.population.federation
        plain = replace(encoder, schema=replace(encoder.schema, projection=None))
        model = replace(self.spec.model, features=plain.features)
        training, test = (self._encoded(rows, plain) for rows in (federation.training_rows, federation.test))
        return train_centralised(model, *training, *test, seed=self.settings.seed).test.accuracy

    def _commit_to_scaling(self) -> None:
        """Name the scaling in the spec where the record depends on it, before a round is opened under that spec."""
        if self.spec.rule.takes_root:
            self.spec = self.cloud.spec = replace(self.spec, scaling_digest=self._encoder.scaling_digest)

    @property
    def _encoder(self) -> Encoder:
        if self.population.encoder is None:
            raise SpecError("the scaling has not been agreed on yet: train first")
        return self.population.encoder

    def _encoded(self, rows: IntArray, encoder: Encoder) -> tuple[NDArray[np.float32], IntArray]:
        table = self.population.table
        return encoder.encode(table, rows), table.labels[rows]

    @property
    def rounds_charged(self) -> int:
        """Rounds that a device may have taken part in; with noise on one that was interrupted counts."""
        return len(self.state.rounds) + (len(self.state.abandoned) if self.settings.draws_noise else 0)

    def record_epsilon(self, rounds: int) -> float | None:
        """Epsilon of one record of the device with most rows over so many rounds; None without per-record noise.

        Raises:
            SpecError: delta means nothing for so many records.
        """
        privacy = self.spec.training.record_privacy
        if privacy is None:
            return None
        rows = max(self.population.true_rows.values())
        return record_epsilon(privacy, rows, self.spec.training.epochs * rounds)

    @property
    def rounds_left(self) -> int:
        """Rounds that may still begin."""
        return self.settings.rounds - self.rounds_charged

    def _round(self, store: CheckpointStore) -> RoundSummary:
        """One round: once its bundle is on disk a checkpoint is taken, and only then do hospitals attest.

        That it begins is on disk before any device trains: on the ledger, or without one in a record of the run's own
        where noise is drawn anew.
        """
        coordinator = self._coordinator
        if coordinator.next_epoch != coordinator.epoch:
            self._draw_epoch(coordinator.next_epoch)
            store.write(self.checkpoint())
            coordinator.register_epoch()
        if self._notes_begun:
            note_begun(self.folder / CHECKPOINTS, self.cloud.rounds_done + 1)
        summary = coordinator.run_round()
        self.summaries.append(summary)
        self.state.accounts[str(coordinator.epoch)] = {
            f"{h.id}-{i}": device.address.hex()
            for h in self.population.hospitals
            for i, device in enumerate(h.devices)
        }
        self.state.rounds.append(summary.record.number)
        store.write(self.checkpoint())
        coordinator.conclude(summary)
        self.alerts.tell(summary.record)
        self.state.save(self.folder)
        return summary

    def _draw_epoch(self, epoch: int) -> None:
        """Fresh accounts and keys; the devices' channel keys are kept for the receipts to come."""
        self._coordinator.draw_epoch(epoch)
        devices = (device for hospital in self.population.hospitals for device in hospital.devices)
        keys = {device.address: device.identity.channel_private for device in devices}
        write_channel_keys(self.folder, epoch, keys)

    @cached_property
    def _world(self) -> dict[str, str]:
        """What a checkpoint must agree with: the spec of the rounds, and the data."""
        spec = replace(self.spec, scaling_digest="")  # not known before the checkpoint is read
        return {"spec": spec.digest.hex(), "data": resume_world.data_digest(self.population.table)}
