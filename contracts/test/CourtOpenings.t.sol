// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";
import {InCourt} from "./support/InCourt.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title CourtOpeningsTest
/// @notice Random leaves are opened by devices that are enrolled and took part, each for one leaf, or the entry is void.
contract CourtOpeningsTest is InCourt {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    uint256 private constant DEVICES = 5;
    uint64 private round;

    function setUp() public {
        deployAll(4);
        deployCourt();
        leafCount = DEVICES;
        for (uint16 id = 1; id <= 4; ++id) {
            bytes32 root = id == 1 ? rootOf(0, DEVICES) : keccak256("roster");
            vm.prank(account(id));
            ledger.registerEpoch(0, root, uint32(DEVICES), keccak256("seed"));
        }
        round = openTo(ILedgerTypes.Phase.Attest, 4);
    }

    /// @dev Leaf `k` of hospital 1 stands for device `k`.
    function leavesOf(uint16 id) internal view override returns (Leaf[] memory leaves, uint256[] memory weights) {
        (leaves, weights) = super.leavesOf(id);
        for (uint256 k = 0; k < leaves.length; ++k) {
            leaves[k].salt = keccak256(abi.encode(device(k), openerOf(k)));
        }
    }

    function test_all_drawn_leaves_opened_release_the_entry_and_cost_the_challenger_its_bond() public {
        uint256 id = demandAs(CHALLENGER, round, 1);
        drawn();
        for (uint256 i = 0; i < OPENINGS; ++i) {
            court.answer(round, 1, i, openingOf(leafAt(i)));
        }
        eq(court.demandOf(round, 1).answered, 7, "all");
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Upheld, "upheld");
        court.settle(id);
        eq(settlement.balanceOf(account(1)), STAKE, "to the accused");
        stake(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyDemanded.selector, round, 1));
        vm.prank(CHALLENGER);
        court.demand(round, 1);
    }

    function test_a_drawn_leaf_left_unopened_voids_the_entry_and_slashes_nobody() public {
        uint256 id = demandAs(CHALLENGER, round, 1);
        drawn();
        court.answer(round, 1, 0, openingOf(leafAt(0)));
        court.answer(round, 1, 2, openingOf(leafAt(2)));
        uint64 deadline = court.caseOf(1).deadline;
        vm.warp(deadline);
        IDisputeCourt.Opening memory late = openingOf(leafAt(1));
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.CaseDeadlinePassed.selector, 1, deadline));
        court.answer(round, 1, 1, late);
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
            (IDisputeCourt.Lane lane, uint256 point) = court.pointOf(round, 1, index);
            eq(uint256(lane), index % 3, "in turn");
            uint256 other = (leafAt(index) + 1) % DEVICES;
            IDisputeCourt.Opening memory o = openingOf(other);
            uint256[] memory sizes = sizesIn(lane);
            uint256 before = 0;
            for (uint256 i = 0; i < other; ++i) {
                before += sizes[i];
            }
            vm.expectRevert(
                abi.encodeWithSelector(IDisputeCourt.WrongLeaf.selector, point, before, sizes[other])
            );
            court.answer(round, 1, index, o);
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
            (IDisputeCourt.Lane lane,) = court.pointOf(round, 1, i);
            eq(uint256(lane), lanes[i], "lane");
            uint256 k = leafAt(i);
            IDisputeCourt.Opening memory o = openingOf(k);
            (o.leaf, o.siblings) = (leaves[k], tree.proof(2 * k));
            court.answer(round, 1, i, o);
        }
        eq(court.demandOf(round, 1).answered, 7, "all");
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
        uint256 k = leafAt(0);
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
        uint256 first = leafAt(0);
        IDisputeCourt.Opening memory o = openingOf(first);
        (o.account, o.position) = (device(0), 0);
        (o.rosterPath, o.siblings) = (pathOf(0), tree.proof(2 * first));
        (o.maskKey, o.channelKey) = keysOf(0);
        (o.leaf, o.signature) = (leaves[first], signatureOf(0, o));
        court.answer(round, 1, 0, o);
        uint256 i = leafAt(1) == first ? 2 : 1;
        uint256 second = leafAt(i);
        isTrue(first != second, "drawn apart");
        (o.leaf, o.opener, o.siblings) = (leaves[second], openerOf(second), tree.proof(2 * second));
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeCourt.AccountReused.selector, device(0), uint32(2 * first))
        );
        court.answer(round, 1, i, o);
    }

    function test_a_draw_takes_a_later_block_and_one_that_was_slept_through_another() public {
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingToDraw.selector, round, 1));
        court.draw(round, 1);
        demandAs(CHALLENGER, round, 1);
        uint256 anchor = vm.getBlockNumber();
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.DrawNotReady.selector, anchor + 2));
        court.draw(round, 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotAsked.selector, round, 1, 0));
        court.pointOf(round, 1, 0);
        IDisputeCourt.Opening memory o = openingOf(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotAsked.selector, round, 1, 0));
        court.answer(round, 1, 0, o);
        vm.roll(anchor + 300);
        court.draw(round, 1);
        eq(court.demandOf(round, 1).anchorBlock, anchor + 300, "anchored anew");
        vm.roll(anchor + 302);
        court.draw(round, 1);
        isTrue(court.demandOf(round, 1).beacon != 0, "drawn");
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingToDraw.selector, round, 1));
        court.draw(round, 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotAsked.selector, round, 1, OPENINGS));
        court.answer(round, 1, OPENINGS, o);
    }

    function test_a_demand_that_nobody_drew_is_upheld_and_can_be_made_again() public {
        demandAs(CHALLENGER, round, 1);
        stake(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyDemanded.selector, round, 1));
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

    /// forge-config: default.isolate = true
    function test_what_a_demand_costs() public {
        stake(CHALLENGER);
        vm.prank(CHALLENGER);
        court.demand(round, 1);
        vm.snapshotGasLastCall("court", "demand");
        vm.roll(vm.getBlockNumber() + 2);
        court.draw(round, 1);
        vm.snapshotGasLastCall("court", "draw");
        IDisputeCourt.Opening memory o = openingOf(leafAt(0));
        court.answer(round, 1, 0, o);
        atMost(vm.snapshotGasLastCall("court", "answer, five devices, plan of 176 bytes"), 400_000, "answer");
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_the_points_are_the_lanes(bytes32 hash) public {
        demandAs(CHALLENGER, round, 1);
        vm.roll(vm.getBlockNumber() + 2);
        vm.assume(hash != 0);
        vm.setBlockhash(vm.getBlockNumber() - 1, hash);
        court.draw(round, 1);
        for (uint256 i = 0; i < OPENINGS; ++i) {
            court.answer(round, 1, i, openingOf(leafAt(i)));
        }
    }

    // What hospital and devices hold

    function drawn() private {
        vm.roll(vm.getBlockNumber() + 2);
        court.draw(round, 1);
    }

    function refused(IDisputeCourt.Opening memory o, bytes memory why) private {
        vm.expectRevert(why);
        court.answer(round, 1, 0, o);
    }

    /// @dev The next round, with a tree of hospital 1's own.
    function reenter(SumTreeBuilder.Tree memory tree) private {
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        round = open();
        enterAs(1, round, tree);
    }

    /// @dev The leaf that covers a drawn point.
    function leafAt(uint256 index) private view returns (uint256 k) {
        (IDisputeCourt.Lane lane, uint256 point) = court.pointOf(round, 1, index);
        uint256[] memory sizes = sizesIn(lane);
        while (point >= sizes[k]) {
            point -= sizes[k++];
        }
    }

    /// @dev What each leaf of hospital 1 has in a lane.
    function sizesIn(IDisputeCourt.Lane lane) private view returns (uint256[] memory sizes) {
        Leaf[] memory leaves;
        (leaves, sizes) = leavesOf(1);
        for (uint256 k = 0; k < DEVICES && lane != IDisputeCourt.Lane.Weight; ++k) {
            sizes[k] = lane == IDisputeCourt.Lane.Volume ? leaves[k].volume : leaves[k].compute;
        }
    }

    function device(uint256 k) private pure returns (address) {
        return vm.addr(5000 + k);
    }

    function openerOf(uint256 k) private pure returns (bytes32) {
        return keccak256(abi.encode("opener", k));
    }

    function keysOf(uint256 k) private pure returns (bytes32, bytes32) {
        return (keccak256(abi.encode("mask", k)), keccak256(abi.encode("channel", k)));
    }

    function openingOf(uint256 k) private view returns (IDisputeCourt.Opening memory o) {
        (Leaf[] memory leaves,) = leavesOf(1);
        o.leaf = leaves[k];
        o.siblings = treeOf(round, 1).proof(2 * k);
        o.opener = openerOf(k);
        o.account = device(k);
        (o.maskKey, o.channelKey) = keysOf(k);
        o.position = k;
        o.rosterPath = pathOf(k);
        o.plan = planOf(round, 1);
        o.deposited = keccak256("deposited");
        o.masked = keccak256(abi.encode("masked", k));
        o.signature = signatureOf(k, o);
    }

    function planOf(uint64 number, uint16 hospital) private pure returns (bytes memory) {
        bytes memory numbers = abi.encodePacked(number, uint64(hospital), new bytes(48));
        return bytes.concat(
            abi.encodePacked("FedIoMT.SecAgg.v1/", uint32(4), "plan", uint32(32), keccak256("session")),
            abi.encodePacked(uint32(32), keccak256("subject"), uint32(64), numbers, uint32(3), "end")
        );
    }

    function signatureOf(uint256 k, IDisputeCourt.Opening memory o) private view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("FedIoMT"),
                keccak256("1"),
                block.chainid,
                ledger
            )
        );
        bytes32 kind = keccak256("MaskedInput(bytes32 plan,uint32 attempt,bytes32 deposited,bytes32 masked)");
        bytes32 message = keccak256(abi.encode(kind, sha256(o.plan), o.attempt, o.deposited, o.masked));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(5000 + k, keccak256(abi.encodePacked(hex"1901", domain, message)));
        return abi.encodePacked(r, s, v);
    }

    /// @dev RFC 6962 over devices `from..to - 1`, by its recursive definition.
    function rootOf(uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) {
            (bytes32 maskKey, bytes32 channelKey) = keysOf(from);
            return sha256(abi.encodePacked(uint8(0), uint64(0), device(from), maskKey, channelKey));
        }
        uint256 half = 1;
        while (2 * half < to - from) half *= 2;
        return sha256(abi.encodePacked(uint8(1), rootOf(from, from + half), rootOf(from + half, to)));
    }

    /// @dev The path of a leaf, from the bottom up, by the same definition.
    function pathOf(uint256 k) private pure returns (bytes32[] memory path) {
        bytes32[] memory down = new bytes32[](8);
        (uint256 from, uint256 to, uint256 n) = (0, DEVICES, 0);
        while (to - from > 1) {
            uint256 half = 1;
            while (2 * half < to - from) half *= 2;
            if (k < from + half) {
                (down[n++], to) = (rootOf(from + half, to), from + half);
            } else {
                (down[n++], from) = (rootOf(from, from + half), from + half);
            }
        }
        path = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            path[i] = down[n - 1 - i];
        }
    }
}
