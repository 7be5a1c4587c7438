"""Reading blocks and logs off a node, in ranges that it is willing to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from chain.errors import NodeError
from chain.receipts import Log
from chain.rpc import RpcError, endpoint, request

if TYPE_CHECKING:
    from web3 import Web3

Parsed = TypeVar("Parsed")

_TOO_WIDE = ("range", "limit", "too many", "too large", "more than", "exceed", "timeout", "timed out", "size")


@dataclass(frozen=True)
class BlockId:
    """A block's number and hash (32 bytes)."""

    number: int
    hash: bytes


@dataclass(frozen=True)
class BlockLog:
    """A log, and the hash of the block that it lies in."""

    log: Log
    block_hash: bytes


class NodeSource:
    """What the index asks a node for.

    Args:
        w3: connection.
        addresses: contracts whose logs are read.
    """

    def __init__(self, w3: Web3, addresses: Sequence[str]) -> None:
        self._w3 = w3
        self._addresses = list(addresses)

    def head(self) -> BlockId:
        """The latest block.

        Raises:
            NodeError: the node does not answer, or with nonsense.
        """
        found = self._block("latest")
        if found is None:
            raise NodeError(f"{endpoint(self._w3)} knows no latest block: let it finish syncing")
        return found

    def block(self, number: int) -> BlockId | None:
        """The block of that number, or None if the chain is shorter.

        Raises:
            NodeError: the node does not answer, or with nonsense.
        """
        return self._block(hex(number))

    def logs(self, first: int, last: int) -> list[BlockLog]:
        """The contracts' logs in a range of blocks, in order; a range that the node refuses is halved.

        Raises:
            NodeError: the node does not answer, or with nonsense.
            RpcError: it refuses even one block.
        """
        query = {"address": self._addresses, "fromBlock": hex(first), "toBlock": hex(last)}
        try:
            answer = request(self._w3, "eth_getLogs", query)
        except RpcError as error:
            if first == last or not _too_wide(error):
                raise
            middle = (first + last) // 2
            return self.logs(first, middle) + self.logs(middle + 1, last)
        return self._parsed("eth_getLogs", lambda: [_block_log(entry) for entry in answer])

    def _block(self, which: str) -> BlockId | None:
        answer = request(self._w3, "eth_getBlockByNumber", which, False)
        if answer is None:
            return None
        return self._parsed(
            "eth_getBlockByNumber",
            lambda: BlockId(int(answer["number"], 16), bytes.fromhex(answer["hash"][2:])),
        )

    def _parsed(self, method: str, parse: Callable[[], Parsed]) -> Parsed:
        try:
            return parse()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NodeError(
                f"{endpoint(self._w3)} answered {method} with something that is no Ethereum node's: check the URL"
            ) from error


def _too_wide(error: RpcError) -> bool:
    return any(words in error.message.lower() for words in _TOO_WIDE)


def _block_log(entry: dict[str, Any]) -> BlockLog:
    return BlockLog(Log.of(entry), bytes.fromhex(entry["blockHash"][2:]))
