// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Node} from "../interfaces/ILedgerTypes.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";

/// @title SumTree
/// @notice A Merkle tree whose nodes bind what they sum to, so that no set of proofs can claim more than the root says.
/// @dev Lanes travel packed: n (32 bits) | volume << 32 (48) | compute << 80 (48) | weightTreasury << 128 (64) |
/// weightDevice << 192 (64). Leaves are hashed twice and nodes over 128 bytes, so that neither can pass for the other.
library SumTree {
    /// @notice Deepest tree.
    uint256 internal constant MAX_DEPTH = 32;
    /// @notice Domain tag of a leaf.
    bytes32 internal constant LEAF_TYPEHASH = keccak256("FedIoMT.Leaf.v1");
    /// @dev The lowest bit of each lane but the first: a carry into one of these is an overflow of the lane below.
    uint256 private constant CARRIES = (1 << 32) | (1 << 80) | (1 << 128) | (1 << 192);

    /// @notice A sum does not fit its lane.
    error LaneOverflow(uint256 left, uint256 right);
    /// @notice The path is empty, deeper than 32, or too short for the slot.
    error InvalidDepth(uint256 slot, uint256 depth);

    /// @notice Pack lanes. The arguments must fit their widths.
    function packLanes(
        uint256 n,
        uint256 volume,
        uint256 compute,
        uint256 weightTreasury,
        uint256 weightDevice
    ) internal pure returns (uint256) {
        return n | (volume << 32) | (compute << 80) | (weightTreasury << 128) | (weightDevice << 192);
    }

    /// @notice Lane by lane sum; reverts if one overflows.
    function add(uint256 left, uint256 right) internal pure returns (uint256 sum) {
        unchecked {
            sum = left + right;
        }
        if (sum < left || (left ^ right ^ sum) & CARRIES != 0) revert LaneOverflow(left, right);
    }

    /// @notice The hash of an inner node.
    function nodeHash(bytes32 leftHash, uint256 leftLanes, bytes32 rightHash, uint256 rightLanes)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(leftHash, leftLanes, rightHash, rightLanes));
    }

    /// @notice The hash of a leaf of `ledger`, on this chain.
    function leafHash(address ledger, uint64 round, uint16 hospital, Leaf calldata leaf)
        internal
        view
        returns (bytes32)
    {
        return keccak256(
            bytes.concat(
                keccak256(
                    abi.encode(
                        LEAF_TYPEHASH,
                        block.chainid,
                        ledger,
                        round,
                        hospital,
                        leaf.slot,
                        leaf.deviceClass,
                        leaf.payee,
                        leaf.volume,
                        leaf.quality,
                        leaf.compute,
                        leaf.salt
                    )
                )
            )
        );
    }

    /// @notice Climb from a leaf to the root along its siblings; bit `i` of the slot says on which side level `i` is.
    /// @return root The root's hash.
    /// @return sums The root's lanes.
    function climb(bytes32 hash, uint256 lanes, uint256 slot, Node[] calldata siblings)
        internal
        pure
        returns (bytes32 root, uint256 sums)
    {
        uint256 depth = siblings.length;
        if (depth == 0 || depth > MAX_DEPTH || slot >> depth != 0) revert InvalidDepth(slot, depth);
        for (uint256 i = 0; i < depth; ++i) {
            Node calldata sibling = siblings[i];
            uint256 siblingLanes = sibling.lanes;
            hash = (slot >> i) & 1 == 0
                ? nodeHash(hash, lanes, sibling.hash, siblingLanes)
                : nodeHash(sibling.hash, siblingLanes, hash, lanes);
            lanes = add(lanes, siblingLanes);
        }
        return (hash, lanes);
    }
}
