"""Hospitals govern through their council, once the deployer has handed over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_world import ETHER, World, raise_world
from web3 import Web3

from chain.connect import connect
from chain.contract_errors import (
    AccessManagedUnauthorized,
    AccessManagerNotScheduled,
    NotInElectorate,
    UnknownProposal,
    VoteUnchanged,
    VotingOver,
    WrongState,
    WrongStatus,
)
from chain.contracts import open_contracts
from chain.creations import create_contract
from chain.deploy import DeployConfig, check_wiring, deploy, fund_hospital, post_bond
from chain.errors import ChainError
from chain.governance import check_governed, hand_over
from chain.keys import Key, fund
from chain.node import AnvilNode
from chain.phases import HospitalStatus, ProposalState
from chain.proposals import read_call
from chain.sender import Sender
from incentives.default_rule import DEFAULT_RULE

pytestmark = pytest.mark.node

DELAY = 3_600


@pytest.fixture
def governed(world: World) -> World:
    """The consortium governed by its council, with a delay."""
    delayed = replace(world, contracts=recorded_with(world, DELAY))
    hand_over(delayed.contracts, delayed.governance)
    return delayed


def recorded_with(world: World, delay_seconds: int):
    """The contracts, with a record that says this delay."""
    known = world.contracts.deployment
    config = {**known.config, "council_delay_seconds": delay_seconds}
    return open_contracts(world.w3, replace(known, config=config))


def carried(world: World, call) -> int:
    """A proposal with three votes of four."""
    council = world.contracts.council
    number = council.propose(world.hospitals[1], call)
    for hospital in (2, 3):
        council.vote(world.hospitals[hospital], number)
    return number


def test_the_council_admits_after_its_delay_and_the_deployer_no_more(governed: World):
    council, consortium = governed.contracts.council, governed.contracts.consortium
    check_governed(governed.contracts)
    assert council.execution_delay() == DELAY
    newcomer = Key.random()
    with pytest.raises(AccessManagedUnauthorized):
        consortium.admit(governed.governance, newcomer.address, 100)

    number = carried(governed, consortium.prepare("admit", newcomer.address, 1_234))
    found = council.proposal(number)
    assert (found.id, found.state, found.proposer) == (1, ProposalState.PASSED, 1)
    assert (found.counted, found.threshold) == (3, 3)
    assert (found.electorate, found.supporters) == ({1, 2, 3, 4}, {1, 2, 3})
    call = read_call(governed.contracts.deployment, found.target, found.data)
    assert (call.contract, call.function) == ("Consortium", "admit")
    assert str(call) == f"Consortium.admit(account = {newcomer.address}, capacity_bps = 1234)"

    stranger = governed.governance
    with pytest.raises(AccessManagerNotScheduled, match="schedule it first"):
        council.execute(stranger, number)
    council.queue(stranger, number)
    ready_at = council.proposal(number).executable_at
    assert ready_at >= governed.clock.now() + DELAY - 1
    with pytest.raises(ChainError, match="delay is still running"):
        council.execute(stranger, number)
    governed.clock.wait_until(ready_at)
    council.execute(stranger, number)
    assert [p.state for p in council.proposals()] == [ProposalState.EXECUTED]
    with pytest.raises(WrongState, match="proposal 1 is executed"):
        council.execute(stranger, number)

    fund(governed.w3, [newcomer.address], ETHER)
    fund_hospital(
        governed.contracts, governed.governance, newcomer.address, governed.contracts.consortium.bond_amount()
    )
    post_bond(governed.contracts, governed.sender(newcomer))
    assert consortium.active_set() == {1, 2, 3, 4, 5}
    assert consortium.hospital(5).capacity_bps == 1_234
    with pytest.raises(NotInElectorate, match="it votes on later ones"):
        council.vote(governed.sender(newcomer), council.propose(governed.hospitals[1], noop(governed)) - 1)


def noop(world: World):
    return world.contracts.consortium.prepare("setGuardian", world.governance.address)


def test_votes_are_taken_back_and_time_ends_them(governed: World):
    council = governed.contracts.council
    number = carried(governed, noop(governed))
    council.vote(governed.hospitals[2], number, support=False)
    assert council.proposal(number).state is ProposalState.OPEN
    with pytest.raises(VoteUnchanged, match="hospital 4 on proposal 1 is that already"):
        council.vote(governed.hospitals[4], number, support=False)
    council.vote(governed.hospitals[4], number)
    council.queue(governed.hospitals[4], number)
    governed.clock.wait_until(council.proposal(number).voting_ends_at)
    with pytest.raises(VotingOver, match="propose it again"):
        council.vote(governed.hospitals[2], number)
    council.vote(governed.hospitals[4], number, support=False)
    assert council.proposal(number).state is ProposalState.REJECTED
    council.cancel(governed.governance, number)
    assert council.proposal(number).state is ProposalState.CANCELLED
    with pytest.raises(UnknownProposal, match="there is no proposal 2"):
        council.proposal(2)


def test_a_call_that_the_contract_refuses_says_why(governed: World):
    council, consortium = governed.contracts.council, governed.contracts.consortium
    number = carried(governed, consortium.prepare("reinstate", 4))
    council.queue(governed.governance, number)
    governed.clock.wait_until(council.proposal(number).executable_at)
    with pytest.raises(WrongStatus, match="hospital 4 is active"):
        council.execute(governed.governance, number)
    assert council.proposal(number).state is ProposalState.QUEUED


def test_a_rule_is_voted_without_delay_on_a_local_chain(world: World):
    hand_over(world.contracts, world.governance)
    lighter = replace(DEFAULT_RULE, operator_bps=77)
    number = carried(world, world.ledger.prepare("setRule", lighter))
    world.contracts.council.execute(world.governance, number)
    assert world.ledger.latest_rule_id() == 2
    assert world.ledger.rule(2).operator_bps == 77
    found = world.contracts.council.proposal(number)
    assert "operator_bps: 77" in str(read_call(world.contracts.deployment, found.target, found.data))


def test_calls_that_are_not_of_the_deployment_are_shown_as_they_are(world: World):
    known = world.contracts.deployment
    stranger = Key.random().address
    assert str(read_call(known, stranger, b"\1\2\3\4")) == (f"{stranger}.unknown function(data = 0x01020304)")
    unknown = read_call(known, known.consortium, b"\1\2\3\4")
    assert (unknown.contract, unknown.function) == ("Consortium", None)
    admit = world.contracts.consortium.prepare("admit", stranger, 1).data
    assert read_call(known, known.consortium, admit[:-1]).function is None
    opaque = read_call(
        known, known.authority, world.contracts.manager.prepare("execute", stranger, b"\5").data
    )
    assert str(opaque).endswith("data = 0x05)")


def test_an_account_moves_once_the_next_one_accepts(world: World):
    consortium = world.contracts.consortium
    old, fresh = world.hospitals[4], world.sender(Key.random())
    fund(world.w3, [fresh.address], ETHER)
    consortium.propose_account(old, fresh.address)
    assert consortium.pending_account(4) == fresh.address
    with pytest.raises(ChainError, match="did not propose"):
        consortium.accept_account(world.governance, 4)
    consortium.accept_account(fresh, 4)
    assert consortium.hospital(4).account == fresh.address
    hospital, start, end = consortium.tenure_of(old.address)
    assert (hospital, consortium.tenure_of(fresh.address)) == (4, (4, end, 0))
    assert consortium.was_account_of(old.address, start) == consortium.was_account_of(fresh.address, end) == 4
    assert (
        consortium.was_account_of(old.address, end + 1)
        == consortium.was_account_of(fresh.address, end - 1)
        == 0
    )
    with pytest.raises(ChainError, match="use an account that never acted"):
        consortium.propose_account(fresh, old.address)
    consortium.propose_account(fresh, Key.random().address)
    consortium.propose_account(fresh, None)
    assert int(consortium.pending_account(4), 16) == 0


def test_a_slashed_bond_goes_to_the_desk_and_is_topped_up(world: World):
    consortium, settlement = world.contracts.consortium, world.contracts.settlement
    court, bond = world.governance, consortium.bond_amount()
    consortium.set_dispute_court(court, court.address)
    assert consortium.slash(court, 2, bond // 4) == bond // 4
    assert consortium.slash_recipient() == world.contracts.desk.address
    assert settlement.balance_of(world.contracts.desk.address) == bond // 4
    assert consortium.hospital(2).status is HospitalStatus.BOND_DUE
    assert consortium.active_set() == {1, 3, 4}
    with pytest.raises(ChainError, match="hospital 2 is bond_due"):
        consortium.post_bond(world.hospitals[2])
    settlement.transfer(world.governance, world.hospitals[2].address, bond // 4)
    settlement.approve(world.hospitals[2], consortium.address, bond // 4)
    consortium.top_up_bond(world.hospitals[2])
    assert consortium.active_set() == {1, 2, 3, 4}
    assert consortium.slash(court, 2, 0) == 0
    with pytest.raises(ChainError, match="fixed for good"):
        consortium.set_slash_recipient(world.governance, court.address)


def test_handing_over_needs_somebody_to_hand_over_to(w3: Web3):
    key = Key.random()
    fund(w3, [key.address], 10**18)
    contracts = open_contracts(w3, deploy(Sender(w3, key), DeployConfig.local(DEFAULT_RULE)))
    check_wiring(contracts)
    with pytest.raises(ChainError, match="no hospital is active"):
        hand_over(contracts, Sender(w3, key))
    with pytest.raises(ChainError, match="does not govern: hand over"):
        check_governed(contracts)


def test_a_deployer_that_kept_its_role_is_found(w3: Web3):
    world = raise_world(w3)
    world.contracts.manager.grant_admin(world.governance, world.contracts.council.address, delay_seconds=1)
    with pytest.raises(ChainError, match="still governs beside the council"):
        check_governed(world.contracts)


def test_a_hospital_that_is_not_active_yet_keeps_the_deployer_from_handing_over(world: World):
    world.contracts.consortium.admit(world.governance, Key.random().address, 100)
    with pytest.raises(ChainError, match=r"not every admitted hospital is active: 5 \(admitted\)"):
        hand_over(world.contracts, world.governance)
    assert world.contracts.manager.admin(world.governance.address)[0]


def test_a_council_with_another_delay_than_the_record_says_is_found(governed: World):
    check_governed(governed.contracts)
    with pytest.raises(ChainError, match="take effect after 3600 s, the deployment's record says 7200 s"):
        check_governed(recorded_with(governed, 7_200))


@pytest.mark.parametrize(
    ("name", "function", "arguments"),
    [
        ("TargetFunctionRoleUpdated", "setTargetFunctionRole", ("{consortium}", [b"\1\2\3\4"], 7)),
        ("TargetFunctionRoleUpdated", "setTargetFunctionRole", ("{ledger}", [b"\1\2\3\4"], 2**64 - 1)),
        ("TargetAdminDelayUpdated", "setTargetAdminDelay", ("{ledger}", 9)),
        ("TargetClosed", "setTargetClosed", ("{ledger}", True)),
        ("RoleGranted", "grantRole", (0, "{desk}", 0)),
        ("RoleGranted", "grantRole", (5, "{desk}", 0)),
        ("RoleAdminChanged", "setRoleAdmin", (5, 6)),
        ("RoleGuardianChanged", "setRoleGuardian", (5, 6)),
        ("RoleGrantDelayChanged", "setGrantDelay", (5, 6)),
    ],
)
def test_a_way_past_the_council_is_found_before_and_after_handing_over(
    world: World, name: str, function: str, arguments: tuple[object, ...]
):
    manager, known = world.contracts.manager, world.contracts.deployment
    filled = [known.addresses().get(str(item).strip("{}"), item) for item in arguments]
    manager.transact(world.governance, function, *filled)
    with pytest.raises(ChainError, match=f"changed who may govern .{name}: "):
        hand_over(world.contracts, world.governance)
    manager.grant_admin(world.governance, known.council, delay_seconds=0)
    manager.renounce_admin(world.governance)
    with pytest.raises(ChainError, match=f"changed who may govern .{name}: "):
        check_governed(world.contracts)


def test_a_record_that_begins_too_late_is_found(world: World):
    known = world.contracts.deployment
    late = open_contracts(world.w3, replace(known, block=known.block + 10_000))
    with pytest.raises(ChainError, match="lacks RoleGranted of"):
        hand_over(late, world.governance)


@pytest.mark.parametrize("seconds", [-1, 365 * 86_400 + 1])
def test_a_delay_out_of_range_is_refused(world: World, seconds: int):
    with pytest.raises(ChainError, match=f"delay of {seconds} s is out of range: give 0 to"):
        hand_over(recorded_with(world, seconds), world.governance)


def test_on_a_real_chain_no_change_takes_effect_unseen():
    with AnvilNode(chain_id=2018, zero_gas=True) as node:
        governance = Sender(connect(node.url), Key.random())
        token = create_contract(governance, "ParticipationToken", "0x" + "33" * 20, 9)
        config = replace(DeployConfig(DEFAULT_RULE), settlement=token)
        with pytest.raises(ChainError, match="only on local chains a change may take effect unseen"):
            deploy(governance, replace(config, council_delay_seconds=0))
        with pytest.raises(ChainError, match="a duration of 60 s is outside 3600"):
            deploy(governance, replace(config, council_voting_seconds=60))
        assert deploy(governance, config).config["council_delay_seconds"] == 2 * 86_400
