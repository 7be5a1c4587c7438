"""One run on a real node, from `chain up` to claims, that the tests of this folder look at."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chain"))

from command_line import fediomt

from chain.anvil import find_anvil
from chain.errors import EngineMissing


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Recorded:
    """A folder with a node, a deployment and one finished run."""

    folder: Path
    run: dict[str, Any]

    @property
    def run_folder(self) -> Path:
        return self.folder / "runs" / str(self.run["run"])

    def ask(self, *arguments: str) -> Any:
        """A command's JSON."""
        outcome = fediomt(*arguments, "--json", cwd=self.folder)
        assert outcome.code == 0, outcome
        return json.loads(outcome.out)


@pytest.fixture(scope="session")
def chain_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a running node that `chain up` started, and contracts that `deploy` put there."""
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("chain")
    try:
        assert fediomt("chain", "up", "--port", str(free_port()), cwd=folder).code == 0
        assert fediomt("deploy", cwd=folder).code == 0
        yield folder
    finally:
        assert fediomt("chain", "down", cwd=folder).code == 0


@pytest.fixture(scope="session")
def recorded(chain_folder: Path) -> Recorded:
    """Three rounds of training recorded on the chain."""
    outcome = fediomt("train", "--rounds", "3", "--dropout", "0.05", "--json", cwd=chain_folder)
    assert outcome.code == 0, outcome
    return Recorded(chain_folder, json.loads(outcome.out))
