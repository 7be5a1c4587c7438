// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {Openers} from "./support/Openers.sol";

/// @title CourtDemandsTest
/// @notice Each hospital has a draw of its own, all others share one: nobody uses up another's, and nobody demands for ever.
contract CourtDemandsTest is Openers {
    function test_a_friend_of_the_accused_uses_up_nobodys_draw_but_its_own() public {
        uint256 friend = demandAs(account(2), round, 1);
        drawn();
        openAll(friend);
        uint256 stranger = demandAs(CHALLENGER, round, 1);
        uint256 third = demandAs(account(3), round, 1);
        vm.roll(vm.getBlockNumber() + 2);
        court.draw(stranger);
        court.draw(third);
        (, uint256 one) = court.pointOf(stranger, 0);
        (, uint256 other) = court.pointOf(third, 0);
        isTrue(one != other, "the same block draws other leaves for each");
        openAll(stranger);
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Voided, "what the third asked for was not opened");
    }

    function test_one_draw_a_hospital_and_one_for_all_others_is_the_most_that_the_accused_answers() public {
        for (uint16 id = 2; id <= 4; ++id) {
            demandAs(account(id), round, 1);
            drawn();
        }
        demandAs(CHALLENGER, round, 1);
        drawn();
        for (uint16 id = 2; id <= 4; ++id) {
            again(account(id), id);
        }
        again(STRANGER, 0);
        for (uint256 id = 1; id <= 4; ++id) {
            openAll(id);
        }
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Upheld, "all opened");
        vm.expectRevert(); // claims are open: no more of it
        vm.prank(account(2));
        court.demand(round, 1);
    }

    function test_a_hospital_that_moves_to_another_account_has_no_second_draw() public {
        demandAs(account(2), round, 1);
        drawn();
        openAll(1);
        move(2, account(2), STRANGER);
        again(STRANGER, 2);
    }

    function test_draws_put_a_case_off_no_longer_than_two_times_its_length() public {
        demandAs(account(2), round, 1);
        demandAs(account(3), round, 1);
        uint256 last = vm.getBlockTimestamp();
        vm.roll(vm.getBlockNumber() + 2);
        vm.warp(last + CASE - 1);
        court.draw(1);
        eq(court.caseOf(1).deadline, last + 2 * CASE - 1, "anew");
        vm.warp(last + CASE);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeCourt.CaseDeadlinePassed.selector, 1, last + CASE)
        );
        court.draw(2);
        openAll(1);
        vm.warp(last + 2 * CASE - 1);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Upheld, "what nobody drew is not asked for");
    }

    function test_a_challenge_that_demands_nothing_is_not_drawn() public {
        uint256 id = challengeAs(CHALLENGER, round, 1);
        vm.roll(vm.getBlockNumber() + 2);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingToDraw.selector, id));
        court.draw(id);
        eq(court.demandOf(id).caseId, 0, "no demand");
    }

    function again(address who, uint16 by) private {
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyDemanded.selector, round, 1, by));
        vm.prank(who);
        court.demand(round, 1);
    }
}
