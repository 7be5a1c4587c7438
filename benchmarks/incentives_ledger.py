"""From what hospitals state in each round to what everybody earns: the product's own reward rule, round after round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.incentives_world import GameRound, GameWorld
from chain.packing import pack_scores, quality_commitment
from fl_core.training import training_flops
from incentives import (
    DEFAULT_RULE,
    Contribution,
    EmissionTerms,
    HospitalRound,
    Lanes,
    LedgerState,
    Profile,
    Reveal,
    RewardRule,
    check_leaves,
    close_round,
    compute_points,
    device_payout,
    leaf_lanes,
    leaf_weight,
    volume_points,
)
from incentives.node import NO_LANES

TOKEN = 10**18
EMISSION = 10_000 * TOKEN
TERMS = EmissionTerms(
    max_supply=100_000_000 * TOKEN, decay_bps=10_000, bonus_per_point=TOKEN, bonus_cap=1_000 * TOKEN
)
_CHAIN, _LEDGER, _DIGEST = 31_337, bytes(range(20)), bytes(32)


@dataclass(frozen=True)
class Claim:
    """What a hospital puts into the leaf of one device.

    Attributes:
        owner: index of the device that is paid by it.
        device_class: as declared.
        rows: as declared.
        quality: as written into the leaf.
        compute: as written into the leaf; None for what the plan and the declared rows give.
    """

    owner: int
    device_class: int
    rows: int
    quality: int
    compute: int | None = None


@dataclass(frozen=True)
class Statement:
    """What a hospital does on the ledger in a round.

    Attributes:
        capacity_bps: its capacity as voted, bps.
        claims: its devices' leaves.
        decoded: quality that everybody else decodes of each of its devices.
        scores: what it commits to, of the others; None for no commitment.
        model_score: what it says of the model.
        copies: hospital whose commitment it copies instead of making its own; 0 for none.
        reveals: whether it reveals.
        attests: whether it attests.
    """

    capacity_bps: int
    claims: tuple[Claim, ...]
    decoded: Mapping[int, int]
    scores: Mapping[int, int] | None
    model_score: int
    copies: int = 0
    reveals: bool = True
    attests: bool = True


Statements = dict[int, Statement]
Strategy = Callable[[GameRound, Statements], Statements]
"""What a round's honest statements are turned into."""


@dataclass
class Income:
    """Tokens (18 decimals) over a run.

    Attributes:
        hospitals: allocated to each, its operator's share included.
        devices: paid for each device, by index.
        unpaid_rounds: rounds without quorum.
        beyond_capacity: whether an allocation ever exceeded the hospital's capacity times the budget.
        bonus: earned by better models, in all.
    """

    hospitals: dict[int, int] = field(default_factory=dict)
    devices: dict[int, int] = field(default_factory=dict)
    unpaid_rounds: int = 0
    beyond_capacity: bool = False
    bonus: int = 0


def honest_statements(played: GameRound, capacities: Mapping[int, int]) -> Statements:
    """What hospitals state that tell the truth; all devices are wearables."""
    return {
        hospital: Statement(
            capacity_bps=capacities[hospital],
            claims=tuple(Claim(turn.device, 0, turn.rows, turn.quality) for turn in turns),
            decoded={turn.device: turn.quality for turn in turns},
            scores=played.scores[hospital],
            model_score=played.model_scores[hospital],
        )
        for hospital, turns in played.turns.items()
    }


def play_game(
    world: GameWorld,
    strategy: Strategy,
    capacities: Mapping[int, int],
    *,
    rule: RewardRule = DEFAULT_RULE,
    terms: EmissionTerms = TERMS,
) -> Income:
    """What everybody earns in a run where some follow a strategy.

    Args:
        world: the rounds as they truly were.
        strategy: what statements become.
        capacities: of each hospital, bps.
        rule: of every round.
        terms: of emission.
    """
    state = LedgerState(total_allocated=0, next_emission=EMISSION)
    last: dict[int, int] = {}
    income = Income()
    for played in world.rounds:
        said = strategy(played, honest_statements(played, capacities))
        state = _close(world, played, said, rule=rule, terms=terms, state=state, last=last, income=income)
    return income


def _close(
    world: GameWorld,
    played: GameRound,
    said: Statements,
    *,
    rule: RewardRule,
    terms: EmissionTerms,
    state: LedgerState,
    last: dict[int, int],
    income: Income,
) -> LedgerState:
    leaves = {h: _contributions(world, rule, statement) for h, statement in said.items()}
    false = {h for h in said if not _recomputes(world, rule, said[h], leaves[h])}
    attestable = 3 * len(false) <= len(said)  # as scripts.federation.objections has it
    reveals = _revealed(played.number, said)
    records = [
        HospitalRound(
            hospital=h,
            capacity_bps=statement.capacity_bps,
            lanes=_lanes(rule, leaves[h]),
            reveal=reveals[h],
            attested=_DIGEST if statement.attests and attestable else None,
            voided=h in false and attestable,  # the others prove it, or vote so, before the close
            last_quality=last.get(h, 10_000),
        )
        for h, statement in said.items()
    ]
    outcome = close_round(rule, Profile.ACCOUNTABLE, records, state, terms)
    last.update(outcome.last_qualities)
    income.unpaid_rounds += not outcome.paid
    income.bonus += outcome.bonus
    for item in outcome.hospitals:
        h = item.hospital
        income.hospitals[h] = income.hospitals.get(h, 0) + item.amount
        income.beyond_capacity |= item.amount * 10_000 > said[h].capacity_bps * outcome.budget
        lanes = _lanes(rule, leaves[h])
        for claim, contribution in zip(said[h].claims, leaves[h], strict=True):
            paid = device_payout(
                item.amount,
                operator_bps=rule.operator_bps,
                device_weight=leaf_weight(rule, contribution.leaf(bytes(32)), quality_scored=True),
                weight_treasury=lanes.weight_treasury,
                weight_device=lanes.weight_device,
            )
            income.devices[claim.owner] = income.devices.get(claim.owner, 0) + paid
    return outcome.state


def _contributions(world: GameWorld, rule: RewardRule, said: Statement) -> tuple[Contribution, ...]:
    """The leaves that a hospital writes."""
    return tuple(
        Contribution(
            device=(k + 1).to_bytes(20, "big"),
            slot=2 * k,
            device_class=claim.device_class,
            payee=None,
            volume=volume_points(claim.rows, rule.volume_cap[claim.device_class]),
            quality=claim.quality,
            compute=_compute(world, rule, claim) if claim.compute is None else claim.compute,
        )
        for k, claim in enumerate(said.claims)
    )


def _compute(world: GameWorld, rule: RewardRule, claim: Claim) -> int:
    work = training_flops(world.model, claim.rows, world.training)
    return compute_points(work, rule.compute_cap[claim.device_class])


def _recomputes(world: GameWorld, rule: RewardRule, said: Statement, written: Sequence[Contribution]) -> bool:
    """Whether the leaves are what the bundle gives: rows and class as declared, compute and quality recomputed."""
    due = [
        Contribution(
            device=item.device,
            slot=item.slot,
            device_class=claim.device_class,
            payee=None,
            volume=item.volume,
            quality=said.decoded[claim.owner],
            compute=_compute(world, rule, claim),
        )
        for claim, item in zip(said.claims, written, strict=True)
    ]
    return not list(check_leaves("a hospital", due, [item.leaf(bytes(32)) for item in written]))


def _lanes(rule: RewardRule, leaves: Sequence[Contribution]) -> Lanes:
    parts = (leaf_lanes(rule, item.leaf(bytes(32)), quality_scored=True) for item in leaves)
    return sum(parts, start=NO_LANES)


def _revealed(number: int, said: Statements) -> dict[int, Reveal | None]:
    """Whose reveal fits what it committed to, as the contract checks."""
    count = max(said)
    commitments = {h: _commitment(number, h, statement, count) for h, statement in said.items()}
    found: dict[int, Reveal | None] = {}
    for h, statement in said.items():
        committed = commitments[statement.copies or h]
        opened = _commitment(number, h, statement, count)
        fits = statement.scores is not None and statement.reveals and committed == opened
        found[h] = (
            Reveal(statement.scores, statement.model_score) if fits and statement.scores is not None else None
        )
    return found


def _commitment(number: int, hospital: int, said: Statement, count: int) -> bytes:
    return quality_commitment(
        chain_id=_CHAIN,
        ledger=_LEDGER,
        round_number=number,
        hospital=hospital,
        packed_scores=pack_scores(said.scores or {}, count),
        model_score=said.model_score,
        utilities_digest=_DIGEST,
        salt=_DIGEST,
    )
