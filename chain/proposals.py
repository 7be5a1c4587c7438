"""What a proposal would do, in words: its call, decoded with the interface of the contract that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chain.abi import abi_of
from chain.deployments import Deployment
from chain.errors import RecordError

_CONTRACTS = {
    "authority": "AccessManager",
    "consortium": "Consortium",
    "council": "Council",
    "token": "ParticipationToken",
    "ledger": "ContributionLedger",
    "distributor": "RewardDistributor",
    "desk": "RedemptionDesk",
}


@dataclass(frozen=True)
class ProposedCall:
    """A call that governance would make.

    Attributes:
        target: address of the contract.
        contract: its name, or None for one that is not of this deployment.
        function: the function's name, or None where it is unknown.
        arguments: by snake_case name; without a known function, the call's data under `data`.
    """

    target: str
    contract: str | None
    function: str | None
    arguments: dict[str, Any]

    def __str__(self) -> str:
        inside = ", ".join(f"{name} = {_shown(value)}" for name, value in self.arguments.items())
        return f"{self.contract or self.target}.{self.function or 'unknown function'}({inside})"


def read_call(deployment: Deployment, target: str, data: bytes) -> ProposedCall:
    """Decode a proposal's call as far as this deployment's contracts are known."""
    names = {deployment.addresses()[name]: contract for name, contract in _CONTRACTS.items()}
    contract = names.get(target)
    unknown = ProposedCall(target, contract, None, {"data": "0x" + data.hex()})
    if contract is None:
        return unknown
    member = next((m for m in abi_of(contract).functions.values() if m.id == data[:4]), None)
    if member is None:
        return unknown
    try:
        return ProposedCall(target, contract, member.name, member.decode_input(data[4:]))
    except RecordError:
        return unknown


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(part)}" for name, part in value.items()) + "}"
    return str(value)
