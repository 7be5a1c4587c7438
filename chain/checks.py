"""Checks that the chain's record adds up: supply, claims, allocations, budgets. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chain.contracts import Contracts
from chain.records import LedgerParams

FULL = 10_000


@dataclass(frozen=True)
class Finding:
    """Something that does not add up.

    Attributes:
        check: which check.
        subject: what it was about, e.g. "round 3, hospital 2".
        expected: what should be there.
        found: what is.
    """

    check: str
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.check}: {self.subject}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class RoundAccount:
    """Money of one round that has closed, in the token's smallest unit.

    Attributes:
        round: its number.
        paid: whether it reached a quorum.
        budget: what it could allocate.
        bonus: the part of the budget beyond emission.
        allocated_before: everything allocated, less what was voided, just before it closed.
        allocations: at the close, by hospital.
        voided: taken back since, by hospital.
        claimed: minted so far against the allocation, by hospital.
    """

    round: int
    paid: bool
    budget: int
    bonus: int
    allocated_before: int
    allocations: dict[int, int]
    voided: dict[int, int]
    claimed: dict[int, int]


@dataclass(frozen=True)
class ChainRecord:
    """What is checked: token, ledger totals, and all rounds that have closed, in order."""

    params: LedgerParams
    token_max_supply: int
    total_supply: int
    total_minted: int
    total_burned: int
    total_allocated: int
    next_emission: int
    rolled_over: int
    rounds: tuple[RoundAccount, ...]


def read_record(contracts: Contracts) -> ChainRecord:
    """Read everything that `check_record` looks at.

    Raises:
        NodeError: the node does not answer.
    """
    start, ledger, token = contracts.deployment.block, contracts.ledger, contracts.token
    claimed: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for leaf in contracts.distributor.claims(from_block=start):
        claimed[leaf.round][leaf.hospital] += leaf.amount
    for part in contracts.distributor.treasury_claims(from_block=start):
        claimed[part.round][part.hospital] += part.amount
    allocations: defaultdict[int, dict[int, int]] = defaultdict(dict)
    voided: defaultdict[int, dict[int, int]] = defaultdict(dict)
    closed: list[tuple[int, bool, int, int, int]] = []
    total = 0
    for event in ledger.read_events("Allocated", "EntryVoided", "RoundClosed", from_block=start):
        values = event.values
        if event.name == "Allocated":
            allocations[values["round"]][values["hospital"]] = values["amount"]
        elif event.name == "EntryVoided":
            voided[values["round"]][values["hospital"]] = values["amount"]
            total -= values["amount"]
        else:
            closed.append((values["round"], values["paid"], values["budget"], values["bonus"], total))
            total += sum(allocations[values["round"]].values())
    supply, minted, burned, maximum = token.call_many(
        [("totalSupply", []), ("totalMinted", []), ("totalBurned", []), ("maxSupply", [])]
    )
    allocated, emission, rolled = ledger.call_many(
        [("totalAllocated", []), ("nextEmission", []), ("rolledOver", [])]
    )
    return ChainRecord(
        params=ledger.params(),
        token_max_supply=maximum,
        total_supply=supply,
        total_minted=minted,
        total_burned=burned,
        total_allocated=allocated,
        next_emission=emission,
        rolled_over=rolled,
        rounds=tuple(
            RoundAccount(
                round=number,
                paid=paid,
                budget=budget,
                bonus=bonus,
                allocated_before=before,
                allocations=dict(allocations[number]),
                voided=dict(voided[number]),
                claimed=dict(claimed[number]),
            )
            for number, paid, budget, bonus, before in closed
        ),
    )


def check_record(record: ChainRecord) -> list[Finding]:
    """Everything that does not add up, in the order of the checks; empty if all is well."""
    return [finding for _, check in CHECKS for finding in check(record)]


def check_supply(record: ChainRecord) -> Iterator[Finding]:
    """Tokens in existence are those minted less those burned, and what was minted are the claims."""
    yield from _equal(
        "supply", "tokens in existence", record.total_minted - record.total_burned, record.total_supply
    )
    claims = sum(sum(account.claimed.values()) for account in record.rounds)
    yield from _equal("supply", "tokens minted", claims, record.total_minted)
    yield from _at_most("supply", "tokens minted", record.token_max_supply, record.total_minted)
    yield from _equal(
        "supply", "maximum supply of the token", record.params.max_supply, record.token_max_supply
    )


def check_claims(record: ChainRecord) -> Iterator[Finding]:
    """No hospital's claims exceed its allocation, which a void takes away."""
    for account in record.rounds:
        for hospital in sorted(account.claimed):
            allowed = account.allocations.get(hospital, 0) - account.voided.get(hospital, 0)
            subject = f"round {account.round}, hospital {hospital}"
            yield from _at_most("claims", subject, allowed, account.claimed[hospital])


def check_allocations(record: ChainRecord) -> Iterator[Finding]:
    """A round allocates at most its budget; an unpaid one nothing; all of them at most the maximum supply."""
    for account in record.rounds:
        limit = account.budget if account.paid else 0
        yield from _at_most("allocations", f"round {account.round}", limit, sum(account.allocations.values()))
    allocated = sum(sum(a.allocations.values()) - sum(a.voided.values()) for a in record.rounds)
    yield from _equal("allocations", "all rounds", allocated, record.total_allocated)
    yield from _at_most("allocations", "all rounds", record.params.max_supply, record.total_allocated)


def check_budgets(record: ChainRecord) -> Iterator[Finding]:
    """Budgets follow the emission schedule: an unpaid round's emission rolls over, every round decays it."""
    params = record.params
    emission, rolled = params.initial_emission, 0
    for account in record.rounds:
        subject = f"round {account.round}"
        yield from _at_most("budgets", f"{subject}, bonus", params.bonus_cap, account.bonus)
        if account.paid:
            left = params.max_supply - account.allocated_before
            yield from _equal(
                "budgets", subject, min(emission + rolled + account.bonus, left), account.budget
            )
            rolled = 0
        else:
            yield from _equal("budgets", subject, 0, account.budget)
            rolled = min(rolled + emission, params.max_supply)
        emission = emission * params.emission_decay_bps // FULL
    yield from _equal("budgets", "next emission", emission, record.next_emission)
    yield from _equal("budgets", "rolled over", rolled, record.rolled_over)


CHECKS: tuple[tuple[str, Callable[[ChainRecord], Iterator[Finding]]], ...] = (
    ("supply", check_supply),
    ("claims", check_claims),
    ("allocations", check_allocations),
    ("budgets", check_budgets),
)
"""The checks by name, for those who show a line each."""


def _equal(check: str, subject: str, expected: int, found: int) -> Iterator[Finding]:
    if expected != found:
        yield Finding(check, subject, str(expected), str(found))


def _at_most(check: str, subject: str, limit: int, found: int) -> Iterator[Finding]:
    if found > limit:
        yield Finding(check, subject, f"at most {limit}", str(found))
