// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {RewardMath} from "../libraries/RewardMath.sol";
import {RoundWords} from "../libraries/RoundWords.sol";
import {PackedRule} from "../libraries/RulePacking.sol";
import {ScoreBoard} from "../libraries/ScoreBoard.sol";
import {ScorePacking} from "../libraries/ScorePacking.sol";
import {Contributions} from "./Contributions.sol";

// Phases, bits and zeros for "not yet", in words that also hold times; no balance.
// slither-disable-start incorrect-equality

/// @title Settlement
/// @notice Closing a round: medians of what was revealed, the budget, and each hospital's allocation of it.
abstract contract Settlement is Contributions {
    /// @dev What allocations share.
    struct Pot {
        uint256 budget;
        uint256 bonus;
        uint256 volume;
        uint256 compute;
        uint256 allocated;
        uint256 counted; // hospitals whose entry counts
    }

    /// @inheritdoc IContributionLedger
    function closeRound(uint64 round_) external {
        RoundWords.Head memory head = _load(round_);
        _requirePhase(round_, head, Phase.Attest);
        if (head.acted != head.expected) _requireDeadline(round_, head);
        _settle(round_, head);
    }

    /// @dev Unpaid: the base emission rolls over, and nothing else changes. Paid: everything rolled over is spent.
    function _settle(uint64 round_, RoundWords.Head memory head) internal override {
        Round storage r = _rounds[round_];
        bytes32 accepted = r.acceptedDigest;
        RoundWords.Emission memory emission = RoundWords.unpackEmission(_emission);
        RoundWords.Outcome memory outcome = RoundWords.unpackOutcome(r.outcome);
        outcome.closedAt = block.timestamp;
        outcome.paid = accepted != 0;

        // slither-disable-next-line uninitialized-local -- begins with zeros
        Pot memory pot;
        if (outcome.paid) {
            _pay(round_, head, emission, outcome, pot);
            totalAllocated += pot.allocated;
            r.opening |= pot.budget << 144;
            emission.rolledOver = 0;
        } else {
            emission.rolledOver += emission.next;
            if (emission.rolledOver > _MAX_SUPPLY) emission.rolledOver = _MAX_SUPPLY;
        }
        emission.next = (emission.next * _EMISSION_DECAY_BPS) / RewardMath.FULL;
        _emission = RoundWords.pack(emission);
        r.outcome = RoundWords.pack(outcome);
        head.phase = uint256(Phase.Closed);
        head.deadline = 0;
        _store(round_, head);
        emit PhaseAdvanced(round_, Phase.Closed, 0);
        emit RoundClosed(round_, outcome.paid, pot.budget, pot.bonus, pot.volume, pot.compute, accepted);
    }

    function _pay(
        uint64 round_,
        RoundWords.Head memory head,
        RoundWords.Emission memory emission,
        RoundWords.Outcome memory outcome,
        Pot memory pot
    ) private {
        uint256 sets = _rounds[round_].sets;
        ScoreBoard.Board memory board = ScoreBoard.load(_work, uint64(sets >> 128), head.hospitals);
        pot.bonus = _modelBonus(board, emission, outcome);
        pot.budget = emission.next + emission.rolledOver + pot.bonus;
        uint256 left = _MAX_SUPPLY - totalAllocated;
        if (pot.budget > left) pot.budget = left;

        // submitted, revealed, attested the accepted digest, and not voided
        pot.counted =
            (sets >> 192) & (sets >> 128) & _attestations[round_][_rounds[round_].acceptedDigest] & ~outcome.voided;
        uint256[] memory lanes = new uint256[](head.hospitals);
        for (uint256 i = 0; i < lanes.length; ++i) {
            if ((pot.counted >> i) & 1 == 0) continue;
            uint256 sums = _entries[_key(round_, i + 1)].lanes;
            lanes[i] = sums;
            pot.volume += uint48(sums >> 32);
            pot.compute += uint48(sums >> 80);
        }
        uint256[] memory qualities = _qualities(board, head, uint64(_rounds[round_].opening));
        _allocate(round_, head, pot, lanes, qualities, outcome.frozen);
        uint256 lost = (sets >> 192) & ~pot.counted;
        for (uint256 id = 1; lost != 0; ++id) {
            if (lost & 1 == 1) emit Forfeited(round_, uint16(id));
            lost >>= 1;
        }
    }

    /// @dev Write each counted hospital's result.
    function _allocate(
        uint64 round_,
        RoundWords.Head memory head,
        Pot memory pot,
        uint256[] memory lanes,
        uint256[] memory qualities,
        uint256 frozen
    ) private {
        PackedRule rule_ = _packedRule(head.ruleId);
        bool scored = RewardMath.hospitalQualityScored(head.profile);
        // slither-disable-next-line uninitialized-local -- begins with zeros
        RoundWords.Result memory result;
        result.ruleId = head.ruleId;
        result.deviceQualityScored = RewardMath.deviceQualityScored(head.profile);
        uint256[4] memory capacities = consortium.capacityWords();
        uint128[64] storage results = _results[round_];
        for (uint256 i = 0; i < lanes.length; ++i) {
            if ((pot.counted >> i) & 1 == 0) continue;
            uint256 share = _share(rule_, uint16(capacities[i >> 4] >> (16 * (i & 15))), lanes[i], pot);
            uint256 quality = qualities[i];
            uint256 amount = RewardMath.hospitalAllocation(pot.budget, share, quality, rule_.hospitalGate(), scored);
            pot.allocated += amount;
            result.allocation = amount;
            result.quality = quality;
            result.held = (frozen >> i) & 1 == 1;
            results[i] = RoundWords.pack(result);
            emit Allocated(round_, uint16(i + 1), uint16(quality), share, amount);
        }
    }

    /// @dev A hospital's share, of 1e18.
    function _share(PackedRule rule_, uint256 capacityBps, uint256 sums, Pot memory pot)
        private
        pure
        returns (uint256)
    {
        return RewardMath.shareE18(rule_, capacityBps, uint48(sums >> 32), pot.volume, uint48(sums >> 80), pot.compute);
    }

    /// @dev The bonus for the median model score; keeps the median as the best so far if it is.
    function _modelBonus(
        ScoreBoard.Board memory board,
        RoundWords.Emission memory emission,
        RoundWords.Outcome memory outcome
    ) private view returns (uint256 earned) {
        (bool known, uint256 median) = ScoreBoard.modelMedian(board);
        if (!known) return 0;
        outcome.medianModelScore = median;
        uint256 best = emission.bestModelScore;
        if (emission.bestKnown) earned = RewardMath.bonus(median, best, _BONUS_PER_POINT, _BONUS_CAP);
        if (median > best) emission.bestModelScore = median;
        emission.bestKnown = true;
    }

    /// @dev Each hospital's quality: the lower median of at least two scores by others, else the last one accepted.
    /// Where quality is not scored, full marks, and the last ones stay.
    function _qualities(ScoreBoard.Board memory board, RoundWords.Head memory head, uint256 active)
        private
        returns (uint256[] memory qualities)
    {
        uint256 hospitals = head.hospitals;
        bool scored = RewardMath.hospitalQualityScored(head.profile);
        qualities = new uint256[](hospitals);
        uint256 word = 0; // last qualities of 18 hospitals
        for (uint256 i = 0; i < hospitals; ++i) {
            if (i % ScorePacking.LANES == 0) word = _lastQualities[i / ScorePacking.LANES];
            qualities[i] = RewardMath.FULL;
            if (!scored || (active >> i) & 1 == 0) continue;
            (bool rated, uint256 median) = ScoreBoard.qualityMedian(board, i + 1);
            uint256 shift = ScorePacking.shiftOf(i + 1);
            uint256 last = ScorePacking.get(word, shift);
            if (rated && last != median + 1) {
                last = median + 1;
                word = ScorePacking.set(word, shift, last);
                _lastQualities[i / ScorePacking.LANES] = word;
            }
            if (last != 0) qualities[i] = last - 1;
        }
    }
}

// slither-disable-end incorrect-equality
