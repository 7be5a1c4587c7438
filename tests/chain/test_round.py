"""A whole round through the typed clients, on a real node: from the ready lists to a settled order."""

from __future__ import annotations

import pytest
from chain_world import (
    ETHER,
    World,
    attest_and_close,
    digest,
    open_round,
    play_round,
    reach_entry,
    reach_training,
    submit_entries,
)

from chain.checks import check_record, read_record
from chain.contract_errors import ContractError
from chain.history import read_round, read_rounds
from chain.keys import Key, fund
from chain.phases import HospitalStatus, OrderStatus, Phase
from chain.records import Consent

pytestmark = pytest.mark.node


def test_hospitals_are_admitted_bonded_and_active(world: World):
    consortium = world.contracts.consortium
    assert consortium.active_set() == {1, 2, 3, 4}
    for number, sender in world.hospitals.items():
        record = consortium.hospital(number)
        assert (record.account, record.status, record.active) == (sender.address, HospitalStatus.ACTIVE, True)
        assert record.bond == consortium.bond_amount() > 0
        assert consortium.hospital_id_of(sender.address) == number
    assert [record.id for record in consortium.hospitals()] == [1, 2, 3, 4]
    assert consortium.hospital_id_of(Key.random().address) == 0
    assert consortium.coordinator() == consortium.guardian() == world.governance.address


def test_beacon_is_the_hash_of_the_block_after_the_ready_phase(world: World):
    open_round(world)
    beacon = reach_training(world)
    record = world.ledger.round(1)
    block = world.w3.eth.get_block(record.ready_block + 1)
    assert beacon == record.beacon == bytes(block["hash"])
    assert record.phase is Phase.TRAINING


def test_missed_beacon_is_anchored_anew(world: World):
    open_round(world)
    for hospital, sender in world.hospitals.items():
        world.ledger.submit_ready(sender, 1, digest(f"ready {hospital}"))
    world.clock.wait_blocks(300)
    beacon = world.ledger.await_beacon(world.governance, 1, world.clock)
    assert beacon == world.ledger.round(1).beacon != bytes(32)


def test_round_pays_devices_relayers_and_treasuries(closed):
    world, trees = closed
    ledger, token, distributor = world.ledger, world.contracts.token, world.contracts.distributor
    record = ledger.round(1)
    assert (record.phase, record.paid, record.accepted_digest) == (Phase.CLOSED, True, digest("round 1"))
    entries = ledger.entries(1, [1, 2, 3, 4])
    assert all(entry.allocation > 0 and entry.attested and entry.quality > 9_000 for entry in entries)
    assert sum(entry.allocation for entry in entries) <= record.budget
    assert entries[0].root == trees[1].root.hash
    assert entries[0].lanes.n == trees[1].root.lanes.n

    device = world.sender(world.devices[1][0])
    assert distributor.claimable_up_to() == 0
    own = distributor.claim(device, [world.claim(trees[1], 0)])
    assert [paid.payee for paid in own.claims] == [device.address]
    assert token.balance_of(device.address) == own.amount > 0
    assert distributor.claimable_up_to() == 1

    payee = world.devices[1][2]
    relayer = world.hospitals[1]
    deadline = world.clock.now() + 600
    consent = Consent(payee.address, relayer.address, from_round=1, to_round=1, deadline=deadline)
    relayed = distributor.claim_for(
        relayer, [world.claim(trees[1], 4)], consent, distributor.sign_consent(payee, consent)
    )
    assert token.balance_of(payee.address) == relayed.amount > 0
    assert token.balance_of(relayer.address) == 0

    treasury = distributor.claim_treasury(relayer, 1, [1])
    assert token.balance_of(relayer.address) == treasury.amount > own.amount
    assert distributor.is_claimed(1, 1, 0)
    assert not distributor.is_claimed(1, 1, 8)
    assert distributor.is_treasury_claimed(1, 1)
    assert distributor.claimed_rounds(1, 0, 0) == distributor.treasury_claimed_rounds(1, 0) == {1}

    history = read_round(world.contracts, 1)
    assert history.paid_out(1) == own.amount + relayed.amount + treasury.amount <= entries[0].allocation
    assert token.total_minted() == token.total_supply() == history.paid_out(1)
    assert check_record(read_record(world.contracts)) == []
    assert [paid.payee for paid in distributor.claims(payee=payee.address)] == [payee.address]


def test_all_claims_of_a_hospital_stay_within_its_allocation(closed):
    world, trees = closed
    distributor = world.contracts.distributor
    for hospital, tree in trees.items():
        for slot in (0, 4, 8):
            distributor.claim(world.sender(world.devices[hospital][slot // 2]), [world.claim(tree, slot)])
        distributor.claim_treasury(world.hospitals[hospital], hospital, [1])
    history = read_round(world.contracts, 1)
    for entry in history.entries:
        assert 0 <= entry.allocation - history.paid_out(entry.hospital) < 10  # rounding stays unminted
    assert check_record(read_record(world.contracts)) == []


def test_history_tells_the_whole_round(closed):
    world, trees = closed
    history = read_round(world.contracts, 1)
    assert set(history.ready) == set(history.commitments) == {1, 2, 3, 4}
    assert [reveal.hospital for reveal in history.reveals] == [1, 2, 3, 4]
    assert history.reveals[1].scores == {1: 9_100, 3: 9_300, 4: 9_400}
    assert [item.root for item in history.submissions] == [trees[h].root.hash for h in (1, 2, 3, 4)]
    assert history.submissions[0].left.hash == trees[1].children[0].hash
    assert {item.digest for item in history.attestations} == {digest("round 1")}
    assert [phase for phase, _, _ in history.phases][-1] is Phase.CLOSED
    assert history.beacon_block == history.record.ready_block + 1
    assert history.closing is not None
    assert history.closing.budget == history.record.budget
    assert sum(item.amount for item in history.allocations) == world.ledger.total_allocated()
    assert history.rule == world.ledger.rule(1)
    assert history.forfeited == frozenset()
    assert read_rounds(world.contracts) == [history]


def test_rounds_follow_each_other_and_the_record_adds_up(world: World):
    trees = [play_round(world, number) for number in (1, 2, 3)]
    assert world.ledger.current_round() == 3
    device = world.sender(world.devices[2][0])
    claims = [world.claim(trees[k][2], 0) for k in range(3)]
    payout = world.contracts.distributor.claim(device, claims)
    assert [paid.round for paid in payout.claims] == [1, 2, 3]
    assert world.contracts.distributor.claimed_rounds(2, 0, 0) == {1, 2, 3}
    assert [history.record.round for history in read_rounds(world.contracts)] == [1, 2, 3]
    assert check_record(read_record(world.contracts)) == []


def test_frozen_entry_is_skipped_and_a_voided_one_never_paid(world: World):
    court = world.sender(Key.random())
    fund(world.w3, [court.address], ETHER)
    world.contracts.consortium.set_dispute_court(world.governance, court.address)
    open_round(world)
    reach_training(world)
    reach_entry(world)
    trees = submit_entries(world)
    attest_and_close(world)
    world.ledger.freeze_entry(court, 1, 1)
    world.clock.wait_until(world.ledger.round(1).claimable_at)
    device = world.sender(world.devices[1][0])
    payout = world.contracts.distributor.claim(device, [world.claim(trees[1], 0)])
    assert payout.skipped == ((1, 1),)
    assert payout.amount == 0
    allocated = world.ledger.entry(1, 1).allocation
    world.ledger.void_entry(court, 1, 1)
    history = read_round(world.contracts, 1)
    assert history.voided == {1: allocated}
    assert history.entries[0].voided
    assert world.contracts.distributor.claim_treasury(world.hospitals[1], 1, [1]).skipped == ((1, 1),)
    assert check_record(read_record(world.contracts)) == []


def test_unpaid_round_rolls_its_emission_over(world: World):
    open_round(world)
    world.clock.wait_until(world.ledger.round(1).phase_deadline)
    world.ledger.advance(world.governance, 1)
    world.clock.wait_blocks(2)
    world.ledger.fix_beacon(world.governance, 1)
    world.clock.wait_until(world.ledger.round(1).phase_deadline)
    world.ledger.advance(world.governance, 1)
    record = world.ledger.round(1)
    assert (record.phase, record.paid, record.budget) == (Phase.CLOSED, False, 0)
    assert world.ledger.rolled_over() == world.ledger.params().initial_emission
    assert check_record(read_record(world.contracts)) == []


def test_service_is_redeemed_fulfilled_and_settled(closed):
    world, trees = closed
    desk, token = world.contracts.desk, world.contracts.token
    buyer = world.sender(world.devices[1][0])
    world.contracts.distributor.claim(buyer, [world.claim(trees[1], 0)])
    price = token.balance_of(buyer.address) // 2
    service = desk.list_service(
        world.hospitals[2],
        metadata_hash=digest("a check-up"),
        uri="https://hospital.example/check-up.json",
        price=price,
        fulfil_seconds=3_600,
        buyer_seconds=600,
    )
    assert desk.service_uri(service) == "https://hospital.example/check-up.json"
    assert desk.service(service).provider == 2
    token.approve(buyer, desk.address, price)
    order = desk.redeem(buyer, service, digest("my request"))
    assert desk.order(order).status is OrderStatus.OPEN
    desk.fulfil(world.hospitals[2], order, digest("the report"))
    world.clock.wait_until(desk.order(order).deadline)
    desk.settle(world.governance, order)
    assert desk.orders()[0].status is OrderStatus.PAID
    assert token.balance_of(world.hospitals[2].address) == price

    deadline = world.clock.now() + 600
    signature = token.sign_permit(buyer.key, desk.address, price, deadline)
    second = desk.redeem_with_permit(buyer, service, digest("again"), deadline=deadline, signature=signature)
    desk.fulfil(world.hospitals[2], second, digest("second report"))
    desk.accept(buyer, second)
    assert token.balance_of(world.hospitals[2].address) == 2 * price
    desk.retire_service(world.hospitals[2], service)
    with pytest.raises(ContractError, match="takes no new orders"):
        desk.redeem(buyer, service, digest("too late"))


def test_governance_rotates_suspends_and_sets_rules(world: World):
    consortium, ledger = world.contracts.consortium, world.ledger
    consortium.suspend(world.governance, 4)
    assert consortium.active_set() == {1, 2, 3}
    consortium.reinstate(world.governance, 4)
    fresh = Key.random()
    fund(world.w3, [fresh.address], ETHER)
    consortium.propose_account(world.hospitals[4], fresh.address)
    consortium.accept_account(world.sender(fresh), 4)
    assert consortium.hospital_id_of(fresh.address) == 4
    assert ledger.set_rule(world.governance, ledger.rule(1)) == ledger.latest_rule_id() == 2
    distributor = world.contracts.distributor
    distributor.pause_claims(world.governance)
    assert distributor.claims_paused()
    distributor.unpause_claims(world.governance)
    assert distributor.pause_state()[1] > world.clock.now()
