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
    error LaneOverflow();
    /// @notice The path is empty, deeper than 32, or too short for the slot.
    error InvalidDepth(uint256 slot, uint256 depth);

    /// @notice Pack lanes. The arguments must fit their widths.
    function packLanes(uint256 n, uint256 volume, uint256 compute, uint256 weightTreasury, uint256 weightDevice)
        internal
        pure
        returns (uint256)
    {
        return n | (volume << 32) | (compute << 80) | (weightTreasury << 128) | (weightDevice << 192);
    }

    /// @notice Lane by lane sum; reverts if one overflows.
    function add(uint256 left, uint256 right) internal pure returns (uint256 sum) {
        unchecked {
            sum = left + right;
        }
        if (sum < left || (left ^ right ^ sum) & CARRIES != 0) revert LaneOverflow();
    }

    /// @notice The hash of an inner node.
    function nodeHash(bytes32 leftHash, uint256 leftLanes, bytes32 rightHash, uint256 rightLanes)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(leftHash, leftLanes, rightHash, rightLanes));
    }

    /// @notice The hash of a leaf of `ledger`, on this chain: of the hash of the tag, the chain id, the ledger, the round,
    /// the hospital and the leaf's fields, as abi.encode lays them out.
    /// @dev The fields of a leaf in calldata are laid out so already. Whoever reads them makes sure that they are clean.
    function leafHash(address ledger, uint256 round, uint256 hospital, Leaf calldata leaf)
        internal
        view
        returns (bytes32 hash)
    {
        bytes32 tag = LEAF_TYPEHASH;
        assembly ("memory-safe") {
            let encoded := mload(0x40)
            mstore(encoded, tag)
            mstore(add(encoded, 0x20), chainid())
            mstore(add(encoded, 0x40), shr(96, shl(96, ledger)))
            mstore(add(encoded, 0x60), round)
            mstore(add(encoded, 0x80), hospital)
            calldatacopy(add(encoded, 0xa0), leaf, 0xe0)
            mstore(0x00, keccak256(encoded, 0x180))
            hash := keccak256(0x00, 0x20)
        }
    }

    /// @notice Climb from a leaf to the root along its siblings; bit `i` of the slot says on which side level `i` is.
    /// @dev In assembly since a claim does this a dozen times: `nodeHash` and `add`, with the node at 0x40 and a sibling
    /// after it or, where the slot's bit says so, before it; what was in memory is put back. The slot's bits are turned,
    /// and a one above them ends the loop. Carries out of lanes are collected, that out of the last one in bit 0, and
    /// refused at the end.
    /// @return root The root's hash.
    /// @return sums The root's lanes.
    function climb(bytes32 hash, uint256 lanes, uint256 slot, Node[] calldata siblings)
        internal
        pure
        returns (bytes32 root, uint256 sums)
    {
        uint256 depth = siblings.length;
        if (depth == 0 || depth > MAX_DEPTH || slot >> depth != 0) revert InvalidDepth(slot, depth);
        uint256 carries = 0;
        sums = lanes;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let first := mload(0x80)
            let second := mload(0xa0)
            mstore(0x40, hash)
            mstore(0x60, sums)
            // slither-disable-next-line incorrect-shift -- two shifted by the depth, as meant
            let path := shl(6, xor(slot, sub(shl(depth, 2), 1)))
            for { let sibling := siblings.offset } gt(path, 0x7f) { sibling := add(sibling, 0x40) } {
                let left := and(path, 0x40)
                calldatacopy(add(left, left), sibling, 0x40)
                mstore(0x40, keccak256(left, 0x80))
                let other := calldataload(add(sibling, 0x20))
                let both := add(sums, other)
                carries := or(carries, or(xor(xor(sums, other), both), lt(both, other)))
                sums := both
                mstore(0x60, sums)
                path := shr(1, path)
            }
            root := mload(0x40)
            mstore(0x40, free)
            mstore(0x60, 0)
            mstore(0x80, first)
            mstore(0xa0, second)
        }
        if (carries & (CARRIES | 1) != 0) revert LaneOverflow();
    }
}
