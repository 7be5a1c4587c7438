"""A deployment under way, on disk before its first transaction: one that was killed goes on with what it created.

Where a contract is follows from its creator's nonce. So what was created so far is asked of the chain, and nothing has
to be written between two transactions.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from web3.utils.address import get_create_address

from chain.compile import artifact_names, load_artifact
from chain.connect import to_address
from chain.deployments import Deployment
from chain.errors import ChainError
from chain.files import write_atomically
from chain.processes import fingerprint
from chain.rpc import batch, request, unwrap
from chain.sender import Sender


@dataclass(frozen=True)
class BegunDeployment:
    """Where a deployment began.

    Attributes:
        chain_id: EVM chain id.
        genesis: hash of block 0, 0x-hex.
        deployer: who creates the contracts, with no other contract in between.
        terms: digest of what is deployed, and with which parameters.
        nonce: the deployer's first nonce that may be one of its transactions.
        block: the chain's latest block then.
        process: id of the process that works on it.
        started: that process's fingerprint, for ids are used again.
    """

    chain_id: int
    genesis: str
    deployer: str
    terms: str
    nonce: int
    block: int
    process: int
    started: str

    @classmethod
    def now(cls, sender: Sender, terms: str = "") -> BegunDeployment:
        """One that begins, with no contract yet."""
        block, nonce = batch(
            sender.w3, [("eth_blockNumber", []), ("eth_getTransactionCount", [sender.address, "latest"])]
        )
        return cls(
            chain_id=sender.chain_id,
            genesis="0x" + sender.genesis.hex(),
            deployer=sender.address,
            terms=terms,
            nonce=int(unwrap(nonce), 16),
            block=int(unwrap(block), 16),
            process=os.getpid(),
            started=fingerprint(os.getpid()) or "",
        )

    def created(self, sender: Sender) -> list[str]:
        """The contracts that are there, in the order in which they were created."""
        count = int(request(sender.w3, "eth_getTransactionCount", self.deployer, "latest"), 16)
        addresses = [
            to_address(str(get_create_address(self.deployer, nonce)))  # type: ignore[arg-type]
            for nonce in range(self.nonce, count)
        ]
        codes = batch(sender.w3, [("eth_getCode", [address, "latest"]) for address in addresses])
        return [at for at, code in zip(addresses, codes, strict=True) if unwrap(code) not in {"0x", "", None}]

    def is_of(self, deployment: Deployment) -> bool:
        """Whether it has ended, as that deployment."""
        known = (deployment.chain_id, deployment.genesis, deployment.deployer, deployment.block)
        return known == (self.chain_id, self.genesis, self.deployer, self.block)


def begin(folder: Path, sender: Sender, terms: str, *, recorded: Deployment | None = None) -> BegunDeployment:
    """The deployment of these terms that was interrupted, else a new one; on disk, so that it can be gone on with.

    Args:
        folder: where deployments are recorded.
        sender: the deployer. What commands that died left of its transactions has been settled.
        terms: see `terms_digest`.
        recorded: what is recorded for this chain.

    Raises:
        ChainError: another process works on it, or the file cannot be written.
    """
    begun, left = BegunDeployment.now(sender, terms), _read(folder, sender.chain_id)
    if left is not None and left.process != os.getpid() and fingerprint(left.process) == left.started:
        raise ChainError(f"process {left.process} is deploying here: wait for it, or end it")
    if left is not None and not (recorded is not None and left.is_of(recorded)) and _same(left, begun):
        begun = BegunDeployment(**{**asdict(begun), "nonce": left.nonce, "block": left.block})
    path = _path(folder, sender.chain_id)
    try:
        write_atomically(path, json.dumps(asdict(begun)).encode())
    except OSError as error:
        raise ChainError(f"cannot write {path} ({error.strerror or error}), so nothing was sent") from error
    return begun


def end(folder: Path, begun: BegunDeployment) -> None:
    """It is recorded, or nothing can come of it: forget that it began."""
    _path(folder, begun.chain_id).unlink(missing_ok=True)


def terms_digest(*terms: object) -> str:
    """What tells deployments apart: their parameters (as JSON has them), and the code of the contracts."""
    codes = [load_artifact(name)["bytecode"] for name in artifact_names()]
    return hashlib.sha256(json.dumps([terms, codes], sort_keys=True).encode()).hexdigest()


def _same(left: BegunDeployment, begun: BegunDeployment) -> bool:
    """Whether what was left is the beginning of the same, on a chain that was not set back behind it."""
    same: Sequence[str] = ("chain_id", "genesis", "deployer", "terms")
    return left.nonce <= begun.nonce and all(getattr(left, name) == getattr(begun, name) for name in same)


def _path(folder: Path, chain_id: int) -> Path:
    return folder / f"{chain_id}.begun.json"


def _read(folder: Path, chain_id: int) -> BegunDeployment | None:
    try:
        return BegunDeployment(**json.loads(_path(folder, chain_id).read_bytes()))
    except (OSError, ValueError, TypeError):  # a file that no program of ours left: nothing to go on with
        return None
