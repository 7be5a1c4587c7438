// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerErrors} from "../interfaces/ILedgerErrors.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {IRewardDistributor} from "../interfaces/IRewardDistributor.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title EpochsTest
/// @notice An epoch is 256 rounds: what is claimed, and who is registered, in one says nothing of the next.
contract EpochsTest is Rounds {
    function setUp() public {
        deployAll(3);
        registerAll(0);
    }

    function claimAs(uint64 round, uint16 id) private returns (uint256 leaf, uint256 treasury) {
        IRewardDistributor.Claim memory c = claimOf(round, id, 1);
        vm.prank(c.leaf.payee);
        leaf = distributor.claim(one(c));
        uint64[] memory rounds = new uint64[](1);
        rounds[0] = round;
        vm.prank(account(id));
        treasury = distributor.claimTreasury(id, rounds);
    }

    function test_a_slot_is_claimed_once_in_each_epoch() public {
        uint64 first = claimable(3);
        (uint256 leaf, uint256 treasury) = claimAs(first, 2);
        isTrue(leaf != 0 && treasury != 0, "paid");
        while (ledger.currentRound() < first + 255) {
            uint64 idle = openTo(ILedgerTypes.Phase.Training, 0);
            vm.warp(ledger.round(idle).phaseDeadline);
            ledger.advance(idle);
        }
        uint64 second = open();
        eq(second, first + 256, "the same place in the next epoch");
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.EpochNotRegistered.selector, 1, 1));
        ready(second, 1);
        registerAll(1);
        stepTo(second, ILedgerTypes.Phase.Closed, 3);
        vm.warp(ledger.round(second).claimableAt);
        isTrue(!distributor.isClaimed(second, 2, 2) && !distributor.isTreasuryClaimed(second, 2), "unclaimed");
        (leaf, treasury) = claimAs(second, 2);
        isTrue(leaf != 0 && treasury != 0, "paid again");
        for (uint64 epoch = 0; epoch < 3; ++epoch) {
            uint256 bit = epoch < 2 ? 1 << first : 0;
            eq(distributor.claimedWord(2, epoch, 2), bit, "slot");
            eq(distributor.treasuryClaimedWord(2, epoch), bit, "treasury");
            eq(distributor.claimedWord(3, epoch, 2) | distributor.claimedWord(2, epoch, 6), 0, "nobody else's");
            eq(distributor.treasuryClaimedWord(3, epoch), 0, "no other treasury");
        }
    }
}
