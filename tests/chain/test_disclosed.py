"""Entries in clear on a real node: the contract builds the tree that Python builds, and pays its leaves."""

from __future__ import annotations

import random
import secrets

import pytest
from chain_world import (
    World,
    attest_and_close,
    digest,
    open_round,
    raise_world,
    reach_entry,
    reach_training,
)

from chain.abi import abi_of
from chain.contract import Contract
from chain.contract_errors import ContractError
from chain.creations import create_contract
from chain.keys import Key
from chain.records import Claim
from incentives.default_rule import DEFAULT_RULE
from incentives.disclosed import build_disclosed_entry
from incentives.hospital_entry import Contribution
from incentives.leaf import EntryDomain
from incentives.reward_rule import RewardRule

pytestmark = pytest.mark.node

DEVICES_AT_MOST = 4_000
BLOCK_LIMIT = 10_000_000
PER_DEVICE = 900


class DisclosedTreeClient(Contract):
    contract = "DisclosedTree"


@pytest.fixture
def disclosing(w3) -> World:
    """A consortium that chose disclosure, in the entry phase of its first round."""
    world = raise_world(w3, disclosed=True)
    open_round(world)
    reach_training(world)
    reach_entry(world)
    return world


def pack_rule(rule: RewardRule) -> int:
    numbers = (
        *(rule.w_volume, rule.w_quality, rule.w_compute, rule.device_gate, rule.hospital_gate),
        *(rule.share_volume, rule.share_compute, rule.operator_bps),
        *rule.volume_cap,
        *rule.compute_cap,
    )
    return sum(number << (16 * place) for place, number in enumerate(numbers))


def random_contributions(rng, count, *, absent=0.0, own_payee=0.0):
    slots = [2 * k for k in range(count) if k in {0, 1} or rng.random() >= absent]
    items = []
    for slot in slots:
        device_class = rng.randrange(4)
        items.append(
            Contribution(
                device=rng.randbytes(20),
                slot=slot,
                device_class=device_class,
                payee=rng.randbytes(20) if rng.random() < own_payee else None,
                volume=rng.randint(0, DEFAULT_RULE.volume_cap[device_class]),
                quality=rng.choice([0, 10_000, rng.randint(0, 10_000)]),
                compute=rng.randint(0, DEFAULT_RULE.compute_cap[device_class]),
            )
        )
    rng.shuffle(items)
    return items


def domain_of(world, hospital=1, number=1):
    return EntryDomain(
        chain_id=world.ledger.chain_id,
        ledger=bytes.fromhex(world.ledger.address[2:]),
        round=number,
        hospital=hospital,
    )


def submit(world, built, hospital=1, number=1):
    return world.ledger.submit_disclosed_entry(
        world.hospitals[hospital],
        number,
        salt=built.salt,
        devices=built.devices,
        payees=built.payees,
        bundle_digest=digest("bundle"),
    )


def test_contract_and_python_build_the_same_tree(world):
    tree = DisclosedTreeClient(world.w3, create_contract(world.governance, "DisclosedTree"))
    rng = random.Random(20)
    calls, expected = [], []
    for _ in range(150):
        scored = rng.random() < 0.7
        domain = EntryDomain(
            chain_id=world.ledger.chain_id,
            ledger=bytes(20),  # a view's caller
            round=rng.randint(1, 2**64 - 1),
            hospital=rng.randint(1, 2**16 - 1),
        )
        items = random_contributions(
            rng, rng.choice([1, 2, 3, 4, 7, 8, 9, 31, 33]), absent=0.2, own_payee=0.3
        )
        built = build_disclosed_entry(domain, DEFAULT_RULE, items, rng.randbytes(32), quality_scored=scored)
        terms = (domain.round, domain.hospital, scored, pack_rule(DEFAULT_RULE), built.salt)
        calls.append(("children", [terms, built.devices, built.payees]))
        expected.append(tuple((node.hash, node.lanes.pack()) for node in built.entry.children))
    got = [
        tuple(
            (bytes(node["hash"]), int(node["lanes"]))
            for node in (answer if isinstance(answer, tuple | list) else ())
        )
        for answer in tree.call_many(calls)
    ]
    assert got == expected


def test_leaves_of_a_disclosed_entry_are_paid_like_any_other(disclosing):
    world = disclosing
    rng = random.Random(21)
    payee = Key.random()
    items = random_contributions(rng, 9)
    mine = items[0]
    items[0] = Contribution(
        device=mine.device,
        slot=mine.slot,
        device_class=0,
        payee=payee.address_bytes,
        volume=2_000,
        quality=9_000,
        compute=1_000,
    )
    built = build_disclosed_entry(
        domain_of(world), DEFAULT_RULE, items, secrets.token_bytes(32), quality_scored=True
    )
    submit(world, built)
    entry = world.ledger.entry(1, 1)
    assert entry.root == built.entry.root.hash
    assert entry.lanes.n == 9
    attest = world.trees(1)
    for hospital in (2, 3, 4):
        world.ledger.submit_entry(world.hospitals[hospital], 1, *attest[hospital].children, digest("bundle"))
    attest_and_close(world)
    world.clock.wait_until(world.ledger.round(1).claimable_at)
    receipt = built.entry.receipt(mine.device)
    world.w3.provider.make_request("anvil_setBalance", [payee.address, hex(10**18)])
    payout = world.contracts.distributor.claim(
        world.sender(payee), [Claim(1, 1, receipt.leaf, receipt.siblings)]
    )
    assert payout.amount > 0
    assert world.contracts.distributor.claim_treasury(world.hospitals[1], 1, [1]).amount > 0


@pytest.mark.parametrize("count", [100, 1_000, DEVICES_AT_MOST])
def test_a_disclosed_entry_costs_less_than_promised(disclosing, count):
    items = random_contributions(random.Random(count), count)
    built = build_disclosed_entry(
        domain_of(disclosing), DEFAULT_RULE, items, secrets.token_bytes(32), quality_scored=True
    )
    receipt = submit(disclosing, built)
    print(
        f"submitDisclosedEntry of {count} devices: {receipt.gas_used} gas, {receipt.gas_used / count:.1f} a device"
    )
    assert disclosing.ledger.entry(1, 1).root == built.entry.root.hash
    assert receipt.gas_used < BLOCK_LIMIT
    if count >= 1_000:
        assert receipt.gas_used <= PER_DEVICE * count


def test_a_consortium_that_did_not_choose_disclosure_refuses_it(world):
    built = build_disclosed_entry(
        domain_of(world),
        DEFAULT_RULE,
        random_contributions(random.Random(1), 5),
        secrets.token_bytes(32),
        quality_scored=True,
    )
    with pytest.raises(ContractError, match="did not choose at deployment"):
        submit(world, built)


def test_the_tree_has_no_state_to_change():
    assert all(member.name == "children" for member in abi_of("DisclosedTree").functions.values())
