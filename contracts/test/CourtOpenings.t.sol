// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";
import {Openers} from "./support/Openers.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title CourtOpeningsTest
/// @notice Random leaves are opened by devices that are enrolled and took part, each for one leaf, or the entry is void.
contract CourtOpeningsTest is Openers {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    function test_all_drawn_leaves_opened_release_the_entry_and_cost_the_challenger_its_bond() public {
        uint256 id = demandAs(CHALLENGER, round, 1);
        drawn();
        openAll(1);
        eq(court.demandOf(1).answered, 7, "all");
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Upheld, "upheld");
        court.settle(id);
        eq(settlement.balanceOf(account(1)), STAKE, "to the accused");
        stake(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyDemanded.selector, round, 1, 0));
        vm.prank(CHALLENGER);
        court.demand(round, 1);
    }

    function test_a_drawn_leaf_left_unopened_voids_the_entry_and_slashes_nobody() public {
        uint256 id = demandAs(CHALLENGER, round, 1);
        drawn();
        court.answer(1, 0, openingOf(leafAt(1, 0)));
        court.answer(1, 2, openingOf(leafAt(1, 2)));
        uint64 deadline = court.caseOf(1).deadline;
        vm.warp(deadline);
        IDisputeCourt.Opening memory late = openingOf(leafAt(1, 1));
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.CaseDeadlinePassed.selector, 1, deadline));
        court.answer(1, 1, late);
        court.conclude(1);
        isTrue(ledger.entry(round, 1).voided, "void");
        eq(consortium.hospital(1).bond, BOND, "an absent device is no proof of fraud");
        court.settle(id);
        eq(settlement.balanceOf(CHALLENGER), STAKE, "back");
    }

    function test_points_fall_on_every_leaf_by_its_weight_volume_and_compute_in_turn_and_on_no_other() public {
        demandAs(CHALLENGER, round, 1);
        drawn();
        for (uint256 index = 0; index < OPENINGS; ++index) {
            (IDisputeCourt.Lane lane, uint256 point) = court.pointOf(1, index);
            eq(uint256(lane), index % 3, "in turn");
            uint256 other = (leafAt(1, index) + 1) % DEVICES;
            IDisputeCourt.Opening memory o = openingOf(other);
            uint256[] memory sizes = sizesIn(lane);
            uint256 before = 0;
            for (uint256 i = 0; i < other; ++i) {
                before += sizes[i];
            }
            vm.expectRevert(
                abi.encodeWithSelector(IDisputeCourt.WrongLeaf.selector, point, before, sizes[other])
            );
            court.answer(1, index, o);
        }
    }

    function test_leaves_below_the_gate_are_drawn_by_their_volume_and_compute() public {
        (Leaf[] memory leaves,) = leavesOf(1);
        for (uint256 k = 0; k < DEVICES; ++k) {
            leaves[k].quality = 1; // so no leaf weighs anything, and yet the hospital is paid for their volume
        }
        SumTreeBuilder.Tree memory tree =
            SumTreeBuilder.build(address(ledger), round + 1, 1, leaves, new uint256[](DEVICES));
        reenter(tree);
        demandAs(CHALLENGER, round, 1);
        drawn();
        uint256[3] memory lanes = [uint256(1), 1, 2]; // weight leaves its turn to volume
        for (uint256 i = 0; i < OPENINGS; ++i) {
            (IDisputeCourt.Lane lane,) = court.pointOf(1, i);
            eq(uint256(lane), lanes[i], "lane");
            uint256 k = leafAt(1, i);
            IDisputeCourt.Opening memory o = openingOf(k);
            (o.leaf, o.siblings) = (leaves[k], tree.proof(2 * k));
            court.answer(1, i, o);
        }
        eq(court.demandOf(1).answered, 7, "all");
    }

    function test_where_entries_are_in_clear_nothing_can_be_demanded() public {
        ILedgerTypes.Params memory p = defaultParams();
        p.disclosedTree = STRANGER;
        ledger = deployLedger(p, defaultRule());
        court = newCourt();
        consortium.setDisputeCourt(address(court));
        registerAll(0);
        round = openTo(ILedgerTypes.Phase.Attest, 4);
        stake(CHALLENGER);
        vm.expectRevert(IDisputeCourt.OpeningsUnavailable.selector);
        vm.prank(CHALLENGER);
        court.demand(round, 1);
        vm.prank(CHALLENGER);
        court.challenge(round, 1, EVIDENCE); // a vote can be had all the same
    }

    function test_nothing_but_the_device_itself_opens_its_leaf() public {
        demandAs(CHALLENGER, round, 1);
        drawn();
        uint256 k = leafAt(1, 0);
        IDisputeCourt.Opening memory o = openingOf(k);
        o.opener = keccak256("other");
        refused(o, abi.encodeWithSelector(IDisputeCourt.NotBound.selector, o.account));
        o = openingOf(k);
        o.account = STRANGER;
        refused(o, abi.encodeWithSelector(IDisputeCourt.NotBound.selector, STRANGER));
        o = openingOf(k);
        o.maskKey = keccak256("other");
        refused(o, abi.encodeWithSelector(IDisputeCourt.NotOnRoster.selector, o.account));
        o = openingOf(k);
        o.position = DEVICES;
        refused(o, abi.encodeWithSelector(IDisputeCourt.NotOnRoster.selector, o.account));
        o = openingOf(k);
        o.rosterPath = new bytes32[](9);
        refused(o, abi.encodeWithSelector(IDisputeCourt.NotOnRoster.selector, o.account));
        o.rosterPath = new bytes32[](0);
        refused(o, abi.encodeWithSelector(IDisputeCourt.NotOnRoster.selector, o.account));
        o = openingOf(k);
        o.plan = planOf(round + 1, 1);
        refused(o, abi.encodeWithSelector(IDisputeCourt.WrongPlan.selector));
        o.plan = planOf(round, 2);
        refused(o, abi.encodeWithSelector(IDisputeCourt.WrongPlan.selector));
        o.plan = hex"00";
        refused(o, abi.encodeWithSelector(IDisputeCourt.WrongPlan.selector));
        o = openingOf(k);
        o.signature = signatureOf((k + 1) % DEVICES, o);
        refused(
            o,
            abi.encodeWithSelector(
                IDisputeCourt.NotSignedByDevice.selector, o.account, device((k + 1) % DEVICES)
            )
        );
        o = openingOf(k);
        o.leaf.quality += 1;
        refused(o, abi.encodeWithSelector(IDisputeCourt.NotInTree.selector, round, 1));
        o = openingOf(k);
        o.leaf.volume = 10_000;
        refused(o, abi.encodeWithSelector(IDisputeCourt.NotInTree.selector, round, 1));
    }

    function test_devices_of_a_later_epoch_stand_on_the_roster_of_that_epoch() public {
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        while (ledger.currentRound() < 255) {
            uint64 idle = openTo(ILedgerTypes.Phase.Training, 0);
            vm.warp(ledger.round(idle).phaseDeadline);
            ledger.advance(idle);
        }
        epoch = 1;
        enrol();
        round = openTo(ILedgerTypes.Phase.Attest, 4);
        uint256 id = demandAs(CHALLENGER, round, 1);
        drawn();
        openAll(id);
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Upheld, "all opened");
    }

    function test_one_device_stands_for_one_leaf() public {
        (Leaf[] memory leaves, uint256[] memory weights) = leavesOf(1);
        for (uint256 k = 0; k < DEVICES; ++k) {
            leaves[k].salt = keccak256(abi.encode(device(0), openerOf(k))); // invented leaves, all for one device
        }
        SumTreeBuilder.Tree memory tree =
            SumTreeBuilder.build(address(ledger), round + 1, 1, leaves, weights);
        reenter(tree);
        demandAs(CHALLENGER, round, 1);
        drawn();
        uint256 first = leafAt(1, 0);
        IDisputeCourt.Opening memory o = openingOf(first);
        (o.account, o.position) = (device(0), 0);
        (o.rosterPath, o.siblings) = (pathOf(0), tree.proof(2 * first));
        (o.maskKey, o.channelKey) = keysOf(0);
        (o.leaf, o.signature) = (leaves[first], signatureOf(0, o));
        court.answer(1, 0, o);
        uint256 i = leafAt(1, 1) == first ? 2 : 1;
        uint256 second = leafAt(1, i);
        isTrue(first != second, "drawn apart");
        (o.leaf, o.opener, o.siblings) = (leaves[second], openerOf(second), tree.proof(2 * second));
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeCourt.AccountReused.selector, device(0), uint32(2 * first))
        );
        court.answer(1, i, o);
    }

    function test_an_entry_of_more_devices_than_are_enrolled_is_void_and_slashed() public {
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NoSuchEntry.selector, round, 9));
        court.proveCount(round, 9);
        vm.expectRevert(IDisputeCourt.NoFault.selector);
        court.proveCount(round, 1); // as many as are enrolled
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        leafCount = DEVICES + 1;
        round = openTo(ILedgerTypes.Phase.Attest, 4); // the ledger takes it
        vm.prank(STRANGER);
        court.proveCount(round, 1);
        isTrue(ledger.entry(round, 1).voided && court.isConvicted(round, 1), "convicted");
        eq(settlement.balanceOf(RESERVE), SLASHED, "slashed");
    }

    function test_an_entry_without_weight_volume_and_compute_has_nothing_to_open() public {
        (Leaf[] memory leaves,) = leavesOf(1);
        for (uint256 k = 0; k < DEVICES; ++k) {
            (leaves[k].volume, leaves[k].compute) = (0, 0);
        }
        SumTreeBuilder.Tree memory tree =
            SumTreeBuilder.build(address(ledger), round + 1, 1, leaves, new uint256[](DEVICES));
        reenter(tree);
        stake(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingToOpen.selector, round, 1));
        vm.prank(CHALLENGER);
        court.demand(round, 1);
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_the_points_are_the_lanes(bytes32 hash) public {
        demandAs(CHALLENGER, round, 1);
        vm.roll(vm.getBlockNumber() + 2);
        vm.assume(hash != 0);
        vm.setBlockhash(vm.getBlockNumber() - 1, hash);
        court.draw(1);
        openAll(1);
    }

    function refused(IDisputeCourt.Opening memory o, bytes memory why) private {
        vm.expectRevert(why);
        court.answer(1, 0, o);
    }
}
