"""What a run's folder says of it: settings, deployment, rounds, accounts, results."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chain.deployments import Deployment
from fl_core.bundle import write_atomic
from fl_core.canonical import canonical_json, parse_json
from fl_core.errors import BundleError, FlError
from fl_core.plain_files import MAX_DOCUMENT_BYTES, read_plain
from fl_core.stores import RunStore, open_store
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings

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
        abandoned: rounds that an interruption of this run left without a model; nothing was paid, devices' privacy
            accounts are charged.
        results: figures of the run, once complete.
    """

    run: str
    settings: RunSettings
    deployment: dict[str, Any] | None
    status: str = "running"
    rounds: list[int] = field(default_factory=list)
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    abandoned: list[int] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The state as a JSON object."""
        return {
            "run": self.run,
            "settings": self.settings.to_json(),
            "deployment": self.deployment,
            "status": self.status,
            "rounds": self.rounds,
            "accounts": self.accounts,
            "abandoned": self.abandoned,
            "results": self.results,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RunState:
        """The state that `to_json` gave.

        Raises:
            SpecError: settings out of range.
            ValueError, LookupError, TypeError, AttributeError: otherwise malformed.
        """
        state = cls(**{**value, "settings": RunSettings.from_json(value["settings"])})
        state.devices()
        if not all(type(number) is int and 0 < number < 1 << 64 for number in state.rounds + state.abandoned):
            raise ValueError("rounds are no round numbers")
        if state.deployment is not None:
            Deployment(**state.deployment)
        return state

    def save(self, folder: Path) -> None:
        """Write the state, whole or not at all, and where bundles are kept elsewhere, beside them as well."""
        data = canonical_json(self.to_json())
        write_atomic(folder / STATE_FILE, data)
        if self.settings.store is not None:
            self.store(folder).write_document(STATE_FILE, data)

    def store(self, folder: Path) -> RunStore:
        """Where the run's bundles are; `folder` is its own.

        Raises:
            BundleError: a store that cannot be opened.
        """
        return open_store(self.settings.store, self.run, folder)

    @classmethod
    def read(cls, folder: Path) -> RunState:
        """Read a run's state.

        Raises:
            BundleError: there is no run, or its state is malformed.
        """
        path = folder / STATE_FILE
        try:
            data = read_plain(path, MAX_DOCUMENT_BYTES)
        except OSError as error:
            raise BundleError(f"no run at {folder}: {error.strerror}") from error
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: bytes, path: str) -> RunState:
        """The state that a file holds, which errors call `path`.

        Raises:
            BundleError: it is malformed.
        """
        try:
            return cls.from_json(parse_json(data))
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
        files = self.store(folder).read_bundle(number)
        return RoundRecord.from_files(files), files
