"""A cohort of devices and their edge in memory, with hooks for whoever plays against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from fl_core.secagg import (
    CohortPlan,
    EpochIdentity,
    MemoryJournal,
    Roster,
    SecAggClient,
    SecAggError,
    SecAggResult,
    SecAggServer,
    minimum_threshold,
    verify_advertisements,
)
from fl_core.signing import Domain, LocalSigner, LocalVerifier

DOMAIN = Domain.of_run("secure aggregation tests")
SESSION = bytes(range(32))
STAGES = 5
FIRST_ROUND = 257

Tamper = Callable[
    [int, int, bytes], bytes | None
]  # (stage, member, message) -> what arrives, None for nothing


def untouched(_stage: int, _member: int, message: bytes) -> bytes:
    return message


@cache
def signers(count: int) -> tuple[LocalSigner, ...]:
    """Accounts in the order of their addresses, the same objects for the whole test run."""
    return tuple(sorted((LocalSigner() for _ in range(count)), key=lambda signer: signer.address))


@dataclass
class World:
    """Devices of one epoch that have met; member i of the plan is device i."""

    accounts: Sequence[LocalSigner]
    identities: list[EpochIdentity]
    roster: Roster
    journals: list[MemoryJournal]

    @classmethod
    def of(cls, size: int, epoch: int = FIRST_ROUND >> 8) -> World:
        accounts = signers(size)
        identities = [EpochIdentity.generate(account, DOMAIN, epoch) for account in accounts]
        roster = verify_advertisements([i.advertisement for i in identities], epoch, DOMAIN, LocalVerifier())
        for identity in identities:
            identity.meet(roster)
        return cls(accounts, identities, roster, [MemoryJournal() for _ in accounts])

    def plan(self, **changes) -> CohortPlan:
        size = len(self.accounts)
        fields = {
            "session": SESSION,
            "round": FIRST_ROUND,
            "hospital": 1,
            "cohort": 0,
            "attempt": 0,
            "members": tuple(account.address for account in self.accounts),
            "threshold": minimum_threshold(size),
            "bits": 20,
            "dim": 5,
        }
        return CohortPlan(**{**fields, **changes})

    def client(self, member: int, plan: CohortPlan, vector: np.ndarray) -> SecAggClient:
        return SecAggClient(
            self.identities[member],
            plan,
            self.roster,
            vector,
            self.journals[member],
            self.accounts[member],
            DOMAIN,
        )

    def server(self, plan: CohortPlan) -> SecAggServer:
        return SecAggServer(plan, self.roster, LocalVerifier(), DOMAIN)


@dataclass
class Attempt:
    """One attempt being carried from stage to stage.

    `deaths[i]` is the stage (0..4) *before whose message* device i falls silent; `STAGES` or absent: never.
    """

    world: World
    plan: CohortPlan
    vectors: np.ndarray
    deaths: Mapping[int, int] = field(default_factory=dict)
    order: Sequence[int] = ()
    up: Tamper = untouched
    down: Tamper = untouched

    def __post_init__(self):
        self.server = self.world.server(self.plan)
        self.clients = [
            self.world.client(member, self.plan, vector) for member, vector in enumerate(self.vectors)
        ]
        self.stage = 0
        self.pending: dict[int, bytes | None] = dict.fromkeys(range(self.plan.size))
        self.refused: list[tuple[int, int, SecAggError]] = []
        self.sent: dict[tuple[int, int], bytes] = {}
        self.delivered: dict[tuple[int, int], bytes] = {}

    def step(self) -> None:
        """Devices answer, the server closes the stage."""
        for member in self.order or range(self.plan.size):
            if member in self.pending and self.deaths.get(member, STAGES) > self.stage:
                self._exchange(member)
        outgoing = self.server.advance()
        self.pending = {}
        for address, message in outgoing.items():
            member = self.plan.index_of(address)
            arrived = self.down(self.stage, member, message)
            if arrived is not None:
                self.pending[member] = arrived
                self.delivered[self.stage, member] = arrived
        self.stage += 1

    def _exchange(self, member: int) -> None:
        incoming, client = self.pending[member], self.clients[member]
        try:
            message = client.start() if self.stage == 0 else client.receive(incoming)
            self.sent[self.stage, member] = message
            arrived = self.up(self.stage, member, message)
            if arrived is not None:
                self.server.receive(self.plan.members[member], arrived)
        except SecAggError as error:
            self.refused.append((self.stage, member, error))

    def until(self, stage: int) -> Attempt:
        while self.stage < stage:
            self.step()
        return self

    def run(self) -> SecAggResult:
        self.until(STAGES)
        assert self.server.done
        return self.server.result


def random_vectors(plan: CohortPlan, seed: int) -> np.ndarray:
    """Ring elements (m, dim), the ring's edges among them."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(0, 1 << 64, (plan.size, plan.dim), dtype=np.uint64)
    vectors[rng.random(vectors.shape) < 0.2] = (1 << 64) - 1
    return vectors & np.uint64((1 << plan.bits) - 1)


def plain_sum(plan: CohortPlan, vectors: np.ndarray, members: Sequence[int]) -> list[int]:
    """The sum in Python integers, which cannot wrap by accident."""
    return [sum(int(vectors[m, column]) for m in members) % (1 << plan.bits) for column in range(plan.dim)]


def assert_exact(attempt: Attempt, result: SecAggResult, survivors: Sequence[int]) -> None:
    assert result.survivors == tuple(attempt.plan.members[member] for member in survivors)
    assert result.sum.dtype == np.uint64
    assert result.sum.tolist() == plain_sum(attempt.plan, attempt.vectors, survivors)
