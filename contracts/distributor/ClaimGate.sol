// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {IRewardDistributor} from "../interfaces/IRewardDistributor.sol";

/// @title ClaimGate
/// @notice When claims are paid: not under the guardian's pause (seven days at most, then a cool-down as long), and not
/// before a round's challenge window is over.
/// @dev One word, in the contract that pays: a claim reads it and calls nobody. The guardian is the consortium's.
abstract contract ClaimGate is IRewardDistributor {
    /// @inheritdoc IRewardDistributor
    uint64 public constant MAX_PAUSE_SECONDS = 7 days;

    IConsortium internal immutable _CONSORTIUM;

    uint40 private _pausedUntil;
    uint40 private _nextPauseAt;
    /// @inheritdoc IRewardDistributor
    uint64 public claimableUpTo;

    constructor(IContributionLedger ledger_) {
        if (address(ledger_) == address(0)) revert ZeroAddress();
        _CONSORTIUM = ledger_.consortium();
        _pausedUntil = uint40(block.timestamp); // no pause, but a word that no claim has to set up
    }

    modifier onlyGuardian() {
        if (msg.sender != _CONSORTIUM.guardian()) revert NotGuardian(msg.sender);
        _;
    }

    /// @inheritdoc IRewardDistributor
    function pauseClaims() external onlyGuardian {
        if (block.timestamp < _nextPauseAt) revert PauseCoolingDown(_nextPauseAt);
        uint64 until = uint64(block.timestamp) + MAX_PAUSE_SECONDS;
        _pausedUntil = uint40(until);
        _nextPauseAt = uint40(until + MAX_PAUSE_SECONDS);
        emit ClaimsPausedUntil(until);
    }

    /// @inheritdoc IRewardDistributor
    function unpauseClaims() external onlyGuardian {
        if (!claimsPaused()) revert NotPaused();
        _pausedUntil = uint40(block.timestamp);
        _nextPauseAt = uint40(block.timestamp + MAX_PAUSE_SECONDS);
        emit ClaimsUnpaused();
    }

    /// @inheritdoc IRewardDistributor
    function pauseState() external view returns (uint64 pausedUntil, uint64 nextPauseAt) {
        return (_pausedUntil, _nextPauseAt);
    }

    /// @inheritdoc IRewardDistributor
    function claimsPaused() public view returns (bool) {
        return block.timestamp < _pausedUntil;
    }

    /// @dev `claimableUpTo`, unless claims are paused.
    function _enter() internal view returns (uint256) {
        if (claimsPaused()) revert ClaimsPaused();
        return claimableUpTo;
    }

    /// @dev Claims were paid of rounds up to `last`, where those up to `open` were known to be claimable.
    function _leave(uint256 open, uint256 last) internal {
        if (last > open) claimableUpTo = uint64(last);
    }
}
