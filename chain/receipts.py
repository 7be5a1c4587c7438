"""What is sent and what comes back: calls, receipts, logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.connect import to_address


@dataclass(frozen=True)
class Call:
    """A transaction to be sent.

    Attributes:
        to: receiving contract or account; None creates a contract.
        data: call data.
        label: `Contract.function`, for gas accounts and messages.
        gas: gas limit, or None to have it estimated.
        value: wei.
    """

    to: str | None
    data: bytes
    label: str
    gas: int | None = None
    value: int = 0

    def as_json(self, sender: str, *, gas: int | None = None) -> dict[str, str]:
        """As `eth_call` and `eth_estimateGas` take it."""
        fields = {"from": sender, "data": "0x" + self.data.hex()}
        if self.to is not None:
            fields["to"] = self.to
        if self.value:
            fields["value"] = hex(self.value)
        if gas is not None:
            fields["gas"] = hex(gas)
        return fields


@dataclass(frozen=True)
class Log:
    """One event as the node reports it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    index: int
    transaction: str

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Log:
        """From JSON-RPC."""
        return cls(
            address=to_address(str(entry["address"])),
            topics=tuple(bytes.fromhex(topic[2:]) for topic in entry["topics"]),
            data=bytes.fromhex(str(entry["data"])[2:]),
            block=int(entry["blockNumber"], 16),
            index=int(entry["logIndex"], 16),
            transaction=str(entry["transactionHash"]),
        )


@dataclass(frozen=True)
class Receipt:
    """A transaction in a block.

    Attributes:
        transaction: 0x-prefixed hash.
        label: of the call.
        sender: who sent it.
        block: block number.
        gas_used: gas that it took.
        gas_limit: gas that it was allowed.
        contract: address of the contract it created, or None.
        logs: its events.
    """

    transaction: str
    label: str
    sender: str
    block: int
    gas_used: int
    gas_limit: int
    contract: str | None
    logs: tuple[Log, ...]
