// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {ICouncil} from "../interfaces/ICouncil.sol";
import {Councils} from "./support/Councils.sol";

/// @title CouncilTest
/// @notice A call that two thirds of the hospitals want is made, after its delay, once; no other.
contract CouncilTest is Councils {
    function setUp() public {
        foundCouncil();
    }

    // The way of a proposal

    function test_two_thirds_carry_a_call_and_anyone_makes_it_after_the_delay() public {
        uint256 id = proposeAdmission(2);
        isState(id, OPEN, "one vote");
        vote(id, 1, true);
        isState(id, OPEN, "two votes of four");
        vote(id, 4, true);
        isState(id, PASSED, "three votes of four");
        vm.startPrank(STRANGER);
        council.queue(id);
        isState(id, QUEUED, "queued");
        uint64 readyAt = council.proposal(id).executableAt;
        eq(readyAt, vm.getBlockTimestamp() + DELAY, "public for the delay");
        eq(manager.getSchedule(operationOf(id)), readyAt, "in the manager's queue");
        vm.expectRevert(abi.encodeWithSelector(IAccessManager.AccessManagerNotReady.selector, operationOf(id)));
        council.execute(id);
        skip(DELAY);
        council.execute(id);
        isState(id, EXECUTED, "executed");
        eq(consortium.hospitalIdOf(NEWCOMER), 5, "admitted");
    }

    function test_without_a_delay_a_passed_call_is_made_at_once() public {
        council = ICouncil(vm.deployCode("Council.sol:Council", abi.encode(consortium, VOTING)));
        manager.grantRole(0, address(council), 0);
        uint256 id = passed();
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessManager.AccessManagerUnauthorizedCall.selector,
                address(council),
                address(consortium),
                IConsortium.admit.selector
            )
        );
        council.queue(id);
        council.execute(id);
        eq(consortium.hospitalIdOf(NEWCOMER), 5, "admitted");
    }

    function test_where_there_is_a_delay_nothing_is_made_without_the_queue() public {
        uint256 id = passed();
        vm.expectRevert(abi.encodeWithSelector(IAccessManager.AccessManagerNotScheduled.selector, operationOf(id)));
        council.execute(id);
    }

    function test_a_call_is_made_once() public {
        uint256 id = queued();
        skip(DELAY);
        council.execute(id);
        bytes memory refusal = wrongState(id, EXECUTED);
        vm.expectRevert(refusal);
        council.execute(id);
        vm.expectRevert(refusal);
        council.queue(id);
        vm.expectRevert(refusal);
        vote(id, 4, true);
        vm.expectRevert(refusal);
        vote(id, 1, false);
        vm.expectRevert(refusal);
        vm.prank(account(1));
        council.cancel(id);
    }

    function test_a_council_without_the_role_makes_no_calls() public {
        manager.revokeRole(0, address(council));
        (bool governs,) = council.executionDelay();
        isTrue(!governs, "no role");
        uint256 id = passed();
        bytes memory refusal = abi.encodeWithSelector(
            IAccessManager.AccessManagerUnauthorizedCall.selector,
            address(council),
            address(consortium),
            IConsortium.admit.selector
        );
        vm.expectRevert(refusal);
        council.queue(id);
        vm.expectRevert(refusal);
        council.execute(id);
    }

    function test_a_call_that_fails_can_be_made_later() public {
        uint256 id = propose(1, address(consortium), abi.encodeCall(IConsortium.reinstate, (4)));
        voteAll(id, 2, 3);
        council.queue(id);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.WrongStatus.selector, 4, IConsortium.Status.Active));
        council.execute(id);
        isState(id, QUEUED, "as before");
        consortium.suspend(4);
        council.execute(id);
        eq(consortium.activeHospitalOf(account(4)), 4, "reinstated");
    }

    // The manager and the council themselves

    function test_once_handed_over_the_deployer_governs_no_more() public {
        manager.renounceRole(0, address(this));
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        consortium.suspend(1);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManager.AccessManagerUnauthorizedAccount.selector, address(this), 0)
        );
        manager.grantRole(0, address(this), 0);
        (bool governs, uint32 delay) = council.executionDelay();
        isTrue(governs, "the council does");
        eq(delay, DELAY, "with its delay");
        uint256 id = queued();
        skip(DELAY);
        council.execute(id);
        eq(consortium.hospitalIdOf(NEWCOMER), 5, "admitted");
    }

    function test_the_council_gives_way_to_its_successor() public {
        manager.renounceRole(0, address(this));
        address next = vm.deployCode("Council.sol:Council", abi.encode(consortium, 2 * VOTING));
        uint256 grant = propose(1, address(manager), abi.encodeCall(manager.grantRole, (0, next, 2 * DELAY)));
        uint256 departure = propose(1, address(manager), abi.encodeCall(manager.revokeRole, (0, address(council))));
        voteAll(grant, 2, 3);
        voteAll(departure, 2, 3);
        council.queue(grant);
        council.queue(departure);
        skip(DELAY);
        council.execute(grant);
        council.execute(departure);
        (bool governs,) = council.executionDelay();
        isTrue(!governs, "the old one left");
        (bool governed, uint32 delay) = ICouncil(next).executionDelay();
        isTrue(governed, "the new one governs");
        eq(delay, 2 * DELAY, "with its own delay");
    }

    function test_a_call_cannot_be_made_again_from_within_itself() public {
        uint256 id = propose(1, address(council), abi.encodeCall(ICouncil.execute, (1)));
        voteAll(id, 2, 3);
        council.queue(id);
        skip(DELAY);
        vm.expectRevert(wrongState(id, EXECUTED));
        council.execute(id);
        isState(id, QUEUED, "as before");
    }

    // Arguments

    function test_what_is_proposed_is_checked() public {
        vm.startPrank(account(1));
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NoContract.selector, STRANGER));
        council.propose(STRANGER, hex"01020304");
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidCallLength.selector, 3, 4096));
        council.propose(address(consortium), hex"010203");
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidCallLength.selector, 4097, 4096));
        council.propose(address(consortium), new bytes(4097));
        eq(council.propose(address(consortium), new bytes(4096)), 1, "the longest call");
    }

    function test_there_is_no_proposal_before_it_is_made() public {
        isState(1, ICouncil.State.None, "none");
        bytes memory unknown = abi.encodeWithSelector(ICouncil.UnknownProposal.selector, 1);
        vm.expectRevert(unknown);
        vote(1, 1, true);
        vm.expectRevert(unknown);
        council.queue(1);
        vm.expectRevert(unknown);
        council.execute(1);
        vm.expectRevert(unknown);
        council.cancel(1);
        vm.expectRevert(unknown);
        council.proposal(1);
    }

    function test_a_proposal_is_shown_as_it_was_made() public {
        bytes memory data = abi.encodeCall(IConsortium.admit, (NEWCOMER, 2500));
        vm.expectEmit(true, true, true, true, address(council));
        emit ICouncil.Proposed(1, 3, address(consortium), data, 30, uint64(vm.getBlockTimestamp()) + VOTING);
        uint256 id = proposeAdmission(3);
        ICouncil.ProposalView memory v = council.proposal(id);
        eq(council.proposalCount(), 1, "count");
        eq(v.proposer, 3, "proposer");
        eq(v.target, address(consortium), "target");
        eq(keccak256(v.data), keccak256(data), "data");
        eq(v.electorate, 2 + 4 + 8 + 16, "electorate");
        eq(v.supporters, 8, "supporters");
        eq(v.votingEndsAt, vm.getBlockTimestamp() + VOTING, "votes end");
        eq(v.expiresAt, v.votingEndsAt + 7 * DAY, "expires");
        eq(v.executableAt, 0, "not queued");
    }

    function test_construction_is_checked() public {
        vm.expectRevert(ICouncil.ZeroAddress.selector);
        this.construct(address(0), VOTING);
        refusesDuration(0, 1);
        refusesDuration(90 * DAY + 1, 1);
        this.construct(address(consortium), 1);
        vm.chainId(1);
        refusesDuration(HOUR - 1, HOUR);
        this.construct(address(consortium), HOUR);
    }

    function construct(address consortium_, uint64 votingSeconds) external {
        vm.deployCode("Council.sol:Council", abi.encode(consortium_, votingSeconds));
    }

    function refusesDuration(uint64 given, uint64 minimum) private {
        vm.expectRevert(abi.encodeWithSelector(ICouncil.DurationOutOfBounds.selector, given, minimum, uint64(90 * DAY)));
        this.construct(address(consortium), given);
    }
}
