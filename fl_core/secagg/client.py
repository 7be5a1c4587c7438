"""A device's side of one attempt: takes the server's messages, returns its answers, and dies at the first doubt.

Sans-IO: no socket, no clock; the journal it is given is its only memory outside. The stages are those of Bonawitz et
al. (CCS 2017), with a table of seeds in place of shared private keys, so that keys can serve many rounds as in Flamingo
(S&P 2023). docs/protocol.md gives the argument message by message.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import FlError, SpecError
from fl_core.secagg import messages as wire
from fl_core.secagg.advertisement import Roster
from fl_core.secagg.codec import write_subset
from fl_core.secagg.errors import SecAggAbort, SecAggError
from fl_core.secagg.identity import EpochIdentity
from fl_core.secagg.journal import Journal, OpeningClaim
from fl_core.secagg.masking import MaskKey, apply_masks, ring_mask, word_dtype
from fl_core.secagg.packing import pack
from fl_core.secagg.pairwise import PairSecrets, crypt_table
from fl_core.secagg.plan import CohortPlan
from fl_core.secagg.shamir import encode_element, random_element, split
from fl_core.secagg.transcript import (
    attempt_hash,
    deposited_hash,
    masked_input_hash,
    masked_input_message,
    survivors_hash,
)
from fl_core.signing import Domain, Signer


class ClientStage(Enum):
    """What a device does next, or that it will do nothing more."""

    START = auto()
    DEPOSIT = auto()
    MASK = auto()
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
        vector: NDArray[np.uint64],
        journal: Journal,
        signer: Signer,
        domain: Domain,
    ) -> None:
        """Check that device, plan and roster belong together, and take a copy of the vector.

        Args:
            identity: the device's keys of the plan's epoch, which have met the roster.
            plan: as the device derived it for itself.
            roster: the epoch's roster.
            vector: uint64 (dim,), every entry below 2^bits.
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
        for address in plan.members:
            if address not in roster:
                raise SecAggError(f"member {address.hex()} is not on the roster of epoch {roster.epoch}")
        last = journal.last_round(plan.session)
        if last is not None and plan.round <= last:
            raise SecAggAbort(f"round {plan.round} has passed: this device masked an input in round {last}")
        self._identity, self._plan, self._roster_root = identity, plan, roster.root
        self._journal, self._signer, self._domain = journal, signer, domain
        self._words: NDArray[np.unsignedinteger] | None = _ring_words(vector, plan)
        self._stage = ClientStage.START
        self._nonce = b""
        self._attempt = self._deposited_hash = self._survivors_hash = b""
        self._advertised: tuple[int, ...] = ()
        self._deposited: tuple[int, ...] = ()
        self._survivors: tuple[int, ...] = ()
        self._pairs: dict[int, PairSecrets] = {}
        self._masks: dict[int, MaskKey] = {}
        self._shares: dict[int, tuple[int, ...]] = {}  # by dealer: our share of its a and b

    @property
    def stage(self) -> ClientStage:
        """What the device does next."""
        return self._stage

    @property
    def done(self) -> bool:
        """Whether the device has sent its last message."""
        return self._stage is ClientStage.DONE

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
        self._stage = following
        if self.done:
            self._erase()
        return reply

    def _deposit(self, message: bytes) -> bytes:
        plan, own = self._plan, self._own
        listed = wire.Nonces.decode(message, plan)
        nonces = dict(zip(listed.advertised, listed.nonces, strict=True))
        self._check_list(listed.advertised, "advertised")
        if nonces[own] != self._nonce:
            raise SecAggError("list of nonces shows another nonce for this device")
        self._advertised = listed.advertised
        self._attempt = attempt_hash(plan, self._roster_root, nonces)
        peers = plan.neighbours_among(own, listed.advertised)
        keys = self._identity.pair_keys(plan.round, [plan.members[peer] for peer in peers])
        self._pairs = {
            peer: PairSecrets.derive(key, self._attempt, own, peer)
            for peer, key in zip(peers, keys, strict=True)
        }
        self._masks = {peer: MaskKey.from_seed(pair.seed) for peer, pair in self._pairs.items()}

        table_secret, self_seed = random_element(), random_element()
        holders = sorted((own, *peers))
        dealt = split((table_secret, self_seed), plan.threshold, [holder + 1 for holder in holders])
        shares = dict(zip(holders, dealt, strict=True))
        self._shares = {own: shares[own]}
        self_mask = MaskKey.from_seed(encode_element(self_seed))
        checks = tuple(self._masks[peer].check for peer in peers)
        self._masks[own] = self_mask
        seeds = b"".join(self._pairs[peer].seed for peer in peers)
        return wire.Deposit(
            self_check=self_mask.check,
            checks=checks,
            sealed=tuple(
                self._pairs[peer].seal_shares(self._attempt, own, peer, shares[peer]) for peer in peers
            ),
            table=crypt_table(table_secret, self._attempt, seeds),
        ).encode(plan)

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
        words = self._words
        assert words is not None
        apply_masks(
            words,
            [(self._masks[own], 1), *((self._masks[peer], 1 if own < peer else -1) for peer in peers)],
        )
        words &= ring_mask(plan.bits)
        packed = pack(words, plan.bits)
        self._words = None
        self._masks.clear()
        masked = masked_input_hash(packed)
        statement = masked_input_message(self._domain, plan, self._deposited_hash, masked)
        return wire.MaskedInput(packed, self._signer.sign(statement)).encode(plan)

    def _agree(self, message: bytes) -> bytes:
        plan, own = self._plan, self._own
        survivors = wire.Survivors.decode(message, plan, self._deposited).survivors
        self._check_list(survivors, "survived")
        self._survivors = survivors
        self._survivors_hash = survivors_hash(plan, self._deposited_hash, survivors)
        peers = plan.neighbours_among(own, survivors)
        return wire.Agreement(tuple(self._pairs[peer].mac(self._survivors_hash) for peer in peers)).encode(
            plan
        )

    def _open(self, message: bytes) -> bytes:
        plan, own = self._plan, self._own
        listed = wire.Agreements.decode(message, plan, self._survivors, own)
        self._check_list(listed.agreed, "agreed")
        for peer, mac in zip(plan.neighbours_among(own, listed.agreed), listed.macs, strict=True):
            if not self._pairs[peer].check_mac(self._survivors_hash, mac):
                raise SecAggError(f"member {peer} did not agree to the survivors that this device was shown")
        everyone, survivors = range(plan.size), set(self._survivors)
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
        chosen = [self._shares[dealer][dealer in survivors] for dealer in sorted(self._shares)]
        return wire.Openings(tuple(map(encode_element, chosen))).encode(plan)

    def _check_list(self, members: tuple[int, ...], what: str) -> None:
        """A list is a bitmap over the one before: sorted, distinct and a subset by its encoding."""
        if self._own not in members:
            raise SecAggError(f"list of members that {what} leaves this device out")
        if len(members) < self._plan.threshold:
            raise SecAggError(f"only {len(members)} members {what}: the threshold is {self._plan.threshold}")

    def _die(self) -> None:
        self._stage = ClientStage.DEAD
        self._erase()

    def _erase(self) -> None:
        self._words = None
        self._pairs.clear()
        self._masks.clear()
        self._shares.clear()


_ANSWERS: dict[ClientStage, tuple[Callable[[SecAggClient, bytes], bytes], ClientStage]] = {
    ClientStage.DEPOSIT: (SecAggClient._deposit, ClientStage.MASK),
    ClientStage.MASK: (SecAggClient._mask, ClientStage.AGREE),
    ClientStage.AGREE: (SecAggClient._agree, ClientStage.OPEN),
    ClientStage.OPEN: (SecAggClient._open, ClientStage.DONE),
}


def _ring_words(vector: NDArray[np.uint64], plan: CohortPlan) -> NDArray[np.unsignedinteger]:
    if not isinstance(vector, np.ndarray) or vector.dtype != np.uint64 or vector.shape != (plan.dim,):
        raise SpecError(f"vector must be uint64 of shape ({plan.dim},)")
    if int(vector.max()) >> plan.bits:
        raise SpecError(
            f"vector has an entry outside the ring of {plan.bits} bits: reduce it, or plan more bits"
        )
    return vector.astype(word_dtype(plan.bits))
