"""The dispute court through its client: judged against trees that `incentives` built, honest and not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_world import World, attest_and_close, digest
from court_world import LIAR, entered, proof_of, stake, with_lanes

from chain.contract_errors import (
    AlreadyConvicted,
    AlreadyDemanded,
    CaseRunning,
    NoFault,
    NotElector,
    NothingToDraw,
    NotInTree,
    NotSignedByHospital,
    OwnEntry,
)
from chain.errors import RecordError
from chain.keys import development_key, fund
from chain.phases import CaseOutcome, Fault
from chain.sender import Sender
from chain.signing import Domain, EthereumSigner, TypedMessage, typed_digest

pytestmark = pytest.mark.node


def test_no_leaf_of_a_tree_that_python_built_is_at_fault_and_none_passes_for_another(world: World):
    trees, court = entered(world), world.contracts.court
    for hospital, tree in trees.items():
        for slot in range(len(tree.leaves)):
            proof = proof_of(tree, slot)
            with pytest.raises(NoFault):
                court.check_leaf(1, hospital, proof)
            with pytest.raises(NotInTree):
                court.check_leaf(1, hospital % 4 + 1, proof)
            with pytest.raises(NotInTree):
                court.check_leaf(1, hospital, replace(proof, lanes=proof.lanes + (1 << 128)))


@pytest.mark.parametrize(
    ("slot", "lane", "fault"),
    [
        (0, "volume", Fault.WRONG_LANES),
        (2, "weight_treasury", Fault.WRONG_LANES),
        (4, "weight_device", Fault.WRONG_LANES),
        (3, "weight_treasury", Fault.DUMMY_WEIGHS),
        (12, "n", Fault.WRONG_LANES),
    ],
)
def test_every_lie_in_the_lanes_of_a_python_tree_is_convicted_before_the_close(
    world: World, slot: int, lane: str, fault: Fault
):
    trees = entered(world, lambda tree: with_lanes(tree, slot, **{lane: 7}))
    court, consortium = world.contracts.court, world.contracts.consortium
    bond, reserve = consortium.hospital(LIAR).bond, consortium.slash_recipient()
    held = world.contracts.settlement.balance_of(reserve)
    proof = proof_of(trees[LIAR], slot)
    assert court.prove_leaf(world.governance, 1, LIAR, proof) is fault
    assert court.is_convicted(1, LIAR)
    assert consortium.hospital(LIAR).bond == bond - court.slash_amount()
    assert world.contracts.settlement.balance_of(reserve) - held == court.slash_amount()
    with pytest.raises(AlreadyConvicted):
        court.prove_leaf(world.governance, 1, LIAR, proof)
    assert world.ledger.entry(1, LIAR).voided


def test_a_vote_voids_and_the_bond_comes_back(world: World):
    entered(world)
    court, settlement = world.contracts.court, world.contracts.settlement
    challenger = stake(world, 2)
    made = court.challenge(challenger, 1, LIAR, digest("evidence"))
    assert settlement.balance_of(challenger.address) == 0
    assert court.case(made.case_id).electors == {3, 4}
    assert court.open_case_of(1, LIAR) == made.case_id
    with pytest.raises(NotElector):
        court.vote(challenger, made.case_id)
    with pytest.raises(CaseRunning):
        court.conclude(world.governance, made.case_id)
    court.vote(world.hospitals[3], made.case_id)
    court.vote(world.hospitals[4], made.case_id)
    case = court.case(made.case_id)
    assert (case.outcome, case.votes) == (CaseOutcome.VOIDED, {3, 4})
    court.settle(world.governance, made.id)
    assert settlement.balance_of(challenger.address) == court.challenge_bond()
    assert [item.settled for item in court.challenges()] == [True]


def test_silence_upholds_after_the_deadline(world: World):
    entered(world)
    attest_and_close(world, 1)
    court = world.contracts.court
    made = court.challenge(stake(world, 2), 1, LIAR, digest("evidence"))
    world.clock.wait_until(court.case(made.case_id).deadline)
    assert court.conclude(world.governance, made.case_id) is CaseOutcome.UPHELD
    held = world.contracts.settlement.balance_of(world.hospitals[LIAR].address)
    court.settle(world.governance, made.id)
    paid = world.contracts.settlement.balance_of(world.hospitals[LIAR].address) - held
    assert paid == court.challenge_bond()


def test_receipts_are_signed_in_the_ledgers_domain_and_convict_who_signed_another_root(world: World):
    trees, court = entered(world), world.contracts.court
    ledger = bytes.fromhex(world.ledger.address[2:])
    domain = Domain("FedIoMT", "1", chain_id=31337, verifying_contract=ledger)

    def message(root: bytes) -> TypedMessage:
        fields = (("round", "uint64", 1), ("hospital", "uint16", LIAR), ("root", "bytes32", root))
        return TypedMessage(domain, "Receipt", fields)

    root, other = trees[LIAR].root.hash, digest("another root")
    assert court.receipt_digest(1, LIAR, root) == typed_digest(message(root))
    signer = EthereumSigner(world.hospitals[LIAR].key)
    with pytest.raises(NoFault):
        court.prove_receipt(world.governance, 1, LIAR, root=root, signature=signer.sign(message(root)))
    stranger = EthereumSigner(world.hospitals[2].key)
    with pytest.raises(NotSignedByHospital):
        court.prove_receipt(world.governance, 1, LIAR, root=other, signature=stranger.sign(message(other)))
    court.prove_receipt(world.governance, 1, LIAR, root=other, signature=signer.sign(message(other)))
    assert court.is_convicted(1, LIAR)


def test_each_hospital_has_a_draw_of_its_own_and_no_second_one(world: World):
    entered(world)
    court = world.contracts.court
    first = court.demand(stake(world, 2), 1, LIAR)
    second = court.demand(stake(world, 3), 1, LIAR)
    assert first.case_id == second.case_id
    world.clock.wait_blocks(2)
    court.draw(world.governance, second.id)
    undrawn, drawn = court.demands_in(first.case_id)
    assert (undrawn.challenge_id, undrawn.drawn) == (first.id, False)
    assert (drawn.challenge_id, drawn.drawn, drawn.answered) == (second.id, True, frozenset())
    assert court.point_of(second.id, 0).place >= 0
    with pytest.raises(AlreadyDemanded, match="already by hospital 2"):
        court.demand(stake(world, 2), 1, LIAR)


def test_every_account_that_a_hospital_had_is_known_and_when(world: World):
    consortium, before = world.contracts.consortium, world.hospitals[2]
    moved = Sender(world.w3, development_key(7_777))
    fund(world.w3, [moved.address], 10**18)
    consortium.propose_account(before, moved.address)
    consortium.accept_account(moved, 2)
    first, second = consortium.accounts_of([1, 2])[2]
    assert (first.account, second.account) == tuple(
        bytes.fromhex(sender.address[2:]) for sender in (before, moved)
    )
    assert first.until == second.since >= first.since
    assert second.until is None
    assert consortium.court_over(2) == consortium.dispute_court()
    assert first.touches(second.since, None)
    assert not first.touches(second.since + 1, None)
    assert not second.touches(0, second.since - 1)


def test_what_there_is_not_is_said_in_a_line(world: World):
    entered(world)
    court = world.contracts.court
    with pytest.raises(RecordError, match="there is no case 9"):
        court.case(9)
    with pytest.raises(NothingToDraw, match="challenge 1 demands no leaves"):
        court.draw(world.governance, 1)
    with pytest.raises(OwnEntry, match="cannot challenge its own entry"):
        court.challenge(stake(world, LIAR), 1, LIAR, digest("evidence"))
    assert court.demands_in(1) == ()
    with pytest.raises(NoFault, match="no fault"):
        court.prove_count(world.governance, 1, LIAR)
    assert court.cases() == ()
