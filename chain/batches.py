"""Sending many transactions of different keys at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from chain.errors import ChainError, TransactionFailed
from chain.quotes import read_quotes
from chain.receipts import Call, Receipt
from chain.rpc import batch
from chain.sender import Prepared, Sender, require_hash
from chain.waiting import wait_receipts

_MAX_TRANSACTIONS = 100
_MAX_HEX_CHARACTERS = 600_000  # nodes refuse bodies of more than about a megabyte


def send_many(sends: Sequence[tuple[Sender, Call]]) -> list[Receipt]:
    """Send calls in a few JSON-RPC batches and wait for all receipts, returned in the order of the calls.

    Calls of one key go one after the other; calls of different keys go together and must not need each
    other. All senders use the same node.

    Raises:
        TransactionFailed: the first call that was refused, after those sent with it are in blocks.
        NodeError: the node is gone.
    """
    receipts: dict[int, Receipt] = {}
    for wave in _waves(sends):
        for part in _parts([(index, *sends[index]) for index in wave]):
            receipts.update(_send_together(part))
    return [receipts[index] for index in range(len(sends))]


def _waves(sends: Sequence[tuple[Sender, Call]]) -> list[list[int]]:
    """Indices of calls, each wave with at most one call a key, in order."""
    waves: list[list[int]] = []
    sent: dict[str, int] = {}
    for index, (sender, _) in enumerate(sends):
        turn = sent.get(sender.address, 0)
        sent[sender.address] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(index)
    return waves


def _parts(wave: list[tuple[int, Sender, Call]]) -> list[list[tuple[int, Sender, Call]]]:
    parts: list[list[tuple[int, Sender, Call]]] = []
    room = 0
    for item in wave:
        size = 2 * len(item[2].data)
        if not parts or len(parts[-1]) == _MAX_TRANSACTIONS or room < size:
            parts.append([])
            room = _MAX_HEX_CHARACTERS
        parts[-1].append(item)
        room -= size
    return parts


def _send_together(part: list[tuple[int, Sender, Call]]) -> dict[int, Receipt]:
    first = part[0][1]
    if any((sender.chain_id, sender.genesis) != (first.chain_id, first.genesis) for _, sender, _ in part):
        raise ChainError("the senders of a batch are on different chains: send one batch a chain")
    failure: TransactionFailed | None = None
    sent: list[tuple[int, Sender, Prepared]] = []
    taken: list[tuple[Sender, Prepared]] = []
    try:
        with _turns([sender for _, sender, _ in part]):
            left = {index: sender.unfinished(call) for index, sender, call in part}
            sent = [(index, sender, item) for index, sender, _ in part if (item := left[index]) is not None]
            new = [entry for entry in part if left[entry[0]] is None]
            _sign_all(first, new, taken)
            answers = batch(first.w3, [("eth_sendRawTransaction", [item.raw]) for _, item in taken])
            for (index, _, _), (sender, item), answer in zip(new, list(taken), answers, strict=True):
                require_hash(first.w3, answer)
                try:
                    if sender.accepted(item, answer):
                        sent.append((index, sender, item))
                    else:  # another program took the nonce meanwhile
                        sender.nonces.done(item.nonce)
                        again = sender.submit(item.call)
                        sent.append((index, sender, again))
                except TransactionFailed as error:
                    failure = failure or error
        sent.sort(key=lambda entry: entry[0])
        receipts = wait_receipts(first.w3, [(sender, item) for _, sender, item in sent])
    finally:
        for sender, item in [*taken, *((sender, item) for _, sender, item in sent)]:
            sender.nonces.done(item.nonce)
    if failure is not None:
        raise failure
    return {index: receipt for (index, _, _), receipt in zip(sent, receipts, strict=True)}


def _sign_all(
    first: Sender, new: list[tuple[int, Sender, Call]], taken: list[tuple[Sender, Prepared]]
) -> None:
    """Sign every call into `taken`, or none: where one is refused, nothing is sent."""
    quotes = read_quotes(first.w3, [(sender.address, call) for _, sender, call in new]) if new else []
    try:
        for (_, sender, call), quote in zip(new, quotes, strict=True):
            taken.append((sender, sender.sign(call, quote)))
    except BaseException:
        for sender, item in taken:
            sender.settled(item)
        raise


@contextmanager
def _turns(senders: Sequence[Sender]) -> Iterator[None]:
    """Hold the turns of several accounts, taken in the order of addresses so that no two holders block."""
    with ExitStack() as stack:
        for sender in sorted(senders, key=lambda item: item.address):
            stack.enter_context(sender.turn())
        yield
