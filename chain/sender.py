"""Sending transactions with one key: nonce, gas, fees, receipt, and a readable error for a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from chain.connect import LOCAL_CHAIN_IDS, chain_identity
from chain.errors import NodeError, TransactionFailed
from chain.gas import GasLedger
from chain.keys import Key, require_allowed
from chain.nonces import PROCESS_NONCES, NonceAllocator
from chain.outbox import AccountOutbox, Outbox, Sent, call_digest, stamp
from chain.quotes import Fees, Quote, read_quotes
from chain.receipts import Call, Receipt
from chain.reverts import explain
from chain.rpc import RpcError, endpoint, request
from chain.unsettled import rebroadcast
from chain.waiting import wait_receipts

if TYPE_CHECKING:
    from web3 import Web3

_ACCEPTED = ("already known", "already imported", "known transaction", "alreadyknown")
_STALE = (
    "nonce too low",
    "nonce too high",
    "replacement transaction underpriced",
    "nonce_too_low",
)
_ATTEMPTS = 50
"""Each attempt that fails is one that another sender of the key won: programs without an outbox race each other."""


@dataclass(frozen=True)
class Prepared:
    """A signed transaction that has taken its nonce."""

    call: Call
    nonce: int
    gas_limit: int
    raw: str
    hash: str
    fees: Fees


@dataclass(eq=False)
class Sender:
    """Sends with one key on one chain. Threads may share it, and the key may have other senders here.

    Args:
        w3: connection.
        key: who sends.
        gas: where gas used is kept, or None.
        gas_margin: an estimate is multiplied by this.
        timeout_s: longest wait for a receipt.
        outbox: where transactions are kept until they are settled, so that other processes may send with the key and
            a command that was killed pays once when it is run again; None keeps nothing (equal calls that two
            processes send at the same moment may then become one transaction).
        stuck_s: a transaction that is in no block after so long is sent again with a higher fee.
        patience_s: how long the node may be away while a receipt is awaited.

    Raises:
        DevelopmentKeyRefused: a development key off the local chains.
        NodeError: the node does not answer.
    """

    w3: Web3
    key: Key
    gas: GasLedger | None = None
    gas_margin: float = 1.25
    timeout_s: float = 120.0
    outbox: Outbox | None = None
    stuck_s: float = 30.0
    patience_s: float | None = None
    chain_id: int = field(init=False)
    genesis: bytes = field(init=False, repr=False)
    nonces: NonceAllocator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.chain_id, self.genesis = chain_identity(self.w3)
        require_allowed(self.key, self.chain_id)
        self.nonces = PROCESS_NONCES.allocator(self.chain_id, self.genesis, self.key.address)
        if self.patience_s is None:
            self.patience_s = 1.0 if self.chain_id in LOCAL_CHAIN_IDS else 30.0

    @property
    def address(self) -> str:
        """Checksum address of the key."""
        return self.key.address

    @property
    def poll_s(self) -> float:
        """Seconds between two looks for a receipt: local nodes mine at once."""
        return 0.001 if self.chain_id in LOCAL_CHAIN_IDS else 0.25

    @property
    def kept(self) -> AccountOutbox | None:
        """This account's part of the outbox."""
        if self.outbox is None:
            return None
        return self.outbox.account(self.chain_id, self.genesis, self.address)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only one that sends with the key, in this process and, with an outbox, among all."""
        with self.nonces.lock:
            if self.kept is None:
                yield
                return
            with self.kept.locked():
                yield

    def send(self, call: Call) -> Receipt:
        """Send one transaction and wait until it is in a block.

        With an outbox, the same call of a command that died is not sent a second time: its receipt is returned.

        Raises:
            ContractError: the contract refuses it (nothing is sent if that is known beforehand).
            OutOfGas: the gas limit is too low, or no block can hold what it needs.
            InsufficientFunds: the account cannot pay.
            TransactionFailed: any other refusal, or no receipt in time.
            NodeError: the node is gone.
        """
        with self.turn():
            prepared = self.unfinished(call) or self.submit(call)
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
        """Take a nonce and sign; the key's turn must be held.

        Raises:
            TransactionFailed: the estimate says that the call would be refused.
            ChainError: it cannot be kept in the outbox.
        """
        if isinstance(quote.gas, RpcError):
            raise explain(quote.gas, label=call.label, sender=self.address)
        gas_limit = quote.gas if call.gas is not None else int(quote.gas * self.gas_margin)
        nonce = self.nonces.take(quote.pending_count)
        try:
            prepared = self._signed(call, nonce, gas_limit, quote.fees)
            self._keep(prepared)
        except BaseException:
            self.nonces.done(nonce)
            raise
        return prepared

    def dearer(self, prepared: Prepared) -> Prepared:
        """The same transaction with a fee that nodes take in its place, and that fits the latest block.

        Where gas costs nothing it is the very same one.

        Raises:
            NodeError: the node does not answer.
        """
        call = replace(prepared.call, gas=prepared.gas_limit)
        now, before = self.quote(call).fees, prepared.fees
        if now.price == before.price == 0:
            return prepared
        price = max(now.price, _raised(before.price))
        tip = None if before.tip is None else min(price, max(now.tip or 0, _raised(before.tip)))
        again = self._signed(prepared.call, prepared.nonce, prepared.gas_limit, Fees(price, tip))
        self._keep(again)
        return again

    def wait(self, prepared: list[Prepared]) -> list[Receipt]:
        """Wait for the receipts of transactions that the node has accepted.

        Raises:
            TransactionFailed: the first of them that reverted, once all are in; or none in time.
            NodeError: the node is gone.
        """
        return wait_receipts(self.w3, [(self, item) for item in prepared])

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
            known = request(self.w3, "eth_getTransactionByHash", prepared.hash) is not None
            if not known:
                self.settled(prepared)
            return known
        self.settled(prepared)
        raise explain(answer, label=prepared.call.label, sender=self.address)

    def submit(self, call: Call) -> Prepared:
        """Have the node accept a call; the key's turn must be held. Its nonce is taken until `nonces.done`.

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

    def unfinished(self, call: Call) -> Prepared | None:
        """The transaction that a command that died, or a call that failed here, left for the same call, if any.

        What was left is first handed to the node again where it does not have it: it comes before anything new. The
        key's turn must be held.

        Raises:
            NodeError: the node is gone.
        """
        kept = self.kept
        if kept is None:
            return None
        process, started, _ = stamp()
        left = [
            item
            for item in kept.entries()
            if not self.nonces.in_flight(item.nonce)
            and ((item.process, item.started) == (process, started) or not item.owned)
        ]
        if not left:
            return None
        for item in rebroadcast(self.w3, kept, left).alive:
            if not item.recent:
                kept.forget(item)
            elif item.call == call_digest(call) and self.nonces.claim(item.nonce):
                return Prepared(
                    call, item.nonce, item.gas_limit, item.raw, item.hash, Fees(item.price, item.tip)
                )
        return None

    def settled(self, *prepared: Prepared) -> None:
        """Nothing more is to be known of transactions: drop them from the outbox."""
        if self.kept is not None:
            self.kept.forget(*(self._sent(item) for item in prepared))

    def _signed(self, call: Call, nonce: int, gas_limit: int, fees: Fees) -> Prepared:
        from eth_account import Account  # noqa: PLC0415 - slow to import, and only who sends needs it

        fields: dict[str, Any] = {
            "chainId": self.chain_id,
            "nonce": nonce,
            "gas": gas_limit,
            "value": call.value,
            "data": call.data,
        }
        if call.to is not None:
            fields["to"] = call.to
        if fees.tip is None:
            fields["gasPrice"] = fees.price
        else:
            fields |= {"type": 2, "maxFeePerGas": fees.price, "maxPriorityFeePerGas": fees.tip}
        signed = Account.sign_transaction(fields, self.key.private)
        raw, digest = signed.raw_transaction.hex(), signed.hash.hex()
        return Prepared(call, nonce, gas_limit, "0x" + raw, "0x" + digest, fees)

    def _keep(self, prepared: Prepared) -> None:
        if self.kept is not None:
            self.kept.write(self._sent(prepared))

    def _sent(self, prepared: Prepared) -> Sent:
        process, started, at = stamp()
        return Sent(
            account=self.address,
            nonce=prepared.nonce,
            hash=prepared.hash,
            raw=prepared.raw,
            label=prepared.call.label,
            call=call_digest(prepared.call),
            gas_limit=prepared.gas_limit,
            price=prepared.fees.price,
            tip=prepared.fees.tip,
            process=process,
            started=started,
            at=at,
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
            answer = request(w3, "eth_sendRawTransaction", prepared.raw)
            require_hash(w3, answer)
        except RpcError as error:
            return error
        except NodeError as error:
            if last:
                raise NodeError(f"{error} ({prepared.call.label} was not confirmed)") from error
        else:
            return answer
    raise AssertionError("unreachable")


def require_hash(w3: Web3, answer: object) -> None:
    """Make sure that a node's answer to a transaction is a hash or a refusal.

    Raises:
        NodeError: it is neither.
    """
    if not isinstance(answer, RpcError) and not (isinstance(answer, str) and len(answer) == 66):
        raise NodeError(f"{endpoint(w3)} answered a transaction with no hash: check the URL")


def _raised(fee: int) -> int:
    """An eighth more: nodes take a transaction in the place of another from a tenth more on."""
    return fee + fee // 8 + 1
