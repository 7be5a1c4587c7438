"""A network that carries a cohort's messages one at a time, in any order, and does to them what a schedule says.

Devices keep their keys and journals from case to case: each case is the next round, as in a run that lasts.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from secagg_world import SESSION, World, plain_sum, random_vectors

from fl_core.secagg import CohortPlan, MemoryJournal, SecAggClient, SecAggError, SecAggServer, ServerStage

LAST_ROUND_OF_EPOCH = 255


class Act(Enum):
    """What a fault does, and to what."""

    DROP = "a message in flight is lost"
    DELAY = "a message in flight waits while others are carried"
    DUPLICATE = "a message in flight arrives twice"
    SILENCE = "a device dies for good"
    RESTART = "a device forgets its attempt, keeps its journal, and begins anew"
    CLOSE = "the edge closes its stage early"
    FLIP = "a byte of a message in flight changes"
    CUT = "a message in flight loses its tail"
    GROW = "a message in flight gains a tail"
    SWAP = "two messages in flight change places"
    REPLAY = "a message of this round, whoever sent it, is sent again"
    REPLAY_OLD = "a message of an earlier round is sent again"


LOSSES = frozenset((Act.DROP, Act.DELAY, Act.DUPLICATE, Act.SILENCE, Act.RESTART))


@dataclass(frozen=True)
class Fault:
    """`act` happens once `at` messages were carried; `pick` and `detail` say to which message or device, and how."""

    at: int
    act: Act
    pick: int
    detail: int


@dataclass(frozen=True)
class Schedule:
    """One case: a plan's changes, the order of messages (0: first come, first served), faults, and attempts."""

    size: int
    changes: tuple[tuple[str, Any], ...]
    order: int
    faults: tuple[Fault, ...]
    attempts: int = 1

    @property
    def spare(self) -> int:
        """Devices that the plan can lose whoever they are, and still give a sum."""
        changes = dict(self.changes)
        graph = changes.get("graph")
        if graph is None:
            return self.size - changes["threshold"]
        return min(self.size - graph.least_survivors, graph.degree + 1 - changes["threshold"])


@dataclass
class Packet:
    """A message under way: to the edge from `member`, or to `member` from the edge."""

    upward: bool
    member: int
    payload: bytes


class RecordingJournal(MemoryJournal):
    """Remembers every claim of the round that is being played."""

    def __init__(self):
        super().__init__()
        self.masked, self.opened = [], []

    def forget(self):
        self.masked, self.opened = [], []

    def claim_round(self, session, round_number, attempt):
        super().claim_round(session, round_number, attempt)
        self.masked.append(attempt)

    def claim_openings(self, claim):
        super().claim_openings(claim)
        self.opened.append(claim)


class Lasting:
    """Worlds by size that are used round after round; a new epoch's keys are drawn when the rounds run out."""

    def __init__(self):
        self._worlds: dict[int, tuple[World, int]] = {}
        self.old: dict[int, list[Packet]] = {}

    def next(self, size: int) -> tuple[World, int]:
        world, number = self._worlds.get(size, (None, LAST_ROUND_OF_EPOCH))
        if number & LAST_ROUND_OF_EPOCH == LAST_ROUND_OF_EPOCH:
            epoch = 1 if world is None else (number >> 8) + 1
            world, number = World.of(size, epoch), epoch << 8
            world.journals = [RecordingJournal() for _ in range(size)]
        self._worlds[size] = (world, number + 1)
        return world, number + 1


@dataclass
class Outcome:
    """What became of a case."""

    sums: int = 0
    failures: int = 0
    acts: Counter[Act] = field(default_factory=Counter)
    touched: set[int] = field(default_factory=set)


class Attempt:
    """One attempt over the network: `run` carries messages until the edge is done or dead."""

    def __init__(self, world: World, plan: CohortPlan, vectors: np.ndarray, network: Network):
        self.world, self.plan, self.vectors, self.network = world, plan, vectors, network
        self.server: SecAggServer = world.server(plan)
        self.clients: dict[int, SecAggClient] = {}
        self.flight: list[Packet] = []
        for member in range(plan.size):
            self.begin(member)

    def begin(self, member: int) -> None:
        self.clients.pop(member, None)
        try:
            self.clients[member] = self.world.client(member, self.plan, self.vectors[member])
            self.send(Packet(True, member, self.clients[member].start()))
        except SecAggError:  # it has masked in this round, or this epoch's keys have moved on
            return

    def send(self, packet: Packet) -> None:
        self.flight.append(packet)
        self.network.seen.append(replace(packet))

    def carry(self, packet: Packet) -> None:
        try:
            if packet.upward:
                self.server.receive(self.plan.members[packet.member], packet.payload)
            elif packet.member in self.clients:
                for answer in self.clients[packet.member].replies(packet.payload):
                    self.send(Packet(True, packet.member, answer))
        except SecAggError:
            return

    def close(self) -> None:
        try:
            outgoing = self.server.advance()
        except SecAggError:
            assert self.server.stage is ServerStage.DEAD
            return
        for address, payload in outgoing.items():
            self.send(Packet(False, self.plan.index_of(address), payload))

    def over(self) -> bool:
        return self.server.stage in {ServerStage.DONE, ServerStage.DEAD}

    def run(self) -> None:
        while not self.over():
            self.network.fire(self)
            if self.over():
                return
            if self.flight:
                self.network.carried += 1
                self.carry(self.flight.pop(self.network.next_of(self.flight)))
            else:
                self.close()


class Network:
    """Plays one schedule to its end."""

    def __init__(self, schedule: Schedule, old: list[Packet]):
        self.faults = sorted(schedule.faults, key=lambda fault: fault.at)
        self.shuffle = (
            random.Random(schedule.order) if schedule.order else None
        )  # order of a test, not a secret
        self.carried = 0
        self.seen: list[Packet] = []
        self.old = old
        self.outcome = Outcome()
        self.delayed: list[tuple[int, Packet]] = []

    def next_of(self, flight: list[Packet]) -> int:
        """Any message, but what one device sends or is sent stays in order, as a connection keeps it."""
        if self.shuffle is None:
            return 0
        chosen = self.shuffle.choice(flight)
        return next(
            place
            for place, packet in enumerate(flight)
            if (packet.upward, packet.member) == (chosen.upward, chosen.member)
        )

    def fire(self, attempt: Attempt) -> None:
        """Let everything happen that is due."""
        due = [packet for at, packet in self.delayed if at <= self.carried or not attempt.flight]
        self.delayed = [(at, packet) for at, packet in self.delayed if at > self.carried and attempt.flight]
        attempt.flight += due
        while self.faults and self.faults[0].at <= self.carried and not attempt.over():
            fault = self.faults.pop(0)
            if self._happens(fault, attempt):
                self.outcome.acts[fault.act] += 1

    def _happens(self, fault: Fault, attempt: Attempt) -> bool:
        act, member = fault.act, fault.pick % attempt.plan.size
        if act is Act.CLOSE:
            attempt.close()
        elif act is Act.SILENCE:
            attempt.clients.pop(member, None)
            self.outcome.touched.add(member)
        elif act is Act.RESTART:
            attempt.begin(member)
            self.outcome.touched.add(member)
        elif act in {Act.REPLAY, Act.REPLAY_OLD}:
            recorded = self.seen if act is Act.REPLAY else self.old
            if not recorded:
                return False
            again = recorded[fault.detail % len(recorded)]
            attempt.flight.append(replace(again, member=member))
        elif not attempt.flight:
            return False
        else:
            self._to_message(fault, attempt.flight)
        return True

    def _to_message(self, fault: Fault, flight: list[Packet]) -> None:
        position = fault.pick % len(flight)
        packet = flight[position]
        self.outcome.touched.add(packet.member)
        if fault.act is Act.DROP:
            flight.pop(position)
        elif fault.act is Act.DELAY:
            self.delayed.append((self.carried + 1 + fault.detail % 40, flight.pop(position)))
        elif fault.act is Act.DUPLICATE:
            flight.append(replace(packet))
        elif fault.act is Act.SWAP:
            other = flight[fault.detail % len(flight)]
            packet.payload, other.payload = other.payload, packet.payload
        else:
            packet.payload = altered(fault.act, packet.payload, fault.detail)


def altered(act: Act, payload: bytes, detail: int) -> bytes:
    """The payload with one byte changed, without its tail, or with more of it."""
    if act is Act.GROW:
        return payload + bytes(1 + detail % 64)
    place = detail % max(len(payload), 1)
    if act is Act.CUT:
        return payload[:place]
    changed = bytes(byte ^ (1 + detail % 255) for byte in payload[place : place + 1])
    return payload[:place] + changed + payload[place + 1 :]


def play(schedule: Schedule, lasting: Lasting) -> Outcome:
    """Play a schedule and hold every attempt to the claims: the exact sum of its survivors, or none.

    Whatever happens, each device masks at most once in the round, answers one list of survivors, and all that answer
    answer the same one, so that no device's two secrets are both opened.
    """
    world, number = lasting.next(schedule.size)
    for journal in world.journals:
        journal.forget()
    network = Network(schedule, lasting.old.get(schedule.size, []))
    vectors = None
    for attempt_number in range(schedule.attempts):
        plan = world.plan(round=number, attempt=attempt_number, **dict(schedule.changes))
        vectors = random_vectors(plan, number) if vectors is None else vectors
        attempt = Attempt(world, plan, vectors, network)
        attempt.run()
        if attempt.server.done:
            network.outcome.sums += 1
            _assert_exact(attempt)
            break
        network.outcome.failures += 1
    _assert_claims(world)
    lasting.old[schedule.size] = network.seen
    return network.outcome


def _assert_exact(attempt: Attempt) -> None:
    plan, result = attempt.plan, attempt.server.result
    survivors = [plan.index_of(address) for address in result.survivors]
    assert len(survivors) >= plan.least_survivors
    assert result.sum.tolist() == plain_sum(plan, attempt.vectors, survivors)


def _assert_claims(world: World) -> None:
    opened = [claim for journal in world.journals for claim in journal.opened]
    assert all(len(journal.masked) <= 1 for journal in world.journals)
    assert all(len(journal.opened) <= 1 for journal in world.journals)
    assert len({(claim.attempt, claim.survivors, claim.dropped) for claim in opened}) <= 1
    assert all(claim.session == SESSION for claim in opened)
