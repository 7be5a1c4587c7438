// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {ConsortiumBase} from "./ConsortiumBase.sol";

/// @title Roles
/// @notice The named roles: coordinator, guardian with its pause, dispute court, and who receives what is slashed.
abstract contract Roles is ConsortiumBase {
    /// @inheritdoc IConsortium
    uint64 public constant MAX_PAUSE_SECONDS = 7 days;

    /// @inheritdoc IConsortium
    address public guardian;
    uint40 private _pausedUntil;
    uint40 private _nextPauseAt;

    /// @inheritdoc IConsortium
    address public disputeCourt;
    /// @inheritdoc IConsortium
    address public slashRecipient;

    constructor(address coordinator_, address guardian_) {
        _setCoordinator(coordinator_);
        _setGuardian(guardian_);
    }

    // Governance

    /// @inheritdoc IConsortium
    function setCoordinator(address coordinator_) external restricted {
        _setCoordinator(coordinator_);
    }

    /// @inheritdoc IConsortium
    function setGuardian(address guardian_) external restricted {
        _setGuardian(guardian_);
    }

    /// @inheritdoc IConsortium
    function setDisputeCourt(address court) external restricted {
        // slither-disable-next-line missing-zero-check -- zero is how governance takes the office away
        disputeCourt = court;
        emit DisputeCourtSet(court);
    }

    /// @inheritdoc IConsortium
    function setSlashRecipient(address recipient) external restricted {
        if (recipient == address(0) || recipient == address(this)) revert InvalidSlashRecipient(recipient);
        if (slashRecipient != address(0)) revert SlashRecipientFixed(slashRecipient);
        slashRecipient = recipient;
        emit SlashRecipientSet(recipient);
    }

    // Guardian

    /// @inheritdoc IConsortium
    function pauseClaims() external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        if (block.timestamp < _nextPauseAt) revert PauseCoolingDown(_nextPauseAt);
        uint64 until = uint64(block.timestamp) + MAX_PAUSE_SECONDS;
        _pausedUntil = uint40(until);
        _nextPauseAt = uint40(until + MAX_PAUSE_SECONDS);
        emit ClaimsPausedUntil(until);
    }

    /// @inheritdoc IConsortium
    function unpauseClaims() external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        if (!claimsPaused()) revert NotPaused();
        _pausedUntil = uint40(block.timestamp);
        _nextPauseAt = uint40(block.timestamp + MAX_PAUSE_SECONDS);
        emit ClaimsUnpaused();
    }

    /// @inheritdoc IConsortium
    function pauseState() external view returns (uint64 pausedUntil, uint64 nextPauseAt) {
        return (_pausedUntil, _nextPauseAt);
    }

    /// @inheritdoc IConsortium
    function claimsPaused() public view returns (bool) {
        return block.timestamp < _pausedUntil;
    }

    // Internals

    function _setCoordinator(address coordinator_) private {
        coordinator = coordinator_;
        emit CoordinatorSet(coordinator_);
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }
}
