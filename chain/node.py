"""A local node that lives as long as a `with` block, and never longer than this process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO

from chain.anvil import AnvilOptions, await_ready, find_anvil, free_port, require_free
from chain.errors import NodeError, PortTaken

_STOP_PATIENCE_S = 5.0
_PORT_ATTEMPTS = 5
_PR_SET_PDEATHSIG = 1


class AnvilNode:
    """Anvil in a process of its own; stopped by its id when the block ends, however it ends.

    On Linux the kernel ends the node when the thread that started it is gone, even by SIGKILL. Elsewhere
    SIGTERM and Ctrl-C are turned into an ordinary end of the block.

    Args:
        port: loopback port; None takes a free one.
        chain_id: EVM chain id.
        accounts: development accounts that are funded.
        state: file in which the chain is kept across restarts, or None.
        zero_gas: gas costs nothing.
    """

    def __init__(
        self,
        port: int | None = None,
        *,
        chain_id: int = 31337,
        accounts: int = 10,
        state: Path | None = None,
        zero_gas: bool = False,
    ) -> None:
        self._wanted_port = port
        self._chain_id = chain_id
        self._accounts = accounts
        self._state = state
        self._zero_gas = zero_gas
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._options: AnvilOptions | None = None
        self._on_sigterm: signal.Handlers | None = None

    @property
    def url(self) -> str:
        """Endpoint of the running node."""
        if self._options is None:
            raise NodeError("the local node is not running: start it first")
        return self._options.url

    @property
    def pid(self) -> int:
        """Process id of the running node."""
        if self._process is None:
            raise NodeError("the local node is not running: start it first")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> AnvilNode:
        """Start and wait until the node answers.

        Raises:
            EngineMissing: Anvil is not installed.
            PortTaken: the port is in use.
            NodeError: the node ended or does not answer, or is already running.
        """
        if self._process is not None:
            raise NodeError(f"the local node is already running at {self.url}")
        program = find_anvil()
        attempts = 1 if self._wanted_port is not None else _PORT_ATTEMPTS
        for attempt in range(1, attempts + 1):
            port = self._wanted_port if self._wanted_port is not None else free_port()
            try:
                self._launch(program, port)
            except PortTaken:
                if attempt == attempts:
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop the process and wait for its end; SIGKILL if SIGTERM does not do. No effect if not running."""
        process, self._process, self._options = self._process, None, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                process.wait(_STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._output is not None:
            self._output.close()
            self._output = None

    def kill(self) -> None:
        """End the process at once, as a crash would; `stop` still has to be called."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> AnvilNode:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        ):
            signal.signal(signal.SIGTERM, _terminated)
            self._on_sigterm = signal.SIG_DFL
        try:
            return self.start()
        except BaseException:
            self._leave()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        try:
            self.stop()
        finally:
            if self._on_sigterm is not None:
                signal.signal(signal.SIGTERM, self._on_sigterm)
                self._on_sigterm = None

    def _launch(self, program: Path, port: int) -> None:
        require_free(port)
        options = AnvilOptions(port, self._chain_id, self._accounts, self._state, self._zero_gas)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            options.command(program),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the node
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one system call, looked up beforehand
        )
        self._options = options
        try:
            await_ready(options.url, options.chain_id, self._last_words)
        except BaseException:
            self.stop()
            raise

    def _last_words(self) -> str | None:
        if self.alive or self._output is None:
            return None
        self._output.seek(0)
        return self._output.read().decode(errors="replace").strip()[-400:].replace("\n", " ")


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _die_with_parent() -> Callable[[], None] | None:
    """What the child runs before Anvil: ask the kernel for SIGTERM when the parent is gone (Linux)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it went away before we asked
            os._exit(1)

    return ask
