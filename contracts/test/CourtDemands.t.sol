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

    function test_a_draw_takes_a_later_block_and_one_that_was_slept_through_another() public {
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingToDraw.selector, 1));
        court.draw(1);
        demandAs(CHALLENGER, round, 1);
        uint256 anchor = vm.getBlockNumber();
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.DrawNotReady.selector, anchor + 2));
        court.draw(1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotAsked.selector, 1, 0));
        court.pointOf(1, 0);
        IDisputeCourt.Opening memory o = openingOf(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotAsked.selector, 1, 0));
        court.answer(1, 0, o);
        vm.roll(anchor + 300);
        court.draw(1);
        eq(court.demandOf(1).anchorBlock, anchor + 300, "anchored anew");
        vm.roll(anchor + 302);
        court.draw(1);
        isTrue(court.demandOf(1).beacon != 0, "drawn");
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingToDraw.selector, 1));
        court.draw(1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotAsked.selector, 1, OPENINGS));
        court.answer(1, OPENINGS, o);
    }

    function test_a_demand_that_nobody_drew_is_upheld_and_can_be_made_again() public {
        demandAs(CHALLENGER, round, 1);
        stake(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyDemanded.selector, round, 1, 0));
        vm.prank(CHALLENGER);
        court.demand(round, 1);
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Upheld, "upheld");
        demandAs(CHALLENGER, round, 1);
        drawn();
    }

    function test_a_demand_concluded_too_late_to_void_gives_the_bond_back() public {
        uint256 id = demandAs(CHALLENGER, round, 1);
        drawn();
        vm.warp(vm.getBlockTimestamp() + 14 * DAY);
        ledger.releaseEntry(round, 1);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Lapsed, "undecided");
        court.settle(id);
        eq(settlement.balanceOf(CHALLENGER), STAKE, "back");
    }

    /// forge-config: default.isolate = true
    function test_what_a_demand_costs() public {
        stake(CHALLENGER);
        vm.prank(CHALLENGER);
        court.demand(round, 1);
        vm.snapshotGasLastCall("court", "demand");
        vm.roll(vm.getBlockNumber() + 2);
        court.draw(1);
        vm.snapshotGasLastCall("court", "draw");
        IDisputeCourt.Opening memory o = openingOf(leafAt(1, 0));
        court.answer(1, 0, o);
        atMost(vm.snapshotGasLastCall("court", "answer, five devices, plan of 176 bytes"), 400_000, "answer");
    }

    function test_lanes_take_turns_however_many_leaves_are_drawn() public {
        court = newCourt(7);
        consortium.setDisputeCourt(address(court));
        demandAs(CHALLENGER, round, 1);
        drawn();
        for (uint256 index = 0; index < 7; ++index) {
            (IDisputeCourt.Lane lane,) = court.pointOf(1, index);
            eq(uint256(lane), index % 3, "in turn");
            court.answer(1, index, openingOf(leafAt(1, index)));
        }
        eq(court.demandOf(1).answered, 127, "all");
    }

    function again(address who, uint16 by) private {
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyDemanded.selector, round, 1, by));
        vm.prank(who);
        court.demand(round, 1);
    }
}
