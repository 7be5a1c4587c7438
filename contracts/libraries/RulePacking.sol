// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {RewardRule} from "../interfaces/ILedgerTypes.sol";

/// @notice A reward rule in one word: its sixteen numbers, 16 bits each, from the lowest in the order of the struct.
type PackedRule is uint256;

using RulePacking for PackedRule global;

/// @title RulePacking
/// @notice Packs reward rules, and reads their numbers where they are packed.
library RulePacking {
    /// @notice How many numbers a rule has.
    uint256 internal constant FIELDS = 16;
    /// @notice Position of `operatorBps`.
    uint256 internal constant OPERATOR_BPS = 7;

    /// @notice Pack a rule.
    function pack(RewardRule memory rule) internal pure returns (PackedRule) {
        uint256 word = 0;
        for (uint256 i = 4; i > 0; --i) {
            word = (word << 16) | rule.computeCap[i - 1];
        }
        for (uint256 i = 4; i > 0; --i) {
            word = (word << 16) | rule.volumeCap[i - 1];
        }
        word = (word << 16) | rule.operatorBps;
        word = (word << 16) | rule.shareCompute;
        word = (word << 16) | rule.shareVolume;
        word = (word << 16) | rule.hospitalGate;
        word = (word << 16) | rule.deviceGate;
        word = (word << 16) | rule.wCompute;
        word = (word << 16) | rule.wQuality;
        word = (word << 16) | rule.wVolume;
        return PackedRule.wrap(word);
    }

    /// @notice The rule that `pack` packed.
    function unpack(PackedRule packed) internal pure returns (RewardRule memory rule) {
        rule.wVolume = uint16(wVolume(packed));
        rule.wQuality = uint16(wQuality(packed));
        rule.wCompute = uint16(wCompute(packed));
        rule.deviceGate = uint16(deviceGate(packed));
        rule.hospitalGate = uint16(hospitalGate(packed));
        rule.shareVolume = uint16(shareVolume(packed));
        rule.shareCompute = uint16(shareCompute(packed));
        rule.operatorBps = uint16(operatorBps(packed));
        for (uint256 i = 0; i < 4; ++i) {
            rule.volumeCap[i] = uint16(volumeCap(packed, i));
            rule.computeCap[i] = uint16(computeCap(packed, i));
        }
    }

    /// @notice The number at a position, 0..15.
    function field(PackedRule packed, uint256 position) internal pure returns (uint256) {
        return (PackedRule.unwrap(packed) >> (position << 4)) & 0xFFFF;
    }

    /// @notice RewardRule.wVolume.
    function wVolume(PackedRule packed) internal pure returns (uint256) {
        return field(packed, 0);
    }

    /// @notice RewardRule.wQuality.
    function wQuality(PackedRule packed) internal pure returns (uint256) {
        return field(packed, 1);
    }

    /// @notice RewardRule.wCompute.
    function wCompute(PackedRule packed) internal pure returns (uint256) {
        return field(packed, 2);
    }

    /// @notice RewardRule.deviceGate.
    function deviceGate(PackedRule packed) internal pure returns (uint256) {
        return field(packed, 3);
    }

    /// @notice RewardRule.hospitalGate.
    function hospitalGate(PackedRule packed) internal pure returns (uint256) {
        return field(packed, 4);
    }

    /// @notice RewardRule.shareVolume.
    function shareVolume(PackedRule packed) internal pure returns (uint256) {
        return field(packed, 5);
    }

    /// @notice RewardRule.shareCompute.
    function shareCompute(PackedRule packed) internal pure returns (uint256) {
        return field(packed, 6);
    }

    /// @notice RewardRule.operatorBps.
    function operatorBps(PackedRule packed) internal pure returns (uint256) {
        return field(packed, OPERATOR_BPS);
    }

    /// @notice RewardRule.volumeCap of a device class, 0..3.
    function volumeCap(PackedRule packed, uint256 deviceClass) internal pure returns (uint256) {
        return field(packed, 8 | deviceClass);
    }

    /// @notice RewardRule.computeCap of a device class, 0..3.
    function computeCap(PackedRule packed, uint256 deviceClass) internal pure returns (uint256) {
        return field(packed, 12 | deviceClass);
    }
}
