"""What is chosen for a QBFT network before its files are written."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from chain.connect import LOCAL_CHAIN_IDS, to_address
from chain.errors import ChainError

FEWEST_VALIDATORS = 4
"""Below this many, QBFT tolerates no faulty validator: of N it bears floor((N - 1) / 3)."""
MOST_VALIDATORS = 64

BESU_IMAGE = "docker.io/hyperledger/besu:26.9.0"
PROMETHEUS_IMAGE = "docker.io/prom/prometheus:v3.5.0"

_OPERATOR = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")


@dataclass(frozen=True)
class QbftSettings:
    """A network's settings; the defaults suit four to twenty hospitals.

    Attributes:
        validators: how many nodes sign blocks.
        chain_id: EIP-155 chain id; not one of the local chains', whose keys everybody knows.
        hosts: IPv4 address of each validator's machine, in order; empty for all on one machine, to try it out.
        block_period_seconds: least time between blocks.
        epoch_length: blocks after which votes on validators are reset.
        request_timeout_seconds: until a round of consensus is given up.
        gas_limit: of a block; no transaction of ours takes more than 10 million.
        operators: (name, address) of accounts that may send transactions; none lets every account.
        operator_balance_wei: what each operator has from the start; gas costs nothing.
        p2p_port: TCP port between validators; on one machine the first of as many.
        rpc_port: port of JSON-RPC on loopback; likewise.
        metrics_port: port of metrics on loopback; likewise.
        allow_few: whether fewer validators than bear a fault are accepted.
        besu_image: container image of Besu, with its version.
    """

    validators: int
    chain_id: int = 724_411
    hosts: tuple[str, ...] = ()
    block_period_seconds: int = 5
    epoch_length: int = 30_000
    request_timeout_seconds: int = 10
    gas_limit: int = 60_000_000
    operators: tuple[tuple[str, str], ...] = ()
    operator_balance_wei: int = 10**24
    p2p_port: int = 30303
    rpc_port: int = 8545
    metrics_port: int = 9545
    allow_few: bool = False
    besu_image: str = BESU_IMAGE

    @property
    def tolerated(self) -> int:
        """How many validators may fail or lie at once."""
        return (self.validators - 1) // 3

    def check(self) -> None:
        """Make sure that the network can work.

        Raises:
            ChainError: it cannot, with the setting that is wrong.
        """
        self._check_validators()
        if self.chain_id in LOCAL_CHAIN_IDS:
            raise ChainError(
                f"chain id {self.chain_id} is for local chains, where public keys are accepted: choose another"
            )
        limits = {
            "chain id": (self.chain_id, 1, 2**31 - 1),
            "block period": (self.block_period_seconds, 1, 3600),
            "epoch length": (self.epoch_length, 1, 2**31 - 1),
            "request timeout": (self.request_timeout_seconds, 1, 3600),
            "gas limit": (self.gas_limit, 10_000_000, 0x1FFFFFFFFFFFFF),
            "operators' balance": (self.operator_balance_wei, 0, 2**256 - 1),
        }
        for what, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise ChainError(f"{what} {value} does not work: choose {least} to {most}")
        self._check_ports()
        for name, address in self.operators:
            if not _OPERATOR.fullmatch(name):
                raise ChainError(
                    f"operator name {name!r} does not work: use lower case letters, digits and hyphens"
                )
            to_address(address)
        for values, what in (
            (dict(self.operators), "name"),
            ({a.lower() for _, a in self.operators}, "address"),
        ):
            if len(values) != len(self.operators):
                raise ChainError(f"two operators have the same {what}: give each its own")
        if not _IMAGE.fullmatch(self.besu_image):
            raise ChainError(f"{self.besu_image!r} is not a container image: give one like {BESU_IMAGE}")

    def _check_validators(self) -> None:
        if not 1 <= self.validators <= MOST_VALIDATORS:
            raise ChainError(f"{self.validators} validators do not work: choose 4 to {MOST_VALIDATORS}")
        if self.validators < FEWEST_VALIDATORS and not self.allow_few:
            raise ChainError(
                f"{self.validators} validators bear no fault, the chain stops when one does: take 4 or more, or say "
                "--allow-few for a trial"
            )
        if self.hosts and len(self.hosts) != self.validators:
            raise ChainError(
                f"{len(self.hosts)} hosts for {self.validators} validators: give one for each, or none for one machine"
            )
        for host in self.hosts:
            try:
                address = ipaddress.IPv4Address(host)
            except ValueError:
                raise ChainError(
                    f"host {host!r} is not an IPv4 address: validators are named by addresses, not by names"
                ) from None
            if address.is_unspecified or address.is_loopback or address.is_multicast:
                raise ChainError(f"host {host} cannot be reached from other machines: give its address there")
        if len(set(self.hosts)) != len(self.hosts):
            raise ChainError("two validators have the same host: give each its own machine")

    def _check_ports(self) -> None:
        count = 1 if self.hosts else self.validators
        firsts = {"P2P": self.p2p_port, "JSON-RPC": self.rpc_port, "metrics": self.metrics_port}
        taken: dict[int, str] = {}
        for what, first in firsts.items():
            for port in range(first, first + count):
                if not 1024 <= port <= 65_535:
                    raise ChainError(f"{what} port {port} does not work: choose 1024 to 65535")
                if port in taken:
                    raise ChainError(f"port {port} would serve {taken[port]} and {what}: move one of them")
                taken[port] = what


def parse_operator(text: str) -> tuple[str, str]:
    """(name, checksum address) of NAME=ADDRESS.

    Raises:
        ChainError: it is written otherwise, or the address is none.
    """
    name, equals, address = text.partition("=")
    if not equals:
        raise ChainError(f"operator {text!r} does not work: write NAME=ADDRESS")
    return name, to_address(address)
