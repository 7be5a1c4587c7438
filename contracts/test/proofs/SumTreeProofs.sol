// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Node} from "../../interfaces/ILedgerTypes.sol";
import {Leaf} from "../../interfaces/IRewardDistributor.sol";
import {SumTree} from "../../libraries/SumTree.sol";

/// @title SumTreeProofs
/// @notice Lanes at their full widths, paths of up to three siblings; a hash function without collisions is assumed.
contract SumTreeProofs {
    uint256 private constant LANES = 5;

    function check_lanes_survive_packing(uint32 n, uint48 v, uint48 c, uint64 treasury, uint64 device) public pure {
        uint256 lanes = SumTree.packLanes(n, v, c, treasury, device);
        assert(lane(lanes, 0) == n && lane(lanes, 1) == v && lane(lanes, 2) == c);
        assert(lane(lanes, 3) == treasury && lane(lanes, 4) == device);
    }

    /// @dev Both ways: it answers only if every lane's sum fits and is right, and it refuses only if one does not fit.
    function check_add_sums_each_lane_or_refuses(uint256 left, uint256 right) public view {
        bool fits = true;
        for (uint256 i = 0; i < LANES; ++i) {
            fits = both(fits, lane(left, i) + lane(right, i) <= most(i));
        }
        try this.add(left, right) returns (uint256 sum) {
            for (uint256 i = 0; i < LANES; ++i) {
                fits = both(fits, lane(sum, i) == lane(left, i) + lane(right, i));
            }
            assert(fits);
        } catch {
            assert(!fits);
        }
    }

    function check_leaf_hash_is_that_of_the_encoding(address ledger, uint64 round, uint16 hospital, Leaf calldata leaf)
        public
        view
    {
        bytes32 inner = keccak256(abi.encode(SumTree.LEAF_TYPEHASH, block.chainid, ledger, round, hospital, leaf));
        assert(SumTree.leafHash(ledger, round, hospital, leaf) == keccak256(abi.encode(inner)));
    }

    function check_climb_folds_a_path_of_1(bytes32 hash, uint256 lanes, uint256 slot, Node[1] calldata path)
        public
        view
    {
        Node[] memory siblings = new Node[](1);
        siblings[0] = path[0];
        climbs(hash, lanes, slot, siblings);
    }

    /// @dev Two paths to one root from the same of eight slots begin with the same leaf, of the same lanes.
    function check_a_slot_of_a_root_has_one_leaf(
        bytes32[2] calldata hashes,
        uint256[2] calldata lanes,
        uint256 slot,
        Node[3][2] calldata paths
    ) public view {
        if (slot > 7) return;
        slot = concrete(slot, 8);
        if (top(hashes[0], lanes[0], slot, paths[0]) != top(hashes[1], lanes[1], slot, paths[1])) return;
        assert(both(hashes[0] == hashes[1], lanes[0] == lanes[1]));
    }

    /// @dev All four leaves of a tree of depth two, each with a path of its own to the same root: no more in them, in any
    /// lane, than the root has.
    function check_four_claims_against_a_root_share_it(
        bytes32[4] calldata hashes,
        uint256[4] calldata lanes,
        Node[2][4] calldata paths
    ) public view {
        bytes32 root;
        uint256 sums;
        for (uint256 slot = 0; slot < 4; ++slot) {
            Node[] memory siblings = new Node[](2);
            (siblings[0], siblings[1]) = (paths[slot][0], paths[slot][1]);
            (bytes32 found, uint256 total) = this.climb(hashes[slot], lanes[slot], slot, siblings);
            if (slot == 0) (root, sums) = (found, total);
            else if (found != root) return;
        }
        for (uint256 i = 0; i < LANES; ++i) {
            assert(lane(lanes[0], i) + lane(lanes[1], i) + lane(lanes[2], i) + lane(lanes[3], i) <= lane(sums, i));
        }
    }

    function add(uint256 left, uint256 right) external pure returns (uint256) {
        return SumTree.add(left, right);
    }

    function climb(bytes32 hash, uint256 lanes, uint256 slot, Node[] calldata siblings)
        external
        pure
        returns (bytes32, uint256)
    {
        return SumTree.climb(hash, lanes, slot, siblings);
    }

    /// @dev It answers what folding the path one level after the other gives, with every lane summed for itself, and
    /// refuses only if a sum does not fit its lane or the path is too short for the slot.
    function climbs(bytes32 hash, uint256 lanes, uint256 slot, Node[] memory siblings) private view {
        bool within = slot >> siblings.length == 0;
        if (within) slot = concrete(slot, 1 << siblings.length);
        try this.climb(hash, lanes, slot, siblings) returns (bytes32 root, uint256 sums) {
            assert(within);
            (bytes32 folded, uint256 total, bool fits) = fold(hash, lanes, slot, siblings);
            assert(both(fits, both(root == folded, sums == total)));
        } catch {
            if (!within) return;
            (,, bool fits) = fold(hash, lanes, slot, siblings);
            assert(!fits);
        }
    }

    function fold(bytes32 hash, uint256 lanes, uint256 slot, Node[] memory siblings)
        private
        pure
        returns (bytes32, uint256, bool fits)
    {
        fits = true;
        for (uint256 i = 0; i < siblings.length; ++i) {
            Node memory s = siblings[i];
            hash = (slot >> i) & 1 == 0
                ? SumTree.nodeHash(hash, lanes, s.hash, s.lanes)
                : SumTree.nodeHash(s.hash, s.lanes, hash, lanes);
            uint256[LANES] memory sums;
            for (uint256 k = 0; k < LANES; ++k) {
                sums[k] = lane(lanes, k) + lane(s.lanes, k);
                fits = both(fits, sums[k] <= most(k));
                sums[k] &= most(k);
            }
            lanes = SumTree.packLanes(sums[0], sums[1], sums[2], sums[3], sums[4]);
        }
        return (hash, lanes, fits);
    }

    function top(bytes32 hash, uint256 lanes, uint256 slot, Node[3] calldata path) private view returns (bytes32 root) {
        Node[] memory siblings = new Node[](3);
        (siblings[0], siblings[1], siblings[2]) = (path[0], path[1], path[2]);
        (root,) = this.climb(hash, lanes, slot, siblings);
    }

    /// @dev A path for each of the slots below `end`: where a node is put in memory has to be known.
    function concrete(uint256 slot, uint256 end) private pure returns (uint256 found) {
        while (found < end - 1 && found != slot) ++found;
    }

    /// @dev Without a branch.
    function both(bool one, bool other) private pure returns (bool all) {
        assembly ("memory-safe") {
            all := and(one, other)
        }
    }

    function lane(uint256 lanes, uint256 i) private pure returns (uint256) {
        if (i == 0) return uint32(lanes);
        if (i == 1) return uint48(lanes >> 32);
        if (i == 2) return uint48(lanes >> 80);
        if (i == 3) return uint64(lanes >> 128);
        return lanes >> 192;
    }

    function most(uint256 i) private pure returns (uint256) {
        return i == 0 ? type(uint32).max : i < 3 ? type(uint48).max : type(uint64).max;
    }
}
