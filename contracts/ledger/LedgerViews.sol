// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {Lanes} from "../interfaces/ILedgerTypes.sol";
import {RewardMath} from "../libraries/RewardMath.sol";
import {PackedRule} from "../libraries/RulePacking.sol";
import {RoundWords} from "../libraries/RoundWords.sol";
import {ScorePacking} from "../libraries/ScorePacking.sol";
import {LedgerBase} from "./LedgerBase.sol";

// Phases, bits and zeros for "not yet", in words that also hold times; no balance.
// slither-disable-start incorrect-equality

/// @title LedgerViews
/// @notice Reading the record.
abstract contract LedgerViews is LedgerBase {
    /// @inheritdoc IContributionLedger
    function params() external view returns (Params memory p) {
        p.maxSupply = _MAX_SUPPLY;
        p.initialEmission = _INITIAL_EMISSION;
        p.emissionDecayBps = uint16(_EMISSION_DECAY_BPS);
        p.bonusPerPoint = _BONUS_PER_POINT;
        p.bonusCap = _BONUS_CAP;
        p.kMin = uint32(_K_MIN);
        p.rhoCapMicro = uint64(_RHO_CAP_MICRO);
        p.readySeconds = uint64(_READY_SECONDS);
        p.trainingSeconds = uint64(_TRAINING_SECONDS);
        p.commitSeconds = uint64(_COMMIT_SECONDS);
        p.revealSeconds = uint64(_REVEAL_SECONDS);
        p.entrySeconds = uint64(_ENTRY_SECONDS);
        p.attestSeconds = uint64(_ATTEST_SECONDS);
        p.challengeSeconds = uint64(_CHALLENGE_SECONDS);
        p.idleSeconds = uint64(_IDLE_SECONDS);
        p.maxFreezeSeconds = uint64(_MAX_FREEZE_SECONDS);
        p.disclosedTree = _DISCLOSED_TREE;
    }

    /// @inheritdoc IContributionLedger
    function round(uint64 round_) external view returns (RoundView memory v) {
        Round storage r = _rounds[round_];
        RoundWords.Head memory head = _load(round_);
        RoundWords.Outcome memory outcome = RoundWords.unpackOutcome(r.outcome);
        RoundWords.Opening memory opening = RoundWords.unpackOpening(r.opening);
        v.phase = Phase(head.phase);
        v.paid = outcome.paid;
        v.profile = uint8(head.profile);
        v.ruleId = uint16(head.ruleId);
        v.activeSet = opening.active << 1;
        v.hospitalCount = uint16(head.hospitals);
        v.opener = uint16(opening.opener);
        v.specHash = r.specHash;
        v.modelHash = r.modelHash;
        v.modelHashAfter = r.modelHashAfter;
        v.beacon = r.beacon;
        v.readyBlock = uint64(head.readyBlock);
        v.phaseDeadline = uint64(head.deadline);
        v.openedAt = uint64(outcome.openedAt);
        v.closedAt = uint64(outcome.closedAt);
        v.claimableAt = claimableAt(round_);
        v.budget = opening.budget;
        v.acceptedDigest = r.acceptedDigest;
        v.rhoMicro = uint64(opening.rhoMicro);
        v.medianModelScore = uint16(outcome.medianModelScore);
    }

    /// @inheritdoc IContributionLedger
    function entry(uint64 round_, uint16 hospital) external view returns (EntryView memory v) {
        uint256 bit = RoundWords.bitOf(hospital);
        if (bit == 0) return v;
        Round storage r = _rounds[round_];
        Entry storage e = _entries[_key(round_, hospital)];
        v.root = e.root;
        v.lanes = _unpackLanes(e.lanes);
        v.ready = _actedIn(round_, Phase.Ready) & bit != 0;
        v.committed = _actedIn(round_, Phase.Commit) & bit != 0;
        v.revealed = _actedIn(round_, Phase.Reveal) & bit != 0;
        v.submitted = v.root != 0;
        bytes32 accepted = r.acceptedDigest;
        uint256 attesters = accepted == 0 ? _actedIn(round_, Phase.Attest) : _attestations[round_][accepted];
        v.attested = attesters & bit != 0;
        v.frozen = r.outcome & bit != 0;
        v.voided = (r.outcome >> 64) & bit != 0;
        uint128 result = _results[round_][hospital - 1];
        v.allocation = RoundWords.allocationOf(result);
        v.quality = uint16(RoundWords.qualityOf(result));
    }

    /// @inheritdoc IContributionLedger
    function claimableAt(uint64 round_) public view returns (uint64) {
        uint256 closedAt = RoundWords.closedAtOf(_rounds[round_].outcome);
        return closedAt == 0 ? 0 : uint64(closedAt + _CHALLENGE_SECONDS);
    }

    /// @inheritdoc IContributionLedger
    function claimBasis(uint64 round_, uint16 hospital, uint256 open)
        external
        view
        returns (Standing standing, bool deviceQualityScored, bytes32 root, uint256 allocation, PackedRule packedRule)
    {
        if (round_ > open && block.timestamp < claimableAt(round_)) {
            return (Standing.WindowOpen, false, 0, 0, packedRule);
        }
        uint128 result = RoundWords.bitOf(hospital) == 0 ? 0 : _results[round_][hospital - 1];
        if (result == 0) {
            uint256 outcome = _rounds[round_].outcome;
            if (RoundWords.closedAtOf(outcome) == 0) standing = Standing.NotClosed;
            else standing = RoundWords.paidOf(outcome) ? Standing.NotAllocated : Standing.Unpaid;
        } else {
            standing = result & RoundWords.HELD == 0 ? Standing.Payable : Standing.Held;
            deviceQualityScored = RoundWords.deviceQualityScoredOf(result);
            root = _entries[_key(round_, hospital)].root;
            allocation = RoundWords.allocationOf(result);
            packedRule = _packedRule(RoundWords.ruleIdOf(result));
        }
    }

    /// @inheritdoc IContributionLedger
    function entryWeights(uint64 round_, uint16 hospital) external view returns (uint64 treasury, uint64 device) {
        uint256 lanes = _entries[_key(round_, hospital)].lanes;
        return (uint64(lanes >> 128), uint64(lanes >> 192));
    }

    /// @inheritdoc IContributionLedger
    function acted(uint64 round_, Phase phase, uint16 hospital) external view returns (bool) {
        return _actedIn(round_, phase) & RoundWords.bitOf(hospital) != 0;
    }

    /// @inheritdoc IContributionLedger
    function commitmentOf(uint64 round_, uint16 hospital) external view returns (bytes32) {
        uint256 open = _actedIn(round_, Phase.Commit) & ~_actedIn(round_, Phase.Reveal);
        if (round_ != currentRound || open & RoundWords.bitOf(hospital) == 0) return 0;
        return bytes32(_work[hospital][0]);
    }

    /// @inheritdoc IContributionLedger
    function attestations(uint64 round_, bytes32 roundDigest) external view returns (uint256) {
        return _attestations[round_][roundDigest] << 1;
    }

    /// @inheritdoc IContributionLedger
    function nextEmission() external view returns (uint256) {
        return RoundWords.unpackEmission(_emission).next;
    }

    /// @inheritdoc IContributionLedger
    function rolledOver() external view returns (uint256) {
        return RoundWords.unpackEmission(_emission).rolledOver;
    }

    /// @inheritdoc IContributionLedger
    function bestModelScore() external view returns (uint16 score, bool known) {
        RoundWords.Emission memory emission = RoundWords.unpackEmission(_emission);
        return (uint16(emission.bestModelScore), emission.bestKnown);
    }

    /// @inheritdoc IContributionLedger
    function lastQuality(uint16 hospital) external view returns (uint16) {
        if (RoundWords.bitOf(hospital) == 0) return uint16(RewardMath.FULL);
        uint256 word = _lastQualities[ScorePacking.wordOf(hospital)];
        uint256 stored = ScorePacking.get(word, ScorePacking.shiftOf(hospital));
        return stored == 0 ? uint16(RewardMath.FULL) : uint16(stored - 1);
    }

    /// @dev The rule of that id, packed.
    function _packedRule(uint256 ruleId) internal view virtual returns (PackedRule);

    /// @dev Who acted in a phase, be it present or past.
    function _actedIn(uint256 round_, Phase phase) private view returns (uint256) {
        RoundWords.Head memory head = _load(round_);
        bool closed = head.phase == uint256(Phase.Closed) && phase == Phase.Attest;
        if (closed || head.phase == uint256(phase)) return head.acted;
        uint256 sets = _rounds[round_].sets;
        if (phase == Phase.Ready) return uint64(sets);
        if (phase == Phase.Commit) return uint64(sets >> 64);
        if (phase == Phase.Reveal) return uint64(sets >> 128);
        if (phase == Phase.Entry) return sets >> 192;
        return 0;
    }

    function _unpackLanes(uint256 packed) private pure returns (Lanes memory) {
        return Lanes({
            n: uint32(packed),
            volume: uint48(packed >> 32),
            compute: uint48(packed >> 80),
            weightTreasury: uint64(packed >> 128),
            weightDevice: uint64(packed >> 192)
        });
    }
}

// slither-disable-end incorrect-equality
