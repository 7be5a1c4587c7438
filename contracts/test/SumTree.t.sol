// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Node} from "../interfaces/ILedgerTypes.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";
import {SumTree} from "../libraries/SumTree.sol";
import {SumTreeHarness} from "./SumTreeHarness.sol";
import {Check} from "./support/Check.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title SumTreeTest
/// @notice The Merkle-sum tree against a builder written from the specification.
contract SumTreeTest is Check {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    address private constant LEDGER = address(0x1ED6E4);
    SumTreeHarness private harness = new SumTreeHarness();

    function testFuzz_sums_are_lane_by_lane_or_refused(uint256 left, uint256 right) public {
        uint16[6] memory edges = [uint16(0), 32, 80, 128, 192, 256];
        uint256 expected = 0;
        bool overflow = false;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 width = edges[i + 1] - edges[i];
            uint256 mask = (1 << width) - 1;
            uint256 sum = ((left >> edges[i]) & mask) + ((right >> edges[i]) & mask);
            if (sum > mask) overflow = true;
            else expected |= sum << edges[i];
        }
        if (overflow) vm.expectRevert(SumTree.LaneOverflow.selector);
        uint256 got = harness.add(left, right);
        if (!overflow) eq(got, expected, "sum");
    }

    /// @dev Random words nearly always overflow; clearing the top bit of each lane makes them fit.
    function testFuzz_halved_lanes_always_fit(uint256 left, uint256 right) public view {
        uint256 tops = (1 << 31) | (1 << 79) | (1 << 127) | (1 << 191) | (1 << 255);
        eq(harness.add(left & ~tops, right & ~tops), (left & ~tops) + (right & ~tops), "sum");
    }

    function test_each_lane_overflows_on_its_own() public {
        uint8[5] memory tops = [31, 79, 127, 191, 255];
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(SumTree.LaneOverflow.selector);
            harness.add(1 << tops[i], 1 << tops[i]);
        }
    }

    function testFuzz_every_leaf_leads_to_the_root(uint8 count, uint256 seed) public view {
        (Leaf[] memory leaves, uint256[] memory weights) = leavesFrom(within(count, 1, 20), seed);
        SumTreeBuilder.Tree memory tree = SumTreeBuilder.build(LEDGER, 7, 3, leaves, weights);
        (Node memory left, Node memory right) = tree.children();
        for (uint256 k = 0; k < leaves.length; ++k) {
            (bytes32 root, uint256 lanes) =
                harness.root(LEDGER, 7, 3, leaves[k], uint64(weights[k]), tree.proof(leaves[k].slot));
            eq(root, SumTreeBuilder.parent(left, right).hash, "root");
            eq(root, harness.nodeHash(left, right), "node hash");
            eq(lanes, left.lanes + right.lanes, "lanes");
            eq(uint32(lanes), leaves.length, "n");
        }
    }

    function testFuzz_leaf_hash_binds_everything(uint256 seed, uint8 field) public {
        (Leaf[] memory leaves,) = leavesFrom(2, seed);
        Leaf memory a = leaves[0];
        Leaf memory b = Leaf(a.slot, a.deviceClass, a.payee, a.volume, a.quality, a.compute, a.salt);
        (address ledger, uint64 round, uint16 hospital) = (LEDGER, 7, 3);
        field = field % 11;
        if (field == 0) b.slot ^= 2;
        if (field == 1) b.deviceClass ^= 1;
        if (field == 2) b.payee = address(uint160(b.payee) ^ 1);
        if (field == 3) b.volume ^= 1;
        if (field == 4) b.quality ^= 1;
        if (field == 5) b.compute ^= 1;
        if (field == 6) b.salt ^= bytes32(uint256(1));
        if (field == 7) ledger = address(1);
        if (field == 8) round = 8;
        if (field == 9) hospital = 4;
        bytes32 before = hashOf(LEDGER, 7, 3, a);
        eq(before, SumTreeBuilder.leafHash(LEDGER, 7, 3, a), "reference");
        if (field == 10) vm.chainId(99);
        isTrue(before != hashOf(ledger, round, hospital, b), "differs");
        eq(hashOf(ledger, round, hospital, b), SumTreeBuilder.leafHash(ledger, round, hospital, b), "reference");
    }

    function test_paths_must_fit_the_slot() public {
        (Leaf[] memory leaves, uint256[] memory weights) = leavesFrom(3, 1);
        leaves[0].slot = 8;
        Node[] memory siblings = new Node[](3);
        vm.expectRevert(abi.encodeWithSelector(SumTree.InvalidDepth.selector, 8, 3));
        harness.root(LEDGER, 7, 3, leaves[0], uint64(weights[0]), siblings);
        vm.expectRevert(abi.encodeWithSelector(SumTree.InvalidDepth.selector, 8, 0));
        harness.root(LEDGER, 7, 3, leaves[0], uint64(weights[0]), new Node[](0));
        vm.expectRevert(abi.encodeWithSelector(SumTree.InvalidDepth.selector, 8, 33));
        harness.root(LEDGER, 7, 3, leaves[0], uint64(weights[0]), new Node[](33));
        harness.root(LEDGER, 7, 3, leaves[0], uint64(weights[0]), new Node[](32));
    }

    function testFuzz_an_overflow_anywhere_on_the_path_is_refused(uint8 depth, uint8 level, uint8 lane) public {
        uint8[5] memory tops = [31, 79, 127, 191, 255];
        (Leaf[] memory leaves, uint256[] memory weights) = leavesFrom(1, 5);
        Node[] memory siblings = new Node[](within(depth, 2, 32));
        uint256 first = within(level, 0, siblings.length - 2);
        siblings[first].lanes = 1 << tops[lane % 5];
        siblings[first + 1].lanes = 1 << tops[lane % 5];
        vm.expectRevert(SumTree.LaneOverflow.selector);
        harness.root(LEDGER, 7, 3, leaves[0], uint64(weights[0]), siblings);
    }

    function hashOf(address ledger, uint64 round, uint16 hospital, Leaf memory leaf) private view returns (bytes32) {
        Leaf[] memory leaves = new Leaf[](1);
        leaves[0] = leaf;
        return harness.leafHash(ledger, round, hospital, leaves)[0];
    }

    function leavesFrom(uint256 n, uint256 seed) private pure returns (Leaf[] memory leaves, uint256[] memory weights) {
        leaves = new Leaf[](n);
        weights = new uint256[](n);
        for (uint32 k = 0; k < n; ++k) {
            uint256 x = uint256(keccak256(abi.encode(seed, k)));
            address payee = x % 2 == 0 ? address(0) : address(uint160(x >> 96));
            leaves[k] = Leaf(
                2 * k,
                uint8(x % 4),
                payee,
                uint16((x >> 8) % 10_001),
                uint16((x >> 24) % 10_001),
                uint16((x >> 40) % 10_001),
                keccak256(abi.encode(x))
            );
            weights[k] = (x >> 56) % 100_000_001;
        }
    }
}
