"""Sending transactions with one key: nonce, gas, fees, receipt, and a readable error for a refusal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chain.connect import LOCAL_CHAIN_IDS, chain_identity
from chain.errors import NodeError, OutOfGas, TransactionFailed
from chain.gas import GasLedger
from chain.keys import Key, require_allowed
from chain.nonces import PROCESS_NONCES, NonceAllocator
from chain.quotes import Quote, read_quotes
from chain.receipts import Call, Log, Receipt
from chain.reverts import explain
from chain.rpc import RpcError, batch, request, unwrap

if TYPE_CHECKING:
    from web3 import Web3

_ACCEPTED = ("already known", "already imported", "known transaction", "alreadyknown")
_STALE = ("nonce too low", "nonce too high", "replacement transaction underpriced", "nonce_too_low")
_ATTEMPTS = 3


@dataclass(frozen=True)
class Prepared:
    """A signed transaction that has taken its nonce."""

    call: Call
    nonce: int
    gas_limit: int
    raw: str
    hash: str


@dataclass(eq=False)
class Sender:
    """Sends with one key on one chain. Threads may share it, and the key may have other senders here.

    Args:
        w3: connection.
        key: who sends.
        gas: where gas used is kept, or None.
        gas_margin: an estimate is multiplied by this.
        timeout_s: longest wait for a receipt.

    Raises:
        DevelopmentKeyRefused: a development key off the local chains.
        NodeError: the node does not answer.
    """

    w3: Web3
    key: Key
    gas: GasLedger | None = None
    gas_margin: float = 1.25
    timeout_s: float = 120.0
    chain_id: int = field(init=False)
    genesis: bytes = field(init=False, repr=False)
    nonces: NonceAllocator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.chain_id, self.genesis = chain_identity(self.w3)
        require_allowed(self.key, self.chain_id)
        self.nonces = PROCESS_NONCES.allocator(self.chain_id, self.genesis, self.key.address)

    @property
    def address(self) -> str:
        """Checksum address of the key."""
        return self.key.address

    @property
    def poll_s(self) -> float:
        """Seconds between two looks for a receipt: local nodes mine at once."""
        return 0.001 if self.chain_id in LOCAL_CHAIN_IDS else 0.25

    def send(self, call: Call) -> Receipt:
        """Send one transaction and wait until it is in a block.

        Raises:
            ContractError: the contract refuses it (nothing is sent if that is known beforehand).
            OutOfGas: the gas limit is too low, or no block can hold what it needs.
            InsufficientFunds: the account cannot pay.
            TransactionFailed: any other refusal, or no receipt in time.
            NodeError: the node is gone.
        """
        with self.nonces.lock:
            prepared = self.submit(call)
        try:
            return self.wait([prepared])[0]
        finally:
            self.nonces.done(prepared.nonce)

    def transfer(self, to: str, value: int) -> Receipt:
        """Send `value` wei of the chain's currency."""
        return self.send(Call(to, b"", "transfer", value=value))

    def quote(self, call: Call) -> Quote:
        """Nonce, fees and gas for a call, in one request."""
        return read_quotes(self.w3, [(self.address, call)])[0]

    def sign(self, call: Call, quote: Quote) -> Prepared:
        """Take a nonce and sign; the key's lock must be held.

        Raises:
            TransactionFailed: the estimate says that the call would be refused.
        """
        if isinstance(quote.gas, RpcError):
            raise explain(quote.gas, label=call.label, sender=self.address)
        gas_limit = quote.gas if call.gas is not None else int(quote.gas * self.gas_margin)
        nonce = self.nonces.take(quote.pending_count)
        fields: dict[str, Any] = {
            "chainId": self.chain_id,
            "nonce": nonce,
            "gas": gas_limit,
            "value": call.value,
            "data": call.data,
        }
        if call.to is not None:
            fields["to"] = call.to
        if quote.fees.tip is None:
            fields["gasPrice"] = quote.fees.price
        else:
            fields |= {"type": 2, "maxFeePerGas": quote.fees.price, "maxPriorityFeePerGas": quote.fees.tip}
        from eth_account import Account  # noqa: PLC0415 - slow to import, and only who sends needs it

        try:
            signed = Account.sign_transaction(fields, self.key.private)
        except BaseException:
            self.nonces.done(nonce)
            raise
        return Prepared(call, nonce, gas_limit, "0x" + signed.raw_transaction.hex(), "0x" + signed.hash.hex())

    def wait(self, prepared: list[Prepared]) -> list[Receipt]:
        """Wait for the receipts of transactions that the node has accepted.

        Raises:
            TransactionFailed: the first of them that reverted, once all are in; or none in time.
            NodeError: the node is gone.
        """
        return wait_receipts(
            self.w3, [(self, item) for item in prepared], poll_s=self.poll_s, timeout_s=self.timeout_s
        )

    def accepted(self, prepared: Prepared, answer: object) -> bool:
        """Whether the node has the transaction; False means that its nonce was taken by another one.

        Raises:
            TransactionFailed: refused for another reason.
        """
        if not isinstance(answer, RpcError):
            return True
        message = answer.message.lower()
        if any(words in message for words in _ACCEPTED):
            return True
        if any(words in message for words in _STALE):
            return request(self.w3, "eth_getTransactionByHash", prepared.hash) is not None
        raise explain(answer, label=prepared.call.label, sender=self.address)

    def submit(self, call: Call) -> Prepared:
        """Have the node accept a call; the key's lock must be held. Its nonce is taken until `nonces.done`.

        Raises:
            TransactionFailed: refused.
            NodeError: the node is gone.
        """
        for _ in range(_ATTEMPTS):
            prepared = self.sign(call, self.quote(call))
            try:
                if self.accepted(prepared, send_raw(self.w3, prepared)):
                    return prepared
            except BaseException:
                self.nonces.done(prepared.nonce)
                raise
            self.nonces.done(prepared.nonce)
        raise TransactionFailed(
            f"{call.label}: the nonce of {self.address} keeps changing: stop what else sends with this key",
            label=call.label,
        )


def send_raw(w3: Web3, prepared: Prepared) -> object:
    """Hand a signed transaction to the node; a lost answer is asked for once more, which is harmless.

    Returns:
        The hash, or the node's `RpcError`.

    Raises:
        NodeError: the node is gone.
    """
    for last in (False, True):
        try:
            return request(w3, "eth_sendRawTransaction", prepared.raw)
        except RpcError as error:
            return error
        except NodeError as error:
            if last:
                raise NodeError(f"{error} ({prepared.call.label} was not confirmed)") from error
    raise AssertionError("unreachable")


def wait_receipts(
    w3: Web3, sent: list[tuple[Sender, Prepared]], *, poll_s: float, timeout_s: float
) -> list[Receipt]:
    """Wait for several receipts; see `Sender.wait`."""
    found: dict[str, dict[str, Any]] = {}
    until = time.monotonic() + timeout_s
    while True:
        missing = [item.hash for _, item in sent if item.hash not in found]
        try:
            answers = batch(w3, [("eth_getTransactionReceipt", [transaction]) for transaction in missing])
        except NodeError as error:
            raise NodeError(
                f"{error} (whether transaction {missing[0]} is in a block is not known)"
            ) from error
        found.update(
            {
                name: answer
                for name, answer in zip(missing, answers, strict=True)
                if unwrap(answer) is not None
            }
        )
        if len(found) == len({item.hash for _, item in sent}):
            break
        if time.monotonic() > until:
            late = next(item for _, item in sent if item.hash not in found)
            raise TransactionFailed(
                f"{late.call.label}: transaction {late.hash} is in no block after {timeout_s:.0f} s: "
                "check that the chain makes blocks, then look the transaction up before sending again",
                label=late.call.label,
                transaction=late.hash,
            )
        time.sleep(poll_s)
    receipts = [_receipt(sender, item, found[item.hash]) for sender, item in sent]
    for (sender, item), receipt in zip(sent, receipts, strict=True):
        if sender.gas is not None:
            sender.gas.record(item.call.label, receipt.gas_used)
    for (sender, item), receipt in zip(sent, receipts, strict=True):
        if int(found[item.hash]["status"], 16) != 1:
            raise _failure(w3, sender, item, receipt)
    return receipts


def _receipt(sender: Sender, prepared: Prepared, entry: dict[str, Any]) -> Receipt:
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
