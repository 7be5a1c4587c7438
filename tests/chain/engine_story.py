"""A consortium's story as the package's clients tell it, and what it leaves: the same on every engine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from chain_world import (
    ETHER,
    World,
    attest_and_close,
    digest,
    found_world,
    open_round,
    reach_entry,
    reach_training,
    submit_entries,
)
from web3 import Web3

from chain.checks import Finding, check_record, read_record
from chain.contract_errors import AlreadyClaimed
from chain.court import CaseRecord, ChallengeRecord
from chain.history import Allocation, read_round
from chain.phases import CaseOutcome, OrderStatus
from chain.records import EntryRecord, HospitalRecord
from incentives.sum_tree import SumTree

PAID, CHALLENGER, PROVIDER, ACCUSED = 1, 2, 3, 4


@dataclass(frozen=True)
class Case:
    """A dispute without its deadline."""

    round: int
    hospital: int
    outcome: CaseOutcome
    electors: frozenset[int]
    votes: frozenset[int]

    @classmethod
    def of(cls, record: CaseRecord) -> Case:
        return cls(record.round, record.hospital, record.outcome, record.electors, record.votes)


@dataclass(frozen=True)
class Outcome:
    """What a chain was left with, and what each call cost. An engine's own times, hashes and fees are not in it."""

    addresses: dict[str, str]
    hospitals: tuple[HospitalRecord, ...]
    entries: tuple[EntryRecord, ...]
    allocations: tuple[Allocation, ...]
    voided: dict[int, int]
    claimed: tuple[tuple[int, str, int], ...]
    treasury: tuple[tuple[int, str, int], ...]
    minted: int
    tokens: dict[str, int]
    settlement: dict[str, int]
    orders: tuple[tuple[int, str, OrderStatus], ...]
    cases: tuple[Case, ...]
    challenges: tuple[ChallengeRecord, ...]
    refusal: str
    findings: tuple[Finding, ...]
    gas: dict[str, list[int]]


def tell(w3: Web3) -> Outcome:
    """From deployment to a settled dispute, on a fresh chain with the funded development accounts."""
    world = found_world(w3)
    trees = play_to_the_close(world)
    dispute(world)
    world.clock.wait_until(world.ledger.round(1).claimable_at)
    refusal = claim(world, trees[PAID])
    redeem(world)
    return read_back(world, refusal)


def play_to_the_close(world: World) -> dict[int, SumTree]:
    open_round(world)
    reach_training(world)
    reach_entry(world)
    trees = submit_entries(world)
    attest_and_close(world)
    return trees


def dispute(world: World) -> None:
    """One hospital challenges another's entry, the two others void it, and the bond comes back."""
    court, challenger = world.contracts.court, world.hospitals[CHALLENGER]
    world.contracts.settlement.transfer(world.governance, challenger.address, court.challenge_bond())
    world.contracts.settlement.approve(challenger, court.address, court.challenge_bond())
    challenge = court.challenge(challenger, 1, ACCUSED, digest("evidence"))
    for elector in sorted(court.case(challenge.case_id).electors):
        court.vote(world.hospitals[elector], challenge.case_id)
    court.settle(world.governance, challenge.id)


def claim(world: World, tree: SumTree) -> str:
    """A device and its hospital's treasury are paid; the device is refused a second time, and how is returned."""
    device = world.sender(world.devices[PAID][0])
    world.governance.transfer(device.address, ETHER)
    leaf = [world.claim(tree, 0)]
    world.contracts.distributor.claim(device, leaf)
    world.contracts.distributor.claim_treasury(world.hospitals[PAID], PAID, [1])
    with pytest.raises(AlreadyClaimed) as refused:
        world.contracts.distributor.claim(device, leaf)
    return str(refused.value)


def redeem(world: World) -> None:
    """The device buys a service with half of what it was paid, and accepts it."""
    desk, token = world.contracts.desk, world.contracts.token
    provider, buyer = world.hospitals[PROVIDER], world.sender(world.devices[PAID][0])
    price = token.balance_of(buyer.address) // 2
    service = desk.list_service(
        provider,
        metadata_hash=digest("a check-up"),
        uri="https://hospital.example/check-up.json",
        price=price,
        fulfil_seconds=3_600,
        buyer_seconds=600,
    )
    token.approve(buyer, desk.address, price)
    order = desk.redeem(buyer, service, digest("my request"))
    desk.fulfil(provider, order, digest("the report"))
    desk.accept(buyer, order)


def read_back(world: World, refusal: str) -> Outcome:
    contracts, history = world.contracts, read_round(world.contracts, 1)
    people = {f"hospital {number}": sender.address for number, sender in world.hospitals.items()}
    holders = {**people, "device": world.devices[PAID][0].address, "desk": contracts.desk.address}
    return Outcome(
        addresses=contracts.deployment.addresses(),
        hospitals=contracts.consortium.hospitals(),
        entries=history.entries,
        allocations=history.allocations,
        voided=history.voided,
        claimed=tuple((item.hospital, item.payee, item.amount) for item in history.claims),
        treasury=tuple((item.hospital, item.account, item.amount) for item in history.treasury_claims),
        minted=contracts.token.total_minted(),
        tokens={name: contracts.token.balance_of(address) for name, address in holders.items()},
        settlement={name: contracts.settlement.balance_of(address) for name, address in holders.items()},
        orders=tuple((order.service_id, order.buyer, order.status) for order in contracts.desk.orders()),
        cases=tuple(Case.of(record) for record in contracts.court.cases()),
        challenges=contracts.court.challenges(),
        refusal=refusal,
        findings=tuple(check_record(read_record(contracts))),
        gas=world.gas.by_label(),
    )
