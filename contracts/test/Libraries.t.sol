// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {RewardRule} from "../interfaces/ILedgerTypes.sol";
import {LowerMedian} from "../libraries/LowerMedian.sol";
import {RewardMath} from "../libraries/RewardMath.sol";
import {RoundWords} from "../libraries/RoundWords.sol";
import {PackedRule, RulePacking} from "../libraries/RulePacking.sol";
import {ScoreBoard} from "../libraries/ScoreBoard.sol";
import {ScorePacking} from "../libraries/ScorePacking.sol";
import {Check} from "./support/Check.sol";

/// @title LibrariesTest
/// @notice The libraries against plain references written for the test.
contract LibrariesTest is Check {
    mapping(uint256 hospital => uint256[4]) private work;

    function testFuzz_rules_survive_packing(RewardRule memory rule) public pure {
        PackedRule packed = RulePacking.pack(rule);
        eq(keccak256(abi.encode(packed.unpack())), keccak256(abi.encode(rule)), "rule");
        eq(packed.operatorBps(), rule.operatorBps, "operatorBps");
        eq(packed.field(RulePacking.OPERATOR_BPS), rule.operatorBps, "position of operatorBps");
        for (uint256 i = 0; i < 4; ++i) {
            eq(packed.volumeCap(i), rule.volumeCap[i], "volumeCap");
            eq(packed.computeCap(i), rule.computeCap[i], "computeCap");
        }
    }

    function testFuzz_weight_is_gated_and_linear(RewardRule memory rule, bool scored, uint16 v, uint16 q, uint16 c)
        public
        pure
    {
        uint256 counted = scored ? q : 10_000;
        uint256 expected = uint256(rule.wVolume) * v + uint256(rule.wQuality) * counted + uint256(rule.wCompute) * c;
        if (scored && q < rule.deviceGate) expected = 0;
        eq(RewardMath.weight(RulePacking.pack(rule), scored, v, q, c), expected, "weight");
    }

    function testFuzz_shares_never_exceed_the_cap_nor_the_whole(
        uint16 shareVolume,
        uint16 capacity,
        uint48[4] memory volumes,
        uint48[4] memory computes
    ) public pure {
        RewardRule memory rule;
        rule.shareVolume = shareVolume % 10_001;
        rule.shareCompute = 10_000 - rule.shareVolume;
        PackedRule packed = RulePacking.pack(rule);
        uint256 cap = capacity % 10_001;
        uint256 volume = uint256(volumes[0]) + volumes[1] + volumes[2] + volumes[3];
        uint256 compute = uint256(computes[0]) + computes[1] + computes[2] + computes[3];
        uint256 sum = 0;
        for (uint256 i = 0; i < 4; ++i) {
            uint256 share = RewardMath.shareE18(packed, cap, volumes[i], volume, computes[i], compute);
            atMost(share, cap * 1e14, "capacity");
            uint256 uncapped = (volume == 0 ? 0 : uint256(rule.shareVolume) * 1e14 * volumes[i] / volume)
                + (compute == 0 ? 0 : uint256(rule.shareCompute) * 1e14 * computes[i] / compute);
            eq(share, uncapped < cap * 1e14 ? uncapped : cap * 1e14, "share");
            sum += share;
        }
        atMost(sum, 1e18, "whole");
    }

    function testFuzz_payouts_of_all_leaves_never_exceed_the_allocation(
        uint112 allocation,
        uint16 operatorBps,
        uint32[6] memory weights
    ) public pure {
        uint256 bps = operatorBps % 2001;
        uint256 treasury = uint256(weights[0]) + weights[1];
        uint256 device = uint256(weights[2]) + weights[3] + weights[4] + weights[5];
        uint256 paid = RewardMath.treasuryPayout(allocation, bps, treasury, device);
        for (uint256 i = 2; i < 6; ++i) {
            paid += RewardMath.devicePayout(allocation, bps, weights[i], treasury, device);
        }
        atMost(paid, allocation, "paid");
        if (treasury + device != 0) atMost(allocation, paid + 7, "only rounding is lost");
    }

    function test_a_tree_without_weights_pays_nothing_and_the_lightest_pays_all() public pure {
        eq(RewardMath.devicePayout(1000, 500, 0, 0, 0), 0, "no weights");
        eq(RewardMath.treasuryPayout(1000, 500, 0, 0), 50, "the operator's share");
        eq(RewardMath.devicePayout(1000, 500, 1, 0, 1), 950, "a device's");
        eq(RewardMath.treasuryPayout(1000, 500, 1, 0), 1000, "the treasury's");
    }

    function testFuzz_allocation_scales_with_quality(
        uint112 budget,
        uint64 share,
        uint16 quality,
        uint16 gate,
        bool scored
    ) public pure {
        uint256 s = within(share, 0, 1e18);
        uint256 q = quality % 10_001;
        uint256 g = gate % 10_001;
        uint256 expected = uint256(budget) * s * (scored ? q : 10_000) / 1e22;
        if (scored && q < g) expected = 0;
        eq(RewardMath.hospitalAllocation(budget, s, q, g, scored), expected, "allocation");
        atMost(expected, budget, "budget");
    }

    function testFuzz_bonus_pays_only_what_is_above_the_best(uint16 median, uint16 best, uint96 point, uint96 cap)
        public
        pure
    {
        uint256 earned = RewardMath.bonus(median, best, point, cap);
        uint256 gain = median > best ? uint256(median - best) * point : 0;
        eq(earned, gain < cap ? gain : cap, "bonus");
    }

    function testFuzz_lower_median_has_as_many_below_as_above(uint256[] memory values) public pure {
        vm.assume(values.length > 0);
        uint256 n = values.length;
        uint256[] memory sorted = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            sorted[i] = values[i];
        }
        uint256 median = LowerMedian.inPlace(sorted, n);
        uint256 below = 0;
        uint256 above = 0;
        for (uint256 i = 0; i < n; ++i) {
            if (values[i] < median) ++below;
            if (values[i] > median) ++above;
        }
        atMost(below, (n - 1) / 2, "below");
        atMost(above, n / 2, "above");
        for (uint256 i = 1; i < n; ++i) {
            atMost(sorted[i - 1], sorted[i], "sorted");
        }
    }

    function test_there_is_no_median_of_nothing() public {
        vm.expectRevert(LowerMedian.NoValues.selector);
        this.medianOf(new uint256[](0), 0);
        vm.expectRevert(LowerMedian.NoValues.selector);
        this.medianOf(new uint256[](2), 3);
    }

    function medianOf(uint256[] memory values, uint256 n) external pure returns (uint256) {
        return LowerMedian.inPlace(values, n);
    }

    function testFuzz_a_word_is_in_range_if_each_lane_is(uint256 seed, bool spoil) public pure {
        uint256 word = 0;
        bool good = true;
        for (uint256 lane = 0; lane < 18; ++lane) {
            uint256 x = uint256(keccak256(abi.encode(seed, lane)));
            uint256 score = x % 3 == 0 ? ScorePacking.NO_SCORE : x % 5 == 0 ? 10_000 : (x >> 8) % 10_001;
            if (spoil && x % 17 == 0) {
                score = 10_001 + (x >> 8) % 6382;
                good = false;
            }
            word |= score << (14 * lane);
        }
        isTrue(ScorePacking.allInRange(word) == good, "range");
    }

    /// @dev The board's medians for any number of hospitals, any of which revealed, with any scores.
    function testFuzz_board_agrees_with_sorting(uint8 count, uint64 revealed, uint256 seed) public {
        uint256 n = within(count, 1, 64);
        revealed &= uint64(n == 64 ? type(uint64).max : (1 << n) - 1);
        for (uint256 by = 1; by <= n; ++by) {
            fill(by, n, seed);
        }
        ScoreBoard.Board memory board = ScoreBoard.load(work, revealed, n);
        eq(board.validators, RoundWords.count(revealed), "validators");
        for (uint256 id = 0; id <= n; ++id) {
            uint256[] memory scores = new uint256[](n);
            uint256 given = 0;
            for (uint256 by = 1; by <= n; ++by) {
                if ((revealed >> (by - 1)) & 1 == 0) continue;
                uint256 score = id == 0 ? scoreOf(seed, by, by) % 10_001 : scoreOf(seed, by, id);
                if (id != by && score != ScorePacking.NO_SCORE) scores[given++] = score;
            }
            (bool known, uint256 median) = id == 0 ? ScoreBoard.modelMedian(board) : ScoreBoard.qualityMedian(board, id);
            isTrue(known == (given >= 2), "known");
            eq(median, known ? LowerMedian.inPlace(scores, given) : 0, "median");
        }
    }

    function fill(uint256 by, uint256 n, uint256 seed) private {
        for (uint256 w = 0; w < 4; ++w) {
            work[by][w] = ScorePacking.EMPTY;
        }
        for (uint256 id = 1; id <= n; ++id) {
            uint256 score = by == id ? scoreOf(seed, by, by) % 10_001 : scoreOf(seed, by, id);
            uint256 w = (id - 1) / 18;
            work[by][w] = ScorePacking.set(work[by][w], 14 * ((id - 1) % 18), score);
        }
    }

    /// @dev Few values for some seeds, so that there are ties; and now and then none.
    function scoreOf(uint256 seed, uint256 by, uint256 id) private pure returns (uint256) {
        uint256 x = uint256(keccak256(abi.encode(seed, by, id)));
        if (by != id && x % 4 == 0) return ScorePacking.NO_SCORE;
        return seed % 2 == 0 ? (x >> 8) % 10_001 : 3333 * ((x >> 8) % 4);
    }

    function testFuzz_heads_survive_packing(
        uint8[3] memory small,
        uint16 rule,
        uint40[2] memory times,
        uint64[2] memory sets
    ) public pure {
        RoundWords.Head memory head = RoundWords.Head(
            small[0], small[1], small[2], rule, times[0], times[1], sets[0], sets[1]
        );
        RoundWords.Head memory again = RoundWords.unpackHead(RoundWords.pack(head));
        eq(keccak256(abi.encode(again)), keccak256(abi.encode(head)), "head");
    }

    function testFuzz_outcomes_survive_packing(uint64[2] memory sets, uint40[2] memory times, uint16 score, bool paid)
        public
        pure
    {
        RoundWords.Outcome memory o = RoundWords.Outcome(sets[0], sets[1], times[0], times[1], score, paid);
        uint256 word = RoundWords.pack(o);
        eq(keccak256(abi.encode(RoundWords.unpackOutcome(word))), keccak256(abi.encode(o)), "outcome");
        eq(RoundWords.closedAtOf(word), times[1], "closedAt");
        isTrue(RoundWords.paidOf(word) == paid, "paid");
    }

    function testFuzz_openings_and_emissions_survive_packing(
        uint64[2] memory x,
        uint16 y,
        uint112[2] memory z,
        bool flag
    ) public pure {
        RoundWords.Opening memory o = RoundWords.Opening(x[0], x[1], y, z[0]);
        eq(keccak256(abi.encode(RoundWords.unpackOpening(RoundWords.pack(o)))), keccak256(abi.encode(o)), "opening");
        RoundWords.Emission memory e = RoundWords.Emission(z[0], z[1], y, flag);
        eq(keccak256(abi.encode(RoundWords.unpackEmission(RoundWords.pack(e)))), keccak256(abi.encode(e)), "emission");
    }

    function testFuzz_results_survive_packing(uint96 amount, uint16 quality, uint16 rule, bool scored, bool held)
        public
        pure
    {
        uint128 word = RoundWords.pack(RoundWords.Result(amount, quality % 10_001, rule, scored, held));
        eq(RoundWords.allocationOf(word), amount, "allocation");
        eq(RoundWords.qualityOf(word), quality % 10_001, "quality");
        eq(RoundWords.ruleIdOf(word), rule, "ruleId");
        isTrue(RoundWords.deviceQualityScoredOf(word) == scored, "deviceQualityScored");
        isTrue((word & RoundWords.HELD != 0) == held, "held");
    }
}
