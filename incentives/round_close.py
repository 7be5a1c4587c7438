"""Everything that the ledger's ``closeRound`` computes, as one pure function for the audit.

Mirrors ``contracts/ledger/Settlement.sol``: quorum, medians of the revealed scores with the last accepted
quality as a fallback, totals over the entries that count, budget, and allocations.
"""

from collections.abc import Sequence
from typing import Final

from incentives.errors import IncentivesError
from incentives.reward_rule import (
    BPS,
    FULL_SCORE,
    RewardRule,
    bonus,
    hospital_allocation,
    lower_median,
    share_e18,
)
from incentives.round_records import (
    EmissionTerms,
    HospitalOutcome,
    HospitalRound,
    LedgerState,
    Profile,
    RoundOutcome,
)

MIN_REVEALS: Final = 2
"""Scores, or model scores, below which there is no median."""


def accepted_digest(hospitals: Sequence[HospitalRound]) -> bytes | None:
    """The round digest that two thirds of the hospitals attested, if any; two digests cannot both have."""
    votes: dict[bytes, int] = {}
    for item in hospitals:
        if item.attested is not None:
            votes[item.attested] = votes.get(item.attested, 0) + 1
    return next((digest for digest, count in votes.items() if 3 * count >= 2 * len(hospitals)), None)


def median_quality(hospital: int, hospitals: Sequence[HospitalRound]) -> int | None:
    """Lower median of the scores that others revealed for a hospital; None with fewer than two."""
    scores = [
        other.reveal.scores[hospital]
        for other in hospitals
        if other.hospital != hospital and other.reveal is not None and hospital in other.reveal.scores
    ]
    return lower_median(scores) if len(scores) >= MIN_REVEALS else None


def close_round(
    rule: RewardRule,
    profile: Profile,
    hospitals: Sequence[HospitalRound],
    state: LedgerState,
    terms: EmissionTerms,
) -> RoundOutcome:
    """Close a round as the contract does.

    Args:
        rule: the rule frozen when it opened.
        profile: its profile.
        hospitals: all hospitals that were active when it opened.
        state: the ledger's figures before.
        terms: what deployment fixed.

    Raises:
        IncentivesError: if a hospital comes twice.
    """
    if len({item.hospital for item in hospitals}) != len(hospitals):
        raise IncentivesError("a hospital comes twice in the round: give one record each")
    ordered = sorted(hospitals, key=lambda item: item.hospital)
    digest = accepted_digest(ordered)
    if digest is None:
        return _unpaid(ordered, state, terms)
    median, earned, best = _model_bonus(ordered, state, terms)
    room = terms.max_supply - state.total_allocated
    budget = min(state.next_emission + state.rolled_over + earned, room)
    counted = {
        item.hospital: item.lanes
        for item in ordered
        if item.lanes is not None and item.reveal is not None and item.attested == digest and not item.voided
    }
    volume = sum(lanes.volume for lanes in counted.values())
    compute = sum(lanes.compute for lanes in counted.values())
    applied, last = _qualities(profile, ordered)
    outcomes = []
    for item in ordered:
        lanes = counted.get(item.hospital)
        if lanes is None:
            continue
        share = share_e18(
            rule,
            capacity_bps=item.capacity_bps,
            volume=lanes.volume,
            total_volume=volume,
            compute=lanes.compute,
            total_compute=compute,
        )
        amount = hospital_allocation(
            budget=budget,
            share=share,
            quality=applied[item.hospital],
            hospital_gate=rule.hospital_gate,
            quality_scored=profile.scores_hospitals,
        )
        outcomes.append(
            HospitalOutcome(
                hospital=item.hospital, quality=applied[item.hospital], share_e18=share, amount=amount
            )
        )
    return RoundOutcome(
        paid=True,
        accepted_digest=digest,
        budget=budget,
        bonus=earned,
        total_volume=volume,
        total_compute=compute,
        median_model_score=median,
        hospitals=tuple(outcomes),
        forfeited=tuple(
            item.hospital for item in ordered if item.lanes is not None and item.hospital not in counted
        ),
        last_qualities=last,
        state=LedgerState(
            total_allocated=state.total_allocated + sum(outcome.amount for outcome in outcomes),
            next_emission=state.next_emission * terms.decay_bps // BPS,
            rolled_over=0,
            best_model_score=best,
        ),
    )


def _unpaid(hospitals: Sequence[HospitalRound], state: LedgerState, terms: EmissionTerms) -> RoundOutcome:
    """Without quorum the base emission rolls over, and nothing else changes."""
    return RoundOutcome(
        paid=False,
        accepted_digest=None,
        budget=0,
        bonus=0,
        total_volume=0,
        total_compute=0,
        median_model_score=0,
        hospitals=(),
        forfeited=(),
        last_qualities={item.hospital: item.last_quality for item in hospitals},
        state=LedgerState(
            total_allocated=state.total_allocated,
            next_emission=state.next_emission * terms.decay_bps // BPS,
            rolled_over=min(state.rolled_over + state.next_emission, terms.max_supply),
            best_model_score=state.best_model_score,
        ),
    )


def _model_bonus(
    hospitals: Sequence[HospitalRound], state: LedgerState, terms: EmissionTerms
) -> tuple[int, int, int | None]:
    """Median model score, bonus, and the best median afterwards; the first median only sets the mark."""
    scores = [item.reveal.model_score for item in hospitals if item.reveal is not None]
    best = state.best_model_score
    if len(scores) < MIN_REVEALS:
        return 0, 0, best
    median = lower_median(scores)
    if best is None:
        return median, 0, median
    earned = bonus(median=median, best=best, per_point=terms.bonus_per_point, cap=terms.bonus_cap)
    return median, earned, max(best, median)


def _qualities(profile: Profile, hospitals: Sequence[HospitalRound]) -> tuple[dict[int, int], dict[int, int]]:
    """The quality applied to each hospital, and its last accepted one afterwards.

    Hospitals whose entry does not count are scored as well: their last accepted quality moves on.
    """
    last = {item.hospital: item.last_quality for item in hospitals}
    if not profile.scores_hospitals:
        return dict.fromkeys(last, FULL_SCORE), last
    for item in hospitals:
        median = median_quality(item.hospital, hospitals)
        if median is not None:
            last[item.hospital] = median
    return last, dict(last)
