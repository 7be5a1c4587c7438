// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {RewardRule} from "../interfaces/ILedgerTypes.sol";

/// @title RulePacking
/// @notice A reward rule in one storage slot: its sixteen numbers, 16 bits each, in the order of the struct.
library RulePacking {
    /// @notice Position of `operatorBps`.
    uint256 internal constant OPERATOR_BPS = 7;

    /// @notice Pack a rule.
    function pack(RewardRule memory rule) internal pure returns (uint256 word) {
        for (uint256 i = 4; i > 0; --i) word = (word << 16) | rule.computeCap[i - 1];
        for (uint256 i = 4; i > 0; --i) word = (word << 16) | rule.volumeCap[i - 1];
        word = (word << 16) | rule.operatorBps;
        word = (word << 16) | rule.shareCompute;
        word = (word << 16) | rule.shareVolume;
        word = (word << 16) | rule.hospitalGate;
        word = (word << 16) | rule.deviceGate;
        word = (word << 16) | rule.wCompute;
        word = (word << 16) | rule.wQuality;
        word = (word << 16) | rule.wVolume;
    }

    /// @notice The rule that `pack` made `word` from.
    function unpack(uint256 word) internal pure returns (RewardRule memory rule) {
        rule.wVolume = uint16(word);
        rule.wQuality = uint16(word >> 16);
        rule.wCompute = uint16(word >> 32);
        rule.deviceGate = uint16(word >> 48);
        rule.hospitalGate = uint16(word >> 64);
        rule.shareVolume = uint16(word >> 80);
        rule.shareCompute = uint16(word >> 96);
        rule.operatorBps = uint16(word >> 112);
        word >>= 128;
        for (uint256 i = 0; i < 4; ++i) rule.volumeCap[i] = uint16(word >> (16 * i));
        word >>= 64;
        for (uint256 i = 0; i < 4; ++i) rule.computeCap[i] = uint16(word >> (16 * i));
    }

    /// @notice The number at a position, 0..15.
    function field(uint256 word, uint256 position) internal pure returns (uint256) {
        return uint16(word >> (16 * position));
    }
}
