// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {RewardMath} from "../../libraries/RewardMath.sol";
import {PackedRule} from "../../libraries/RulePacking.sol";

/// @title RewardMathProofs
/// @notice Weights and the bonus at their full widths, shares of parts below 256. What sums of rounded quotients come to
/// is beyond solvers in 256 bits: `floors.py` proves it for integers of any size.
contract RewardMathProofs {
    function check_weight_is_the_rule_and_nothing_below_the_gate(
        uint256 rule,
        bool scored,
        uint16 volume,
        uint16 quality,
        uint16 compute
    ) public pure {
        PackedRule packed = PackedRule.wrap(rule);
        uint256 weight = RewardMath.weight(packed, scored, volume, quality, compute);
        if (scored && quality < packed.deviceGate()) {
            assert(weight == 0);
        } else {
            uint256 counted = scored ? quality : RewardMath.FULL;
            assert(weight == packed.wVolume() * volume + packed.wQuality() * counted + packed.wCompute() * compute);
        }
    }

    function check_weight_of_a_valid_rule_fits_its_lane(
        uint16 wVolume,
        uint16 wQuality,
        uint16 wCompute,
        uint16 gate,
        bool scored,
        uint16 volume,
        uint16 quality,
        uint16 compute
    ) public pure {
        PackedRule packed = PackedRule.wrap(
            wVolume | (uint256(wQuality) << 16) | (uint256(wCompute) << 32) | (uint256(gate) << 48)
        );
        assert(RewardMath.weight(packed, scored, volume, quality, compute) <= 3 * uint256(type(uint16).max) ** 2);
    }

    function check_a_share_is_within_the_capacity(uint256 rule, uint16 capacityBps, uint8 part, uint8 whole)
        public
        pure
    {
        if (capacityBps > RewardMath.FULL || part > whole) return;
        uint256 share = RewardMath.shareE18(PackedRule.wrap(rule), capacityBps, part, whole, part, whole);
        assert(share <= uint256(capacityBps) * 1e14);
    }

    function check_bonus_is_within_its_cap_and_pays_no_fall(uint16 median, uint16 best, uint96 perPoint, uint112 cap)
        public
        pure
    {
        uint256 bonus = RewardMath.bonus(median, best, perPoint, cap);
        assert(bonus <= cap);
        if (median <= best) assert(bonus == 0);
    }
}
