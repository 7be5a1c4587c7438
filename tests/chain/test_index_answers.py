"""The index answers what the contracts answer, in their words."""

from __future__ import annotations

import pytest
from chain_world import (
    World,
    attest_and_close,
    open_round,
    play_round,
    reach_entry,
    reach_training,
    submit_entries,
)
from index_answers import assert_same_answers, claim_one

from chain.connect import connect_lightly
from chain.contracts import open_contracts
from chain.errors import RecordError
from chain.history import read_round
from chain.index.queries import IndexRecord
from chain.index.record import ChainRecord
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
from chain.node import AnvilNode
from incentives.sum_tree import SumTree

pytestmark = pytest.mark.node


def test_index_answers_what_the_contracts_answer_after_every_step_of_a_round(world: World, store: Store):
    assert_same_answers(store, world)
    open_round(world)
    assert_same_answers(store, world)
    reach_training(world)
    assert_same_answers(store, world)
    reach_entry(world)
    assert_same_answers(store, world)
    trees = submit_entries(world)
    assert_same_answers(store, world)
    attest_and_close(world)
    assert_same_answers(store, world)
    world.clock.wait_until(world.ledger.round(1).claimable_at)
    payee = claim_one(world, trees, 2, 0)
    world.contracts.distributor.claim_treasury(world.hospitals[2], 2, [1])
    assert_same_answers(store, world, [payee])
    play_round(world, 2)
    assert_same_answers(store, world, [payee])


def test_index_follows_a_dispute(world: World, store: Store):
    court = world.sender(world.governance.key)
    world.contracts.consortium.set_dispute_court(world.governance, court.address)
    open_round(world)
    reach_training(world)
    reach_entry(world)
    trees = submit_entries(world)
    attest_and_close(world)
    for hospital in (1, 2):
        world.ledger.freeze_entry(court, 1, hospital)
    assert_same_answers(store, world)
    world.clock.wait_until(world.ledger.round(1).claimable_at)
    for device in (0, 2):
        claim_one(world, trees, 2, device)
    world.contracts.distributor.claim_treasury(world.hospitals[2], 2, [1])
    assert_same_answers(store, world)
    assert [item.skipped for item in IndexRecord(store).line(1).entries] == [0, 3, 0, 0]
    assert [item.slot for item in IndexRecord(store).round(1).skipped] == [0, 4]
    world.ledger.void_entry(court, 1, 1)
    world.ledger.release_entry(court, 1, 2)
    assert_same_answers(store, world)
    assert IndexRecord(store).line(1).entries[0].entry.voided


def test_unknown_round_and_hospital_are_refused_in_the_words_of_the_chain(world: World, store: Store):
    synchronise(store, Reader(world.contracts))
    index, chain = IndexRecord(store), ChainRecord(world.contracts)
    unknown = [lambda record, number=number: record.hospital(number) for number in (0, 99, -1, 10**40)]
    for ask in (lambda record: record.round(1), lambda record: record.round(10**40), *unknown):
        with pytest.raises(RecordError) as from_index:
            ask(index)
        with pytest.raises(RecordError) as from_chain:
            ask(chain)
        assert str(from_index.value) == str(from_chain.value)
    assert index.claims_of("0x" + "22" * 20) == []


def test_history_of_a_round_comes_whole_from_a_light_connection(
    closed: tuple[World, dict[int, SumTree]], node: AnvilNode
):
    world, _ = closed
    light = open_contracts(connect_lightly(node.url), world.contracts.deployment)
    assert read_round(light, 1) == read_round(world.contracts, 1)
