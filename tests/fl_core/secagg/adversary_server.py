"""A server that shows each device what it likes, with colluding devices that hand it their keys.

Honest devices are real clients. Colluders follow the messages too, so that nobody misses them, but the server holds
their pair keys: it opens their boxes and makes their MACs over whatever it wants to be agreed on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from adversary_attack import Shown, View
from secagg_world import World

from fl_core.secagg import CohortPlan, MemoryJournal, SecAggClient, SecAggError
from fl_core.secagg import messages as wire
from fl_core.secagg.merkle import Tree
from fl_core.secagg.packing import unpack
from fl_core.secagg.pairwise import MAC_BYTES, SEALED_SHARES_BYTES
from fl_core.secagg.transcript import (
    attempt_hash,
    deposited_hash,
    graph_attempt_hash,
    nonce_leaf,
    survivors_hash,
)

Lists = Callable[[int], Iterable[int]]  # what each device is shown


def tolerated(plan: CohortPlan) -> int:
    """Colluders that a plan withstands, c = 2t - m - 1 (docs/protocol.md)."""
    return 2 * plan.threshold - plan.size - 1


class MaliciousServer:
    """Plays one attempt stage by stage; what it gets to see is in `view`, who left and why in `left`."""

    def __init__(
        self,
        world: World,
        plan: CohortPlan,
        vectors: np.ndarray,
        colluders: Iterable[int] = (),
        clients: Mapping[int, SecAggClient] | None = None,
    ):
        self.world, self.plan, self.vectors = world, plan, vectors
        self.clients = clients or {
            member: world.client(member, plan, vectors[member]) for member in range(plan.size)
        }
        self.view = View(plan, keys_of(world, plan, colluders))
        self.left: dict[int, SecAggError] = {}
        self.nonces: dict[int, bytes] = {}
        self.macs: dict[int, tuple[bytes, ...]] = {}
        self.confirmations: dict[int, tuple[bytes, ...]] = {}

    def ask(self, member: int, message: bytes) -> bytes | None:
        """Send one device a message; None where it leaves instead of answering."""
        try:
            return self.clients[member].receive(message)
        except SecAggError as error:
            self.left[member] = error
            return None

    def start(self) -> MaliciousServer:
        """Collect every device's nonce."""
        for member, client in self.clients.items():
            self.nonces[member] = wire.Nonce.decode(client.start(), self.plan).nonce
        return self

    def advertise(
        self,
        lists: Lists | None = None,
        nonce: Callable[[int, int], bytes] | None = None,
        to: Iterable[int] | None = None,
    ) -> MaliciousServer:
        """Show lists of nonces (by default everybody's) and collect deposits."""
        for member in range(self.plan.size) if to is None else to:
            listed = tuple(lists(member)) if lists else tuple(range(self.plan.size))
            nonces = {other: nonce(member, other) if nonce else self.nonces[other] for other in listed}
            self.view.shown[member] = Shown(self._attempt(member, nonces), listed)
            answer = self.ask(member, self._advertised(member, nonces))
            if answer is not None:
                peers = self.plan.neighbours_among(member, listed)
                self.view.deposits[member] = wire.Deposit.decode(answer, self.plan, len(peers))
        return self

    def deposit(self, lists: Lists | None = None, to: Iterable[int] | None = None) -> MaliciousServer:
        """Hand out boxes under lists of depositors (by default all that did) and collect masked inputs."""
        for member in sorted(self.view.deposits if to is None else to):
            shown = self.view.shown[member]
            listed = tuple(lists(member)) if lists else tuple(sorted(self.view.deposits))
            shown.deposited = tuple(other for other in shown.advertised if other in listed)
            boxes = tuple(
                self._box(sender, member) for sender in self.plan.neighbours_among(member, shown.deposited)
            )
            answer = self.ask(member, wire.Shares(shown.deposited, boxes).encode(self.plan, shown.advertised))
            if answer is not None:
                self._masked(member, answer)
        return self

    def survive(self, lists: Lists | None = None, to: Iterable[int] | None = None) -> MaliciousServer:
        """Show lists of survivors (by default all that masked) and collect MACs."""
        for member in sorted(self.view.masked if to is None else to):
            shown = self.view.shown[member]
            listed = tuple(lists(member)) if lists else tuple(sorted(self.view.masked))
            shown.survivors = tuple(other for other in shown.deposited if other in listed)
            answer = self.ask(member, self.survivors(member, shown.survivors))
            if answer is not None:
                peers = self.plan.neighbours_among(member, shown.survivors)
                self.macs[member] = wire.Agreement.decode(answer, self.plan, len(peers)).macs
        return self

    def agree(self, lists: Lists | None = None) -> MaliciousServer:
        """Pass on MACs under lists of who agreed (by default all whose MACs fit), and collect openings."""
        for member in sorted(self.macs):
            agreed = lists(member) if lists else self.camp(member)
            answer = self.ask(member, self.agreements(member, agreed))
            if answer is not None:
                self.opened(member, answer)
        return self

    def survivors(self, member: int, listed: Iterable[int]) -> bytes:
        """The message that shows a device a list of survivors, in a graph with its peers' confirmations."""
        plan, shown, listed = self.plan, self.view.shown[member], tuple(listed)
        confirmations: tuple[bytes, ...] = ()
        if plan.graph is not None:
            own = deposited_hash(plan, shown.attempt, shown.deposited)
            confirmations = tuple(
                self._made(
                    b"deposited", own, sender, member, self.confirmations, shown_to(self, sender).deposited
                )
                for sender in plan.neighbours_among(member, listed)
            )
        return wire.Survivors(listed, confirmations).encode(plan, shown.deposited)

    def agreements(self, member: int, agreed: Iterable[int]) -> bytes:
        """The message that makes a device open, with what is known of the MACs it wants to see."""
        shown, agreed = self.view.shown[member], set(agreed)
        listed = tuple(other for other in shown.survivors if other in agreed)
        macs = tuple(self._mac(sender, member) for sender in self.plan.neighbours_among(member, listed))
        return wire.Agreements(listed, macs).encode(self.plan, shown.survivors)

    def opened(self, member: int, answer: bytes) -> None:
        """Take down a device's openings."""
        shown = self.view.shown[member]
        dealers = (member, *self.plan.neighbours_among(member, shown.deposited))
        openings = wire.Openings.decode(answer, self.plan, len(dealers))
        self.view.openings.append((member, shown.survivors, openings))

    def camp(self, member: int) -> set[int]:
        """Those whose MACs are over the hash that this device has in mind, and all colluders."""
        own = self.statement(member)
        return {other for other in self.macs if self.statement(other) == own} | set(self.view.colluders)

    def statement(self, member: int) -> bytes:
        """The hash of survivors that a device has in mind."""
        shown = self.view.shown[member]
        deposited = deposited_hash(self.plan, shown.attempt, shown.deposited)
        return survivors_hash(self.plan, deposited, shown.survivors)

    def _attempt(self, member: int, nonces: Mapping[int, bytes]) -> bytes:
        root = self.clients[member]._identity.roster_root
        if self.plan.graph is None:
            return attempt_hash(self.plan, root, nonces)
        return graph_attempt_hash(self.plan, root, tuple(nonces), _tree(nonces).root)

    def _advertised(self, member: int, nonces: Mapping[int, bytes]) -> bytes:
        listed = tuple(nonces)
        if self.plan.graph is None:
            return wire.Nonces(listed, tuple(nonces.values())).encode(self.plan)
        path = _tree(nonces).path(listed.index(member)) if member in nonces else ()
        return wire.NoncePath(listed, path).encode(self.plan)

    def _masked(self, member: int, first: bytes) -> None:
        """Take down a masked input, block by block."""
        plan, message, parts = self.plan, first, []
        for block in range(plan.blocks - 1):
            parts.append(wire.MaskedBlock.decode(message, plan, block).packed)
            message = self.clients[member].next_block()
        peers = plan.neighbours_among(member, self.view.shown[member].deposited) if plan.graph else ()
        last = wire.MaskedInput.decode(message, plan, len(peers))
        self.confirmations[member] = last.confirmations
        lengths = [stop - start for start, stop in map(plan.block_range, range(plan.blocks))]
        self.view.masked[member] = np.concatenate(
            [
                unpack(part, length, plan.bits)
                for part, length in zip((*parts, last.packed), lengths, strict=True)
            ]
        )

    def _box(self, sender: int, receiver: int) -> bytes:
        """What the sender sealed to the receiver, or what a colluder would have."""
        if (sender, receiver) in self.view.pair_keys:
            attempt = self.view.shown[receiver].attempt
            return self.view.pair(sender, receiver).seal_shares(attempt, sender, receiver, bytes(64))
        if sender not in self.view.deposits:
            return bytes(SEALED_SHARES_BYTES)
        peers = self.plan.neighbours_among(sender, self.view.shown[sender].advertised)
        sealed = dict(zip(peers, self.view.deposits[sender].sealed, strict=True))
        return sealed.get(receiver, bytes(SEALED_SHARES_BYTES))

    def _mac(self, sender: int, receiver: int) -> bytes:
        return self._made(
            b"agree", self.statement(receiver), sender, receiver, self.macs, shown_to(self, sender).survivors
        )

    def _made(  # noqa: PLR0917 - who, to whom, over what
        self,
        label: bytes,
        statement: bytes,
        sender: int,
        receiver: int,
        sent: Mapping[int, tuple[bytes, ...]],
        listed: tuple[int, ...],
    ) -> bytes:
        """A MAC for the receiver: a colluder's over what the receiver wants to see, else the one that was sent."""
        if (sender, receiver) in self.view.pair_keys:
            return self.view.pair(sender, receiver).macs(label, statement)[0]
        macs = dict(zip(self.plan.neighbours_among(sender, listed), sent.get(sender, ()), strict=False))
        return macs.get(receiver, bytes(MAC_BYTES))


def shown_to(server: MaliciousServer, member: int) -> Shown:
    """What a device was shown, nothing where it was not asked."""
    return server.view.shown.get(member, Shown())


def _tree(nonces: Mapping[int, bytes]) -> Tree:
    return Tree([nonce_leaf(index, nonce) for index, nonce in nonces.items()])


def keys_of(world: World, plan: CohortPlan, members: Iterable[int]) -> dict[tuple[int, int], bytes]:
    """The round's pair keys of some devices with all others, as they would give them away."""
    found = {}
    for member in members:
        peers = plan.neighbour_indices(member)
        keys = world.identities[member].pair_keys(plan.round, [plan.members[peer] for peer in peers])
        found.update({(member, peer): key for peer, key in zip(peers, keys, strict=True)})
    return found


def set_back(client: SecAggClient) -> SecAggClient:
    """A device as it is now, to go on from later: its memory and its journal, as in an image of the whole machine."""
    image = copy.copy(client)
    for name, value in vars(client).items():
        if isinstance(value, dict | MemoryJournal):
            setattr(image, name, copy.deepcopy(value) if isinstance(value, MemoryJournal) else dict(value))
        elif hasattr(value, "hexdigest"):
            setattr(image, name, value.copy())
    return image
