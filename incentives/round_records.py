"""What a round's close takes and gives, as plain records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from incentives.node import Lanes
from incentives.reward_rule import FULL_SCORE


class Profile(IntEnum):
    """What a round lets be seen, and so what it scores."""

    ACCOUNTABLE = 0
    HOSPITAL = 1
    PRIVATE = 2

    @property
    def scores_devices(self) -> bool:
        """Whether device quality counts: only where sums of cohorts are seen."""
        return self is Profile.ACCOUNTABLE

    @property
    def scores_hospitals(self) -> bool:
        """Whether hospital quality counts: wherever a hospital's sum is seen."""
        return self is not Profile.PRIVATE


@dataclass(frozen=True, slots=True)
class Reveal:
    """What a hospital revealed: scores of others by id, and of the new model, each 0..10,000."""

    scores: Mapping[int, int]
    model_score: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HospitalRound:
    """What the chain knows of a hospital, active when the round opened, at its close.

    Attributes:
        hospital: its id.
        capacity_bps: its share's cap as voted at joining.
        lanes: totals of its entry, None without one.
        reveal: what it revealed, None if nothing.
        attested: the round digest (32 bytes) that it attested, None if none.
        voided: whether a dispute voided its entry before the close.
        last_quality: its last accepted quality; 10,000 for a newcomer.
    """

    hospital: int
    capacity_bps: int
    lanes: Lanes | None
    reveal: Reveal | None
    attested: bytes | None
    voided: bool = False
    last_quality: int = FULL_SCORE


@dataclass(frozen=True, slots=True, kw_only=True)
class EmissionTerms:
    """What deployment fixed: amounts in 18 decimals, decay in bps a round.

    Attributes:
        max_supply: bound of everything ever allocated.
        decay_bps: each round's base emission is the one before times this over 10,000.
        bonus_per_point: tokens for each point of the median model score above the best so far.
        bonus_cap: largest bonus of a round.
    """

    max_supply: int
    decay_bps: int
    bonus_per_point: int
    bonus_cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """The ledger's running figures between two rounds.

    Attributes:
        total_allocated: allocated so far, less what was voided.
        next_emission: base emission of the next round to close.
        rolled_over: base emission of unpaid rounds, waiting for a paid one.
        best_model_score: best median model score so far, None before the first.
    """

    total_allocated: int
    next_emission: int
    rolled_over: int = 0
    best_model_score: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HospitalOutcome:
    """What a closing gives a hospital whose entry counts: quality, share (18 decimals) and amount."""

    hospital: int
    quality: int
    share_e18: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundOutcome:
    """Everything that a closing computes; zeros in an unpaid round.

    Attributes:
        paid: whether a digest was accepted.
        accepted_digest: the digest, None without one.
        budget: what could be allocated.
        bonus: part of it earned by a better model.
        total_volume: sum of volume over the entries that count.
        total_compute: sum of compute over them.
        median_model_score: lower median of the revealed model scores; 0 with fewer than two.
        hospitals: what each hospital whose entry counts gets, by id.
        forfeited: hospitals that submitted an entry which does not count.
        last_qualities: last accepted quality of each hospital of the round afterwards.
        state: the ledger's running figures afterwards.
    """

    paid: bool
    accepted_digest: bytes | None
    budget: int
    bonus: int
    total_volume: int
    total_compute: int
    median_model_score: int
    hospitals: tuple[HospitalOutcome, ...]
    forfeited: tuple[int, ...]
    last_qualities: Mapping[int, int] = field(hash=False)
    state: LedgerState
