"""The edge's side of one attempt: collects a stage's messages, closes the stage when told to, and gives the sum.

Sans-IO: whoever drives it carries the messages, authenticates who sent them, and decides when a stage has lasted
long enough. A message that is refused changes nothing; its sender counts as dropped unless it sends a good one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from fl_core.errors import FlError
from fl_core.secagg import messages as wire
from fl_core.secagg.advertisement import Roster
from fl_core.secagg.errors import SecAggAbort, SecAggError
from fl_core.secagg.masked_sum import MaskedSum
from fl_core.secagg.merkle import Tree
from fl_core.secagg.plan import CohortPlan
from fl_core.secagg.result import SecAggResult
from fl_core.secagg.shamir import check_elements
from fl_core.secagg.spool import MemorySpool, Spool
from fl_core.secagg.sum_transcript import MaskedEvidence, SumTranscript
from fl_core.secagg.transcript import (
    attempt_hash,
    deposited_hash,
    graph_attempt_hash,
    input_hash,
    masked_input_message,
    nonce_leaf,
)
from fl_core.secagg.unmasking import Mask, Opened, contradictions, remaining_masks
from fl_core.signing import Domain, Verifier


class ServerStage(Enum):
    """Which messages the server takes."""

    ADVERTISE = auto()
    DEPOSIT = auto()
    MASKED_INPUT = auto()
    AGREE = auto()
    UNMASK = auto()
    DONE = auto()
    DEAD = auto()


class SecAggServer:
    """One attempt of one cohort, seen from the edge."""

    def __init__(
        self,
        plan: CohortPlan,
        roster: Roster,
        verifier: Verifier,
        domain: Domain,
        *,
        spool: Spool | None = None,
        keeps_transcript: bool = False,
    ) -> None:
        """Start an attempt.

        Args:
            plan: as every member derives it.
            roster: the epoch's roster.
            verifier: recovers the signers of masked inputs.
            domain: EIP-712 domain of the run.
            spool: where inputs of several blocks wait until they are complete; memory by default.
            keeps_transcript: keep every masked input in memory, for a transcript in the result.

        Raises:
            SecAggError: the roster is of another epoch or lacks a member, or a transcript of a plan that signs nothing
                or sends in blocks.
        """
        if keeps_transcript and (not plan.signed or plan.blocks > 1):
            raise SecAggError("a transcript takes signed masked inputs that are sent whole")
        if roster.epoch != plan.epoch:
            raise SecAggError(
                f"round {plan.round} is of epoch {plan.epoch}, the roster of epoch {roster.epoch}"
            )
        roster.check_members(plan.members)
        self._plan, self._roster_root = plan, roster.root
        self._verifier, self._domain = verifier, domain
        self._stage = ServerStage.ADVERTISE
        self._awaited_indices = {address: index for index, address in enumerate(plan.members)}
        self._inbox: dict[int, Any] = {}
        self._advertised: tuple[int, ...] = ()
        self._deposited: tuple[int, ...] = ()
        self._survivors: tuple[int, ...] = ()
        self._attempt = self._deposited_hash = b""
        self._deposits: dict[int, wire.Deposit] = {}
        self._masked: dict[int, _Masked] = {}
        self._sum = MaskedSum(plan, MemorySpool() if spool is None else spool)
        self._result: SecAggResult | None = None
        self._keeps_transcript = keeps_transcript
        self._nonces: dict[int, bytes] = {}

    @property
    def stage(self) -> ServerStage:
        """Which messages are taken now."""
        return self._stage

    @property
    def done(self) -> bool:
        """Whether the sum is there."""
        return self._stage is ServerStage.DONE

    @property
    def unfinished(self) -> frozenset[bytes]:
        """Addresses that have sent some blocks of their masked input, but not the last one."""
        return frozenset(self._plan.members[index] for index in self._sum.unfinished)

    @property
    def awaited(self) -> frozenset[bytes]:
        """Addresses whose message of this stage has not come; empty means that waiting longer changes nothing."""
        if self._stage not in _STAGES:
            return frozenset()
        return frozenset(a for a, index in self._awaited_indices.items() if index not in self._inbox)

    @property
    def result(self) -> SecAggResult:
        """The sum and whose it is.

        Raises:
            SecAggError: the attempt is not done.
        """
        if self._result is None:
            raise SecAggError(f"attempt has no result in stage {self._stage.name}")
        return self._result

    def receive(self, sender: bytes, message: bytes) -> None:
        """Take one message of the current stage: a device's only one, or the next block of its masked input.

        Args:
            sender: address that the transport authenticated.
            message: as encoded by the device.

        Raises:
            SecAggError: a stranger, one that dropped earlier, a second message, or a message that is malformed, forged
                or of another stage. Nothing has changed then.
            SecAggAbort: a masked input could be added in part only. The attempt is dead.
        """
        if self._stage not in _STAGES:
            raise SecAggError(f"attempt takes no messages in stage {self._stage.name}")
        index = self._awaited_indices.get(sender)
        if index is None:
            raise SecAggError(f"{sender.hex()} is not awaited in stage {self._stage.name}")
        if index in self._inbox:
            raise SecAggError(f"{sender.hex()} sent a second message in stage {self._stage.name}")
        try:
            taken = _STAGES[self._stage].take(self, index, message)
        except SecAggAbort:
            self._die()
            raise
        if taken is not None:
            self._inbox[index] = taken

    def advance(self) -> dict[bytes, bytes]:
        """Close the current stage: members that have not sent a good message are dropped.

        Returns:
            The next message by address, for those that remain; empty when the attempt is done.

        Raises:
            SecAggAbort: fewer than the threshold remain, or the sum cannot be unmasked. The attempt is dead.
        """
        if self._stage not in _STAGES:
            raise SecAggAbort(f"attempt cannot go on from stage {self._stage.name}")
        step = _STAGES[self._stage]
        try:
            self._require(self._inbox)
            outgoing = step.close(self)
        except BaseException:
            self._die()
            raise
        self._awaited_indices = {address: self._plan.index_of(address) for address in outgoing}
        self._inbox = {}
        self._stage = step.following
        return outgoing

    def _require(self, members: Collection[int]) -> None:
        plan = self._plan
        if len(members) < plan.least_survivors:
            raise SecAggAbort(
                f"{self._where}: {len(members)} members remain, {plan.least_survivors} are needed"
            )

    @property
    def _where(self) -> str:
        return f"round {self._plan.round}, cohort {self._plan.cohort}, stage {self._stage.name}"

    def _take_nonce(self, index: int, message: bytes) -> wire.Nonce:
        return wire.Nonce.decode(message, self._plan)

    def _close_advertise(self) -> dict[bytes, bytes]:
        plan = self._plan
        self._advertised = tuple(sorted(self._inbox))
        self._require_holders(self._advertised, self._advertised)
        nonces = self._nonces = {index: self._inbox[index].nonce for index in self._advertised}
        if plan.graph is None:
            self._attempt = attempt_hash(plan, self._roster_root, nonces)
            broadcast = wire.Nonces(self._advertised, tuple(nonces.values())).encode(plan)
            return {plan.members[index]: broadcast for index in self._advertised}
        tree = Tree([nonce_leaf(index, nonce) for index, nonce in nonces.items()])
        self._attempt = graph_attempt_hash(plan, self._roster_root, self._advertised, tree.root)
        return {
            plan.members[index]: wire.NoncePath(self._advertised, tree.path(position)).encode(plan)
            for position, index in enumerate(self._advertised)
        }

    def _take_deposit(self, index: int, message: bytes) -> wire.Deposit:
        return wire.Deposit.decode(
            message, self._plan, len(self._plan.neighbours_among(index, self._advertised))
        )

    def _close_deposit(self) -> dict[bytes, bytes]:
        plan, deposits = self._plan, self._inbox
        liars = contradictions(plan, self._advertised, deposits)
        self._deposited = tuple(index for index in sorted(deposits) if index not in liars)
        self._require(self._deposited)
        self._require_holders(self._deposited, self._deposited)
        self._deposits = {index: deposits[index] for index in self._deposited}
        self._deposited_hash = deposited_hash(plan, self._attempt, self._deposited)
        self._sum.open()
        boxes = self._by_receiver({index: d.sealed for index, d in self._deposits.items()}, self._advertised)
        return {
            plan.members[index]: wire.Shares(self._deposited, boxes[index]).encode(plan, self._advertised)
            for index in self._deposited
        }

    def _take_masked_input(self, index: int, message: bytes) -> _Masked | None:
        plan, sender = self._plan, self._plan.members[index]
        due = self._sum.due(index)
        if due < plan.blocks - 1:
            self._sum.keep(index, wire.MaskedBlock.decode(message, plan, due).packed)
            return None
        peers = len(plan.neighbours_among(index, self._deposited)) if plan.confirmed else 0
        masked = wire.MaskedInput.decode(message, plan, peers)
        whole = self._sum.hash_with(index, masked.packed)
        if plan.signed:
            whole = input_hash(whole, self._deposits[index].self_check, self._deposits[index].checks)
            self._check_signature(sender, whole, masked.signature)
        elif masked.signature:
            raise SecAggError(f"masked input of {sender.hex()} is signed, which its plan does not ask for")
        self._sum.add(index, masked.packed)
        kept = masked.packed if self._keeps_transcript else b""
        return _Masked(whole, masked.signature, masked.confirmations, kept)

    def _check_signature(self, sender: bytes, masked: bytes, signature: bytes) -> None:
        statement = masked_input_message(self._domain, self._plan, self._deposited_hash, masked)
        try:
            signer = self._verifier.recover(statement, signature)
        except FlError as error:
            raise SecAggError(f"masked input of {sender.hex()} carries a bad signature: {error}") from error
        if signer != sender:
            raise SecAggError(f"masked input of {sender.hex()} is signed by {signer.hex()}")

    def _close_masked_input(self) -> dict[bytes, bytes]:
        plan = self._plan
        self._survivors = tuple(sorted(self._inbox))
        self._masked = self._inbox
        self._sum.forget(self._sum.unfinished)
        self._require_holders(self._deposited, self._survivors)
        if not plan.confirmed:
            broadcast = wire.Survivors(self._survivors).encode(plan, self._deposited)
            return {plan.members[index]: broadcast for index in self._survivors}
        sent = {index: masked.confirmations for index, masked in self._masked.items()}
        confirmations = self._by_receiver(sent, self._deposited)
        return {
            plan.members[index]: wire.Survivors(self._survivors, confirmations[index]).encode(
                plan, self._deposited
            )
            for index in self._survivors
        }

    def _require_holders(self, dealers: Collection[int], remaining: Collection[int]) -> None:
        """In a neighbour graph: each dealer's secrets have enough holders left.

        Who has too few is not left out alone: the members next to it on the circle would then have too few as well.
        """
        plan, left = self._plan, set(remaining)
        if plan.graph is None:
            return
        for dealer in dealers:
            holders = sum(holder in left for holder in plan.holders(dealer))
            if holders < plan.threshold:
                raise SecAggAbort(
                    f"{self._where}: {holders} members remain that hold shares of member {dealer}, "
                    f"{plan.threshold} are needed"
                )

    def _take_agreement(self, index: int, message: bytes) -> wire.Agreement:
        return wire.Agreement.decode(
            message, self._plan, len(self._plan.neighbours_among(index, self._survivors))
        )

    def _close_agree(self) -> dict[bytes, bytes]:
        plan, agreed = self._plan, tuple(sorted(self._inbox))
        self._require_holders(self._deposited, agreed)
        macs = self._by_receiver({index: self._inbox[index].macs for index in agreed}, self._survivors)
        return {
            plan.members[index]: wire.Agreements(agreed, macs[index]).encode(plan, self._survivors)
            for index in agreed
        }

    def _take_openings(self, index: int, message: bytes) -> dict[int, bytes]:
        dealers = sorted((index, *self._plan.neighbours_among(index, self._deposited)))
        openings = wire.Openings.decode(message, self._plan, len(dealers))
        check_elements(openings.shares)
        return dict(zip(dealers, openings.shares, strict=True))

    def _close_unmask(self) -> dict[bytes, bytes]:
        plan = self._plan
        opened = Opened(self._attempt, self._advertised, self._deposits, self._survivors, self._inbox)
        masks = remaining_masks(plan, opened)
        unmasked = self._sum.unmasked(masks)
        survivors = {plan.members[index]: self._masked[index] for index in self._survivors}
        self._result = SecAggResult(
            sum=unmasked,
            survivors=tuple(survivors),
            signatures={a: masked.signature for a, masked in survivors.items() if plan.signed},
            masked_hashes={a: masked.hash for a, masked in survivors.items() if plan.signed},
            deposited_hash=self._deposited_hash,
            transcript=self._transcript(masks) if self._keeps_transcript else None,
        )
        self._erase()
        return {}

    def _transcript(self, masks: Sequence[Mask]) -> bytes:
        inputs = {
            index: MaskedEvidence(item.packed, self._deposits[index].self_check, self._deposits[index].checks)
            for index, item in self._masked.items()
        }
        seeds = tuple(mask.seed for mask, _ in masks)
        return SumTranscript(self._nonces, self._deposited, inputs, seeds).encode(self._plan)

    def _by_receiver(
        self, fields: Mapping[int, tuple[bytes, ...]], listed: tuple[int, ...]
    ) -> dict[int, tuple[bytes, ...]]:
        """Turn per-peer fields from the order of their senders to the order of their receivers.

        Args:
            fields: by sender, one field for each of its peers in `listed`.
            listed: the set that the senders' fields run over.
        """
        received: dict[int, list[bytes]] = {index: [] for index in listed}
        for sender in sorted(fields):
            for peer, part in zip(self._plan.neighbours_among(sender, listed), fields[sender], strict=True):
                received[peer].append(part)
        return {index: tuple(parts) for index, parts in received.items()}

    def _die(self) -> None:
        self._stage = ServerStage.DEAD
        self._erase()

    def _erase(self) -> None:
        self._deposits, self._inbox, self._masked = {}, {}, {}
        self._sum.erase()


@dataclass(frozen=True)
class _Masked:
    """What is kept of a masked input that is in the sum: what its signature is over, that, confirmations.

    The input itself is kept for a transcript only.
    """

    hash: bytes
    signature: bytes
    confirmations: tuple[bytes, ...]
    packed: bytes


@dataclass(frozen=True)
class _Step:
    """A stage: what one message becomes, what closes it, and what follows."""

    take: Callable[[SecAggServer, int, bytes], Any]
    close: Callable[[SecAggServer], dict[bytes, bytes]]
    following: ServerStage


_STAGES: dict[ServerStage, _Step] = {
    ServerStage.ADVERTISE: _Step(
        SecAggServer._take_nonce, SecAggServer._close_advertise, ServerStage.DEPOSIT
    ),
    ServerStage.DEPOSIT: _Step(
        SecAggServer._take_deposit, SecAggServer._close_deposit, ServerStage.MASKED_INPUT
    ),
    ServerStage.MASKED_INPUT: _Step(
        SecAggServer._take_masked_input, SecAggServer._close_masked_input, ServerStage.AGREE
    ),
    ServerStage.AGREE: _Step(SecAggServer._take_agreement, SecAggServer._close_agree, ServerStage.UNMASK),
    ServerStage.UNMASK: _Step(SecAggServer._take_openings, SecAggServer._close_unmask, ServerStage.DONE),
}
