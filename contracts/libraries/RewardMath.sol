// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {PackedRule} from "./RulePacking.sol";

/// @title RewardMath
/// @notice The reward rule: one pure function for each step, floor division throughout. Mirrored in Python.
/// @dev No intermediate overflows for budgets and allocations below 2^112, lanes of 64 bits and scores of 16.
library RewardMath {
    /// @notice Full marks, and the whole in basis points.
    uint256 internal constant FULL = 10_000;
    /// @notice Largest operator's share, in basis points.
    uint256 internal constant MAX_OPERATOR_BPS = 2_000;
    /// @notice Profiles are 0 accountable, 1 hospital, 2 private.
    uint8 internal constant MAX_PROFILE = 2;
    /// @dev A share of one basis point, where the whole is 1e18.
    uint256 private constant BPS_E18 = 1e14;

    /// @notice Whether the quality of devices counts: only where sums of cohorts are seen.
    function deviceQualityScored(uint256 profile) internal pure returns (bool) {
        return profile == 0;
    }

    /// @notice Whether the quality of hospitals counts: wherever a hospital's sum is seen.
    function hospitalQualityScored(uint256 profile) internal pure returns (bool) {
        return profile < 2;
    }

    /// @notice A device's weight. Below the gate it weighs nothing, whatever its volume.
    function weight(PackedRule rule, bool qualityScored, uint16 volume, uint16 quality, uint16 compute)
        internal
        pure
        returns (uint256)
    {
        uint256 counted = qualityScored ? quality : FULL;
        if (qualityScored && counted < rule.deviceGate()) return 0;
        unchecked {
            // three products of 16 bits each
            return rule.wVolume() * volume + rule.wQuality() * counted + rule.wCompute() * compute;
        }
    }

    /// @notice A hospital's share of the budget, of 1e18: its part of volume and compute, capped by its capacity.
    function shareE18(
        PackedRule rule,
        uint256 capacityBps,
        uint256 volume,
        uint256 totalVolume,
        uint256 compute,
        uint256 totalCompute
    ) internal pure returns (uint256 share) {
        if (totalVolume != 0) share = (rule.shareVolume() * BPS_E18 * volume) / totalVolume;
        if (totalCompute != 0) share += (rule.shareCompute() * BPS_E18 * compute) / totalCompute;
        uint256 cap = capacityBps * BPS_E18;
        if (share > cap) share = cap;
    }

    /// @notice What a hospital is allocated: its share of the budget, scaled by its quality.
    function hospitalAllocation(
        uint256 budget,
        uint256 share,
        uint256 quality,
        uint256 hospitalGate,
        bool qualityScored
    ) internal pure returns (uint256) {
        if (!qualityScored) quality = FULL;
        else if (quality < hospitalGate) return 0;
        return (budget * share * quality) / (1e18 * FULL);
    }

    /// @notice The operator's share of an allocation.
    function operatorShare(uint256 allocation, uint256 operatorBps) internal pure returns (uint256) {
        return (allocation * operatorBps) / FULL;
    }

    /// @notice What a weight earns out of an allocation, after the operator's share.
    function devicePayout(
        uint256 allocation,
        uint256 operatorBps,
        uint256 weight_,
        uint256 weightTreasury,
        uint256 weightDevice
    ) internal pure returns (uint256) {
        unchecked {
            uint256 total = weightTreasury + weightDevice;
            if (total == 0) return 0;
            return (allocation * (FULL - operatorBps) * weight_) / (FULL * total);
        }
    }

    /// @notice What the treasury earns: the operator's share and the weights that name no payee.
    function treasuryPayout(uint256 allocation, uint256 operatorBps, uint256 weightTreasury, uint256 weightDevice)
        internal
        pure
        returns (uint256)
    {
        return operatorShare(allocation, operatorBps)
            + devicePayout(allocation, operatorBps, weightTreasury, weightTreasury, weightDevice);
    }

    /// @notice The bonus for a median model score above the best so far.
    function bonus(uint256 median, uint256 best, uint256 perPoint, uint256 cap) internal pure returns (uint256) {
        if (median <= best) return 0;
        uint256 earned = (median - best) * perPoint;
        return earned < cap ? earned : cap;
    }
}
