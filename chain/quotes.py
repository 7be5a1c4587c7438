"""What a transaction needs to know before it is signed: nonce, fees and gas, asked for in one request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chain.errors import NodeError
from chain.receipts import Call
from chain.rpc import RpcError, batch, endpoint, unwrap

if TYPE_CHECKING:
    from web3 import Web3


@dataclass(frozen=True)
class Fees:
    """What a transaction offers for gas, in wei; `tip` is None on chains without EIP-1559."""

    price: int
    tip: int | None

    @classmethod
    def of(cls, block: dict[str, Any], gas_price: str) -> Fees:
        """From the latest block and the node's suggestion. On zero-gas networks everything is zero."""
        suggested = int(gas_price, 16)
        if "baseFeePerGas" not in block:
            return cls(suggested, None)
        base = int(block["baseFeePerGas"], 16)
        tip = max(suggested - base, 0)
        return cls(2 * base + tip, tip)


@dataclass(frozen=True)
class Quote:
    """What a node says before a transaction is signed."""

    pending_count: int
    fees: Fees
    gas: int | RpcError


def read_quotes(w3: Web3, calls: list[tuple[str, Call]]) -> list[Quote]:
    """Nonces, fees and gas for (address of the sender, call) pairs, in one request.

    Raises:
        NodeError: the node does not answer.
    """
    requests: list[tuple[str, list[object]]] = [
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_gasPrice", []),
    ]
    for address, call in calls:
        requests.append(("eth_getTransactionCount", [address, "pending"]))
        if call.gas is None:
            requests.append(("eth_estimateGas", [call.as_json(address)]))
    answers = batch(w3, requests)
    for answer in answers[:2]:
        unwrap(answer)
    try:
        return _quotes(calls, iter(answers))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise NodeError(
            f"{endpoint(w3)} answered with something that is no Ethereum node's: check the URL"
        ) from error


def _quotes(calls: list[tuple[str, Call]], answers: Iterator[Any]) -> list[Quote]:
    fees = Fees.of(next(answers), next(answers))
    quotes = []
    for _, call in calls:
        count = int(unwrap(next(answers)), 16)
        if call.gas is not None:
            quotes.append(Quote(count, fees, call.gas))
            continue
        estimate = next(answers)
        quotes.append(Quote(count, fees, estimate if isinstance(estimate, RpcError) else int(estimate, 16)))
    return quotes
