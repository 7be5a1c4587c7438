"""Everything that the chain says about a round, collected from views and events into one object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chain.contract import Event
from chain.contracts import Contracts
from chain.distributor import PaidClaim, PaidTreasury, Settled, SkippedClaim, SkippedTreasury
from chain.errors import RecordError
from chain.packing import unpack_lanes, unpack_scores
from chain.phases import Phase
from chain.records import EntryRecord, Lanes, Node, RoundRecord, RuleRecord

ROUND_EVENTS = (
    "RoundOpened",
    "PhaseAdvanced",
    "ReadySubmitted",
    "BeaconFixed",
    "BeaconReanchored",
    "ModelPublished",
    "QualityCommitted",
    "QualityRevealed",
    "EntrySubmitted",
    "Attested",
    "DigestAccepted",
    "Allocated",
    "Forfeited",
    "EntryFrozen",
    "EntryReleased",
    "EntryVoided",
    "RoundClosed",
)
"""The ledger's events that a round's history is put together from."""


@dataclass(frozen=True)
class Where:
    """Where something was recorded."""

    block: int
    index: int
    transaction: str


@dataclass(frozen=True)
class RevealRecord:
    """What a hospital revealed: scores of the others by hospital id, 0..10_000, and of the model."""

    hospital: int
    scores: dict[int, int]
    packed_scores: tuple[int, ...]
    model_score: int
    utilities_digest: bytes
    salt: bytes
    where: Where


@dataclass(frozen=True)
class SubmissionRecord:
    """The entry that a hospital submitted: root, totals, and the two children that they come from."""

    hospital: int
    root: bytes
    lanes: Lanes
    left: Node
    right: Node
    bundle_digest: bytes
    where: Where


@dataclass(frozen=True)
class AttestRecord:
    """A digest that a hospital attested."""

    hospital: int
    digest: bytes
    where: Where


@dataclass(frozen=True)
class Allocation:
    """What a hospital was allocated at the close; `share_e18` is its share of the budget times 10^18."""

    hospital: int
    quality: int
    share_e18: int
    amount: int


@dataclass(frozen=True)
class Closing:
    """How the round closed: budget and bonus in the token's smallest unit, volume and compute as summed."""

    paid: bool
    budget: int
    bonus: int
    total_volume: int
    total_compute: int
    digest: bytes
    where: Where


@dataclass(frozen=True)
class RoundHistory:
    """A round: its record, and what each hospital did in it.

    Attributes:
        record: the round's view.
        rule: the reward rule frozen into it.
        entries: a view for each hospital active at its opening.
        opened: where it was opened.
        phases: (phase, deadline, where) in order.
        ready: digest of the ready list by hospital.
        beacon_block: the block whose hash the beacon is, or None.
        commitments: by hospital.
        reveals: by hospital, in order.
        submissions: entries as they were submitted.
        attestations: in order.
        allocations: at the close.
        voided: what was taken back by a dispute, by hospital; 0 where the entry was voided before the close.
        voided_at: where an entry was voided, by hospital.
        forfeited: hospitals with an entry that was not counted.
        closing: how it closed, or None while it is open.
        claims: leaves paid so far.
        treasury_claims: treasury parts paid so far.
        skipped: leaves whose claims were passed over.
        treasury_skipped: treasuries whose claims were passed over.
    """

    record: RoundRecord
    rule: RuleRecord
    entries: tuple[EntryRecord, ...]
    opened: Where
    phases: tuple[tuple[Phase, int, Where], ...]
    ready: dict[int, bytes]
    beacon_block: int | None
    commitments: dict[int, bytes]
    reveals: tuple[RevealRecord, ...]
    submissions: tuple[SubmissionRecord, ...]
    attestations: tuple[AttestRecord, ...]
    allocations: tuple[Allocation, ...]
    voided: dict[int, int]
    voided_at: dict[int, Where]
    forfeited: frozenset[int]
    closing: Closing | None
    claims: tuple[PaidClaim, ...]
    treasury_claims: tuple[PaidTreasury, ...]
    skipped: tuple[SkippedClaim, ...]
    treasury_skipped: tuple[SkippedTreasury, ...]

    def voided_before(self, place: Where) -> dict[int, int]:
        """What disputes took back before a place on the chain, by hospital."""
        return {
            hospital: self.voided[hospital]
            for hospital, where in self.voided_at.items()
            if (where.block, where.index) < (place.block, place.index)
        }

    def paid_out(self, hospital: int) -> int:
        """What was minted against a hospital's allocation so far."""
        leaves = sum(item.amount for item in self.claims if item.hospital == hospital)
        return leaves + sum(item.amount for item in self.treasury_claims if item.hospital == hospital)

    def times_skipped(self, hospital: int) -> int:
        """How many claims against a hospital's entry were passed over."""
        of_leaves = sum(item.hospital == hospital for item in self.skipped)
        return of_leaves + sum(item.hospital == hospital for item in self.treasury_skipped)


def read_round(contracts: Contracts, round_number: int) -> RoundHistory:
    """Everything about one round.

    Raises:
        RecordError: no such round was opened.
        NodeError: the node does not answer.
    """
    last = contracts.ledger.current_round()
    if not 1 <= round_number <= last:
        raise RecordError(f"round {round_number} was not opened: the last one is {last}")
    return _read(contracts, [round_number], only=round_number)[0]


def read_rounds(contracts: Contracts) -> list[RoundHistory]:
    """Everything about every round, with one pass over the events."""
    return _read(contracts, range(1, contracts.ledger.current_round() + 1), only=None)


def _read(contracts: Contracts, numbers: Sequence[int], *, only: int | None) -> list[RoundHistory]:
    ledger, start = contracts.ledger, contracts.deployment.block
    events = _by_round(ledger.read_events(*ROUND_EVENTS, from_block=start, indexed=[only]))
    settled = _by_round(contracts.distributor.settled(from_block=start, round_number=only))
    records = ledger.rounds(numbers)
    rules = {number: ledger.rule(number) for number in {record.rule_id for record in records}}
    return [
        assemble_round(
            record,
            rules[record.rule_id],
            ledger.entries(record.round, sorted(record.active)),
            events=events[record.round],
            settled=settled[record.round],
        )
        for record in records
    ]


def _by_round(items: Iterable[Any]) -> defaultdict[int, list[Any]]:
    """Events, or what became of claims, in order, by round."""
    groups: defaultdict[int, list[Any]] = defaultdict(list)
    for item in items:
        groups[item.values["round"] if isinstance(item, Event) else item.round].append(item)
    return groups


def assemble_round(
    record: RoundRecord,
    rule: RuleRecord,
    entries: tuple[EntryRecord, ...],
    *,
    events: list[Event],
    settled: Sequence[Settled],
) -> RoundHistory:
    """A round's history from its views, its events and what became of claims, each kind in the order of the chain."""
    named: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        named[event.name].append(event)
    fixed, closed = named["BeaconFixed"], named["RoundClosed"]
    return RoundHistory(
        record=record,
        rule=rule,
        entries=entries,
        opened=_where(named["RoundOpened"][0]),
        phases=tuple(
            (Phase(event.values["phase"]), event.values["deadline"], _where(event))
            for event in named["PhaseAdvanced"]
        ),
        ready={event.values["hospital"]: event.values["digest"] for event in named["ReadySubmitted"]},
        beacon_block=fixed[-1].values["block_number"] if fixed else None,
        commitments={
            event.values["hospital"]: event.values["commitment"] for event in named["QualityCommitted"]
        },
        reveals=tuple(_reveal(event, record.hospital_count) for event in named["QualityRevealed"]),
        submissions=tuple(_submission(event) for event in named["EntrySubmitted"]),
        attestations=tuple(
            AttestRecord(event.values["hospital"], event.values["round_digest"], _where(event))
            for event in named["Attested"]
        ),
        allocations=tuple(
            Allocation(**{name: value for name, value in event.values.items() if name != "round"})
            for event in named["Allocated"]
        ),
        voided={event.values["hospital"]: event.values["amount"] for event in named["EntryVoided"]},
        voided_at={event.values["hospital"]: _where(event) for event in named["EntryVoided"]},
        forfeited=frozenset(event.values["hospital"] for event in named["Forfeited"]),
        closing=_closing(closed[0]) if closed else None,
        claims=tuple(item for item in settled if isinstance(item, PaidClaim)),
        treasury_claims=tuple(item for item in settled if isinstance(item, PaidTreasury)),
        skipped=tuple(item for item in settled if isinstance(item, SkippedClaim)),
        treasury_skipped=tuple(item for item in settled if isinstance(item, SkippedTreasury)),
    )


def _where(event: Event) -> Where:
    return Where(event.block, event.index, event.transaction)


def _reveal(event: Event, hospital_count: int) -> RevealRecord:
    values = event.values
    return RevealRecord(
        hospital=values["hospital"],
        scores=unpack_scores(values["packed_scores"], hospital_count),
        packed_scores=values["packed_scores"],
        model_score=values["model_score"],
        utilities_digest=values["utilities_digest"],
        salt=values["salt"],
        where=_where(event),
    )


def _submission(event: Event) -> SubmissionRecord:
    values = event.values
    return SubmissionRecord(
        hospital=values["hospital"],
        root=values["root"],
        lanes=unpack_lanes(values["lanes"]),
        left=Node(values["left"]["hash"], unpack_lanes(values["left"]["lanes"])),
        right=Node(values["right"]["hash"], unpack_lanes(values["right"]["lanes"])),
        bundle_digest=values["bundle_digest"],
        where=_where(event),
    )


def _closing(event: Event) -> Closing:
    values = event.values
    return Closing(
        paid=values["paid"],
        budget=values["budget"],
        bonus=values["bonus"],
        total_volume=values["total_volume"],
        total_compute=values["total_compute"],
        digest=values["accepted_digest"],
        where=_where(event),
    )
