"""Waiting for the chain: by the wall clock, or by moving a local node's clock.

Phases of a round end at deadlines and the beacon needs blocks after the ready phase. A deployment waits; a
local node is told to move on, and whoever prints results says so with `describe()`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from chain.connect import chain_id_of, is_local
from chain.errors import ClockError
from chain.rpc import RpcError, endpoint, request

if TYPE_CHECKING:
    from web3 import Web3


class Clock(Protocol):
    """Chain time in seconds since 1970, and how to let it pass."""

    def now(self) -> int:
        """Timestamp of the latest block."""

    def wait_until(self, timestamp: int) -> None:
        """Return once a transaction sent now is included at `timestamp` or later."""

    def wait_blocks(self, count: int) -> None:
        """Return once `count` more blocks are there."""

    def describe(self) -> str:
        """One line for the output: is time real here?"""


def head(w3: Web3) -> tuple[int, int]:
    """(number, timestamp) of the latest block."""
    block = request(w3, "eth_getBlockByNumber", "latest", False)
    return int(block["number"], 16), int(block["timestamp"], 16)


class RealClock:
    """Waits. A local node, which makes no blocks by itself, is asked for one at each look.

    Args:
        w3: connection.
        poll_s: seconds between two looks at the chain.
        patience_s: how long the chain may be without a new block before `ClockError`.
    """

    def __init__(self, w3: Web3, *, poll_s: float = 1.0, patience_s: float = 300.0) -> None:
        self._w3 = w3
        self._poll_s = poll_s
        self._patience_s = patience_s
        self._mines = is_local(w3)

    def now(self) -> int:
        """Timestamp of the latest block."""
        return head(self._w3)[1]

    def wait_until(self, timestamp: int) -> None:
        """Wait until a block at or after `timestamp` exists.

        Raises:
            ClockError: the chain stands still.
        """
        self._wait(lambda _, time_s: time_s >= timestamp)

    def wait_blocks(self, count: int) -> None:
        """Wait for `count` more blocks.

        Raises:
            ClockError: the chain stands still.
        """
        goal = head(self._w3)[0] + count
        self._wait(lambda number, _: number >= goal)

    def describe(self) -> str:
        """One line for the output."""
        return "real time: phases last as long as the contracts say"

    def _wait(self, reached: Callable[[int, int], bool]) -> None:
        number, timestamp = head(self._w3)
        progress = time.monotonic()
        while not reached(number, timestamp):
            time.sleep(self._poll_s)
            if self._mines:
                _control(self._w3, "evm_mine")
            current, timestamp = head(self._w3)
            if current != number:
                number, progress = current, time.monotonic()
            elif time.monotonic() - progress > self._patience_s:
                raise ClockError(
                    f"the chain behind {endpoint(self._w3)} has made no block for {self._patience_s:.0f} s: "
                    "check its validators"
                )


class LocalClock:
    """Moves a local node's clock instead of waiting (`evm_increaseTime`, `evm_mine`).

    Raises:
        ClockError: the chain is not a local one.
    """

    def __init__(self, w3: Web3) -> None:
        if not is_local(w3):
            raise ClockError(
                f"chain {chain_id_of(w3)} is not a local one, its clock cannot be moved: wait with RealClock"
            )
        self._w3 = w3

    def now(self) -> int:
        """Timestamp of the latest block."""
        return head(self._w3)[1]

    def wait_until(self, timestamp: int) -> None:
        """Move the clock so that the latest block is at `timestamp` or later; no effect if it already is.

        Raises:
            ClockError: the node has no clock to move.
        """
        missing = timestamp - self.now()
        while missing > 0:
            _control(self._w3, "evm_increaseTime", missing)
            _control(self._w3, "evm_mine")
            missing = timestamp - self.now()

    def wait_blocks(self, count: int) -> None:
        """Mine `count` empty blocks.

        Raises:
            ClockError: the node does not mine on demand.
        """
        for _ in range(count):
            _control(self._w3, "evm_mine")

    def describe(self) -> str:
        """One line for the output."""
        return "simulated time: the local node's clock is moved instead of waiting"


def clock_for(w3: Web3) -> LocalClock | RealClock:
    """The clock that fits the chain: moved on local chain ids, waited for elsewhere."""
    return LocalClock(w3) if is_local(w3) else RealClock(w3)


def _control(w3: Web3, method: str, *params: object) -> None:
    try:
        request(w3, method, *params)
    except RpcError as error:
        raise ClockError(
            f"the node at {endpoint(w3)} does not support {method} ({error.message}): "
            "use a development node or wait with RealClock"
        ) from error
