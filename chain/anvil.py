"""Anvil: where its program is, how it is started, and how to know that it is up."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chain.connect import chain_id_of, connect_lightly
from chain.errors import EngineMissing, NodeError, PortTaken

HOST = "127.0.0.1"
HARDFORK = "prague"
_OVERRIDE = "FEDIOMT_ANVIL"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}


@dataclass(frozen=True)
class AnvilOptions:
    """How a node is run.

    Attributes:
        port: loopback port.
        chain_id: EVM chain id.
        accounts: development accounts that are funded at the start.
        state: file in which the chain is kept across restarts, or None.
        zero_gas: gas costs nothing, as on a consortium's own network.
    """

    port: int
    chain_id: int = 31337
    accounts: int = 10
    state: Path | None = None
    zero_gas: bool = False

    @property
    def url(self) -> str:
        """Endpoint of the node."""
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """What the program finds in its environment besides what this process has."""
        return {}

    def command(self, program: Path) -> list[str]:
        """The command line."""
        words = [str(program), "--host", HOST, "--port", str(self.port), "--chain-id", str(self.chain_id)]
        words += ["--hardfork", HARDFORK, "--accounts", str(self.accounts), "--quiet"]
        if self.state is not None:
            words += ["--state", str(self.state), "--state-interval", "1"]
        if self.zero_gas:
            words += ["--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee"]
        return words


def find_anvil() -> Path:
    """Anvil's native program: the one that FEDIOMT_ANVIL names, npm's, or the one on PATH.

    npm's shim is passed over: signals would reach Node instead of the program.

    Raises:
        EngineMissing: there is none, or FEDIOMT_ANVIL names no program.
    """
    named = os.environ.get(_OVERRIDE)
    if named:
        if not os.access(named, os.X_OK) or Path(named).is_dir():
            raise EngineMissing(f"{_OVERRIDE} names {named}, which is no program: correct it or unset it")
        return Path(named)
    system = _SYSTEMS.get(platform.system(), platform.system().lower())
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    program = "anvil.exe" if system == "win32" else "anvil"
    inside = Path("node_modules", "@foundry-rs", f"anvil-{system}-{machine}", "bin", program)
    for root in (Path(__file__).resolve().parents[1], Path.cwd()):
        if os.access(root / inside, os.X_OK):
            return root / inside
    on_path = shutil.which("anvil")
    if on_path is not None and Path(on_path).read_bytes()[:2] != b"#!":
        return Path(on_path)
    raise EngineMissing(
        "Anvil, the local node, is not installed: run `npm ci --ignore-scripts` in the project's folder, "
        f"or set {_OVERRIDE} to the program"
    )


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def require_free(port: int, *, patience_s: float = 0.5) -> None:
    """Make sure that a port can be listened on.

    Args:
        port: loopback port.
        patience_s: how long to wait for it; a process that was just ended gives its port back a little later.

    Raises:
        PortTaken: something else listens there.
    """
    until = time.monotonic() + patience_s
    while not _can_bind(port):
        if time.monotonic() > until:
            raise PortTaken(f"port {port} is taken by another program: stop it, or give another port")
        time.sleep(0.02)


def await_ready(url: str, chain_id: int, died: Callable[[], str | None], *, timeout_s: float = 20.0) -> None:
    """Wait until a node that was just started answers for its chain.

    Args:
        url: its endpoint.
        chain_id: the chain that it must serve.
        died: says what the process printed if it has ended, None while it runs.
        timeout_s: longest wait.

    Raises:
        PortTaken: the node could not listen, or somebody else answers.
        NodeError: it ended, or does not answer in time.
    """
    until = time.monotonic() + timeout_s
    while True:
        last_words = died()
        if last_words is not None:
            if "in use" in last_words:
                raise PortTaken(f"{url} is taken by another program: stop it, or give another port")
            raise NodeError(f"the local node ended at once: {last_words or 'it said nothing'}")
        try:
            found = chain_id_of(connect_lightly(url, timeout_s=2.0))
        except NodeError as error:
            if time.monotonic() > until:
                raise NodeError(f"the local node does not answer at {url} after {timeout_s:.0f} s") from error
            time.sleep(0.01)
            continue
        if found != chain_id:
            raise PortTaken(f"{url} is taken by a node of chain {found}: stop it, or give another port")
        return


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
