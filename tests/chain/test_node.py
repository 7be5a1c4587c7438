"""A local node starts, answers, and is gone when its block ends, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chain.anvil import AnvilOptions, await_ready, find_anvil, free_port
from chain.connect import chain_id_of, connect, genesis_hash
from chain.errors import EngineMissing, NodeError, PortTaken
from chain.keys import Key, development_key
from chain.node import AnvilNode
from chain.processes import fingerprint
from chain.sender import Sender

pytestmark = pytest.mark.node

HOLD = """
import signal, sys, time
from chain.node import AnvilNode
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
with AnvilNode() as node:
    print(node.pid, flush=True)
    {body}
"""


def gone(pid: int, within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while fingerprint(pid) is not None:
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_node_answers_and_is_gone_after_its_block():
    with AnvilNode(chain_id=1337, accounts=2) as node:
        pid = node.pid
        w3 = connect(node.url, chain_id=1337)
        assert chain_id_of(w3) == 1337
        assert len(w3.eth.accounts) == 2
        assert node.alive
        with pytest.raises(NodeError, match="already running"):
            node.start()
    assert gone(pid)
    assert not node.alive
    for use in (lambda: node.pid, lambda: node.url):
        with pytest.raises(NodeError, match="not running"):
            use()
    with pytest.raises(NodeError, match="no node answers"):
        chain_id_of(w3)


def test_node_is_stopped_when_its_block_raises():
    node = AnvilNode()

    def fail() -> None:
        with node:
            pids.append(node.pid)
            raise RuntimeError("boom")

    pids: list[int] = []
    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert gone(pids[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_node_goes_with_its_parent(number: signal.Signals):
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(body="time.sleep(60)")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert fingerprint(pid) is not None
        parent.send_signal(number)
        parent.wait(10)
    assert gone(pid)


def test_state_survives_a_restart(tmp_path: Path):
    state = tmp_path / "state.json"
    with AnvilNode(state=state) as node:
        w3 = connect(node.url)
        Sender(w3, development_key(0)).transfer("0x" + "11" * 20, 7)
        genesis = genesis_hash(w3)
    with AnvilNode(state=state) as node:
        again = connect(node.url)
        assert again.eth.get_balance("0x" + "11" * 20) == 7
        assert genesis_hash(again) == genesis


def test_zero_gas_network_takes_transactions_of_penniless_accounts():
    with AnvilNode(zero_gas=True) as node:
        w3 = connect(node.url)
        poor = Sender(w3, Key.random())
        receipt = poor.transfer(development_key(0).address, 0)
        assert receipt.gas_used == 21_000
        assert w3.eth.get_balance(poor.address) == 0


def test_taken_port_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken"), AnvilNode(port):
            pass
    with AnvilNode(free_port()) as node:
        taken = int(node.url.rsplit(":", 1)[1])
        with pytest.raises(PortTaken), AnvilNode(taken):
            pass
        with pytest.raises(PortTaken, match="a node of chain 31337"):
            await_ready(node.url, 1337, lambda: None)
        assert node.alive


def test_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("FEDIOMT_ANVIL", str(tmp_path / "nothing"))
    with pytest.raises(EngineMissing, match="FEDIOMT_ANVIL names"), AnvilNode():
        pass
    monkeypatch.delenv("FEDIOMT_ANVIL")
    monkeypatch.setattr("chain.anvil.__file__", str(tmp_path / "chain" / "anvil.py"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissing, match="npm ci --ignore-scripts"):
        find_anvil()
    shim = tmp_path / "anvil"
    shim.write_text("#!/bin/sh\n")
    shim.chmod(0o755)
    with pytest.raises(EngineMissing):  # a script would not pass signals on
        find_anvil()


def test_program_that_fails_at_once_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    program = tmp_path / "anvil"
    program.write_text("#!/bin/sh\necho no such fork >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("FEDIOMT_ANVIL", str(program))
    with pytest.raises(NodeError, match="ended at once: no such fork"), AnvilNode():
        pass


def test_program_that_never_answers_is_given_up():
    with pytest.raises(NodeError, match="does not answer"):
        await_ready(AnvilOptions(free_port()).url, 31337, lambda: None, timeout_s=0.1)


def test_killed_node_is_reported_in_one_line():
    with AnvilNode() as node:
        w3 = connect(node.url)
        sender = Sender(w3, development_key(0))
        node.kill()
        with pytest.raises(NodeError, match=r"no node answers at http://127\.0\.0\.1:") as lost:
            sender.transfer("0x" + "11" * 20, 1)
        assert "fediomt chain up" in str(lost.value)
        assert "\n" not in str(lost.value)


def test_processes_are_told_apart():
    own = fingerprint(os.getpid())
    assert own is not None
    assert sys.executable.rsplit("/", 1)[-1] in own
    assert fingerprint(2**22 + 1) is None
