"""The clients of one deployment, together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chain.consortium import ConsortiumClient
from chain.council import CouncilClient
from chain.court import CourtClient
from chain.deployments import Deployment
from chain.desk import DeskClient
from chain.distributor import DistributorClient
from chain.ledger import LedgerClient
from chain.manager import ManagerClient
from chain.token import Erc20Client, TokenClient

if TYPE_CHECKING:
    from web3 import Web3


@dataclass(frozen=True)
class Contracts:
    """A client for each deployed contract."""

    w3: Web3
    deployment: Deployment
    manager: ManagerClient
    settlement: Erc20Client
    consortium: ConsortiumClient
    council: CouncilClient
    token: TokenClient
    ledger: LedgerClient
    distributor: DistributorClient
    desk: DeskClient
    court: CourtClient


def open_contracts(w3: Web3, deployment: Deployment) -> Contracts:
    """Clients for the contracts of a deployment, over a connection."""
    return Contracts(
        w3=w3,
        deployment=deployment,
        manager=ManagerClient(w3, deployment.authority),
        settlement=Erc20Client(w3, deployment.settlement),
        consortium=ConsortiumClient(w3, deployment.consortium),
        council=CouncilClient(w3, deployment.council),
        token=TokenClient(w3, deployment.token),
        ledger=LedgerClient(w3, deployment.ledger),
        distributor=DistributorClient(w3, deployment.distributor),
        desk=DeskClient(w3, deployment.desk),
        court=CourtClient(w3, deployment.court),
    )
