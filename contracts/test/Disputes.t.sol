// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerErrors} from "../interfaces/ILedgerErrors.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {IRewardDistributor} from "../interfaces/IRewardDistributor.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title DisputesTest
/// @notice The court holds one entry back, voids it or lets it go; everybody else is paid meanwhile.
contract DisputesTest is Rounds {
    uint64 private round;

    function setUp() public {
        deployAll(4);
        registerAll(0);
        round = openTo(ILedgerTypes.Phase.Closed, 4);
    }

    function freeze(uint16 id) private {
        vm.prank(COURT);
        ledger.freezeEntry(round, id);
    }

    function claimAs(uint16 id) private {
        IRewardDistributor.Claim memory c = claimOf(round, id, 1);
        vm.prank(c.leaf.payee);
        distributor.claim(one(c));
    }

    function treasury(uint16 id) private returns (uint256) {
        uint64[] memory rounds = new uint64[](1);
        rounds[0] = round;
        vm.prank(account(id));
        return distributor.claimTreasury(id, rounds);
    }

    function test_a_frozen_entry_pays_nobody_and_blocks_nobody() public {
        freeze(1);
        isTrue(ledger.entry(round, 1).frozen, "frozen");
        vm.warp(ledger.claimableAt(round));
        claimAs(1);
        eq(treasury(1), 0, "no treasury");
        eq(token.totalMinted(), 0, "nothing minted");
        isTrue(!distributor.isClaimed(round, 1, 2), "not marked");
        isTrue(!distributor.isTreasuryClaimed(round, 1), "not marked");
        claimAs(2);
        isTrue(treasury(2) > 0, "the others are paid");
        uint256 minted = token.totalMinted();

        vm.prank(COURT);
        ledger.releaseEntry(round, 1);
        claimAs(1);
        isTrue(treasury(1) > 0, "paid after the release");
        eq(token.totalMinted(), 2 * minted, "like the other");
    }

    function test_a_void_takes_back_that_hospitals_own_allocation() public {
        uint16 last = consortium.hospitalCount();
        uint256 before = ledger.totalAllocated();
        uint256 amount = ledger.entry(round, last).allocation;
        freeze(last);
        vm.prank(COURT);
        ledger.voidEntry(round, last);
        isTrue(amount != 0, "it had one");
        eq(ledger.totalAllocated(), before - amount, "taken back");
        eq(ledger.entry(round, last - 1).allocation, amount, "the others keep theirs");
    }

    function test_a_voided_entry_is_never_minted() public {
        freeze(1);
        uint256 before = ledger.totalAllocated();
        uint256 amount = ledger.entry(round, 1).allocation;
        vm.warp(ledger.claimableAt(round) + DAY); // after the window is fine: it was frozen within
        vm.prank(COURT);
        ledger.voidEntry(round, 1);
        eq(ledger.totalAllocated(), before - amount, "taken back");
        ILedgerTypes.EntryView memory e = ledger.entry(round, 1);
        eq(e.allocation, 0, "nothing");
        isTrue(e.voided && !e.frozen, "voided");
        claimAs(1);
        eq(treasury(1), 0, "no treasury");
        eq(token.totalMinted(), 0, "nothing minted");
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotFrozen.selector, round, 1));
        ledger.releaseEntry(round, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.AlreadyHeld.selector, round, 1));
        freeze(1);
    }

    function test_the_court_alone_freezes_and_voids() public {
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotDisputeCourt.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.freezeEntry(round, 1);
        freeze(1);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotDisputeCourt.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.voidEntry(round, 1);
        consortium.setDisputeCourt(address(0));
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotDisputeCourt.selector, COURT));
        vm.prank(COURT);
        ledger.voidEntry(round, 1);
    }

    function test_only_the_frozen_are_voided_or_released() public {
        vm.startPrank(COURT);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotFrozen.selector, round, 1));
        ledger.voidEntry(round, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotFrozen.selector, round, 1));
        ledger.releaseEntry(round, 1);
        ledger.freezeEntry(round, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.AlreadyHeld.selector, round, 1));
        ledger.freezeEntry(round, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NoEntry.selector, round, 9));
        ledger.freezeEntry(round, 9);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NoEntry.selector, round, 0));
        ledger.freezeEntry(round, 0);
    }

    function test_nothing_is_frozen_once_it_can_be_claimed() public {
        uint64 at_ = ledger.claimableAt(round);
        vm.warp(at_);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.ChallengeWindowOver.selector, round, at_));
        freeze(1);
        vm.warp(at_ - 1);
        freeze(1);
    }

    function test_a_silent_court_strands_nobody() public {
        freeze(1);
        uint64 until = uint64(vm.getBlockTimestamp()) + 14 * DAY;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.FreezeRunning.selector, round, 1, until));
        vm.prank(STRANGER);
        ledger.releaseEntry(round, 1);
        vm.warp(until);
        vm.prank(STRANGER);
        ledger.releaseEntry(round, 1);
        claimAs(1);
        isTrue(token.totalMinted() > 0, "paid");
    }

    function test_an_entry_frozen_before_the_close_is_allocated_and_held() public {
        round = openTo(ILedgerTypes.Phase.Attest, 4);
        freeze(1);
        for (uint16 id = 1; id <= 4; ++id) {
            attest(round, id, DIGEST);
        }
        ledger.closeRound(round);
        isTrue(ledger.entry(round, 1).allocation > 0, "allocated");
        vm.warp(ledger.claimableAt(round));
        claimAs(1);
        eq(token.totalMinted(), 0, "held");
        vm.prank(COURT);
        ledger.releaseEntry(round, 1);
        claimAs(1);
        isTrue(token.totalMinted() > 0, "paid");
    }

    function test_an_entry_voided_before_the_close_counts_for_nothing() public {
        round = openTo(ILedgerTypes.Phase.Attest, 4);
        freeze(1);
        vm.prank(COURT);
        ledger.voidEntry(round, 1);
        for (uint16 id = 1; id <= 4; ++id) {
            attest(round, id, DIGEST);
        }
        ledger.closeRound(round);
        eq(ledger.entry(round, 1).allocation, 0, "nothing");
        // the others share: a third of 990 (of which 1e18 keeps 18 digits), times 0.9
        eq(ledger.entry(round, 2).allocation, (990 * uint256(333_333_333_333_333_333) * 9) / 10, "a third");
        vm.warp(ledger.claimableAt(round));
        claimAs(1);
        eq(token.totalMinted(), 0, "passed over");
    }

    function test_an_entry_released_before_the_close_is_paid() public {
        round = openTo(ILedgerTypes.Phase.Attest, 4);
        freeze(1);
        vm.prank(COURT);
        ledger.releaseEntry(round, 1);
        for (uint16 id = 1; id <= 4; ++id) {
            attest(round, id, DIGEST);
        }
        ledger.closeRound(round);
        vm.warp(ledger.claimableAt(round));
        claimAs(1);
        isTrue(token.totalMinted() > 0, "paid");
    }
}
