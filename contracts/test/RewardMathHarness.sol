// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {RewardRule} from "../interfaces/ILedgerTypes.sol";
import {LowerMedian} from "../libraries/LowerMedian.sol";
import {RewardMath} from "../libraries/RewardMath.sol";
import {PackedRule, RulePacking} from "../libraries/RulePacking.sol";

/// @title RewardMathHarness
/// @notice The reward rule over arrays of inputs, so that another implementation can be compared in few calls.
contract RewardMathHarness {
    /// @notice Scores of a device, and whether quality counts.
    struct WeightInput {
        bool qualityScored;
        uint16 volume;
        uint16 quality;
        uint16 compute;
    }

    /// @notice A hospital's part of the totals.
    struct ShareInput {
        uint16 capacityBps;
        uint256 volume;
        uint256 totalVolume;
        uint256 compute;
        uint256 totalCompute;
    }

    /// @notice What a hospital's allocation is computed from.
    struct AllocationInput {
        uint256 budget;
        uint256 shareE18;
        uint16 quality;
        uint16 hospitalGate;
        bool qualityScored;
    }

    /// @notice What a payout is computed from; `weight` is not used for treasuries.
    struct PayoutInput {
        uint256 allocation;
        uint16 operatorBps;
        uint256 weight;
        uint256 weightTreasury;
        uint256 weightDevice;
    }

    /// @notice What a bonus is computed from.
    struct BonusInput {
        uint16 median;
        uint16 best;
        uint256 perPoint;
        uint256 cap;
    }

    /// @notice RewardMath.weight, one rule and one input each.
    function weight(RewardRule[] memory rules, WeightInput[] memory xs) external pure returns (uint256[] memory ys) {
        ys = new uint256[](xs.length);
        for (uint256 i = 0; i < xs.length; ++i) {
            WeightInput memory x = xs[i];
            ys[i] = RewardMath.weight(RulePacking.pack(rules[i]), x.qualityScored, x.volume, x.quality, x.compute);
        }
    }

    /// @notice RewardMath.shareE18, one rule and one input each.
    function shareE18(RewardRule[] memory rules, ShareInput[] memory xs) external pure returns (uint256[] memory ys) {
        ys = new uint256[](xs.length);
        for (uint256 i = 0; i < xs.length; ++i) {
            ShareInput memory x = xs[i];
            PackedRule rule = RulePacking.pack(rules[i]);
            ys[i] = RewardMath.shareE18(rule, x.capacityBps, x.volume, x.totalVolume, x.compute, x.totalCompute);
        }
    }

    /// @notice RewardMath.hospitalAllocation.
    function hospitalAllocation(AllocationInput[] memory xs) external pure returns (uint256[] memory ys) {
        ys = new uint256[](xs.length);
        for (uint256 i = 0; i < xs.length; ++i) {
            AllocationInput memory x = xs[i];
            ys[i] = RewardMath.hospitalAllocation(x.budget, x.shareE18, x.quality, x.hospitalGate, x.qualityScored);
        }
    }

    /// @notice RewardMath.devicePayout.
    function devicePayout(PayoutInput[] memory xs) external pure returns (uint256[] memory ys) {
        ys = new uint256[](xs.length);
        for (uint256 i = 0; i < xs.length; ++i) {
            PayoutInput memory x = xs[i];
            ys[i] = RewardMath.devicePayout(x.allocation, x.operatorBps, x.weight, x.weightTreasury, x.weightDevice);
        }
    }

    /// @notice RewardMath.treasuryPayout.
    function treasuryPayout(PayoutInput[] memory xs) external pure returns (uint256[] memory ys) {
        ys = new uint256[](xs.length);
        for (uint256 i = 0; i < xs.length; ++i) {
            PayoutInput memory x = xs[i];
            ys[i] = RewardMath.treasuryPayout(x.allocation, x.operatorBps, x.weightTreasury, x.weightDevice);
        }
    }

    /// @notice RewardMath.bonus.
    function bonus(BonusInput[] memory xs) external pure returns (uint256[] memory ys) {
        ys = new uint256[](xs.length);
        for (uint256 i = 0; i < xs.length; ++i) {
            ys[i] = RewardMath.bonus(xs[i].median, xs[i].best, xs[i].perPoint, xs[i].cap);
        }
    }

    /// @notice LowerMedian.inPlace of each list.
    function lowerMedian(uint256[][] memory lists) external pure returns (uint256[] memory ys) {
        ys = new uint256[](lists.length);
        for (uint256 i = 0; i < lists.length; ++i) {
            ys[i] = LowerMedian.inPlace(lists[i], lists[i].length);
        }
    }
}
