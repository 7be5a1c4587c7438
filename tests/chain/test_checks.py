"""What does not add up in the chain's record is named; what does is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chain.checks import CHECKS, ChainRecord, RoundAccount, check_record
from chain.records import LedgerParams

PARAMS = LedgerParams(
    max_supply=1_000,
    initial_emission=100,
    emission_decay_bps=5_000,
    bonus_per_point=1,
    bonus_cap=10,
    k_min=4,
    rho_cap_micro=0,
    ready_seconds=1,
    training_seconds=1,
    commit_seconds=1,
    reveal_seconds=1,
    entry_seconds=1,
    attest_seconds=1,
    challenge_seconds=1,
    idle_seconds=1,
    max_freeze_seconds=1,
)
# Round 1 pays, round 2 does not (its 50 roll over), round 3 has 25 + 50 + a bonus of 5.
SOUND = ChainRecord(
    params=PARAMS,
    token_max_supply=1_000,
    total_supply=70,
    total_minted=80,
    total_burned=10,
    total_allocated=140,
    next_emission=12,
    rolled_over=0,
    rounds=(
        RoundAccount(1, True, 100, 0, 0, {1: 60, 2: 40}, {2: 40}, {1: 60}),
        RoundAccount(2, False, 0, 0, 60, {}, {}, {}),
        RoundAccount(3, True, 80, 5, 60, {1: 50, 2: 30}, {}, {1: 20}),
    ),
)


def with_round(index: int, **changes) -> ChainRecord:
    rounds = list(SOUND.rounds)
    rounds[index] = replace(rounds[index], **changes)
    return replace(SOUND, rounds=tuple(rounds))


def test_sound_record_has_no_findings():
    assert check_record(SOUND) == []
    assert [name for name, _ in CHECKS] == ["supply", "claims", "allocations", "budgets"]


@pytest.mark.parametrize(
    ("record", "finding"),
    [
        (replace(SOUND, total_supply=71), "supply: tokens in existence: expected 70, found 71"),
        (replace(SOUND, total_minted=81, total_supply=71), "supply: tokens minted: expected 80, found 81"),
        (replace(SOUND, token_max_supply=79), "supply: tokens minted: expected at most 79, found 80"),
        (
            replace(SOUND, token_max_supply=999),
            "supply: maximum supply of the token: expected 1000, found 999",
        ),
        (with_round(0, claimed={1: 61}), "claims: round 1, hospital 1: expected at most 60, found 61"),
        (with_round(0, claimed={2: 1}), "claims: round 1, hospital 2: expected at most 0, found 1"),
        (with_round(2, claimed={7: 1}), "claims: round 3, hospital 7: expected at most 0, found 1"),
        (with_round(2, allocations={1: 81}), "allocations: round 3: expected at most 80, found 81"),
        (with_round(1, allocations={1: 1}), "allocations: round 2: expected at most 0, found 1"),
        (replace(SOUND, total_allocated=141), "allocations: all rounds: expected 140, found 141"),
        (replace(SOUND, total_allocated=1_001), "allocations: all rounds: expected at most 1000, found 1001"),
        (with_round(0, budget=101), "budgets: round 1: expected 100, found 101"),
        (with_round(1, budget=1), "budgets: round 2: expected 0, found 1"),
        (with_round(2, allocated_before=950), "budgets: round 3: expected 50, found 80"),
        (with_round(2, bonus=11), "budgets: round 3, bonus: expected at most 10, found 11"),
        (replace(SOUND, next_emission=13), "budgets: next emission: expected 12, found 13"),
        (replace(SOUND, rolled_over=1), "budgets: rolled over: expected 0, found 1"),
    ],
)
def test_each_change_is_named(record: ChainRecord, finding: str):
    assert finding in [str(item) for item in check_record(record)]
