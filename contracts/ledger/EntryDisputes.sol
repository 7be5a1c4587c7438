// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {RoundWords} from "../libraries/RoundWords.sol";
import {LedgerBase} from "./LedgerBase.sol";

/// @title EntryDisputes
/// @notice The hook of the dispute court: it holds back one hospital's entry, never a round, and may void it unminted.
/// @dev An entry can be frozen until claims open, and is claimed only from then on, so a void never takes back what
/// was minted. A court that falls silent cannot strand an entry: after `maxFreezeSeconds` anyone may release it.
abstract contract EntryDisputes is LedgerBase {
    mapping(uint256 key => uint256) private _releasableAt;

    modifier onlyCourt() {
        if (!_isCourt()) revert NotDisputeCourt(msg.sender);
        _;
    }

    /// @inheritdoc IContributionLedger
    function freezeEntry(uint64 round_, uint16 hospital) external onlyCourt {
        if (_entries[_key(round_, hospital)].root == 0) revert NoEntry(round_, hospital);
        RoundWords.Outcome memory outcome = RoundWords.unpackOutcome(_rounds[round_].outcome);
        uint256 bit = RoundWords.bitOf(hospital);
        if ((outcome.frozen | outcome.voided) & bit != 0) revert AlreadyHeld(round_, hospital);
        uint256 windowEnd = outcome.closedAt + _CHALLENGE_SECONDS;
        if (outcome.closedAt != 0 && block.timestamp >= windowEnd) {
            revert ChallengeWindowOver(round_, uint64(windowEnd));
        }

        _rounds[round_].outcome |= bit;
        uint128 result = _results[round_][hospital - 1];
        if (result != 0) _results[round_][hospital - 1] = result | RoundWords.HELD;
        uint256 until = block.timestamp + _MAX_FREEZE_SECONDS;
        _releasableAt[_key(round_, hospital)] = until;
        emit EntryFrozen(round_, hospital, uint64(until));
    }

    /// @inheritdoc IContributionLedger
    function releaseEntry(uint64 round_, uint16 hospital) external {
        uint256 bit = _frozenBit(round_, hospital);
        if (!_isCourt()) {
            uint256 until = _releasableAt[_key(round_, hospital)];
            if (block.timestamp < until) revert FreezeRunning(round_, hospital, uint64(until));
        }
        _rounds[round_].outcome ^= bit;
        _results[round_][hospital - 1] &= ~RoundWords.HELD;
        emit EntryReleased(round_, hospital);
    }

    /// @inheritdoc IContributionLedger
    function voidEntry(uint64 round_, uint16 hospital) external onlyCourt {
        uint256 bit = _frozenBit(round_, hospital);
        _rounds[round_].outcome ^= bit | (bit << 64);
        uint128 result = _results[round_][hospital - 1];
        uint96 amount = RoundWords.allocationOf(result);
        _results[round_][hospital - 1] = result - amount; // the rest of it stays, held for good
        totalAllocated -= amount;
        emit EntryVoided(round_, hospital, amount);
    }

    function _isCourt() private view returns (bool) {
        return msg.sender == consortium.disputeCourt();
    }

    /// @dev The bit of a hospital whose entry is frozen, and so not voided.
    function _frozenBit(uint64 round_, uint16 hospital) private view returns (uint256 bit) {
        bit = RoundWords.bitOf(hospital);
        // slither-disable-next-line incorrect-equality -- a bit of a set, in a word that also holds times
        if (_rounds[round_].outcome & bit == 0) revert NotFrozen(round_, hospital);
    }
}
