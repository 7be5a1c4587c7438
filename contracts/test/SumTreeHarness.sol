// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Node} from "../interfaces/ILedgerTypes.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";
import {SumTree} from "../libraries/SumTree.sol";

/// @title SumTreeHarness
/// @notice The Merkle-sum tree, one function at a time, so that another implementation can be compared.
contract SumTreeHarness {
    /// @notice The distributor refuses odd slots.
    error OddSlot(uint32 slot);

    /// @notice SumTree.packLanes.
    function packLanes(uint32 n, uint48 volume, uint48 compute, uint64 weightTreasury, uint64 weightDevice)
        external
        pure
        returns (uint256)
    {
        return SumTree.packLanes(n, volume, compute, weightTreasury, weightDevice);
    }

    /// @notice SumTree.add; reverts with LaneOverflow.
    function add(uint256 left, uint256 right) external pure returns (uint256) {
        return SumTree.add(left, right);
    }

    /// @notice SumTree.leafHash of each leaf, on this chain.
    function leafHash(address ledger, uint64 round, uint16 hospital, Leaf[] calldata leaves)
        external
        view
        returns (bytes32[] memory hashes)
    {
        hashes = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            hashes[i] = SumTree.leafHash(ledger, round, hospital, leaves[i]);
        }
    }

    /// @notice SumTree.nodeHash.
    function nodeHash(Node calldata left, Node calldata right) external pure returns (bytes32) {
        return SumTree.nodeHash(left.hash, left.lanes, right.hash, right.lanes);
    }

    /// @notice The root and its sums that a leaf with this weight leads to. Reverts like the distributor.
    function root(
        address ledger,
        uint64 round,
        uint16 hospital,
        Leaf calldata leaf,
        uint64 weight,
        Node[] calldata siblings
    ) external view returns (bytes32 hash, uint256 lanes) {
        if (leaf.slot & 1 != 0) revert OddSlot(leaf.slot);
        bool treasury = leaf.payee == address(0);
        return SumTree.climb(
            SumTree.leafHash(ledger, round, hospital, leaf),
            SumTree.packLanes(1, leaf.volume, leaf.compute, treasury ? weight : 0, treasury ? 0 : weight),
            leaf.slot,
            siblings
        );
    }
}
