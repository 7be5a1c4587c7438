"""Waiting until transactions are in blocks: through a node that goes away, and with a higher fee where one is stuck."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chain.errors import NodeError, OutOfGas, TransactionFailed
from chain.receipts import Log, Receipt
from chain.reverts import explain
from chain.rpc import RpcError, batch, endpoint, request, unwrap

if TYPE_CHECKING:
    from web3 import Web3

    from chain.sender import Prepared, Sender


@dataclass
class _Awaited:
    """A transaction and those that were sent in its place; at most one of them gets into a block."""

    sender: Sender
    versions: list[Prepared]
    sent_at: float
    found: dict[str, Any] | None = None

    @property
    def latest(self) -> Prepared:
        return self.versions[-1]


def wait_receipts(w3: Web3, sent: list[tuple[Sender, Prepared]]) -> list[Receipt]:
    """Wait for several receipts; see `Sender.wait`. The first sender's patience counts for all."""
    if not sent:
        return []
    first = sent[0][0]
    started = time.monotonic()
    awaited = [_Awaited(sender, [item], started) for sender, item in sent]
    answered = started
    while True:
        missing = [item for item in awaited if item.found is None]
        try:
            _look(w3, missing)
            answered = time.monotonic()
        except NodeError as error:
            if time.monotonic() - answered > (first.patience_s or 0.0):
                raise NodeError(
                    f"{error} (whether transaction {missing[0].latest.hash} is in a block is not known)"
                ) from error
            time.sleep(max(first.poll_s, 0.05))
            _offer_again(w3, missing)
            continue
        missing = [item for item in awaited if item.found is None]
        if not missing:
            break
        now = time.monotonic()
        if now - started > first.timeout_s:
            raise _late(missing[0], first.timeout_s)
        for item in missing:
            if now - item.sent_at > item.sender.stuck_s:
                _raise_fee(w3, item)
        time.sleep(first.poll_s)
    return _receipts(w3, awaited)


def _look(w3: Web3, missing: list[_Awaited]) -> None:
    asked = [(item, version) for item in missing for version in item.versions]
    answers = batch(w3, [("eth_getTransactionReceipt", [version.hash]) for _, version in asked])
    for (item, version), answer in zip(asked, answers, strict=True):
        receipt = unwrap(answer)
        if receipt is None:
            continue
        try:
            _receipt(item.sender, version, receipt)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise NodeError(f"{endpoint(w3)} answered with a receipt that is none: check the URL") from error
        item.found = receipt
        item.versions = [*(other for other in item.versions if other is not version), version]


def _offer_again(w3: Web3, missing: list[_Awaited]) -> None:
    """A node that was away may have forgotten what waited for a block."""
    try:
        batch(w3, [("eth_sendRawTransaction", [item.latest.raw]) for item in missing])
    except NodeError:
        return


def _raise_fee(w3: Web3, item: _Awaited) -> None:
    """Send a stuck transaction again, with a fee that fits the chain as it is now."""
    item.sent_at = time.monotonic()
    try:
        again = item.sender.dearer(item.latest)
        if again is not item.latest:
            item.versions.append(again)
        request(w3, "eth_sendRawTransaction", again.raw)
    except (RpcError, NodeError):  # it got into a block meanwhile, or the next turn tries again
        return


def _late(item: _Awaited, timeout_s: float) -> TransactionFailed:
    late = item.latest
    return TransactionFailed(
        f"{late.call.label}: transaction {late.hash} is in no block after {timeout_s:.0f} s: "
        "check that the chain makes blocks, then look the transaction up before sending again",
        label=late.call.label,
        transaction=late.hash,
    )


def _receipts(w3: Web3, awaited: list[_Awaited]) -> list[Receipt]:
    receipts = []
    for item in awaited:
        assert item.found is not None
        receipt = _receipt(item.sender, item.latest, item.found)
        item.sender.settled(*item.versions)
        if item.sender.gas is not None:
            item.sender.gas.record(receipt.label, receipt.gas_used)
        receipts.append(receipt)
    for item, receipt in zip(awaited, receipts, strict=True):
        if item.found is not None and int(item.found["status"], 16) != 1:
            raise _failure(w3, item.sender, item.latest, receipt)
    return receipts


def _receipt(sender: Sender, prepared: Prepared, entry: dict[str, Any]) -> Receipt:
    if entry["status"] not in {"0x0", "0x1"}:
        raise ValueError(f"status {entry['status']!r}")
    return Receipt(
        transaction=prepared.hash,
        label=prepared.call.label,
        sender=sender.address,
        block=int(entry["blockNumber"], 16),
        gas_used=int(entry["gasUsed"], 16),
        gas_limit=prepared.gas_limit,
        contract=entry.get("contractAddress"),
        logs=tuple(Log.of(log) for log in entry["logs"]),
    )


def _failure(w3: Web3, sender: Sender, prepared: Prepared, receipt: Receipt) -> TransactionFailed:
    """Why a transaction reverted: run it again on the block before, without and with its gas limit."""
    call, label = prepared.call, prepared.call.label
    block = hex(receipt.block - 1)
    limits = (None, prepared.gas_limit)
    free, limited = batch(
        w3, [("eth_call", [call.as_json(sender.address, gas=gas), block]) for gas in limits]
    )
    if isinstance(free, RpcError):
        return explain(free, label=label, sender=sender.address, transaction=prepared.hash)
    if isinstance(limited, RpcError) or receipt.gas_used >= prepared.gas_limit:
        return OutOfGas(
            f"{label} ran out of gas at its limit of {prepared.gas_limit:,}: raise it or have it estimated",
            label=label,
            transaction=prepared.hash,
        )
    return TransactionFailed(
        f"{label} was refused because the chain changed meanwhile: look at its state and send it again",
        label=label,
        transaction=prepared.hash,
    )
