// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {ICouncil} from "../interfaces/ICouncil.sol";
import {Councils} from "./support/Councils.sol";

/// @title CouncilVotesTest
/// @notice Who votes on a proposal and until when, and how it ends without the call.
contract CouncilVotesTest is Councils {
    function setUp() public {
        foundCouncil();
    }

    // Who votes

    function test_the_vote_is_the_hospitals_not_the_accounts() public {
        uint256 id = proposeAdmission(1);
        vote(id, 2, true);
        move(2, account(2), STRANGER);
        move(3, account(3), GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.VoteUnchanged.selector, id, 2, true));
        vm.prank(STRANGER);
        council.vote(id, true);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NotActiveHospital.selector, account(3)));
        vote(id, 3, true);
        vm.prank(GUARDIAN);
        council.vote(id, true);
        isState(id, PASSED, "three hospitals");
        eq(council.proposal(id).supporters, 2 + 4 + 8, "supporters");
    }

    function test_a_hospital_suspended_after_the_proposal_neither_votes_nor_counts() public {
        uint256 id = passed();
        consortium.suspend(3);
        isState(id, OPEN, "its vote lapses");
        eq(council.proposal(id).counted, 2, "counted");
        eq(council.proposal(id).threshold, 3, "of as many as before");
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NotActiveHospital.selector, account(3)));
        vote(id, 3, false);
        vote(id, 4, true);
        isState(id, PASSED, "another takes its place");
        vote(id, 4, false);
        consortium.reinstate(3);
        isState(id, PASSED, "and it counts again");
    }

    function test_a_hospital_that_joined_after_the_proposal_has_no_vote() public {
        uint256 id = proposeAdmission(1);
        joinAll(5, 5);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NotInElectorate.selector, id, 5));
        vote(id, 5, true);
        uint256 next = proposeAdmission(5);
        eq(council.proposal(next).electorate, 2 + 4 + 8 + 16 + 32, "it votes on the next one");
    }

    function test_what_a_lone_founder_proposed_does_not_pass_once_others_have_joined() public {
        for (uint16 id = 2; id <= 4; ++id) {
            consortium.suspend(id);
        }
        bytes memory takeover = abi.encodeCall(manager.grantRole, (0, account(1), 0));
        uint256 id1 = propose(1, address(manager), takeover);
        isState(id1, PASSED, "alone");
        for (uint16 id = 2; id <= 4; ++id) {
            consortium.reinstate(id);
        }
        eq(council.proposal(id1).threshold, 3, "two thirds of all of them");
        isState(id1, OPEN, "its one vote is too few now");
        vm.expectRevert(wrongState(id1, OPEN));
        council.queue(id1);
        vm.expectRevert(wrongState(id1, OPEN));
        council.execute(id1);
        skip(VOTING);
        isState(id1, REJECTED, "for good");
    }

    function test_hospitals_that_join_take_a_queued_call_its_majority() public {
        uint256 id = queued();
        joinAll(5, 5);
        isState(id, OPEN, "three of five");
        vote(id, 4, true);
        isState(id, QUEUED, "four of five");
    }

    function test_hospitals_alone_propose_and_vote() public {
        bytes memory refusal = abi.encodeWithSelector(ICouncil.NotActiveHospital.selector, STRANGER);
        uint256 id = proposeAdmission(1);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        council.propose(address(consortium), abi.encodeCall(IConsortium.suspend, (1)));
        vm.expectRevert(refusal);
        council.vote(id, true);
        vm.stopPrank();
        vm.prank(account(4));
        consortium.resign();
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NotActiveHospital.selector, account(4)));
        vote(id, 4, true);
    }

    function test_a_lone_hospital_governs_alone() public {
        for (uint16 id = 2; id <= 4; ++id) {
            consortium.suspend(id);
        }
        uint256 lone = proposeAdmission(1);
        eq(council.proposal(lone).threshold, 1, "threshold");
        isState(lone, PASSED, "by its own vote");
    }

    function test_sixty_four_hospitals_take_forty_three() public {
        joinAll(5, 64);
        uint256 id = propose(64, address(consortium), abi.encodeCall(IConsortium.suspend, (1)));
        eq(council.proposal(id).electorate, uint256(type(uint64).max) << 1, "all of them");
        voteAll(id, 1, 41);
        isState(id, OPEN, "forty-two");
        vote(id, 42, true);
        isState(id, PASSED, "forty-three");
        council.queue(id);
        skip(DELAY);
        council.execute(id);
        eq(consortium.activeHospitalOf(account(1)), 0, "suspended");
    }

    function testFuzz_a_proposal_passes_with_two_thirds_and_no_less(uint8 hospitals, uint256 supporters) public {
        uint16 n = uint16(within(hospitals, 4, 24));
        joinAll(5, n);
        uint256 id = proposeAdmission(1);
        uint256 votes = 1;
        for (uint16 by = 2; by <= n; ++by) {
            if ((supporters >> by) & 1 == 0) continue;
            vote(id, by, true);
            ++votes;
        }
        eq(council.proposal(id).counted, votes, "votes");
        isState(id, 3 * votes >= 2 * uint256(n) ? PASSED : OPEN, "two thirds");
    }

    // Taking back, time, cancelling

    function test_votes_are_taken_back_until_the_call_is_made() public {
        uint256 id = queued();
        vm.expectRevert(abi.encodeWithSelector(ICouncil.VoteUnchanged.selector, id, 4, false));
        vote(id, 4, false);
        skip(VOTING);
        isState(id, QUEUED, "voting is over, the queue is not");
        vm.expectRevert(abi.encodeWithSelector(ICouncil.VotingOver.selector, id, vm.getBlockTimestamp()));
        vote(id, 4, true);
        vote(id, 2, false);
        isState(id, REJECTED, "one too few");
        vm.expectRevert(wrongState(id, REJECTED));
        council.execute(id);
        vm.expectRevert(wrongState(id, REJECTED));
        vote(id, 2, true);
    }

    function test_a_vote_taken_back_in_time_can_be_given_again() public {
        uint256 id = queued();
        vote(id, 1, false);
        isState(id, OPEN, "open again");
        vm.expectRevert(wrongState(id, OPEN));
        council.queue(id);
        vote(id, 4, true);
        isState(id, QUEUED, "still in the manager's queue");
        skip(DELAY);
        council.execute(id);
        eq(consortium.hospitalIdOf(NEWCOMER), 5, "admitted");
    }

    function test_a_proposal_without_enough_votes_in_time_is_rejected() public {
        uint256 id = proposeAdmission(1);
        vote(id, 2, true);
        skip(VOTING - 1);
        isState(id, OPEN, "the last second");
        skip(1);
        isState(id, REJECTED, "over");
        vm.expectRevert(wrongState(id, REJECTED));
        vote(id, 3, true);
        vm.expectRevert(wrongState(id, REJECTED));
        council.queue(id);
    }

    function test_what_passed_is_queued_and_executed_in_time_or_expires() public {
        uint256 idle = passed();
        uint256 late = propose(2, address(consortium), abi.encodeCall(IConsortium.suspend, (1)));
        voteAll(late, 3, 4);
        skip(VOTING + 7 * DAY - 1);
        isState(idle, PASSED, "the last second");
        council.queue(late);
        skip(1);
        isState(idle, EXPIRED, "nobody queued it");
        vm.expectRevert(wrongState(idle, EXPIRED));
        council.queue(idle);
        vm.warp(council.proposal(late).executableAt + 7 * DAY - 1);
        isState(late, QUEUED, "the last second");
        skip(1);
        isState(late, EXPIRED, "nobody executed it");
        eq(manager.getSchedule(operationOf(late)), 0, "nor does the manager keep it");
        vm.expectRevert(wrongState(late, EXPIRED));
        council.execute(late);
        vm.expectRevert(wrongState(late, EXPIRED));
        vote(late, 2, false);
    }

    function test_the_proposer_cancels_while_it_is_open() public {
        uint256 id = proposeAdmission(1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NotProposer.selector, id, account(2)));
        vm.prank(account(2));
        council.cancel(id);
        move(1, account(1), STRANGER);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NotProposer.selector, id, account(1)));
        vm.prank(account(1));
        council.cancel(id);
        vm.prank(STRANGER);
        council.cancel(id);
        isState(id, CANCELLED, "cancelled");
        vm.expectRevert(wrongState(id, CANCELLED));
        vote(id, 2, true);
    }

    function test_what_passed_is_not_cancelled_by_its_proposer() public {
        uint256 id = passed();
        vm.expectRevert(wrongState(id, PASSED));
        vm.prank(account(1));
        council.cancel(id);
        council.queue(id);
        vm.expectRevert(wrongState(id, QUEUED));
        vm.prank(account(1));
        council.cancel(id);
    }

    function test_what_lost_its_votes_is_taken_out_of_the_queue_by_anyone() public {
        uint256 id = queued();
        uint256 plain = proposeAdmission(2);
        skip(VOTING);
        vote(id, 3, false);
        vm.expectRevert(wrongState(plain, REJECTED));
        council.cancel(plain);
        vm.prank(STRANGER);
        council.cancel(id);
        isState(id, CANCELLED, "cancelled");
        eq(manager.getSchedule(operationOf(id)), 0, "out of the queue");
        council.queue(passed());
    }

    function test_the_proposer_takes_an_open_call_out_of_the_queue() public {
        uint256 id = queued();
        vote(id, 3, false);
        vm.prank(account(1));
        council.cancel(id);
        eq(manager.getSchedule(operationOf(id)), 0, "out of the queue");
    }

    function test_the_same_call_twice_is_queued_one_after_the_other() public {
        uint256 first = propose(1, address(consortium), abi.encodeCall(IConsortium.setGuardian, (STRANGER)));
        voteAll(first, 2, 3);
        uint256 second = propose(1, address(consortium), abi.encodeCall(IConsortium.setGuardian, (STRANGER)));
        voteAll(second, 2, 3);
        council.queue(first);
        bytes32 operation = operationOf(first);
        vm.expectRevert(abi.encodeWithSelector(IAccessManager.AccessManagerAlreadyScheduled.selector, operation));
        council.queue(second);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.QueuedByAnother.selector, second, operation));
        council.execute(second);
        council.execute(first);
        council.queue(second);
        eq(council.proposal(second).executableAt, vm.getBlockTimestamp() + DELAY, "with a delay of its own");
    }

    function test_a_cancelled_call_leaves_its_twin_in_the_queue() public {
        uint256 first = queued();
        vm.warp(council.proposal(first).executableAt + 7 * DAY); // the manager forgets it
        consortium.suspend(3);
        isState(first, REJECTED, "too few are left behind it");
        uint256 second = proposeAdmission(1);
        vote(second, 2, true);
        council.queue(second);
        uint48 readyAt = manager.getSchedule(operationOf(second));
        isTrue(readyAt != 0, "scheduled");
        council.cancel(first);
        isState(first, CANCELLED, "cancelled");
        eq(manager.getSchedule(operationOf(second)), readyAt, "its twin is not");
        skip(DELAY);
        council.execute(second);
        eq(consortium.hospitalIdOf(NEWCOMER), 5, "admitted");
    }
}
