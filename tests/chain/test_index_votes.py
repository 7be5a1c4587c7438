"""Proposals and disputes come from the index as the contracts tell them, also what only time has changed."""

from __future__ import annotations

import pytest
from chain_world import World
from court_world import LIAR, entered, proof_of, stake, with_lanes

from chain.errors import ChainError
from chain.governance import hand_over
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
from chain.index.vote_queries import IndexVotes
from chain.index.votes import ChainVotes
from chain.phases import CaseOutcome, ProposalState
from chain.rpc import request

pytestmark = pytest.mark.node


def states(store: Store, world: World) -> list[ProposalState]:
    """Where the proposals stand, once index and contracts say the same of all that is voted on."""
    synchronise(store, Reader(world.contracts))
    index, chain = IndexVotes(store), ChainVotes(world.contracts)
    assert index.proposals() == chain.proposals()
    assert index.cases() == chain.cases()
    for found in index.proposals():
        assert index.proposal(found.id) == found == chain.proposal(found.id)
    for case in index.cases():
        assert index.dispute(case.id) == chain.dispute(case.id)
    return [found.state for found in index.proposals()]


def test_proposals_stand_in_the_index_where_they_stand_on_the_chain(world: World, store: Store):
    hand_over(world.contracts, world.governance)
    council, consortium = world.contracts.council, world.contracts.consortium
    assert states(store, world) == []
    council.propose(world.hospitals[1], consortium.prepare("suspend", 4))
    council.propose(world.hospitals[2], consortium.prepare("suspend", 3))
    council.propose(world.hospitals[3], consortium.prepare("reinstate", 3))
    council.cancel(world.hospitals[3], 3)
    assert states(store, world) == [ProposalState.OPEN, ProposalState.OPEN, ProposalState.CANCELLED]
    for hospital in (2, 3):
        council.vote(world.hospitals[hospital], 1)
    assert states(store, world)[0] is ProposalState.PASSED
    council.execute(world.hospitals[1], 1)
    assert states(store, world)[:2] == [ProposalState.EXECUTED, ProposalState.OPEN]
    world.clock.wait_until(council.proposal(2).voting_ends_at + 1)  # nothing else happens on the chain
    request(world.w3, "evm_mine")
    assert states(store, world)[:2] == [ProposalState.EXECUTED, ProposalState.REJECTED]


def test_votes_of_a_hospital_that_comes_back_count_in_the_index_as_on_the_chain(world: World, store: Store):
    council, consortium = world.contracts.council, world.contracts.consortium
    council.propose(world.hospitals[1], consortium.prepare("suspend", 4))
    for hospital in (2, 3):
        council.vote(world.hospitals[hospital], 1)
    consortium.suspend(world.governance, 3)
    world.clock.wait_until(council.proposal(1).voting_ends_at + 1)
    request(world.w3, "evm_mine")
    assert states(store, world) == [ProposalState.REJECTED]
    mark = request(world.w3, "evm_snapshot")
    consortium.reinstate(world.governance, 3)
    assert states(store, world) != [ProposalState.REJECTED]
    assert request(world.w3, "evm_revert", mark)
    assert states(store, world) == [ProposalState.REJECTED]


def test_disputes_stand_in_the_index_where_they_stand_on_the_chain(world: World, store: Store):
    trees, court = entered(world, lambda tree: with_lanes(tree, 0, volume=7)), world.contracts.court
    court.challenge(stake(world, 3), 1, 2, b"e" * 32)
    states(store, world)
    court.demand(stake(world, 4), 1, 2)
    states(store, world)
    (demand,) = IndexVotes(store).dispute(1).demands
    assert not demand.drawn
    request(world.w3, "anvil_mine", "0x3")
    court.draw(world.hospitals[4], demand.challenge_id)
    states(store, world)
    dispute = IndexVotes(store).dispute(1)
    assert dispute.demands[0].drawn
    assert [item.case_id for item in dispute.challenges] == [1, 1]
    court.challenge(stake(world, 2), 1, LIAR, b"f" * 32)
    states(store, world)
    assert not IndexVotes(store).dispute(2).convicted
    court.prove_leaf(world.hospitals[2], 1, LIAR, proof_of(trees[LIAR], 0))
    states(store, world)
    assert IndexVotes(store).dispute(2).convicted
    assert IndexVotes(store).dispute(2).demands == ()
    world.clock.wait_until(court.case(1).deadline + 1)
    court.conclude(world.hospitals[3], 1)
    court.settle(world.hospitals[3], dispute.challenges[0].id)
    states(store, world)
    assert IndexVotes(store).cases()[0].outcome is CaseOutcome.VOIDED
    assert IndexVotes(store).dispute(1).challenges[0].settled


def test_what_there_is_none_of_is_refused_in_the_words_of_the_chain(world: World, store: Store):
    synchronise(store, Reader(world.contracts))
    index, chain = IndexVotes(store), ChainVotes(world.contracts)
    asked = [9, 2**256 - 1]
    asks = [lambda votes, number=number: votes.proposal(number) for number in asked]
    for ask in [*asks, *(lambda votes, number=number: votes.dispute(number) for number in asked)]:
        with pytest.raises(ChainError) as from_chain:
            ask(chain)
        with pytest.raises(ChainError) as from_index:
            ask(index)
        assert str(from_index.value) == str(from_chain.value)


def test_an_id_beyond_the_contracts_numbers_is_unknown_as_any_other(world: World, store: Store):
    synchronise(store, Reader(world.contracts))
    for number in (-1, 2**256, 10**80, 10**85):
        with pytest.raises(ChainError, match=f"there is no proposal {number}: list them"):
            IndexVotes(store).proposal(number)
        with pytest.raises(ChainError, match=f"there is no case {number}: list them"):
            IndexVotes(store).dispute(number)


def test_a_dispute_that_a_reorganisation_takes_away_is_gone(world: World, store: Store):
    entered(world)
    snapshot = request(world.w3, "evm_snapshot")
    world.contracts.court.demand(stake(world, 3), 1, 2)
    states(store, world)
    assert len(IndexVotes(store).cases()) == 1
    assert request(world.w3, "evm_revert", snapshot)
    states(store, world)
    assert IndexVotes(store).cases() == ()
    world.contracts.court.challenge(stake(world, 3), 1, 2, bytes(32))
    states(store, world)
    assert IndexVotes(store).dispute(1).demands == ()
