"""A transaction is paid once, whoever is killed on the way, and whatever the node answers."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chain_world import ETHER, World
from faulty_proxy import (
    BAD_GATEWAY,
    DROP_AFTER,
    DROP_BEFORE,
    HTML,
    NONSENSE,
    NULL,
    SILENT,
    TRUNCATED,
    faulty_proxy,
)
from web3 import Web3

from chain import sender as sender_module
from chain.batches import send_many
from chain.connect import chain_identity, connect
from chain.errors import ChainError, InsufficientFunds, NodeError, TransactionFailed
from chain.keys import Key, development_key, fund
from chain.node import AnvilNode
from chain.outbox import Outbox
from chain.receipts import Call
from chain.rpc import request
from chain.sender import Sender
from chain.unsettled import finish
from incentives.sum_tree import SumTree

pytestmark = pytest.mark.node
SINK = "0x" + "33" * 20
PAY = Call(SINK, b"", "transfer", value=7)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


@pytest.fixture
def key(w3: Web3) -> Key:
    key = Key.random()
    fund(w3, [key.address], ETHER)
    return key


def in_another_process(work: Callable[[], object]) -> int:
    """Run something in a forked process; its exit status, or minus the signal that killed it."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed_when(name: str, *, after: bool) -> Callable[[], object]:
    """For a process that is to die: have a function of the sender end in SIGKILL, before or after its work."""
    honest = getattr(sender_module, name)

    def deadly(*arguments: object) -> object:
        if after:
            honest(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    def arm() -> None:
        setattr(sender_module, name, deadly)

    return arm


@contextmanager
def mining_by_hand(w3: Web3) -> Iterator[None]:
    request(w3, "evm_setAutomine", False)
    yield
    request(w3, "evm_setAutomine", True)
    request(w3, "evm_mine")


def left(outbox: Outbox, w3: Web3) -> list[str]:
    return [item.hash for kept in outbox.accounts(*chain_identity(w3)) for item in kept.entries()]


@pytest.mark.parametrize("kept", [True, False])
def test_eight_processes_send_with_one_key(w3: Web3, node: AnvilNode, key: Key, outbox: Outbox, kept: bool):
    def work(number: int) -> None:
        sender = Sender(connect(node.url), key, outbox=outbox if kept else None)
        for turn in range(4):  # without an outbox, two processes' equal calls could be one transaction
            sender.send(PAY if kept else Call(SINK, b"", "transfer", value=100 * number + turn))

    processes = []
    for number in range(8):
        process = os.fork()
        if process == 0:
            try:
                work(number)
            except BaseException:
                os._exit(1)
            os._exit(0)
        processes.append(process)
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    assert codes == [0] * 8
    due = 32 * 7 if kept else sum(100 * number + turn for number in range(8) for turn in range(4))
    assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == due
    assert w3.eth.get_transaction_count(key.address) == 32
    assert left(outbox, w3) == []


@pytest.mark.parametrize("after", [False, True])
def test_command_killed_while_it_sends_pays_once_when_run_again(
    w3: Web3, node: AnvilNode, key: Key, outbox: Outbox, after: bool
):
    arm = killed_when("send_raw", after=after)

    def command() -> None:
        arm()
        Sender(connect(node.url), key, outbox=outbox).send(PAY)

    assert in_another_process(command) == -signal.SIGKILL
    assert len(left(outbox, w3)) == 1
    receipt = Sender(w3, key, outbox=outbox).send(PAY)
    assert receipt.gas_used == 21_000
    assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == 7
    assert left(outbox, w3) == []
    Sender(w3, key, outbox=outbox).send(PAY)  # a second payment that is meant
    assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == 14


def test_transaction_that_waits_for_a_block_when_its_command_is_killed_is_not_sent_twice(
    w3: Web3, node: AnvilNode, key: Key, outbox: Outbox
):
    arm = killed_when("wait_receipts", after=False)

    def command() -> None:
        arm()
        Sender(connect(node.url), key, outbox=outbox).send(PAY)

    with mining_by_hand(w3):
        assert in_another_process(command) == -signal.SIGKILL
        with pytest.raises(TransactionFailed, match="of a command that was interrupted is in no block"):
            finish(w3, outbox, timeout_s=0.05)
        assert len(left(outbox, w3)) == 1
    done = finish(w3, outbox)
    assert [item.label for item in done.alive] == ["transfer"]
    assert finish(w3, outbox).alive == ()
    assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == 7


def test_killed_claim_pays_once_when_run_again(
    closed: tuple[World, dict[int, SumTree]],
    node: AnvilNode,
    outbox: Outbox,
):
    world, trees = closed
    payee = world.devices[1][0]
    claim = world.claim(trees[1], 0)
    distributor = world.contracts.distributor
    arm = killed_when("wait_receipts", after=False)

    def command() -> None:
        arm()
        distributor.claim(Sender(connect(node.url), payee, outbox=outbox), [claim])

    assert in_another_process(command) == -signal.SIGKILL
    paid = world.contracts.token.balance_of(payee.address)
    assert paid > 0
    again = distributor.claim(Sender(world.w3, payee, outbox=outbox), [claim])
    assert again.amount == paid == world.contracts.token.balance_of(payee.address)


def test_batch_killed_after_it_was_sent_pays_each_once_when_run_again(
    w3: Web3, node: AnvilNode, outbox: Outbox
):
    keys = [Key.random() for _ in range(5)]
    fund(w3, [key.address for key in keys], ETHER)

    def batch_of(connection: Web3):
        return [(Sender(connection, key, outbox=outbox), PAY) for key in keys]

    def command() -> None:
        from chain import batches

        batches.wait_receipts = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        send_many(batch_of(connect(node.url)))

    assert in_another_process(command) == -signal.SIGKILL
    assert len(left(outbox, w3)) == 5
    assert len(send_many(batch_of(w3))) == 5
    assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == 5 * 7
    assert left(outbox, w3) == []


def test_batch_in_which_a_call_is_refused_leaves_nothing_unsettled(w3: Web3, key: Key, outbox: Outbox):
    poor = Sender(w3, Key.random(), outbox=outbox)
    with pytest.raises(InsufficientFunds, match="fund it"):
        send_many([(Sender(w3, key, outbox=outbox), PAY), (poor, PAY)])
    assert left(outbox, w3) == []
    assert w3.eth.get_transaction_count(key.address) == 1
    assert w3.eth.get_transaction_count(poor.address) == 0


def test_account_without_funds_is_named_and_nothing_is_left(w3: Web3, outbox: Outbox):
    with pytest.raises(InsufficientFunds, match=r"cannot pay for the transaction: fund it"):
        Sender(w3, Key.random(), outbox=outbox).send(PAY)
    assert left(outbox, w3) == []


@pytest.mark.parametrize(
    "fault", [DROP_BEFORE, DROP_AFTER, HTML, TRUNCATED, BAD_GATEWAY, NULL, NONSENSE, SILENT]
)
@pytest.mark.parametrize(
    "method", ["eth_getTransactionCount", "eth_sendRawTransaction", "eth_getTransactionReceipt"]
)
def test_fault_of_the_node_is_one_line_and_the_call_made_again_pays_once(  # noqa: PLR0917
    w3: Web3, node: AnvilNode, key: Key, outbox: Outbox, method: str, fault: str
):
    with faulty_proxy(node.url) as proxy:
        sender = Sender(connect(proxy.url, timeout_s=0.3), key, outbox=outbox, patience_s=0.1, timeout_s=0.5)
        proxy.fault = lambda asked: fault if asked["method"] == method else None
        with pytest.raises((NodeError, TransactionFailed)) as failed:
            sender.send(PAY)
        assert "\n" not in str(failed.value)
        assert "Traceback" not in str(failed.value)
        proxy.fault = lambda asked: None
    assert Sender(w3, key, outbox=outbox).send(PAY).gas_used == 21_000
    assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == 7
    assert left(outbox, w3) == []


def test_node_that_is_away_for_a_moment_is_waited_for(w3: Web3, node: AnvilNode, key: Key):
    with faulty_proxy(node.url) as proxy:
        sender = Sender(connect(proxy.url, timeout_s=2), key, patience_s=5)
        proxy.fault = lambda asked: (
            DROP_BEFORE
            if asked["method"] == "eth_getTransactionReceipt" and proxy.seen["eth_getTransactionReceipt"] < 4
            else None
        )
        assert sender.send(PAY).gas_used == 21_000
    assert w3.eth.get_transaction_count(key.address) == 1


def test_stuck_transaction_is_sent_again_with_a_higher_fee(w3: Web3, key: Key, outbox: Outbox):
    done = threading.Event()

    def mine() -> None:
        while not done.wait(0.02):
            request(w3, "evm_mine")

    quoted = Sender(w3, key).quote(PAY).fees.price
    with mining_by_hand(w3):
        sender = Sender(w3, key, outbox=outbox, stuck_s=0.2, timeout_s=20)
        honest = sender.submit

        def submit_then_fees_rise(call: Call):
            prepared = honest(call)
            request(w3, "anvil_setNextBlockBaseFeePerGas", hex(4 * quoted))
            miner.start()
            return prepared

        sender.submit = submit_then_fees_rise
        miner = threading.Thread(target=mine)
        receipt = sender.send(PAY)
        done.set()
        miner.join()
    paid = request(w3, "eth_getTransactionReceipt", receipt.transaction)
    assert int(paid["effectiveGasPrice"], 16) > quoted  # more than was offered at first
    assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == 7
    assert w3.eth.get_transaction_count(key.address) == 1
    assert left(outbox, w3) == []


def test_transaction_that_a_node_forgot_when_it_was_killed_is_sent_again(tmp_path: Path, outbox: Outbox):
    state = tmp_path / "chain.json"
    key = Key.random()
    with AnvilNode(state=state) as node:
        port = int(node.url.rsplit(":", 1)[1])
        w3 = connect(node.url)
        Sender(w3, development_key(0)).transfer(key.address, ETHER)
        request(w3, "evm_setAutomine", False)
        with pytest.raises(TransactionFailed, match="is in no block"):
            Sender(w3, key, outbox=outbox, timeout_s=0.05).send(PAY)
        node.stop()
    with AnvilNode(port, state=state):
        w3 = connect(f"http://127.0.0.1:{port}")
        assert request(w3, "eth_getTransactionByHash", left(outbox, w3)[0]) is None
        Sender(w3, key, outbox=outbox).send(PAY)
        assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == 7
        assert left(outbox, w3) == []


def test_outbox_of_one_chain_is_no_business_of_another(w3: Web3, key: Key, outbox: Outbox):
    with mining_by_hand(w3), pytest.raises(TransactionFailed):
        Sender(w3, key, outbox=outbox, timeout_s=0.02).send(PAY)
    with AnvilNode() as other:
        elsewhere = connect(other.url)
        assert finish(elsewhere, outbox).alive == ()
    assert len(left(outbox, w3)) == 1
    Sender(w3, key, outbox=outbox).send(PAY)
    assert left(outbox, w3) == []
    assert w3.eth.get_balance(Web3.to_checksum_address(SINK)) == 7


def test_nothing_is_sent_that_cannot_be_kept(w3: Web3, key: Key, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ChainError, match=r"so none was sent: make room"):
        Sender(w3, key, outbox=Outbox(tmp_path / "file")).send(PAY)
    assert w3.eth.get_transaction_count(key.address) == 0


def test_what_is_kept_holds_no_key_and_is_the_user_s_alone(w3: Web3, key: Key, outbox: Outbox):
    with mining_by_hand(w3), pytest.raises(TransactionFailed):
        Sender(w3, key, outbox=outbox, timeout_s=0.02).send(PAY)
    (path,) = outbox.folder.rglob("*.json")
    assert key.private.hex() not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("{")
    with pytest.raises(ChainError, match="is no kept transaction: look on chain"):
        finish(w3, outbox)
