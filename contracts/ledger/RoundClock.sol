// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {RoundWords} from "../libraries/RoundWords.sol";
import {EpochRegistry} from "./EpochRegistry.sol";

// Phases, bits and zeros for "not yet", in words that also hold times; no balance.
// slither-disable-start incorrect-equality

/// @title RoundClock
/// @notice How a round moves from phase to phase: by itself when everybody who can act has acted, by anyone's call
/// after a deadline. No phase waits for a particular account for longer than its duration.
abstract contract RoundClock is EpochRegistry {
    /// @inheritdoc IContributionLedger
    function advance(uint64 round_) external {
        RoundWords.Head memory head = _load(round_);
        if (head.phase == uint256(Phase.Training)) {
            _requireDeadline(round_, head);
            _settle(round_, head);
            return;
        }
        if (!_advanceable(head.phase)) revert NotAdvanceable(round_, Phase(head.phase));
        if (head.acted != head.expected) _requireDeadline(round_, head);
        _moveOn(round_, head);
        _store(round_, head);
    }

    /// @inheritdoc IContributionLedger
    function fixBeacon(uint64 round_) external {
        RoundWords.Head memory head = _load(round_);
        _requirePhase(round_, head, Phase.Beacon);
        uint256 source = head.readyBlock + 1;
        if (block.number <= source) revert BeaconNotReady(round_, source + 1);

        bytes32 beacon = blockhash(source);
        if (beacon == 0) {
            head.readyBlock = block.number;
            emit BeaconReanchored(round_, block.number);
        } else {
            _rounds[round_].beacon = beacon;
            emit BeaconFixed(round_, beacon, source);
            _enter(round_, head, Phase.Training, 0, _TRAINING_SECONDS);
        }
        _store(round_, head);
    }

    /// @dev The caller's hospital and its bit; reverts unless it can act in this phase of the round, and has not yet.
    function _actor(uint64 round_, RoundWords.Head memory head, Phase phase)
        internal
        view
        returns (uint16 id, uint256 bit)
    {
        _requirePhase(round_, head, phase);
        id = _callingHospital();
        bit = RoundWords.bitOf(id);
        if (head.expected & bit == 0) {
            if (_rounds[round_].opening & bit == 0) revert NotInRound(round_, id);
            if (phase == Phase.Reveal) revert NotCommitted(round_, id);
            revert NotReady(round_, id);
        }
        if (head.acted & bit != 0) revert AlreadyActed(round_, phase, id);
    }

    /// @dev Record an act, and move on if it was the last one that can come.
    function _record(uint64 round_, RoundWords.Head memory head, uint256 bit) internal {
        head.acted |= bit;
        if (head.acted == head.expected && _advanceable(head.phase)) _moveOn(round_, head);
        _store(round_, head);
    }

    /// @dev Turn `head` to another phase, which `expected` can act in. The caller stores it.
    function _enter(uint64 round_, RoundWords.Head memory head, Phase phase, uint256 expected, uint256 duration)
        internal
    {
        head.phase = uint256(phase);
        head.expected = expected;
        head.acted = 0;
        head.deadline = phase == Phase.Beacon ? 0 : block.timestamp + duration;
        emit PhaseAdvanced(round_, phase, uint64(head.deadline));
    }

    function _requireDeadline(uint64 round_, RoundWords.Head memory head) internal view {
        if (block.timestamp < head.deadline) revert DeadlineNotReached(round_, uint64(head.deadline));
    }

    /// @dev Close the round, as paid if a digest was accepted.
    function _settle(uint64 round_, RoundWords.Head memory head) internal virtual;

    /// @dev Whether a phase is one in which hospitals act and that another such phase, or the beacon, follows.
    function _advanceable(uint256 phase) private pure returns (bool) {
        return phase == uint256(Phase.Ready) || (phase >= uint256(Phase.Commit) && phase <= uint256(Phase.Entry));
    }

    /// @dev End one of the phases in which hospitals act: keep who did, and say who can in the next one.
    function _moveOn(uint64 round_, RoundWords.Head memory head) private {
        Round storage r = _rounds[round_];
        uint256 acted_ = head.acted;
        if (head.phase == uint256(Phase.Ready)) {
            r.sets = acted_;
            head.readyBlock = block.number;
            _enter(round_, head, Phase.Beacon, 0, 0);
        } else if (head.phase == uint256(Phase.Commit)) {
            r.sets |= acted_ << 64;
            _enter(round_, head, Phase.Reveal, acted_, _REVEAL_SECONDS);
        } else if (head.phase == uint256(Phase.Reveal)) {
            uint256 sets = r.sets;
            r.sets = sets | (acted_ << 128);
            _enter(round_, head, Phase.Entry, uint64(sets), _ENTRY_SECONDS);
        } else {
            r.sets |= acted_ << 192;
            _enter(round_, head, Phase.Attest, uint64(r.opening), _ATTEST_SECONDS);
        }
    }
}

// slither-disable-end incorrect-equality
