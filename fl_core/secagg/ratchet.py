"""Pair keys that move forward one round at a time; a round's keys cannot be had again once it is closed.

The ratchet is a chain of one-way steps, as the symmetric ratchet of Signal's Double Ratchet (Perrin and Marlinspike,
2016). A pair is stepped when it is used: rounds that it sat out derived nothing from their keys, so that stepping
over them later loses no forward secrecy.
"""

from __future__ import annotations

from collections.abc import Iterable

from fl_core.secagg.errors import SecAggError
from fl_core.secagg.kdf import expand
from fl_core.secagg.plan import ROUNDS_PER_EPOCH_LOG2


class Ratchet:
    """The chain keys of one device for one epoch.

    References to passed keys are dropped; CPython frees their memory but does not overwrite it.
    """

    def __init__(self, epoch: int, roots: dict[bytes, bytes]) -> None:
        """Take over the roots of an epoch.

        Args:
            epoch: the epoch; its first round is `epoch << 8`.
            roots: 32-byte key by peer, as agreed for the epoch's first round. Emptied by this call.
        """
        self._epoch = epoch
        self._round = epoch << ROUNDS_PER_EPOCH_LOG2
        self._chains = {peer: (self._round, root) for peer, root in roots.items()}
        self._used: set[bytes] = set()
        roots.clear()

    def keys(self, round_number: int, peers: Iterable[bytes]) -> list[bytes]:
        """This round's key for each peer, 32 bytes each.

        Raises:
            SecAggError: the round is of another epoch or already passed, or a peer is unknown.
        """
        if round_number >> ROUNDS_PER_EPOCH_LOG2 != self._epoch:
            raise SecAggError(f"round {round_number} is not in epoch {self._epoch}: begin its epoch first")
        if round_number < self._round:
            raise SecAggError(f"round {round_number} has passed: its pair keys are erased")
        if round_number > self._round:
            self._move_to(round_number)
        return [self._key(peer) for peer in peers]

    def close(self, round_number: int) -> None:
        """Erase this round's keys."""
        if round_number >= self._round:
            self._move_to(round_number + 1)

    def _move_to(self, round_number: int) -> None:
        self._round = round_number
        for peer in self._used:
            self._step(peer)
        self._used.clear()

    def _key(self, peer: bytes) -> bytes:
        if peer not in self._chains:
            raise SecAggError(f"no pair key with {peer.hex()}: it was not on the roster that was met")
        self._used.add(peer)
        return self._step(peer)

    def _step(self, peer: bytes) -> bytes:
        at, key = self._chains[peer]
        for _ in range(self._round - at):
            key = expand(key, b"ratchet")
        self._chains[peer] = (self._round, key)
        return key
