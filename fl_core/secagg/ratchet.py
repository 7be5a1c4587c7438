"""Pair keys that move forward one round at a time; a round's keys cannot be had again once it is closed.

The ratchet is a chain of one-way steps, as the symmetric ratchet of Signal's Double Ratchet (Perrin and Marlinspike,
2016). A round costs a step for each pair that it may have used, not for each peer: where a device took part, only
the pairs of its own cohort can have been; where it did not, it cannot know, and all pairs are stepped before the next
round's keys are given out. docs/protocol.md says why that is enough.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from fl_core.secagg.codec import Reader
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.kdf import HASH_BYTES, expand
from fl_core.secagg.plan import ROUNDS_PER_EPOCH_LOG2
from fl_core.signing import ADDRESS_BYTES

_KEY_BYTES = HASH_BYTES
_ROUND_BYTES = 8


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
        self._used: set[bytes] = set()  # in the current round; each of them stands at it
        roots.clear()

    @property
    def epoch(self) -> int:
        """The epoch that the keys serve."""
        return self._epoch

    def knows(self, peer: bytes) -> bool:
        """Whether a peer is among those that were met."""
        return peer in self._chains

    def keys(self, round_number: int, peers: Iterable[bytes]) -> list[bytes]:
        """This round's key for each peer, 32 bytes each; they count as used in it.

        Rounds in between that were neither asked for nor closed are passed over with every peer first.

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

    def close(self, round_number: int, peers: Iterable[bytes] = ()) -> None:
        """Erase this round's keys with the peers that they were asked for, and with `peers`; with all if with none.

        Raises:
            SecAggError: the round is of another epoch, or a peer is unknown.
        """
        if round_number >= self._round:
            self.keys(round_number, peers)
            self._move_to(round_number + 1)

    def pass_over(self, round_number: int) -> None:
        """Erase the keys of a round and of all before it, with every peer, whether they were used here or not.

        For a ratchet that was read from an image: what was used since the image was made, the image cannot know.
        """
        self._round, self._used = max(self._round, round_number + 1), set()
        for peer in self._chains:
            self._step(peer)

    def follows(self, earlier: Ratchet) -> bool:
        """Whether these may be the same pairs' keys at a later time, or at the same: no key would be had again."""
        ours, theirs = self._chains, earlier._chains
        return (
            (self._epoch, ours.keys()) == (earlier._epoch, theirs.keys())
            and self._round >= earlier._round
            and (self._round > earlier._round or self._used >= earlier._used)
            and all(ours[peer][0] >= at for peer, (at, _) in theirs.items())
        )

    def to_bytes(self) -> bytes:
        """The ratchet as it stands; as secret as its keys.

        Epoch and round, the number of peers, then in blocks: addresses, the round that each key is at, whether it was
        used in the current round (a byte each), keys.

        Raises:
            SecAggError: a peer is not named by an address of 20 bytes.
        """
        count = len(self._chains)
        rounds, keys = zip(*self._chains.values(), strict=True) if count else ((), ())
        addresses = b"".join(self._chains)
        if len(addresses) != count * ADDRESS_BYTES:
            raise SecAggError(f"a peer without an address of {ADDRESS_BYTES} bytes cannot be written down")
        head = struct.pack(">QQI", self._epoch, self._round, count)
        used = bytes(map(self._used.__contains__, self._chains))
        return b"".join((head, addresses, struct.pack(f">{count}Q", *rounds), used, *keys))

    @classmethod
    def from_bytes(cls, data: bytes) -> Ratchet:
        """Read what `to_bytes` wrote.

        Raises:
            SecAggError: malformed, or a state that no ratchet has.
        """
        reader = Reader(data)
        epoch, current, count = reader.unsigned(8), reader.unsigned(8), reader.unsigned(4)
        if count * (ADDRESS_BYTES + _ROUND_BYTES + 1 + _KEY_BYTES) != reader.remaining:
            raise SecAggError(f"ratchet of {count} peers in {reader.remaining} bytes: not one of ours")
        peers = reader.chunks(count, ADDRESS_BYTES)
        rounds = struct.unpack(f">{count}Q", reader.take(count * _ROUND_BYTES))
        used, keys = reader.take(count), reader.chunks(count, _KEY_BYTES)
        first = epoch << ROUNDS_PER_EPOCH_LOG2
        if not first <= current <= first + (1 << ROUNDS_PER_EPOCH_LOG2) or len(set(peers)) != count:
            raise SecAggError(
                f"ratchet of epoch {epoch} at round {current}, or a peer twice: not one of ours"
            )
        flagged = zip(rounds, used, strict=True)
        if not all(first <= at <= current and flag in (0, at == current) for at, flag in flagged):
            raise SecAggError(f"ratchet at round {current} with keys of other rounds: not one of ours")
        ratchet = cls(epoch, {})
        ratchet._round = current
        ratchet._chains = {peer: (at, key) for peer, at, key in zip(peers, rounds, keys, strict=True)}
        ratchet._used = {peer for peer, flag in zip(peers, used, strict=True) if flag}
        return ratchet

    def _move_to(self, round_number: int) -> None:
        missed = round_number > self._round + bool(self._used)
        stepped = tuple(self._chains if missed else self._used)
        self._round, self._used = round_number, set()
        for peer in stepped:
            self._step(peer)

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
