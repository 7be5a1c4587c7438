// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Node} from "../../interfaces/ILedgerTypes.sol";
import {Leaf} from "../../interfaces/IRewardDistributor.sol";

/// @title SumTreeBuilder
/// @notice Builds Merkle-sum trees in memory, written for the tests from the specification alone.
library SumTreeBuilder {
    /// @dev `levels[0]` has the leaves, the last level the two children of the root.
    struct Tree {
        Node[][] levels;
    }

    /// @dev The tree over `leaves[k]` at slot `2k`, a dummy beside each and as many as a power of two takes.
    function build(address ledger, uint64 round, uint16 hospital, Leaf[] memory leaves, uint256[] memory weights)
        internal
        view
        returns (Tree memory tree)
    {
        uint256 width = 2;
        while (width < 2 * leaves.length) width *= 2;
        Node[] memory level = new Node[](width);
        for (uint256 slot = 0; slot < width; ++slot) {
            bool real = slot % 2 == 0 && slot / 2 < leaves.length;
            Leaf memory leaf = real ? leaves[slot / 2] : dummy(uint32(slot));
            level[slot].hash = leafHash(ledger, round, hospital, leaf);
            if (real) level[slot].lanes = leafLanes(leaf, weights[slot / 2]);
        }
        return grow(level);
    }

    /// @dev The tree over leaves as given; their number is a power of two.
    function grow(Node[] memory level) internal pure returns (Tree memory tree) {
        uint256 depth = 0;
        while ((1 << depth) < level.length) ++depth;
        tree.levels = new Node[][](depth);
        for (uint256 i = 0; i < depth; ++i) {
            tree.levels[i] = level;
            Node[] memory above = new Node[](level.length / 2);
            for (uint256 k = 0; k < above.length; ++k) {
                above[k] = parent(level[2 * k], level[2 * k + 1]);
            }
            level = above;
        }
    }

    /// @dev The root's children.
    function children(Tree memory tree) internal pure returns (Node memory left, Node memory right) {
        Node[] memory top = tree.levels[tree.levels.length - 1];
        return (top[0], top[1]);
    }

    /// @dev The siblings of a slot, from the bottom up.
    function proof(Tree memory tree, uint256 slot) internal pure returns (Node[] memory siblings) {
        siblings = new Node[](tree.levels.length);
        for (uint256 i = 0; i < siblings.length; ++i) {
            siblings[i] = tree.levels[i][(slot >> i) ^ 1];
        }
    }

    function parent(Node memory left, Node memory right) internal pure returns (Node memory) {
        return Node(
            keccak256(bytes.concat(left.hash, bytes32(left.lanes), right.hash, bytes32(right.lanes))),
            left.lanes + right.lanes
        );
    }

    function dummy(uint32 slot) internal pure returns (Leaf memory leaf) {
        leaf.slot = slot;
        leaf.salt = keccak256(abi.encode("dummy", slot));
    }

    function leafLanes(Leaf memory leaf, uint256 weight) internal pure returns (uint256) {
        uint256 lane = leaf.payee == address(0) ? 128 : 192;
        return 1 + uint256(leaf.volume) * 2 ** 32 + uint256(leaf.compute) * 2 ** 80 + weight * 2 ** lane;
    }

    function leafHash(address ledger, uint64 round, uint16 hospital, Leaf memory leaf) internal view returns (bytes32) {
        bytes memory encoded = bytes.concat(
            keccak256("FedIoMT.Leaf.v1"),
            abi.encode(block.chainid, ledger, round, hospital),
            abi.encode(leaf.slot, leaf.deviceClass, leaf.payee),
            abi.encode(leaf.volume, leaf.quality, leaf.compute, leaf.salt)
        );
        return keccak256(abi.encode(keccak256(encoded)));
    }
}
