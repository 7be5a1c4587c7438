"""One nonce allocator a key, shared by everything in this process that sends with it.

The node's pending count alone makes senders of one key collide, and a local counter alone goes stale when a
node is restarted or rolled back. So the node is asked each time, and its answer is corrected by what this
process has in flight; whoever sends holds the key's lock from asking to the node's acceptance. Between processes,
`chain.outbox` has a lock.
"""

from __future__ import annotations

import threading


class NonceAllocator:
    """Nonces of one account on one chain. `lock` must be held to take one."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._in_flight: set[int] = set()

    def take(self, pending_count: int) -> int:
        """The next nonce, given the node's count of accepted transactions; in flight until `done`."""
        nonce = max([pending_count, *(nonce + 1 for nonce in self._in_flight)])
        self._in_flight.add(nonce)
        return nonce

    def claim(self, nonce: int) -> bool:
        """Take a nonce whose transaction was signed before; False if it is in flight here."""
        with self.lock:
            if nonce in self._in_flight:
                return False
            self._in_flight.add(nonce)
            return True

    def in_flight(self, nonce: int) -> bool:
        """Whether something in this process waits for the transaction of a nonce."""
        return nonce in self._in_flight

    def done(self, nonce: int) -> None:
        """The transaction is in a block, or was given up."""
        with self.lock:
            self._in_flight.discard(nonce)


class NonceRegistry:
    """The allocators of a process, by chain and address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._allocators: dict[tuple[int, bytes, str], NonceAllocator] = {}

    def allocator(self, chain_id: int, genesis: bytes, address: str) -> NonceAllocator:
        """The one allocator of an account on a chain (local nodes share an id, but not a genesis)."""
        with self._lock:
            return self._allocators.setdefault((chain_id, genesis, address), NonceAllocator())


PROCESS_NONCES = NonceRegistry()
"""Shared on purpose: two allocators for one key would hand out the same nonce."""
