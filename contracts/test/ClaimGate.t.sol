// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {IRewardDistributor} from "../interfaces/IRewardDistributor.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title ClaimGateTest
/// @notice When claims are paid: the guardian's pause, and what is remembered of challenge windows.
contract ClaimGateTest is Rounds {
    function setUp() public {
        deployAll(4);
        registerAll(0);
    }

    function test_the_guardian_pauses_for_seven_days_and_then_not_for_seven() public {
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotGuardian.selector, STRANGER));
        vm.prank(STRANGER);
        distributor.pauseClaims();
        vm.startPrank(GUARDIAN);
        vm.expectRevert(IRewardDistributor.NotPaused.selector);
        distributor.unpauseClaims();
        distributor.pauseClaims();
        isTrue(distributor.claimsPaused(), "paused");
        uint256 start = vm.getBlockTimestamp();
        uint64 again = uint64(start) + 14 * DAY;
        vm.warp(start + 7 * DAY - 1);
        isTrue(distributor.claimsPaused(), "still");
        vm.warp(start + 7 * DAY);
        isTrue(!distributor.claimsPaused(), "over");
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.PauseCoolingDown.selector, again));
        distributor.pauseClaims();
        vm.warp(again);
        distributor.pauseClaims();
        vm.warp(again + DAY);
        distributor.unpauseClaims();
        isTrue(!distributor.claimsPaused(), "lifted");
        (, uint64 next) = distributor.pauseState();
        eq(next, again + 8 * DAY, "cool-down from the lifting on");
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotGuardian.selector, STRANGER));
        vm.prank(STRANGER);
        distributor.unpauseClaims();
    }

    function test_the_guardian_is_the_one_that_the_consortium_names_now() public {
        consortium.setGuardian(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotGuardian.selector, GUARDIAN));
        vm.prank(GUARDIAN);
        distributor.pauseClaims();
        vm.prank(STRANGER);
        distributor.pauseClaims();
        consortium.setGuardian(GUARDIAN);
        isTrue(distributor.claimsPaused(), "whoever comes next");
        vm.prank(GUARDIAN);
        distributor.unpauseClaims();
        isTrue(!distributor.claimsPaused(), "lifted");
    }

    function test_a_pause_stops_claims_of_rounds_known_to_be_claimable() public {
        uint64 round = claimable(4);
        pay(round, 1, 1);
        eq(distributor.claimableUpTo(), round, "known");
        vm.prank(GUARDIAN);
        distributor.pauseClaims();
        IRewardDistributor.Claim[] memory cs = one(claimOf(round, 2, 1));
        vm.expectRevert(IRewardDistributor.ClaimsPaused.selector);
        vm.prank(cs[0].leaf.payee);
        distributor.claim(cs);
        eq(distributor.claimableUpTo(), round, "still known");
    }

    function test_only_a_round_whose_window_is_over_is_remembered_and_never_an_earlier_one() public {
        uint64 first = claimable(4);
        uint64 second = openTo(ILedgerTypes.Phase.Closed, 4);
        IRewardDistributor.Claim[] memory cs = one(claimOf(second, 1, 1));
        bytes memory why =
            abi.encodeWithSelector(IRewardDistributor.WindowOpen.selector, second, ledger.claimableAt(second));
        vm.expectRevert(why);
        vm.prank(cs[0].leaf.payee);
        distributor.claim(cs);
        eq(distributor.claimableUpTo(), 0, "nothing yet");
        pay(first, 1, 1);
        eq(distributor.claimableUpTo(), first, "the first");
        vm.expectRevert(why);
        vm.prank(cs[0].leaf.payee);
        distributor.claim(cs);
        vm.warp(ledger.claimableAt(second));
        vm.prank(account(1));
        distributor.claimTreasury(1, rounds(second));
        eq(distributor.claimableUpTo(), second, "the second, by a treasury");
        pay(first, 2, 1);
        eq(distributor.claimableUpTo(), second, "no step back");
    }

    function test_what_is_frozen_or_unpaid_stays_so_in_a_round_known_to_be_claimable() public {
        uint64 unpaid = openTo(ILedgerTypes.Phase.Training, 4);
        vm.warp(ledger.round(unpaid).phaseDeadline);
        ledger.advance(unpaid);
        uint64 round = openTo(ILedgerTypes.Phase.Closed, 4);
        vm.prank(COURT);
        ledger.freezeEntry(round, 2);
        vm.warp(ledger.claimableAt(round));
        pay(round, 1, 1);
        eq(distributor.claimableUpTo(), round, "known");
        eq(pay(round, 2, 1), 0, "frozen");
        IRewardDistributor.Claim memory c = claimOf(round, 1, 3);
        c.round = unpaid;
        IRewardDistributor.Claim[] memory cs = one(c);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotPaid.selector, unpaid));
        vm.prank(c.leaf.payee);
        distributor.claim(cs);
    }

    function pay(uint64 round, uint16 id, uint256 leaf) private returns (uint256) {
        IRewardDistributor.Claim[] memory cs = one(claimOf(round, id, leaf));
        vm.prank(cs[0].leaf.payee);
        return distributor.claim(cs);
    }

    function rounds(uint64 round) private pure returns (uint64[] memory list) {
        list = new uint64[](1);
        list[0] = round;
    }
}
