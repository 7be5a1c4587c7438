"""Who shares masks and secrets with whom: a random circulant graph (Bell et al., CCS 2020, section 3; Harary 1962).

Members stand on a circle in an order drawn from public randomness, and each has the degree / 2 members before and
after it for neighbours. docs/protocol.md argues with that shape: between two groups that share no mask, somebody's
whole side is missing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fl_core.errors import SpecError

SEED_BYTES = 32
MIN_DEGREE = 2
_TICKET_BYTES = 8


@dataclass(frozen=True)
class NeighbourGraph:
    """A graph of fewer neighbours than all, and what it is to withstand.

    Attributes:
        degree: neighbours of a member, even, at most two fewer than the members.
        least_survivors: fewest members that a sum may be over; devices leave where a list shows fewer.
        corrupted: members assumed to collude with the server, whoever they are.
        security_bits: the plan is refused unless the graph is bad with probability at most 2^-security_bits.
        seed: 32 bytes of public randomness that neither server nor devices chose, such as a hash over the round's
            beacon. None derives it from session, round, hospital, cohort and members, which the server may influence.
        least_honest: the plan is refused unless every sum that the server can bring about holds so many honest inputs;
            what noise is calibrated for.

    Raises:
        SpecError: a value is out of range.
    """

    degree: int
    least_survivors: int
    corrupted: int
    security_bits: int = 40
    seed: bytes | None = None
    least_honest: int = 0

    def __post_init__(self) -> None:
        for name in ("degree", "least_survivors", "corrupted", "security_bits", "least_honest"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value < 1 << 16:
                raise SpecError(f"{name} {value!r}: choose 0..65535")
        if self.degree < MIN_DEGREE or self.degree % 2:
            raise SpecError(
                f"degree {self.degree}: choose an even number of neighbours, at least {MIN_DEGREE}"
            )
        if self.seed is not None and (not isinstance(self.seed, bytes) or len(self.seed) != SEED_BYTES):
            raise SpecError(f"seed of a neighbour graph must be {SEED_BYTES} bytes")


@lru_cache(maxsize=64)
def circle(seed: bytes, size: int) -> tuple[int, ...]:
    """A random order of 0..size-1: ranks of 64-bit tickets out of SHAKE-256 of the seed, ties by index.

    Everyone derives the same one. Ties, which are not uniform, happen with probability below size^2 / 2^65.
    """
    tickets = np.frombuffer(hashlib.shake_256(seed).digest(_TICKET_BYTES * size), dtype="<u8")
    return tuple(np.argsort(tickets, kind="stable").tolist())


@dataclass(frozen=True)
class Neighbourhoods:
    """For each member, sorted: itself and its neighbours (`closed`), and its neighbours alone (`others`)."""

    closed: tuple[tuple[int, ...], ...]
    others: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, closed: tuple[tuple[int, ...], ...]) -> Neighbourhoods:
        """Leave each member out of its own neighbourhood."""
        return cls(closed, tuple(tuple(o for o in near if o != own) for own, near in enumerate(closed)))


@lru_cache(maxsize=64)
def circulant(seed: bytes, size: int, degree: int) -> Neighbourhoods:
    """The random circulant graph."""
    order = circle(seed, size)
    side, around = degree // 2, order + order + order
    closed: list[tuple[int, ...]] = [()] * size
    for position, member in enumerate(order):
        closed[member] = tuple(sorted(around[size + position - side : size + position + side + 1]))
    return Neighbourhoods.of(tuple(closed))


@lru_cache(maxsize=8)
def complete(size: int) -> Neighbourhoods:
    """The complete graph."""
    return Neighbourhoods.of((tuple(range(size)),) * size)
