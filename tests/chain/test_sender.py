"""One key's transactions never collide, batches keep their order, and what was sent is never sent twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from chain_world import ETHER, World, digest
from web3 import Web3

from chain.batches import send_many
from chain.connect import connect
from chain.contract_errors import EpochAlreadyRegistered
from chain.errors import ChainError, DevelopmentKeyRefused, NodeError, TransactionFailed
from chain.gas import GasLedger
from chain.keys import Key, development_key, fund
from chain.node import AnvilNode
from chain.nonces import NonceAllocator, NonceRegistry
from chain.quotes import Fees
from chain.receipts import Call
from chain.rpc import request
from chain.sender import Sender, send_raw

pytestmark = pytest.mark.node
SINK = "0x" + "22" * 20


@pytest.fixture
def sender(w3: Web3) -> Sender:
    key = Key.random()
    fund(w3, [key.address], ETHER)
    return Sender(w3, key, GasLedger())


def test_receipt_says_what_happened(sender: Sender):
    receipt = sender.transfer(SINK, 5)
    assert (receipt.sender, receipt.label, receipt.gas_used) == (sender.address, "transfer", 21_000)
    assert receipt.gas_limit >= 21_000
    assert receipt.contract is None
    assert receipt.logs == ()
    assert sender.gas is not None
    assert sender.gas.by_label() == {"transfer": [21_000]}
    assert (sender.gas.total(), sender.gas.count()) == (21_000, 1)


def test_senders_of_one_key_in_many_threads_do_not_collide(w3: Web3, sender: Sender):
    senders = [Sender(w3, sender.key) for _ in range(8)]
    before = w3.eth.get_balance(SINK)
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda k: senders[k % 8].transfer(SINK, 1), range(48)))
    assert len({receipt.transaction for receipt in receipts}) == 48
    assert w3.eth.get_balance(SINK) == before + 48
    assert w3.eth.get_transaction_count(sender.address) == 48


def test_batch_goes_out_together_and_comes_back_in_order(w3: Web3):
    keys = [Key.random() for _ in range(40)]
    fund(w3, [key.address for key in keys], ETHER)
    gas = GasLedger()
    senders = [Sender(w3, key, gas) for key in keys]
    calls = [(item, Call(SINK, b"", "transfer", value=k)) for k, item in enumerate(senders)]
    calls.append((senders[0], Call(SINK, b"", "transfer", value=99)))  # a second one of the same key
    receipts = send_many(calls)
    assert [receipt.sender for receipt in receipts] == [item.address for item, _ in calls]
    assert w3.eth.get_transaction_count(senders[0].address) == 2
    assert gas.count() == 41
    assert send_many([]) == []


def test_batch_with_a_refused_call_names_it_and_wastes_no_nonce(w3: Web3, world: World):
    ledger = world.ledger
    first, second = world.hospitals[1], world.hospitals[2]
    ledger.register_epoch(first, 0, digest("roster"), 5, digest("noise"))

    def registration() -> Call:
        return ledger.prepare("registerEpoch", 0, digest("roster"), 5, digest("noise"))

    with pytest.raises(EpochAlreadyRegistered, match="go on with what it registered"):
        send_many([(second, registration()), (first, registration())])
    assert ledger.epoch_registration(2, 0).roster_size == 0  # nothing was sent
    blind = replace(registration(), gas=300_000)  # not estimated: refused in its block
    with pytest.raises(EpochAlreadyRegistered) as late:
        send_many([(second, blind), (first, blind)])
    assert late.value.transaction is not None
    assert ledger.epoch_registration(2, 0).roster_size == 5
    ledger.register_epoch(first, 1, digest("roster"), 5, digest("noise"))
    ledger.register_epoch(second, 1, digest("roster"), 5, digest("noise"))


def test_transaction_sent_again_is_the_same_one(w3: Web3, sender: Sender):
    with sender.nonces.lock:
        prepared = sender.sign(
            Call(SINK, b"", "transfer", value=1), sender.quote(Call(SINK, b"", "transfer"))
        )
    for _ in range(2):  # the second time the node has it already
        assert sender.accepted(prepared, send_raw(w3, prepared))
    assert sender.wait([prepared])[0].transaction == prepared.hash
    sender.nonces.done(prepared.nonce)
    assert w3.eth.get_transaction_count(sender.address) == 1


def test_nonce_taken_by_another_program_is_replaced(w3: Web3, sender: Sender):
    stale = sender.quote(Call(SINK, b"", "transfer", value=1))
    sender.transfer(SINK, 1)
    prepared = sender.sign(Call(SINK, b"", "transfer", value=2), stale)
    assert not sender.accepted(prepared, send_raw(w3, prepared))
    sender.nonces.done(prepared.nonce)
    sender.transfer(SINK, 3)
    assert w3.eth.get_transaction_count(sender.address) == 2


def test_sender_goes_on_after_the_chain_was_rolled_back(w3: Web3, sender: Sender):
    snapshot = request(w3, "evm_snapshot")
    for _ in range(3):
        sender.transfer(SINK, 1)
    request(w3, "evm_revert", snapshot)
    sender.transfer(SINK, 1)
    assert w3.eth.get_transaction_count(sender.address) == 1


def test_missing_receipt_is_given_up_with_what_to_do():
    with AnvilNode() as node:
        w3 = connect(node.url)
        sender = Sender(w3, development_key(0), timeout_s=0.05)
        request(w3, "evm_setAutomine", False)
        with pytest.raises(
            TransactionFailed, match=r"is in no block after .* look the transaction up"
        ) as lost:
            sender.transfer(SINK, 1)
        assert lost.value.transaction is not None
        request(w3, "evm_mine")
        request(w3, "evm_setAutomine", True)
        sender.transfer(SINK, 1)
        assert w3.eth.get_transaction_count(sender.address) == 2


def test_node_that_dies_before_the_receipt_leaves_the_transaction_s_hash():
    with AnvilNode() as node:
        w3 = connect(node.url)
        sender = Sender(w3, development_key(0))
        request(w3, "evm_setAutomine", False)
        killer = threading.Timer(0.1, node.kill)
        killer.start()
        with pytest.raises(NodeError, match=r"whether transaction 0x[0-9a-f]{64} is in a block is not known"):
            sender.transfer(SINK, 1)
        killer.join()


def test_development_key_is_refused_on_a_foreign_chain():
    with AnvilNode(chain_id=2018) as node:
        w3 = connect(node.url)
        with pytest.raises(DevelopmentKeyRefused, match="refused on chain 2018"):
            Sender(w3, development_key(0))
        with pytest.raises(ChainError, match="local chain only"):
            fund(w3, [SINK], 1)


def test_batch_over_two_chains_is_refused(sender: Sender):
    with AnvilNode(chain_id=1337) as node:
        other = Sender(connect(node.url), development_key(0))
        call = Call(SINK, b"", "transfer", value=1)
        with pytest.raises(ChainError, match="one batch a chain"):
            send_many([(sender, call), (other, call)])


def test_allocators_are_one_a_key():
    registry = NonceRegistry()
    first = registry.allocator(1, b"genesis", "0xa")
    assert registry.allocator(1, b"genesis", "0xa") is first
    assert registry.allocator(2, b"genesis", "0xa") is not first
    assert registry.allocator(1, b"other", "0xa") is not first


def test_allocator_counts_what_is_in_flight_and_follows_the_node():
    nonces = NonceAllocator()
    assert [nonces.take(5), nonces.take(5), nonces.take(6)] == [5, 6, 7]
    nonces.done(7)
    assert nonces.take(6) == 7  # given up, so free again
    for nonce in (5, 6, 7):
        nonces.done(nonce)
    assert nonces.take(2) == 2  # the chain was rolled back


def test_fees_follow_the_chain():
    assert Fees.of({"baseFeePerGas": "0x64"}, hex(130)) == Fees(230, 30)
    assert Fees.of({"baseFeePerGas": "0x0"}, "0x0") == Fees(0, 0)
    assert Fees.of({}, "0x7") == Fees(7, None)


def test_a_transaction_costs_a_quote_a_send_and_looks_for_its_receipt(sender: Sender, monkeypatch):
    provider, exchanges = sender.w3.provider, []
    for name in ("make_request", "make_batch_request"):
        monkeypatch.setattr(provider, name, _counted(getattr(provider, name), exchanges))
    sender.transfer(SINK, 1)
    sent = [what for what in exchanges if "eth_sendRawTransaction" in what]
    looks = [what for what in exchanges if set(what) == {"eth_getTransactionReceipt"}]
    assert len(sent) == 1
    assert looks
    assert len(exchanges) - len(looks) == 2


def _counted(exchange, log):
    def counting(*arguments):
        calls = arguments[0] if isinstance(arguments[0], list) else [arguments]
        log.append([str(method) for method, _ in calls])
        return exchange(*arguments)

    return counting
