"""A local node (Anvil or Hardhat) that stays up between commands: `fediomt chain up`, `down` and `status`.

What is known about it lies in one folder: `node.json` (process, endpoint), `node.log`, and
`chain-state.json` if the chain is kept. A process id alone proves nothing after a restart of the machine,
so the process's start time and command line are compared before it is called ours, let alone stopped.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from chain.anvil import AnvilOptions, await_ready, find_anvil, require_free
from chain.clock import head
from chain.connect import connect_lightly
from chain.errors import EngineMissing, NodeError
from chain.files import write_atomically
from chain.hardhat import HardhatOptions, find_hardhat
from chain.processes import fingerprint, reap

_RECORD = "node.json"
_LOG = "node.log"
_STATE = "chain-state.json"
_STOP_PATIENCE_S = 10.0
_READY_S = 90.0


@dataclass(frozen=True)
class NodeStatus:
    """What is known about the daemon.

    Attributes:
        running: the process is there and is ours.
        answers: it answers for its chain.
        stale: there was a record of a process that is gone.
        url: endpoint, or None if there is no record.
        pid: process id, or None.
        chain_id: EVM chain id, or None.
        block: number of the latest block, or None.
        started_at: unix seconds, or None.
        engine: "anvil" or "hardhat", or None.
        changed: whether the call that returned this started or stopped the node.
    """

    running: bool
    answers: bool = False
    stale: bool = False
    url: str | None = None
    pid: int | None = None
    chain_id: int | None = None
    block: int | None = None
    started_at: int | None = None
    engine: str | None = None
    changed: bool = False


@dataclass(frozen=True)
class _Record:
    pid: int
    fingerprint: str
    url: str
    chain_id: int
    started_at: int
    engine: str = "anvil"


def start_daemon(
    directory: Path,
    *,
    engine: str = "anvil",
    port: int = 8545,
    chain_id: int = 31337,
    accounts: int = 10,
    keep_state: bool = True,
) -> NodeStatus:
    """Start a node that outlives this process; no effect if it is already up.

    Anvil keeps its chain across restarts. Hardhat cannot: each start is a chain of its own, with another first
    block, so that a deployment that was made on an earlier one is refused (`deployments.load_deployment`).

    Args:
        directory: where its record, log and state are kept.
        engine: "anvil" or "hardhat".
        port: loopback port.
        chain_id: EVM chain id.
        accounts: development accounts that are funded.
        keep_state: have Anvil keep the chain across restarts.

    Raises:
        EngineMissing: the engine is not installed, or unknown.
        PortTaken: something else listens at the port.
        NodeError: it does not come up, or is up as another engine or with another port or chain id.
    """
    options: AnvilOptions | HardhatOptions
    if engine == "anvil":
        options = AnvilOptions(port, chain_id, accounts, directory.resolve() / _STATE if keep_state else None)
    elif engine == "hardhat":
        options = HardhatOptions(port, chain_id)
    else:
        raise EngineMissing(f"there is no engine {engine!r}: choose anvil or hardhat")
    with _locked(directory):
        present = daemon_status(directory)
        if present.running:
            if (present.url, present.chain_id, present.engine) != (options.url, options.chain_id, engine):
                raise NodeError(
                    f"a node of chain {present.chain_id} ({present.engine}) is already up at {present.url}: "
                    "stop it with `fediomt chain down` first"
                )
            return present
        program = find_anvil() if engine == "anvil" else find_hardhat()
        require_free(port)
        pid = _spawn(options.command(program), directory / _LOG, options.environment())
        try:
            said = lambda: _last_words(pid, directory / _LOG)  # noqa: E731 - what the process printed last
            await_ready(options.url, chain_id, said, timeout_s=_READY_S)
            record = _Record(pid, fingerprint(pid) or "", options.url, chain_id, int(time.time()), engine)
            write_atomically(directory / _RECORD, json.dumps(asdict(record), indent=1).encode(), mode=0o600)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            reap(pid, wait=True)
            raise
        return replace(daemon_status(directory), changed=True)


def stop_daemon(directory: Path) -> NodeStatus:
    """Stop the node if it is up; the chain stays on disk if it was kept.

    Raises:
        NodeError: the process does not end, or is another user's.
    """
    with _locked(directory):
        present = daemon_status(directory)
        if present.running and present.pid is not None:
            _end(present.pid)
        (directory / _RECORD).unlink(missing_ok=True)
        return replace(present, running=False, answers=False, block=None, changed=present.running)


def daemon_status(directory: Path) -> NodeStatus:
    """What the record says, compared with the process that is there."""
    record = _read_record(directory)
    if record is None:
        return NodeStatus(running=False)
    status = NodeStatus(
        running=True,
        url=record.url,
        pid=record.pid,
        chain_id=record.chain_id,
        started_at=record.started_at,
        engine=record.engine,
    )
    reap(record.pid)
    if not record.fingerprint or fingerprint(record.pid) != record.fingerprint:
        return replace(status, running=False, stale=True)
    try:
        block, _ = head(connect_lightly(record.url, chain_id=record.chain_id, timeout_s=5.0))
    except NodeError:
        return status
    return replace(status, answers=True, block=block)


def _read_record(directory: Path) -> _Record | None:
    try:
        return _Record(**json.loads((directory / _RECORD).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise NodeError(
            f"{directory / _RECORD} is not a node's record: delete it, and stop what still runs by hand"
        ) from error


def _spawn(command: list[str], log: Path, environment: dict[str, str]) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, os.environ | environment, file_actions=actions, setsid=True)


def _last_words(pid: int, log: Path) -> str | None:
    reap(pid)
    if fingerprint(pid) is not None:
        return None
    return log.read_text(encoding="utf-8", errors="replace").strip()[-400:].replace("\n", " ")


def _end(pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise NodeError(
                f"the node (process {pid}) belongs to another user: stop it from there"
            ) from error
        until = time.monotonic() + _STOP_PATIENCE_S
        while time.monotonic() < until:
            reap(pid)
            if fingerprint(pid) is None:
                return
            time.sleep(0.02)
    raise NodeError(f"the node (process {pid}) does not end: stop it by hand")


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "node.lock").open("w")
    except OSError as error:
        raise NodeError(f"cannot use {directory} for the local node: {error.strerror or error}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
