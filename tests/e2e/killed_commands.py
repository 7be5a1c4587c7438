"""Runs the command line in a process of its own, killed by SIGKILL at a chosen transaction where that is asked for."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command_line import Outcome, fediomt
from faulty_proxy import DROP_AFTER, DROP_BEFORE, FaultyProxy

KILLED = -signal.SIGKILL


@dataclass
class Killer:
    """Kills a command as it hands over its n-th transaction: `lost` before the node has it, else right after."""

    proxy: FaultyProxy
    transaction: int
    lost: bool = False

    def run(self, command: Callable[[], object]) -> int:
        """The command's exit status, in a process of its own: `KILLED`, or another if it sent fewer transactions."""
        sent = 0
        process = 0

        def fault(asked: dict[str, Any]) -> str | None:
            nonlocal sent
            sent += asked["method"] == "eth_sendRawTransaction"
            return (DROP_BEFORE if self.lost else DROP_AFTER) if sent == self.transaction else None

        def kill() -> None:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

        self.proxy.fault, self.proxy.on_drop = fault, kill
        try:
            process = os.fork()
            if process == 0:
                code = 70
                try:
                    code = command().code
                finally:
                    os._exit(code)
            return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        finally:
            self.proxy.fault, self.proxy.on_drop = lambda asked: None, lambda: None


def in_another_process(command: Callable[[], Outcome]) -> Outcome:
    """What a command says in a forked process, whose limits and memory are its own."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        code = 70
        try:
            outcome = command()
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(outcome, pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    outcome: Outcome = pickle.loads(said)
    return outcome


def killed_at(proxy: FaultyProxy, transaction: int, *arguments: str, cwd: Path, lost: bool = False) -> int:
    """The exit status of `fediomt ARGUMENTS`, see `Killer`."""
    return Killer(proxy, transaction, lost).run(lambda: fediomt(*arguments, "--url", proxy.url, cwd=cwd))
