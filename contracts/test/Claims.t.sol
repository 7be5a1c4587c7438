// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {ILedgerTypes, Node} from "../interfaces/ILedgerTypes.sol";
import {IRewardDistributor, Leaf} from "../interfaces/IRewardDistributor.sol";
import {SumTree} from "../libraries/SumTree.sol";
import {Rounds} from "./support/Rounds.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title ClaimsTest
/// @notice What is paid, to whom, once; and every proof that is not.
contract ClaimsTest is Rounds {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    uint64 private round;

    function setUp() public {
        deployAll(4);
        registerAll(0);
        round = claimable(4);
    }

    function claimed(IRewardDistributor.Claim memory c) private returns (uint256) {
        vm.prank(c.leaf.payee);
        return distributor.claim(one(c));
    }

    function refused(IRewardDistributor.Claim memory c, bytes memory why) private {
        IRewardDistributor.Claim[] memory cs = one(c);
        vm.expectRevert(why);
        vm.prank(c.leaf.payee);
        distributor.claim(cs);
    }

    function invalid(IRewardDistributor.Claim memory c) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRewardDistributor.InvalidProof.selector, c.round, c.hospital, c.leaf.slot);
    }

    function treasury(uint16 id, uint64[] memory rounds) private returns (uint256) {
        vm.prank(account(id));
        return distributor.claimTreasury(id, rounds);
    }

    function just(uint64 r) private pure returns (uint64[] memory rounds) {
        rounds = new uint64[](1);
        rounds[0] = r;
    }

    function test_a_leaf_is_paid_by_the_rule_and_the_treasury_gets_the_rest() public {
        uint256 allocation = ledger.entry(round, 1).allocation;
        ILedgerTypes.EntryView memory e = ledger.entry(round, 1);
        uint256 total = uint256(e.lanes.weightTreasury) + e.lanes.weightDevice;
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        uint256 weight = 3000 * 1500 + 5000 * 8000 + 2000 * 1000;
        uint256 expected = (allocation * 9500 * weight) / (10_000 * total);
        eq(distributor.quote(c), expected, "quote");
        vm.expectEmit(true, true, true, true, address(distributor));
        emit IRewardDistributor.Claimed(round, 1, 2, c.leaf.payee, expected);
        eq(claimed(c), expected, "amount");
        eq(token.balanceOf(c.leaf.payee), expected, "balance");
        eq(distributor.quote(c), 0, "nothing more");
        uint256 operator = (allocation * 500) / 10_000;
        uint256 rest = (allocation * 9500 * uint256(e.lanes.weightTreasury)) / (10_000 * total);
        vm.expectEmit(true, true, true, true, address(distributor));
        emit IRewardDistributor.TreasuryClaimed(round, 1, account(1), operator + rest);
        eq(treasury(1, just(round)), operator + rest, "treasury");
        claimed(claimOf(round, 1, 3));
        atMost(token.totalMinted(), allocation, "allocation");
        atMost(allocation, token.totalMinted() + 4, "only rounding is lost");
    }

    function test_a_leaf_is_paid_once() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        claimed(c);
        bytes memory why = abi.encodeWithSelector(IRewardDistributor.AlreadyClaimed.selector, round, 1, 2);
        refused(c, why);
        c = claimOf(round, 2, 1);
        IRewardDistributor.Claim[] memory twice = new IRewardDistributor.Claim[](2);
        twice[0] = c;
        twice[1] = c;
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.AlreadyClaimed.selector, round, 2, 2));
        vm.prank(c.leaf.payee);
        distributor.claim(twice);
    }

    function test_a_treasury_is_paid_once_and_to_the_hospital_s_present_account() public {
        uint64[] memory twice = new uint64[](2);
        twice[0] = twice[1] = round;
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.TreasuryAlreadyClaimed.selector, round, 1));
        vm.prank(account(1));
        distributor.claimTreasury(1, twice);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotHospitalAccount.selector, 1, account(2)));
        vm.prank(account(2));
        distributor.claimTreasury(1, just(round));
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotHospitalAccount.selector, 0, STRANGER));
        vm.prank(STRANGER);
        distributor.claimTreasury(0, just(round));
        move(1, account(1), STRANGER);
        consortium.suspend(1); // what is earned stays earned
        vm.prank(STRANGER);
        uint256 paid = distributor.claimTreasury(1, just(round));
        eq(token.balanceOf(STRANGER), paid, "paid");
        isTrue(distributor.isTreasuryClaimed(round, 1), "marked");
        eq(distributor.treasuryClaimedWord(1, 0), 1 << round, "word");
    }

    function test_many_rounds_are_claimed_at_once() public {
        uint64 second = claimable(4);
        IRewardDistributor.Claim[] memory cs = new IRewardDistributor.Claim[](2);
        cs[0] = claimOf(second, 1, 1);
        cs[1] = claimOf(round, 1, 1);
        uint256 expected = distributor.quote(cs[0]) + distributor.quote(cs[1]);
        vm.prank(cs[0].leaf.payee);
        eq(distributor.claim(cs), expected, "both");
        eq(distributor.claimedWord(1, 0, 2), (1 << round) | (1 << second), "one word");
        eq(distributor.claim(new IRewardDistributor.Claim[](0)), 0, "none");
    }

    function test_the_challenge_window_holds_for_every_round_of_a_batch() public {
        uint64 second = openTo(ILedgerTypes.Phase.Closed, 4);
        uint64 at_ = ledger.claimableAt(second);
        IRewardDistributor.Claim[] memory cs = new IRewardDistributor.Claim[](2);
        cs[0] = claimOf(round, 1, 1);
        cs[1] = claimOf(second, 1, 1);
        bytes memory why = abi.encodeWithSelector(IRewardDistributor.WindowOpen.selector, second, at_);
        vm.expectRevert(why);
        vm.prank(cs[0].leaf.payee);
        distributor.claim(cs);
        (cs[0], cs[1]) = (cs[1], cs[0]);
        vm.expectRevert(why);
        vm.prank(cs[0].leaf.payee);
        distributor.claim(cs);
        vm.expectRevert(why);
        vm.prank(account(1));
        distributor.claimTreasury(1, just(second));
        vm.expectRevert(why);
        distributor.quote(cs[0]);
        vm.warp(at_);
        vm.prank(cs[0].leaf.payee);
        distributor.claim(cs);
    }

    function test_open_and_unpaid_rounds_pay_nobody() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        c.round = open();
        refused(c, abi.encodeWithSelector(IRewardDistributor.NotClosed.selector, c.round));
        c.round = 77;
        refused(c, abi.encodeWithSelector(IRewardDistributor.NotClosed.selector, 77));
        c.round = 2;
        stepTo(2, ILedgerTypes.Phase.Training, 4);
        vm.warp(ledger.round(2).phaseDeadline);
        ledger.advance(2);
        vm.warp(ledger.claimableAt(2));
        refused(c, abi.encodeWithSelector(IRewardDistributor.NotPaid.selector, 2));
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotPaid.selector, 2));
        vm.prank(account(1));
        distributor.claimTreasury(1, just(2));
    }

    function test_a_hospital_without_an_entry_is_passed_over() public {
        round = claimable(3);
        IRewardDistributor.Claim memory c = claimOf(round, 4, 1);
        vm.expectEmit(true, true, true, true, address(distributor));
        emit IRewardDistributor.ClaimSkipped(round, 4, 2);
        eq(claimed(c), 0, "nothing");
        vm.expectEmit(true, true, true, true, address(distributor));
        emit IRewardDistributor.TreasurySkipped(round, 4);
        eq(treasury(4, just(round)), 0, "nothing");
        c.hospital = 65;
        eq(claimed(c), 0, "no such hospital");
    }

    function testFuzz_forged_leaves_are_refused(uint8 field) public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        field = field % 7;
        if (field == 0) c.leaf.deviceClass = 3;
        if (field == 1) c.leaf.payee = STRANGER;
        if (field == 2) c.leaf.volume += 1;
        if (field == 3) c.leaf.quality += 1;
        if (field == 4) c.leaf.compute += 1;
        if (field == 5) c.leaf.salt = DIGEST;
        if (field == 6) c.leaf.slot = 6;
        refused(c, invalid(c));
    }

    function test_forged_paths_are_refused() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        (c.siblings[0], c.siblings[1]) = (c.siblings[1], c.siblings[0]);
        refused(c, invalid(c));
        c = claimOf(round, 1, 1);
        c.siblings[1].lanes += 1 << 192; // a heavier neighbour
        refused(c, invalid(c));
        c = claimOf(round, 1, 1);
        c.siblings[2].lanes -= 1 << 128; // a lighter one
        refused(c, invalid(c));
        c = claimOf(round, 1, 1);
        c.siblings[0].hash = DIGEST;
        refused(c, invalid(c));
        c = claimOf(round, 1, 1);
        Node[] memory shorter = new Node[](2);
        (shorter[0], shorter[1]) = (c.siblings[0], c.siblings[1]);
        c.siblings = shorter;
        refused(c, invalid(c));
        c.siblings = new Node[](0);
        refused(c, abi.encodeWithSelector(SumTree.InvalidDepth.selector, 2, 0));
        c = claimOf(round, 1, 3);
        c.siblings = shorter;
        refused(c, abi.encodeWithSelector(SumTree.InvalidDepth.selector, 6, 2));
        c = claimOf(round, 1, 1);
        c.siblings[0].lanes = type(uint256).max;
        refused(c, abi.encodeWithSelector(SumTree.LaneOverflow.selector));
    }

    function test_leaves_of_another_round_hospital_or_ledger_are_refused() public {
        uint64 second = claimable(4);
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        c.round = second;
        refused(c, invalid(c));
        c = claimOf(round, 1, 1);
        c.hospital = 2;
        refused(c, invalid(c));
        IRewardDistributor other =
            IRewardDistributor(vm.deployCode("RewardDistributor.sol:RewardDistributor", abi.encode(fresh(), token)));
        c = claimOf(round, 1, 1);
        IRewardDistributor.Claim[] memory cs = one(c);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.InvalidProof.selector, 1, 1, 2));
        vm.prank(c.leaf.payee);
        other.claim(cs);
    }

    /// @dev Another ledger, with a round of the same number and the same leaves but for what binds them to a ledger.
    function fresh() private returns (IContributionLedger other) {
        IContributionLedger here = ledger;
        other = deployLedger(defaultParams(), defaultRule());
        ledger = other;
        registerAll(0);
        claimable(4);
        ledger = here;
    }

    function test_leaves_of_another_chain_are_refused() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        vm.chainId(1337);
        refused(c, invalid(c));
    }

    function test_leaves_are_checked_before_anything_is_paid() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        c.leaf.slot = 3;
        refused(c, abi.encodeWithSelector(IRewardDistributor.OddSlot.selector, 3));
        c.leaf.slot = 2;
        c.leaf.deviceClass = 4;
        refused(c, abi.encodeWithSelector(IRewardDistributor.UnknownDeviceClass.selector, 4));
        c.leaf.deviceClass = 1;
        c.leaf.volume = 6001;
        refused(c, abi.encodeWithSelector(IRewardDistributor.LeafAboveCap.selector, 2, 6001, 6000));
        c.leaf.volume = 6000;
        c.leaf.compute = 5001;
        refused(c, abi.encodeWithSelector(IRewardDistributor.LeafAboveCap.selector, 2, 5001, 5000));
        c.leaf.compute = 5000;
        c.leaf.quality = 10_001;
        refused(c, abi.encodeWithSelector(IRewardDistributor.LeafAboveCap.selector, 2, 10_001, 10_000));
    }

    function test_somebody_else_s_leaf_is_refused() public {
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotPayee.selector, STRANGER, c.leaf.payee));
        vm.prank(STRANGER);
        distributor.claim(one(c));
        c = claimOf(round, 1, 0); // the treasury's
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NotPayee.selector, account(1), address(0)));
        vm.prank(account(1));
        distributor.claim(one(c));
    }

    function test_a_pause_blocks_claims_and_nothing_else() public {
        vm.prank(GUARDIAN);
        distributor.pauseClaims();
        refused(claimOf(round, 1, 1), abi.encodeWithSelector(IRewardDistributor.ClaimsPaused.selector));
        vm.expectRevert(IRewardDistributor.ClaimsPaused.selector);
        vm.prank(account(1));
        distributor.claimTreasury(1, just(round));
        isTrue(distributor.quote(claimOf(round, 1, 1)) > 0, "quotes go on");
        openTo(ILedgerTypes.Phase.Closed, 4);
        vm.warp(vm.getBlockTimestamp() + 7 * DAY);
        isTrue(claimed(claimOf(round, 1, 1)) > 0, "over by itself");
    }

    function test_below_the_device_gate_volume_pays_nothing() public {
        leafQuality = 2999;
        round = claimable(4);
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        eq(claimed(c), 0, "gated");
        isTrue(distributor.isClaimed(round, 1, 2), "and done");
        isTrue(claimed(claimOf(round, 1, 3)) > 0, "the other is not");
    }

    function test_where_devices_are_not_scored_their_quality_is_full() public {
        profile = 1;
        leafQuality = 0;
        round = claimable(4);
        IRewardDistributor.Claim memory c = claimOf(round, 1, 1);
        isTrue(claimed(c) > 0, "no gate applies");
    }

    /// @dev Quality of leaf 1 of every hospital.
    uint16 private leafQuality = 8000;

    function leavesOf(uint16 id) internal view override returns (Leaf[] memory leaves, uint256[] memory weights) {
        (leaves, weights) = super.leavesOf(id);
        leaves[1].quality = leafQuality;
        if (profile == 0 && leafQuality < 3000) weights[1] = 0;
    }

    function testFuzz_no_set_of_claims_exceeds_the_allocation(uint8 count, uint8 id_) public {
        leafCount = within(count, 2, 17);
        uint16 id = uint16(within(id_, 1, 4));
        round = claimable(4);
        uint256 allocation = ledger.entry(round, id).allocation;
        uint256 total = treasury(id, just(round));
        for (uint256 k = 1; k < leafCount; k += 2) {
            total += claimed(claimOf(round, id, k));
        }
        atMost(total, allocation, "allocation");
        atMost(allocation, total + leafCount + 2, "only rounding is lost");
    }
}
