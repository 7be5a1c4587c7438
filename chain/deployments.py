"""Which contracts are where: one JSON file a chain id, and a check that they are still there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chain.connect import chain_identity, to_address
from chain.errors import ChainError, NotDeployed
from chain.files import write_atomically
from chain.rpc import batch, endpoint, unwrap

if TYPE_CHECKING:
    from web3 import Web3

HINT = "run `fediomt deploy`"
CONTRACT_FIELDS = (
    "authority",
    "settlement",
    "consortium",
    "council",
    "token",
    "ledger",
    "distributor",
    "desk",
    "court",
)


@dataclass(frozen=True)
class Deployment:
    """The contracts of one consortium.

    Attributes:
        chain_id: EVM chain id.
        genesis: hash of block 0, 0x-hex; tells a fresh node from the one that was deployed to.
        block: block from which the contracts' events begin.
        deployer: account that deployed, and governs until it hands over.
        authority: AccessManager.
        settlement: ERC-20 in which bonds are posted.
        consortium: Consortium.
        council: Council, which governs once the deployer has handed over.
        token: ParticipationToken.
        ledger: ContributionLedger.
        distributor: RewardDistributor.
        desk: RedemptionDesk.
        court: DisputeCourt.
        disclosed_tree: DisclosedTree, where hospitals may put their devices' scores in clear on chain; else None.
        config: the parameters, as `DeployConfig` has them.
    """

    chain_id: int
    genesis: str
    block: int
    deployer: str
    authority: str
    settlement: str
    consortium: str
    council: str
    token: str
    ledger: str
    distributor: str
    desk: str
    court: str
    disclosed_tree: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def addresses(self) -> dict[str, str]:
        """Contract addresses by field name."""
        addresses: dict[str, str] = {name: getattr(self, name) for name in CONTRACT_FIELDS}
        if self.disclosed_tree is not None:
            addresses["disclosed_tree"] = self.disclosed_tree
        return addresses

    def save(self, directory: Path) -> Path:
        """Write `<directory>/<chain id>.json`, whole or not at all, in place of an older deployment there.

        Raises:
            ChainError: the file cannot be written.
        """
        path = directory / f"{self.chain_id}.json"
        content = json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"
        try:
            write_atomically(path, content.encode())
        except OSError as error:
            raise ChainError(f"cannot write {path}: {error.strerror or error}") from error
        return path


def read_deployment(directory: Path, chain_id: int) -> Deployment:
    """What was recorded for a chain id, unchecked.

    Raises:
        NotDeployed: nothing was, or the file is damaged.
    """
    path = directory / f"{chain_id}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        deployment = Deployment(**content)
        for name, address in {**deployment.addresses(), "deployer": deployment.deployer}.items():
            if to_address(address) != address:
                raise NotDeployed(f"{path} has a damaged {name}: {HINT} again")
    except FileNotFoundError as error:
        raise NotDeployed(f"no contracts are recorded for chain {chain_id}: {HINT}") from error
    except (OSError, ValueError, TypeError, AttributeError, ChainError) as error:
        raise NotDeployed(f"{path} is not a record of deployed contracts: {HINT} again") from error
    if deployment.chain_id != chain_id:
        raise NotDeployed(f"{path} is about chain {deployment.chain_id}: {HINT} again")
    return deployment


def load_deployment(directory: Path, w3: Web3) -> Deployment:
    """The contracts recorded for the chain behind a connection, present there.

    Raises:
        NotDeployed: none recorded, the node was started afresh since, or code is missing.
        NodeError: the node does not answer.
    """
    chain_id, genesis = chain_identity(w3)
    deployment = read_deployment(directory, chain_id)
    if deployment.genesis != "0x" + genesis.hex():
        raise NotDeployed(
            f"the node at {endpoint(w3)} was started afresh since the contracts were deployed: {HINT}"
        )
    check_present(deployment, w3)
    return deployment


def check_present(deployment: Deployment, w3: Web3) -> None:
    """Make sure that there is code at each address.

    Raises:
        NotDeployed: somewhere there is none.
    """
    addresses = deployment.addresses()
    codes = batch(w3, [("eth_getCode", [address, "latest"]) for address in addresses.values()])
    for (name, address), code in zip(addresses.items(), codes, strict=True):
        if unwrap(code) in {"0x", "", None}:
            raise NotDeployed(
                f"there is no {name} contract at {address} on chain {deployment.chain_id}: {HINT}"
            )
