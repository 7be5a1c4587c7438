"""What a command that was killed, or a node that went away, left unsettled: found out about, and finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chain.connect import LOCAL_CHAIN_IDS, chain_identity
from chain.errors import TransactionFailed
from chain.outbox import AccountOutbox, Outbox, Sent
from chain.rpc import RpcError, batch, request, unwrap

if TYPE_CHECKING:
    from web3 import Web3


@dataclass(frozen=True)
class Left:
    """What there is to say of transactions that were left.

    Attributes:
        alive: in a block, or waiting for one.
        reverted: in a block, where they failed.
        replaced: never in a block: another transaction has their nonce, or the node refuses them.
    """

    alive: tuple[Sent, ...] = ()
    reverted: tuple[Sent, ...] = ()
    replaced: tuple[Sent, ...] = ()


def rebroadcast(w3: Web3, kept: AccountOutbox, left: Sequence[Sent]) -> Left:
    """Hand to the node what it does not have; what cannot count any more is dropped from the outbox.

    Raises:
        NodeError: the node is gone; everything is kept.
    """
    alive: list[Sent] = []
    reverted: list[Sent] = []
    replaced: list[Sent] = []
    for item in left:
        receipt, known = _look(w3, item)
        if receipt is not None:
            (alive if int(receipt["status"], 16) == 1 else reverted).append(item)
        elif known or _offered(w3, item):
            alive.append(item)
        else:
            replaced.append(item)
    kept.forget(*reverted, *replaced)
    return Left(tuple(alive), tuple(reverted), tuple(replaced))


def finish(w3: Web3, outbox: Outbox, *, timeout_s: float = 120.0) -> Left:
    """Finish what commands that died left on this chain: send it again where it was lost, and wait for it.

    Args:
        w3: connection.
        outbox: where it is kept.
        timeout_s: longest wait.

    Returns:
        What became of it; `alive` are in blocks.

    Raises:
        TransactionFailed: something is in no block in time; it is kept.
        NodeError: the node is gone; what is not settled is kept.
    """
    chain_id, genesis = chain_identity(w3)
    poll_s = 0.01 if chain_id in LOCAL_CHAIN_IDS else 0.5
    until = time.monotonic() + timeout_s
    total = Left()
    for kept in outbox.accounts(chain_id, genesis):
        with kept.locked():
            left = rebroadcast(w3, kept, [item for item in kept.entries() if not item.owned])
            for item in left.alive:
                _await(w3, item, until, poll_s)
            settled = rebroadcast(w3, kept, left.alive)
            kept.forget(*settled.alive)
        total = Left(
            (*total.alive, *settled.alive),
            (*total.reverted, *left.reverted, *settled.reverted),
            (*total.replaced, *left.replaced, *settled.replaced),
        )
    return total


def _offered(w3: Web3, item: Sent) -> bool:
    """Send a transaction that the node does not have; False if it cannot be included any more."""
    if item.nonce < _count(w3, item.account):
        return False
    try:
        request(w3, "eth_sendRawTransaction", item.raw)
    except RpcError:
        return False
    return True


def _await(w3: Web3, item: Sent, until: float, poll_s: float) -> None:
    """Wait until a transaction, or another one with its nonce, is in a block."""
    while item.nonce >= _count(w3, item.account):
        if time.monotonic() > until:
            raise TransactionFailed(
                f"{item.label}: transaction {item.hash} of a command that was interrupted is in no block: check that "
                "the chain makes blocks, then run this again",
                label=item.label,
                transaction=item.hash,
            )
        time.sleep(poll_s)


def _look(w3: Web3, item: Sent) -> tuple[dict[str, Any] | None, bool]:
    """A transaction's receipt, and whether the node has the transaction."""
    receipt, found = batch(
        w3, [("eth_getTransactionReceipt", [item.hash]), ("eth_getTransactionByHash", [item.hash])]
    )
    return unwrap(receipt), unwrap(found) is not None


def _count(w3: Web3, account: str) -> int:
    return int(request(w3, "eth_getTransactionCount", account, "latest"), 16)
