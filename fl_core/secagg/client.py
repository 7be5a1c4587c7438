"""A device's side of one attempt: takes the server's messages, returns its answers, and dies at the first doubt.

Sans-IO: no socket, no clock; the journal it is given is its only memory outside. The stages are those of Bonawitz et
al. (CCS 2017), with a table of seeds in place of shared private keys, so that keys can serve many rounds as in Flamingo
(S&P 2023). docs/protocol.md gives the argument message by message.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from enum import Enum, auto
from hmac import compare_digest

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import FlError
from fl_core.secagg import messages as wire
from fl_core.secagg.advertisement import Roster
from fl_core.secagg.codec import write_subset
from fl_core.secagg.errors import SecAggAbort, SecAggError
from fl_core.secagg.identity import EpochIdentity
from fl_core.secagg.journal import Journal, OpeningClaim
from fl_core.secagg.masking import MaskKey, MaskStream, ring_mask
from fl_core.secagg.merkle import root_of_path
from fl_core.secagg.packing import pack
from fl_core.secagg.pairwise import PairSecrets, crypt_table
from fl_core.secagg.plan import CohortPlan
from fl_core.secagg.shamir import ELEMENT_BYTES, encode_element, random_element, split
from fl_core.secagg.source import RingSource, VectorBlocks
from fl_core.secagg.transcript import (
    attempt_hash,
    deposited_hash,
    graph_attempt_hash,
    input_hash,
    masked_input_message,
    nonce_leaf,
    survivors_hash,
)
from fl_core.signing import Domain, Signer


class ClientStage(Enum):
    """What a device does next, or that it will do nothing more."""

    START = auto()
    DEPOSIT = auto()
    MASK = auto()
    STREAM = auto()
    AGREE = auto()
    OPEN = auto()
    DONE = auto()
    DEAD = auto()


class SecAggClient:
    """One device in one attempt."""

    def __init__(  # noqa: PLR0917 - all seven are needed, and none has a default
        self,
        identity: EpochIdentity,
        plan: CohortPlan,
        roster: Roster,
        vector: NDArray[np.uint64] | VectorBlocks,
        journal: Journal,
        signer: Signer,
        domain: Domain,
    ) -> None:
        """Check that device, plan and roster belong together, and take the vector.

        Args:
            identity: the device's keys of the plan's epoch, which have met the roster.
            plan: as the device derived it for itself.
            roster: the epoch's roster.
            vector: uint64 (dim,), every entry below 2^bits. An array (which may be a memory map) is copied in a plan
                of one block, else read block by block when it is masked; so is what a function gives,
                (start, stop) -> uint64 (stop - start,).
            journal: the device's write-ahead record.
            signer: the account that advertised the keys.
            domain: EIP-712 domain under which it did.

        Raises:
            SecAggError: they do not belong together.
            SecAggAbort: the journal shows that the round has passed.
            SpecError: the device is not a member, or the vector does not fit the plan.
        """
        self._own = plan.index_of(identity.address)
        if signer.address != identity.address or domain != identity.domain:
            raise SecAggError("signer or domain is not the one that the device's keys were advertised with")
        if plan.epoch != identity.epoch or roster.epoch != identity.epoch:
            raise SecAggError(
                f"round {plan.round} is of epoch {plan.epoch}, the keys of epoch {identity.epoch}"
            )
        if roster.root != identity.roster_root:
            raise SecAggError("roster is not the one that this device has met")
        roster.check_members(plan.members)
        last = journal.last_round(plan.session)
        if last is not None and plan.round <= last:
            raise SecAggAbort(f"round {plan.round} has passed: this device masked an input in round {last}")
        self._identity, self._plan, self._roster_root = identity, plan, roster.root
        self._journal, self._signer, self._domain = journal, signer, domain
        self._source: RingSource | None = RingSource(vector, plan)
        self._stream: MaskStream | None = None
        self._block = 0
        self._masked_hash = hashlib.sha256()
        self._stage = ClientStage.START
        self._nonce = b""
        self._attempt = self._deposited_hash = self._survivors_hash = b""
        self._advertised: tuple[int, ...] = ()
        self._deposited: tuple[int, ...] = ()
        self._survivors: tuple[int, ...] = ()
        self._pairs: dict[int, PairSecrets] = {}
        self._masks: dict[int, MaskKey] = {}
        self._checks: tuple[bytes, tuple[bytes, ...]] = (b"", ())  # of the masks that the input is under
        self._shares: dict[int, bytes] = {}  # by dealer: our share of its a and b
        self._expected: dict[
            int, bytes
        ] = {}  # by peer: the MAC that it must have made over what is agreed next

    @property
    def stage(self) -> ClientStage:
        """What the device does next."""
        return self._stage

    @property
    def done(self) -> bool:
        """Whether the device has sent its last message."""
        return self._stage is ClientStage.DONE

    @property
    def unsent(self) -> int:
        """Blocks of the masked input that `next_block` still has to give before the device takes another message."""
        return self._plan.blocks - self._block if self._stage is ClientStage.STREAM else 0

    def start(self) -> bytes:
        """The first message.

        Raises:
            SecAggAbort: it was sent already.
        """
        if self._stage is not ClientStage.START:
            self._die()
            raise SecAggAbort("device was asked to start an attempt twice")
        self._nonce = secrets.token_bytes(wire.NONCE_BYTES)
        self._stage = ClientStage.DEPOSIT
        return wire.Nonce(self._nonce).encode(self._plan)

    def receive(self, message: bytes) -> bytes:
        """Answer the server's next message.

        Raises:
            SecAggAbort: the message is malformed, out of turn, or shows that the server or a peer deviates. The device
                is dead afterwards.
        """
        if self._stage not in _ANSWERS:
            state = self._stage.name.lower()
            self._die()
            raise SecAggAbort(f"round {self._plan.round}: device received a message while {state}")
        answer, following = _ANSWERS[self._stage]
        try:
            reply = answer(self, message)
        except FlError as error:
            stage = self._stage.name
            self._die()
            raise SecAggAbort(f"round {self._plan.round}, stage {stage}: device left: {error}") from error
        except BaseException:
            self._die()
            raise
        self._stage = ClientStage.STREAM if self._stream is not None else following
        if self.done:
            self._erase()
        return reply

    def next_block(self) -> bytes:
        """The next block of the masked input; the last one carries the signature.

        Raises:
            SecAggAbort: none is left, or the vector cannot be read. The device is dead afterwards.
        """
        if self._stage is not ClientStage.STREAM:
            self._die()
            raise SecAggAbort(f"round {self._plan.round}: device was asked for a block that it does not have")
        try:
            message = self._mask_block()
        except FlError as error:
            self._die()
            raise SecAggAbort(f"round {self._plan.round}: device left while sending: {error}") from error
        except BaseException:
            self._die()
            raise
        if self._stream is None:
            self._stage = ClientStage.AGREE
        return message

    def replies(self, message: bytes) -> Iterator[bytes]:
        """Every message that answers the server's next one: the blocks of a masked input one by one, else a single one.

        Raises:
            SecAggAbort: as `receive` and `next_block`.
        """
        yield self.receive(message)
        while self.unsent:
            yield self.next_block()

    def abandon(self) -> None:
        """End the attempt from outside, whatever its stage: for when the round is over for this device.

        Erases the attempt's secrets, and the round's pair keys with every neighbour of the plan, also with those that
        this device never heard of: others may have sealed boxes to it. No further attempt of the round can be joined.
        Calling it again, or after the last message, changes nothing.
        """
        if not self.done:
            self._die()
        self._identity.close_round(self._plan.round, self._plan.neighbours(self._identity.address))

    def _deposit(self, message: bytes) -> bytes:
        plan, own = self._plan, self._own
        self._take_advertised(message)
        attempt, peers = self._attempt, plan.neighbours_among(own, self._advertised)
        # With a neighbour that is not listed here the round's key counts as used too: that one may have been shown
        # another list, with this device on it, and have sealed it boxes.
        keys = self._identity.pair_keys(plan.round, plan.neighbours(self._identity.address))
        key_of = dict(zip(plan.neighbour_indices(own), keys, strict=True))
        self._pairs = {peer: PairSecrets.derive(key_of[peer], attempt, own, peer) for peer in peers}
        self._masks = {peer: MaskKey.from_seed(pair.seed) for peer, pair in self._pairs.items()}

        table_secret, self_seed = random_element(), random_element()
        among = {own, *peers}
        points = [point for point, holder in enumerate(plan.holders(own), start=1) if holder in among]
        dealt = split((table_secret, self_seed), plan.threshold, points)
        shares = dict(zip(sorted(among), dealt, strict=True))
        self._shares = {own: shares[own]}
        self_mask = MaskKey.from_seed(encode_element(self_seed))
        checks = tuple(mask.check for mask in self._masks.values())
        self._checks, self._masks[own] = (self_mask.check, checks), self_mask
        seeds = b"".join(pair.seed for pair in self._pairs.values())
        return wire.Deposit(
            self_check=self_mask.check,
            checks=checks,
            sealed=tuple(
                pair.seal_shares(attempt, own, peer, shares[peer]) for peer, pair in self._pairs.items()
            ),
            table=crypt_table(table_secret, attempt, seeds),
        ).encode(plan)

    def _take_advertised(self, message: bytes) -> None:
        plan, own = self._plan, self._own
        if plan.graph is None:
            listed = wire.Nonces.decode(message, plan)
            nonces = dict(zip(listed.advertised, listed.nonces, strict=True))
            self._check_list(listed.advertised, "advertised")
            if nonces[own] != self._nonce:
                raise SecAggError("list of nonces shows another nonce for this device")
            self._advertised = listed.advertised
            self._attempt = attempt_hash(plan, self._roster_root, nonces)
            return
        found = wire.NoncePath.decode(message, plan, own)
        self._check_list(found.advertised, "advertised")
        root = root_of_path(
            nonce_leaf(own, self._nonce), found.advertised.index(own), len(found.advertised), found.path
        )
        self._advertised = found.advertised
        self._attempt = graph_attempt_hash(plan, self._roster_root, found.advertised, root)

    def _mask(self, message: bytes) -> bytes:
        plan, own = self._plan, self._own
        listed = wire.Shares.decode(message, plan, self._advertised, own)
        self._check_list(listed.deposited, "deposited")
        peers = plan.neighbours_among(own, listed.deposited)
        for peer, box in zip(peers, listed.sealed, strict=True):
            self._shares[peer] = self._pairs[peer].open_shares(self._attempt, own, peer, box)
        self._deposited = listed.deposited
        self._deposited_hash = deposited_hash(plan, self._attempt, listed.deposited)

        self._journal.claim_round(plan.session, plan.round, self._attempt)
        self._identity.close_round(plan.round)
        masks = [(self._masks[own], 1), *((self._masks[peer], 1 if own < peer else -1) for peer in peers)]
        self._stream = MaskStream(masks)
        self._masks = {}
        return self._mask_block()

    def _mask_block(self) -> bytes:
        plan, source, stream = self._plan, self._source, self._stream
        assert source is not None
        assert stream is not None
        words = source.block(self._block)
        stream.apply(words)
        if plan.bits < 8 * words.itemsize:
            words &= ring_mask(plan.bits)
        packed = pack(words, plan.bits)
        if plan.signed:
            self._masked_hash.update(packed)
        self._block += 1
        if self._block < plan.blocks:
            return wire.MaskedBlock(self._block - 1, packed).encode(plan)
        self._source = self._stream = None
        signature = b""
        confirmations: tuple[bytes, ...] = ()
        if plan.signed:
            masked = input_hash(self._masked_hash.digest(), *self._checks)
            statement = masked_input_message(self._domain, plan, self._deposited_hash, masked)
            signature = self._signer.sign(statement)
        if plan.confirmed:
            confirmations = self._macs(b"deposited", self._deposited_hash, self._deposited)
        return wire.MaskedInput(packed, signature, confirmations).encode(plan)

    def _agree(self, message: bytes) -> bytes:
        plan, own = self._plan, self._own
        listed = wire.Survivors.decode(message, plan, self._deposited, own)
        self._check_list(listed.survivors, "survived")
        if plan.confirmed:
            self._check_macs(
                plan.neighbours_among(own, listed.survivors),
                listed.confirmations,
                "masked against other depositors than this device",
            )
        self._survivors = listed.survivors
        self._survivors_hash = survivors_hash(plan, self._deposited_hash, listed.survivors)
        return wire.Agreement(self._macs(b"agree", self._survivors_hash, listed.survivors)).encode(plan)

    def _open(self, message: bytes) -> bytes:
        plan, own = self._plan, self._own
        listed = wire.Agreements.decode(message, plan, self._survivors, own)
        self._check_list(listed.agreed, "agreed")
        self._check_macs(
            plan.neighbours_among(own, listed.agreed),
            listed.macs,
            "did not agree to the survivors that this device was shown",
        )
        everyone, survivors = range(plan.size), set(self._survivors)
        dropped: list[int] = []
        if len(survivors) < len(self._deposited):
            dropped = [dealer for dealer in self._deposited if dealer not in survivors]
        self._journal.claim_openings(
            OpeningClaim(
                session=plan.session,
                round_number=plan.round,
                attempt=self._attempt,
                survivors=write_subset(survivors, everyone),
                dropped=write_subset(dropped, everyone),
            )
        )
        return wire.Openings(
            tuple(
                self._shares[dealer][ELEMENT_BYTES:]
                if dealer in survivors
                else self._shares[dealer][:ELEMENT_BYTES]
                for dealer in sorted(self._shares)
            )
        ).encode(plan)

    def _macs(self, label: bytes, statement: bytes, listed: tuple[int, ...]) -> tuple[bytes, ...]:
        """A MAC for each peer of a list; those that the peers must have made are kept."""
        peers = self._plan.neighbours_among(self._own, listed)
        both = [self._pairs[peer].macs(label, statement) for peer in peers]
        self._expected = {peer: theirs for peer, (_, theirs) in zip(peers, both, strict=True)}
        return tuple(ours for ours, _ in both)

    def _check_macs(self, peers: tuple[int, ...], macs: tuple[bytes, ...], otherwise: str) -> None:
        expected = [self._expected[peer] for peer in peers]
        if compare_digest(b"".join(expected), b"".join(macs)):
            return
        for peer, ours, theirs in zip(peers, expected, macs, strict=True):
            if not compare_digest(ours, theirs):
                raise SecAggError(f"member {peer} {otherwise}")

    def _check_list(self, members: tuple[int, ...], what: str) -> None:
        """A list is a bitmap over the one before: sorted, distinct and a subset by its encoding."""
        plan = self._plan
        if self._own not in members:
            raise SecAggError(f"list of members that {what} leaves this device out")
        if len(members) < plan.least_survivors:
            raise SecAggError(f"only {len(members)} members {what}: the threshold is {plan.least_survivors}")
        if plan.graph is not None:
            holders = 1 + len(plan.neighbours_among(self._own, members))
            if holders < plan.threshold:
                raise SecAggError(
                    f"only {holders} of this device and its neighbours {what}: the threshold is {plan.threshold}"
                )

    def _die(self) -> None:
        self._stage = ClientStage.DEAD
        self._erase()

    def _erase(self) -> None:
        self._source = self._stream = None
        self._pairs, self._masks, self._shares, self._expected = {}, {}, {}, {}
        self._checks = (b"", ())


_ANSWERS: dict[ClientStage, tuple[Callable[[SecAggClient, bytes], bytes], ClientStage]] = {
    ClientStage.DEPOSIT: (SecAggClient._deposit, ClientStage.MASK),
    ClientStage.MASK: (SecAggClient._mask, ClientStage.AGREE),
    ClientStage.AGREE: (SecAggClient._agree, ClientStage.OPEN),
    ClientStage.OPEN: (SecAggClient._open, ClientStage.DONE),
}
