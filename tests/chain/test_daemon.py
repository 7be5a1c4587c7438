"""A node that stays up between commands is found again, never confused, and stopped by its id."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.anvil import free_port
from chain.connect import connect
from chain.daemon import daemon_status, start_daemon, stop_daemon
from chain.errors import NodeError, PortTaken
from chain.keys import development_key
from chain.processes import fingerprint
from chain.sender import Sender

pytestmark = pytest.mark.node


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "node"
    yield directory
    stop_daemon(directory)


def test_up_status_down_are_idempotent(home: Path):
    assert daemon_status(home).running is False
    port = free_port()
    first = start_daemon(home, port=port)
    assert (first.running, first.answers, first.changed, first.block) == (True, True, True, 0)
    again = start_daemon(home, port=port)
    assert (again.pid, again.changed) == (first.pid, False)
    assert daemon_status(home).url == f"http://127.0.0.1:{port}"
    down = stop_daemon(home)
    assert (down.running, down.changed) == (False, True)
    assert first.pid is not None
    assert fingerprint(first.pid) is None
    assert stop_daemon(home).changed is False
    assert daemon_status(home).running is False


def test_chain_is_kept_across_restarts_if_asked(home: Path):
    port = free_port()
    start_daemon(home, port=port)
    Sender(connect(f"http://127.0.0.1:{port}"), development_key(0)).transfer("0x" + "11" * 20, 9)
    stop_daemon(home)
    assert start_daemon(home, port=port).block == 1
    stop_daemon(home)
    assert start_daemon(home, port=port, keep_state=False).block == 0


def test_another_port_or_chain_is_refused_while_up(home: Path):
    port = free_port()
    start_daemon(home, port=port)
    with pytest.raises(NodeError, match=r"already up at .*: stop it with `fediomt chain down` first"):
        start_daemon(home, port=port, chain_id=1337)


def test_stale_record_is_seen_and_replaced(home: Path):
    port = free_port()
    pid = start_daemon(home, port=port).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 5
    while not daemon_status(home).stale and time.monotonic() < until:
        time.sleep(0.01)
    status = daemon_status(home)
    assert (status.running, status.stale) == (False, True)
    assert start_daemon(home, port=port).pid != pid


def test_process_of_somebody_else_is_never_stopped(home: Path):
    start_daemon(home, port=free_port())
    real = json.loads((home / "node.json").read_text())
    ours = {**real, "pid": os.getpid()}  # as after a restart of the machine
    (home / "node.json").write_text(json.dumps(ours))
    assert daemon_status(home).stale
    stop_daemon(home)  # this process goes on
    (home / "node.json").write_text(json.dumps(real))


def test_taken_port_and_damaged_record_are_named(home: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTaken):
            start_daemon(home, port=other.getsockname()[1])
    assert not (home / "node.json").exists()
    (home / "node.json").write_text("{")
    with pytest.raises(NodeError, match=r"node\.json is not a node's record"):
        daemon_status(home)
    (home / "node.json").unlink()


def test_folder_that_cannot_be_used_is_named(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(NodeError, match="cannot use"):
        start_daemon(blocked, port=free_port())


def test_program_that_ends_at_once_leaves_no_record(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    program = tmp_path / "anvil"
    program.write_text("#!/bin/sh\necho broken\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("FEDIOMT_ANVIL", str(program))
    with pytest.raises(NodeError, match="ended at once: broken"):
        start_daemon(home, port=free_port())
    assert not (home / "node.json").exists()
