"""Hardhat's node: where its program is, and how it is started. It keeps no state across restarts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from chain.anvil import HOST
from chain.errors import EngineMissing

_ENTRY = Path("node_modules", "hardhat", "internal", "cli", "bootstrap.js")
_CONFIG = "hardhat.config.js"


@dataclass(frozen=True)
class HardhatOptions:
    """How a node is run; its accounts are those of `keys.development_keys`.

    Attributes:
        port: loopback port.
        chain_id: EVM chain id.
    """

    port: int
    chain_id: int = 31337

    @property
    def url(self) -> str:
        """Endpoint of the node."""
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """What the program finds in its environment besides what this process has."""
        return {"FEDIOMT_CHAIN_ID": str(self.chain_id), "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true"}

    def command(self, program: Path) -> list[str]:
        """The command line; Node runs Hardhat's entry itself, so that signals reach it.

        Raises:
            EngineMissing: Node is not installed.
        """
        node = shutil.which("node")
        if node is None:
            raise EngineMissing("Hardhat needs Node >= 20: install it, or use `--engine anvil`")
        root = program.parents[len(_ENTRY.parts) - 1]
        words = [node, str(program), "--config", str(root / _CONFIG), "node"]
        return [*words, "--hostname", HOST, "--port", str(self.port)]


def find_hardhat() -> Path:
    """Hardhat's entry in the npm packages of this project, beside the project's configuration.

    Raises:
        EngineMissing: it is not installed.
    """
    for root in (Path(__file__).resolve().parents[1], Path.cwd()):
        if (root / _ENTRY).is_file() and (root / _CONFIG).is_file():
            return root / _ENTRY
    raise EngineMissing(
        "Hardhat is not installed: run `npm ci --ignore-scripts` in the project's folder, or use `--engine anvil`"
    )
