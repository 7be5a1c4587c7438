// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {RewardRule} from "../../interfaces/ILedgerTypes.sol";
import {RoundWords} from "../../libraries/RoundWords.sol";
import {PackedRule, RulePacking} from "../../libraries/RulePacking.sol";
import {ScorePacking} from "../../libraries/ScorePacking.sol";

/// @title PackingProofs
/// @notice What is packed is what is read, for every value of every field at its full width.
contract PackingProofs {
    function check_rules_survive_packing(RewardRule memory rule) public pure {
        PackedRule packed = RulePacking.pack(rule);
        RewardRule memory again = packed.unpack();
        assert(again.wVolume == rule.wVolume && again.wQuality == rule.wQuality && again.wCompute == rule.wCompute);
        assert(again.deviceGate == rule.deviceGate && again.hospitalGate == rule.hospitalGate);
        assert(again.shareVolume == rule.shareVolume && again.shareCompute == rule.shareCompute);
        assert(again.operatorBps == rule.operatorBps);
        for (uint256 i = 0; i < 4; ++i) {
            assert(packed.volumeCap(i) == rule.volumeCap[i] && again.volumeCap[i] == rule.volumeCap[i]);
            assert(packed.computeCap(i) == rule.computeCap[i] && again.computeCap[i] == rule.computeCap[i]);
        }
    }

    function check_heads_survive_packing(
        uint8 phase,
        uint8 profile,
        uint8 hospitals,
        uint16 ruleId,
        uint40 deadline,
        uint48 readyBlock,
        uint64 expected,
        uint64 acted
    ) public pure {
        RoundWords.Head memory h =
            RoundWords.Head(phase, profile, hospitals, ruleId, deadline, readyBlock, expected, acted);
        RoundWords.Head memory again = RoundWords.unpackHead(RoundWords.pack(h));
        assert(again.phase == phase && again.profile == profile && again.hospitals == hospitals);
        assert(again.ruleId == ruleId && again.deadline == deadline && again.readyBlock == readyBlock);
        assert(again.expected == expected && again.acted == acted);
    }

    function check_outcomes_survive_packing(
        uint64 frozen,
        uint64 voided,
        uint40 openedAt,
        uint40 closedAt,
        uint16 score,
        bool paid
    ) public pure {
        uint256 word = RoundWords.pack(RoundWords.Outcome(frozen, voided, openedAt, closedAt, score, paid));
        RoundWords.Outcome memory again = RoundWords.unpackOutcome(word);
        assert(again.frozen == frozen && again.voided == voided);
        assert(again.openedAt == openedAt && again.closedAt == closedAt && RoundWords.closedAtOf(word) == closedAt);
        assert(again.medianModelScore == score && again.paid == paid && RoundWords.paidOf(word) == paid);
    }

    function check_results_survive_packing(uint96 amount, uint16 quality, uint16 ruleId, bool scored, bool held)
        public
        pure
    {
        if (quality > ScorePacking.MAX_SCORE) return;
        uint128 word = RoundWords.pack(RoundWords.Result(amount, quality, ruleId, scored, held));
        assert(RoundWords.allocationOf(word) == amount && RoundWords.qualityOf(word) == quality);
        assert(RoundWords.ruleIdOf(word) == ruleId && RoundWords.deviceQualityScoredOf(word) == scored);
        assert((word & RoundWords.HELD != 0) == held);
    }

    function check_a_voided_result_keeps_all_but_its_allocation(
        uint96 amount,
        uint16 quality,
        uint16 ruleId,
        bool scored
    ) public pure {
        if (quality > ScorePacking.MAX_SCORE) return;
        uint128 word = RoundWords.pack(RoundWords.Result(amount, quality, ruleId, scored, true));
        uint128 voided = word - RoundWords.allocationOf(word); // as EntryDisputes.voidEntry does
        assert(voided == RoundWords.pack(RoundWords.Result(0, quality, ruleId, scored, true)));
    }

    function check_openings_survive_packing(uint64 active, uint64 rhoMicro, uint16 opener, uint112 budget) public pure {
        RoundWords.Opening memory again =
            RoundWords.unpackOpening(RoundWords.pack(RoundWords.Opening(active, rhoMicro, opener, budget)));
        assert(again.active == active && again.rhoMicro == rhoMicro);
        assert(again.opener == opener && again.budget == budget);
    }

    function check_emissions_survive_packing(uint112 next, uint112 rolledOver, uint16 best, bool known) public pure {
        RoundWords.Emission memory again =
            RoundWords.unpackEmission(RoundWords.pack(RoundWords.Emission(next, rolledOver, best, known)));
        assert(again.next == next && again.rolledOver == rolledOver);
        assert(again.bestModelScore == best && again.bestKnown == known);
    }

    function check_a_score_is_read_where_it_was_set_and_no_other_is_touched(
        uint256 word,
        uint8 lane,
        uint8 other,
        uint16 score
    ) public pure {
        if (lane >= ScorePacking.LANES || other >= ScorePacking.LANES || score > ScorePacking.NO_SCORE) return;
        uint256 shift = ScorePacking.BITS * lane;
        uint256 elsewhere = ScorePacking.BITS * other;
        uint256 changed = ScorePacking.set(word, shift, score);
        assert(ScorePacking.get(changed, shift) == score);
        if (other != lane) assert(ScorePacking.get(changed, elsewhere) == ScorePacking.get(word, elsewhere));
        assert(changed >> 252 == word >> 252);
    }

    function check_a_word_is_in_range_exactly_if_each_lane_is(uint256 word) public pure {
        bool all = true;
        for (uint256 lane = 0; lane < ScorePacking.LANES; ++lane) {
            uint256 score = ScorePacking.get(word, ScorePacking.BITS * lane);
            assembly ("memory-safe") {
                // without a branch, of which 18 lanes would make 2^18 paths
                all := and(all, or(iszero(gt(score, 10000)), eq(score, 0x3FFF)))
            }
        }
        assert(ScorePacking.allInRange(word) == all);
    }
}
