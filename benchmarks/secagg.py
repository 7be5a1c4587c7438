"""Secure aggregation against its own floor: CPU seconds of all devices and the edge, and bytes on the wire.

The floor is what no protocol of this kind can do without on the same graph: each pair's X25519 exchange on both sides
(keys kept as objects), the keystream of every mask, and adding it to words of the same width and in the same blocks; on
the edge the masks that remain after the dropouts. Both are measured in turn, several times; medians are reported.
"""

from __future__ import annotations

import gc
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from math import floor, log2
from statistics import median
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.secagg import (
    Adversary,
    CohortPlan,
    EpochIdentity,
    GraphChoice,
    MemoryJournal,
    Roster,
    SecAggClient,
    SecAggServer,
    choose_threshold,
    derive_graph,
    verify_advertisements,
)
from fl_core.secagg.degree import dropouts_of
from fl_core.secagg.masking import MaskKey, apply_masks, word_dtype
from fl_core.signing import Domain, LocalSigner, LocalVerifier

_DOMAIN = Domain.of_run("secure aggregation benchmark")
_ROUND = 1 << 8
_STAGES, _MASKED_INPUT, _DRAWS = 5, 2, 10_000
CORRUPTED_SHARE = 0.05
GIVEN_DEGREE_CORRECTNESS = 1e-2
"""A degree that was given gets the highest threshold that fails for random dropouts with at most this probability."""


@dataclass(frozen=True)
class SecAggFigures:
    """One way to sum.

    Attributes:
        clients: members of the cohort.
        dim: entries of a vector.
        bits: width of the ring.
        mode: "semi-honest" or "active": what degree and threshold are to withstand; only the latter signs and confirms.
        neighbours: as asked for: a number, "derived", or None for the complete graph.
        degree: neighbours of a member.
        threshold: shares that open a secret.
        dropout: share of the members that fell silent before they sent their masked input.
        dropped: their number.
        corrupted: colluding members that the failure probability counts on.
        security_failure: bound on the probability that the graph is a bad one.
        correctness_failure: bound on the probability that so many random dropouts end the attempt.
        cpu_s: CPU seconds of all devices and the edge: key agreement along the graph and one attempt.
        floor_cpu_s: CPU seconds of the floor.
        ratio: median of cpu_s / floor_cpu_s over the repeats.
        agreement_cpu_s: the part of cpu_s that agrees on pair keys, which a device does once an epoch.
        client_cpu_s: mean CPU seconds of a device in the attempt.
        server_cpu_s: CPU seconds of the edge.
        wire_bytes_up: bytes that all devices sent.
        wire_bytes_down: bytes that the edge sent.
        repeats: of protocol and floor, in turn.
    """

    clients: int
    dim: int
    bits: int
    mode: str
    neighbours: int | str | None
    degree: int
    threshold: int
    dropout: float
    dropped: int
    corrupted: int
    security_failure: float
    correctness_failure: float
    cpu_s: float
    floor_cpu_s: float
    ratio: float
    agreement_cpu_s: float
    client_cpu_s: float
    server_cpu_s: float
    wire_bytes_up: int
    wire_bytes_down: int
    repeats: int

    @property
    def wire_bytes(self) -> int:
        """Bytes of all encoded messages, both directions."""
        return self.wire_bytes_up + self.wire_bytes_down

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {**asdict(self), "wire_bytes": self.wire_bytes}


class _Neighbourhood(Roster):
    """A roster's members that one device has for neighbours, under the whole roster's root.

    A device meets everybody once an epoch; what is timed here is meeting those whose keys this graph uses.
    """

    def __init__(self, whole: Roster, addresses: Iterable[bytes]) -> None:
        super().__init__(whole.epoch, [whole[address] for address in addresses])
        self._root = whole.root


@dataclass(frozen=True)
class _Costs:
    """CPU seconds of one attempt and bytes on the wire."""

    agreement: float
    devices: float
    server: float
    up: int
    down: int

    @property
    def total(self) -> float:
        return self.agreement + self.devices + self.server


def measure_secagg(
    clients: int,
    dim: int,
    neighbours: int | str | None,
    dropout: float,
    mode: str = "semi-honest",
    *,
    bits: int = 32,
    repeats: int = 3,
    progress: Callable[[int], None] = lambda _: None,
) -> SecAggFigures:
    """Sum random vectors of `clients` devices and compare with the floor; the sum is checked.

    Args:
        clients: members of the cohort.
        dim: entries of a vector.
        neighbours: neighbours of a member, even; "derived" for what `derive_graph` gives; None for the complete graph.
        dropout: share of the members that fall silent before their masked input, the costliest moment for the edge.
        mode: "semi-honest" or "active".
        bits: width of the ring, 8..64.
        repeats: how often protocol and floor are run, in turn.
        progress: called with the number of repeats done.

    Raises:
        SpecError: the degree cannot survive the dropouts, or withstand the adversary at all.
    """
    adversary = Adversary(mode)
    choice = _choice(clients, neighbours, dropout, adversary)
    dropped = dropouts_of(clients, dropout)
    signers = sorted((LocalSigner() for _ in range(clients)), key=lambda signer: signer.address)
    vectors = np.random.default_rng(1).integers(
        0, (1 << bits) - 1, (clients, dim), dtype=np.uint64, endpoint=True
    )
    costs, floors = [], []
    for repeat in range(repeats):
        plan = _plan(signers, choice, dim, bits, repeat)
        silent = _silent(plan, dropped, np.random.default_rng(repeat))
        costs.append(_run(signers, plan, vectors, silent))
        floors.append(_floor(plan, silent))
        progress(repeat + 1)
    return SecAggFigures(
        clients=clients,
        dim=dim,
        bits=bits,
        mode=mode,
        neighbours=neighbours,
        degree=clients - 1 if choice.degree is None else choice.degree,
        threshold=choice.threshold,
        dropout=dropout,
        dropped=dropped,
        corrupted=choice.corrupted,
        security_failure=choice.security_failure,
        correctness_failure=choice.correctness_failure,
        cpu_s=median(cost.total for cost in costs),
        floor_cpu_s=median(floors),
        ratio=median(cost.total / floor for cost, floor in zip(costs, floors, strict=True)),
        agreement_cpu_s=median(cost.agreement for cost in costs),
        client_cpu_s=median(cost.devices for cost in costs) / clients,
        server_cpu_s=median(cost.server for cost in costs),
        wire_bytes_up=costs[-1].up,
        wire_bytes_down=costs[-1].down,
        repeats=repeats,
    )


def _choice(clients: int, neighbours: int | str | None, dropout: float, adversary: Adversary) -> GraphChoice:
    corrupted = int(CORRUPTED_SHARE * clients)
    if neighbours == "derived":
        return derive_graph(clients, dropout, corrupted, adversary)
    if isinstance(neighbours, str):
        raise SpecError(
            f"neighbours {neighbours!r}: give a number, 'derived', or nothing for the complete graph"
        )
    choice = choose_threshold(
        clients,
        neighbours,
        dropout=dropout,
        corrupted=corrupted,
        adversary=adversary,
        correctness=GIVEN_DEGREE_CORRECTNESS,
    )
    if choice.security_failure >= 1:
        raise SpecError(
            f"{neighbours} neighbours of {clients} and {dropout:.0%} dropouts leave no threshold that withstands "
            f"{corrupted} corrupted members ({adversary.value}): take more neighbours, or 'derived'"
        )
    return choice


def _plan(
    signers: Sequence[LocalSigner], choice: GraphChoice, dim: int, bits: int, repeat: int
) -> CohortPlan:
    given = -floor(log2(choice.security_failure)) - 1 if choice.security_failure else 1 << 10
    return CohortPlan(
        session=bytes(32),
        round=_ROUND + repeat,
        hospital=1,
        cohort=0,
        attempt=0,
        members=tuple(signer.address for signer in signers),
        threshold=choice.threshold,
        bits=bits,
        dim=dim,
        graph=choice.graph(secrets.token_bytes(32), security_bits=max(0, min(given, 40))),
        adversary=choice.adversary,
    )


def _silent(plan: CohortPlan, dropped: int, rng: np.random.Generator) -> frozenset[int]:
    """Members that drop out: a random choice, drawn anew where it would end the attempt.

    How often it would is `correctness_failure`, which stands beside every figure.
    """
    for _ in range(_DRAWS):
        silent = frozenset(rng.choice(plan.size, dropped, replace=False).tolist())
        if all(
            sum(holder not in silent for holder in plan.holders(member)) >= plan.threshold
            for member in range(plan.size)
        ):
            return silent
    raise SpecError(f"{dropped} random dropouts of {plan.size} always end the attempt: take more neighbours")


def _run(
    signers: Sequence[LocalSigner], plan: CohortPlan, vectors: NDArray[np.uint64], silent: frozenset[int]
) -> _Costs:
    """Agree on keys along the graph, then carry one attempt and check its sum."""
    identities = [EpochIdentity.generate(signer, _DOMAIN, plan.epoch) for signer in signers]
    verifier = LocalVerifier()
    roster = verify_advertisements([i.advertisement for i in identities], plan.epoch, _DOMAIN, verifier)
    near = [_Neighbourhood(roster, [plan.members[i] for i in plan.holders(own)]) for own in range(plan.size)]
    gc.collect()
    begun = time.process_time()
    for identity, neighbourhood in zip(identities, near, strict=True):
        identity.meet(neighbourhood)
    agreement, up, down, devices, edge = time.process_time() - begun, 0, 0, 0.0, 0.0

    begun = time.process_time()
    server = SecAggServer(plan, roster, verifier, _DOMAIN)
    edge += time.process_time() - begun
    clients: dict[bytes, SecAggClient] = {}
    begun = time.process_time()
    for identity, signer, vector in zip(identities, signers, vectors, strict=True):
        clients[signer.address] = SecAggClient(
            identity, plan, roster, vector, MemoryJournal(), signer, _DOMAIN
        )
    devices += time.process_time() - begun
    incoming: dict[bytes, bytes] = dict.fromkeys(plan.members, b"")
    for stage in range(_STAGES):
        for address, message in incoming.items():
            if stage == _MASKED_INPUT and plan.index_of(address) in silent:
                continue
            begun = time.process_time()
            answer = clients[address].receive(message) if stage else clients[address].start()
            sent = time.process_time()
            server.receive(address, answer)
            edge += time.process_time() - sent
            devices += sent - begun
            up += len(answer)
        begun = time.process_time()
        incoming = server.advance()
        edge += time.process_time() - begun
        down += sum(map(len, incoming.values()))
    expected = np.zeros(plan.dim, dtype=np.uint64)
    for index, vector in enumerate(vectors):
        if index not in silent:
            expected += vector
    if not np.array_equal(server.result.sum, expected & np.uint64((1 << plan.bits) - 1)):
        raise AssertionError("the secure sum is not the sum")
    return _Costs(agreement, devices, edge, up, down)


def _floor(plan: CohortPlan, silent: frozenset[int]) -> float:
    """CPU seconds of the exchanges, keystreams and additions that this graph and these dropouts ask for."""
    private = [X25519PrivateKey.generate() for _ in range(plan.size)]
    public = [key.public_key() for key in private]
    pool = [(MaskKey.from_seed(secrets.token_bytes(32)), 1 - 2 * (i % 2)) for i in range(plan.size)]
    words = [np.zeros(plan.dim, dtype=word_dtype(plan.bits)) for _ in range(plan.size + 1)]
    present = [index for index in range(plan.size) if index not in silent]
    remaining = [pool[index] for index in present]
    for dropped in silent:
        remaining += [pool[peer] for peer in plan.neighbour_indices(dropped) if peer not in silent]
    gc.collect()
    begun = time.process_time()
    for own, key in enumerate(private):
        for peer in plan.neighbour_indices(own):
            key.exchange(public[peer])
    for own in present:
        apply_masks(words[own], [pool[holder] for holder in plan.holders(own)])
        np.add(words[-1], words[own], out=words[-1])
    apply_masks(words[-1], remaining)
    return time.process_time() - begun
