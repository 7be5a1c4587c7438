// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {RewardMath} from "./RewardMath.sol";
import {PackedRule} from "./RulePacking.sol";
import {SumTree} from "./SumTree.sol";

/// @title LeafFaults
/// @notice What is wrong with a leaf as a hospital committed to it, judged by the round's rule; nothing is wrong with
/// any leaf of a tree that follows it, absent devices and dummies included.
/// @dev Leaves come as seven raw words, since a hospital hashes what it likes: a field that does not fit its type could
/// not be decoded, and would hide the leaf.
library LeafFaults {
    /// @notice The hash of a leaf given as words; SumTree.leafHash for leaves that fit their types.
    function hashOf(address ledger, uint64 round, uint16 hospital, uint256[7] calldata words)
        internal
        view
        returns (bytes32)
    {
        bytes memory encoded = abi.encode(SumTree.LEAF_TYPEHASH, block.chainid, ledger, round, hospital, words);
        return keccak256(abi.encode(keccak256(encoded)));
    }

    /// @notice The first fault of a leaf that lies at `slot` with `lanes`.
    /// @param words slot, class, payee, volume, quality, compute, salt.
    function find(uint256[7] calldata words, uint256 slot, uint256 lanes, PackedRule rule, bool qualityScored)
        internal
        pure
        returns (IDisputeCourt.Fault)
    {
        if (
            words[0] > type(uint32).max || words[2] > type(uint160).max || words[3] > type(uint16).max
                || words[4] > type(uint16).max || words[5] > type(uint16).max
        ) return IDisputeCourt.Fault.DirtyField;
        if (words[0] != slot) return IDisputeCourt.Fault.WrongSlot;
        if (slot & 1 == 1) return lanes == 0 ? IDisputeCourt.Fault.None : IDisputeCourt.Fault.DummyWeighs;
        uint256 deviceClass = words[1];
        if (deviceClass > 3) return IDisputeCourt.Fault.UnknownClass;
        if (
            words[3] > rule.volumeCap(deviceClass) || words[5] > rule.computeCap(deviceClass)
                || words[4] > RewardMath.FULL
        ) return IDisputeCourt.Fault.AboveCap;
        // the slot of a device that is absent holds a leaf of zeros that counts for nothing
        if (lanes == 0 && (words[1] | words[2] | words[3] | words[4] | words[5]) == 0) {
            return IDisputeCourt.Fault.None;
        }
        if (lanes != lanesOf(words, rule, qualityScored)) return IDisputeCourt.Fault.WrongLanes;
        return IDisputeCourt.Fault.None;
    }

    /// @notice The lanes that the rule makes of a device's leaf.
    function lanesOf(uint256[7] calldata words, PackedRule rule, bool qualityScored) internal pure returns (uint256) {
        uint256 weight =
            RewardMath.weight(rule, qualityScored, uint16(words[3]), uint16(words[4]), uint16(words[5]));
        bool treasury = words[2] == 0;
        return SumTree.packLanes(1, words[3], words[5], treasury ? weight : 0, treasury ? 0 : weight);
    }
}
