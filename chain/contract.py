"""What all contract clients share: calling views, sending writes, reading events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from chain.abi import Abi, Member, abi_of
from chain.connect import to_address
from chain.errors import NotDeployed, RecordError
from chain.receipts import Call, Log, Receipt
from chain.reverts import explain
from chain.rpc import RpcError, batch, request
from chain.sender import Sender

if TYPE_CHECKING:
    from web3 import Web3

DEFAULT_CHUNK_BLOCKS = 5_000
"""Besu's default for the widest `eth_getLogs`."""


@dataclass(frozen=True)
class Event:
    """A decoded event: name, values by snake_case name, and where it is."""

    name: str
    values: dict[str, Any]
    address: str
    block: int
    index: int
    transaction: str


class Contract:
    """A contract at an address. Subclasses name the compiled contract and give its functions types.

    Args:
        w3: connection.
        address: where it is.
    """

    contract: ClassVar[str]

    def __init__(self, w3: Web3, address: str | bytes) -> None:
        self.w3 = w3
        self.address = to_address(address)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"

    @property
    def abi(self) -> Abi:
        """Its interface."""
        return abi_of(self.contract)

    def prepare(self, function: str, *arguments: object, gas: int | None = None) -> Call:
        """A call that `Sender.send` or `send_many` takes.

        Args:
            function: Solidity name, or signature where it is overloaded.
            arguments: in Solidity's order; structs as objects with snake_case attributes.
            gas: gas limit, or None to have it estimated.

        Raises:
            RecordError: an argument does not fit its type.
        """
        member = self.abi.function(function)
        return Call(self.address, member.encode(arguments), member.label, gas)

    def call(self, function: str, *arguments: object, block: int | None = None) -> Any:  # noqa: ANN401
        """Call a view.

        Returns:
            The value; a tuple of several; structs as dictionaries with snake_case keys.

        Raises:
            ContractError: the contract refuses.
            NotDeployed: there is no contract at the address.
            NodeError: the node does not answer.
        """
        return self.call_many([(function, arguments)], block=block)[0]

    def call_many(
        self, calls: Sequence[tuple[str, Sequence[object]]], *, block: int | None = None
    ) -> list[Any]:
        """Call several views in one request; see `call`."""
        members = [self.abi.function(function) for function, _ in calls]
        where = "latest" if block is None else hex(block)
        requests = [
            ("eth_call", [{"to": self.address, "data": "0x" + member.encode(arguments).hex()}, where])
            for member, (_, arguments) in zip(members, calls, strict=True)
        ]
        answers = batch(self.w3, requests)
        return [self._decode(member, answer) for member, answer in zip(members, answers, strict=True)]

    def transact(self, sender: Sender, function: str, *arguments: object, gas: int | None = None) -> Receipt:
        """Send a write and wait for its receipt; raises as `Sender.send` does."""
        return sender.send(self.prepare(function, *arguments, gas=gas))

    def events_in(self, receipt: Receipt, *names: str) -> list[Event]:
        """This contract's events in a receipt, of the names given (or all)."""
        return [event for log in receipt.logs if (event := self._event(log, names)) is not None]

    def event_in(self, receipt: Receipt, name: str) -> Event:
        """The one event of that name in a receipt.

        Raises:
            RecordError: it is not there.
        """
        found = self.events_in(receipt, name)
        if not found:
            raise RecordError(
                f"{receipt.label} left no {name} event: the contract at {self.address} is another one"
            )
        return found[0]

    def read_events(
        self,
        *names: str,
        from_block: int = 0,
        to_block: int | None = None,
        indexed: Sequence[int | str | None] = (),
        chunk_blocks: int = DEFAULT_CHUNK_BLOCKS,
    ) -> Iterator[Event]:
        """This contract's events in the order of the chain, read in chunks.

        Args:
            names: event names; all events without any.
            from_block: first block.
            to_block: last block; None for the latest now.
            indexed: values that the indexed parameters must have, in order; None for any. Integers and
                addresses.
            chunk_blocks: blocks a request.

        Raises:
            NodeError: the node does not answer.
            RpcError: it refuses the range.
        """
        topics: list[Any] = [["0x" + self.abi.event(name).id.hex() for name in names] or None]
        topics += [None if value is None else _topic(value) for value in indexed]
        last = int(request(self.w3, "eth_blockNumber"), 16) if to_block is None else to_block
        for start in range(from_block, last + 1, chunk_blocks):
            query = {
                "address": self.address,
                "fromBlock": hex(start),
                "toBlock": hex(min(start + chunk_blocks - 1, last)),
                "topics": topics,
            }
            for entry in request(self.w3, "eth_getLogs", query):
                event = self._event(Log.of(entry), names)
                if event is not None:
                    yield event

    def has_code(self) -> bool:
        """Whether there is a contract at the address."""
        return str(request(self.w3, "eth_getCode", self.address, "latest")) not in {"0x", ""}

    def _decode(self, member: Member, answer: Any) -> Any:  # noqa: ANN401
        if isinstance(answer, RpcError):
            raise explain(answer, label=member.label)
        data = bytes.fromhex(str(answer)[2:])
        if not data and member.outputs:
            raise NotDeployed(
                f"there is no {self.contract} at {self.address} on this chain: run `fediomt deploy`"
            )
        return member.decode_output(data)

    def _event(self, log: Log, names: Sequence[str]) -> Event | None:
        if log.address != self.address or not log.topics:
            return None
        member = self.abi.events.get(log.topics[0])
        if member is None or (names and member.name not in names):
            return None
        values = member.decode_log(log.topics, log.data)
        return Event(member.name, values, log.address, log.block, log.index, log.transaction)


def _topic(value: int | str) -> str:
    number = int(value, 16) if isinstance(value, str) else value
    return "0x" + number.to_bytes(32, "big").hex()
