"""Flower's SecAgg+ doing the work that our secure aggregation does: CPU seconds of all clients and the server.

Flower lives in a virtual environment of its own, because it pins versions that ours does not have. What runs there is
`flower_secagg_work.py`: the functions of Flower's client mod and of its workflow, in one process, without transport.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fl_core.errors import FlError, SpecError

REQUIREMENT = "flwr>=1.41,<1.43"
"""1.42 where its own requirements can be had, else 1.41; the figures say which it was."""

_WORK = Path(__file__).with_name("flower_secagg_work.py")
_SHORT_RUN = 25_000  # clients times the square of their shares: ten to twenty seconds of Flower's sharing


class PeerError(FlError):
    """The peer cannot be installed or run."""


@dataclass(frozen=True)
class FlowerFigures:
    """What Flower's functions took.

    Attributes:
        peer: name and version.
        clients: clients of the cohort, n.
        dim: length of the vectors.
        neighbours: neighbours of a client, without itself.
        threshold: shares that reconstruct.
        dropped: clients that drop out after sharing their keys.
        peer_clients_measured: clients whose work, and the server's for them, was really done and timed; where they are
            fewer than `clients`, the other figures are theirs scaled up, apart for those that drop out and that stay.
        peer_cpu_s: CPU seconds of all clients and the server.
        peer_client_cpu_s: of all clients.
        peer_server_cpu_s: of the server.
        peer_cpu_s_by_stage: by what it was spent on.
    """

    peer: str
    clients: int
    dim: int
    neighbours: int
    threshold: int
    dropped: int
    peer_clients_measured: int
    peer_cpu_s: float
    peer_client_cpu_s: float
    peer_server_cpu_s: float
    peer_cpu_s_by_stage: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


def ensure_peer_env(folder: Path) -> Path:
    """The interpreter of a virtual environment that has Flower; created and filled on first use.

    Args:
        folder: where the environment is or will be, outside the project.

    Raises:
        PeerError: it cannot be created, or Flower cannot be installed into it.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(folder)], f"no environment could be made in {folder}")
    if subprocess.run([str(python), "-c", "import flwr"], capture_output=True, check=False).returncode:
        install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", REQUIREMENT]
        _run(install, f"{REQUIREMENT} could not be installed in {folder}")
    return python


def measure_flower(
    python: Path,
    *,
    clients: int,
    dim: int,
    neighbours: int,
    dropout: float = 0.0,
    threshold: int | None = None,
    clients_measured: int | None = None,
) -> FlowerFigures:
    """Run one SecAgg+ round through Flower's functions.

    Args:
        python: interpreter that has Flower, see `ensure_peer_env`.
        clients: n, at least 4.
        dim: length of the vectors.
        neighbours: of a client, even; clients - 1 is the complete graph.
        dropout: share of the clients that drop out after sharing their keys, 0 to below 1.
        threshold: shares that reconstruct; None: floor(2 s / 3) + 1 of s = neighbours + 1 shares.
        clients_measured: None: all where that is short (14 neighbours), else a few, at least 5.

    Raises:
        SpecError: sizes that cannot work.
        PeerError: Flower cannot be run, or a threshold was not reached.
    """
    shares = neighbours + 1
    if not 3 <= shares <= clients or (shares < clients and neighbours % 2):
        raise SpecError(
            f"{neighbours} neighbours of {clients} clients: choose an even number, or {clients - 1}"
        )
    if threshold is None:
        threshold = 2 * shares // 3 + 1
    if not 2 <= threshold <= shares or not 0 <= dropout < 1 or dim < 1:
        raise SpecError(f"threshold {threshold} of {shares}, dropout {dropout}, dim {dim}: cannot work")
    if clients_measured is None:
        clients_measured = min(clients, max(5, _SHORT_RUN // shares**2))
    dropped = round(clients * dropout)
    if not 2 <= clients_measured <= clients:
        raise SpecError(f"{clients_measured} clients measured of {clients}: choose 2..{clients}")
    settings = {
        "clients": clients,
        "dim": dim,
        "shares": shares,
        "threshold": threshold,
        "dropped": dropped,
        "measured": clients_measured,
    }
    command = [str(python), str(_WORK)]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    found = json.loads(_run(command, "Flower's round failed"))
    stages: dict[str, float] = {}
    for kind, everyone in (("alive", clients - dropped), ("dead", dropped)):
        for stage, seconds in found["cpu_s"][kind].items():
            stages[stage] = stages.get(stage, 0.0) + seconds * everyone / found[kind]
    by_side = {
        side: sum(spent for stage, spent in stages.items() if stage.startswith(side))
        for side in ("client", "server")
    }
    return FlowerFigures(
        peer=f"flwr {found['flwr']}",
        clients=clients,
        dim=dim,
        neighbours=neighbours,
        threshold=threshold,
        dropped=dropped,
        peer_clients_measured=clients_measured,
        peer_cpu_s=sum(by_side.values()),
        peer_client_cpu_s=by_side["client"],
        peer_server_cpu_s=by_side["server"],
        peer_cpu_s_by_stage=stages,
    )


def _run(command: list[str], failure: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PeerError(f"{failure}: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise PeerError(f"{failure}: {lines[-1]}")
    return done.stdout
