"""The files of a Hyperledger Besu network under QBFT, which a consortium runs in production.

Besu cannot be started everywhere; what is written here is checked against Besu's documentation instead
(`options.json`), and the block header's encoding against its published examples.
"""

from chain.besu.network import NetworkFile, NodeSite, QbftNetwork, plan_network, write_network
from chain.besu.settings import QbftSettings, parse_operator

__all__ = [
    "NetworkFile",
    "NodeSite",
    "QbftNetwork",
    "QbftSettings",
    "parse_operator",
    "plan_network",
    "write_network",
]
