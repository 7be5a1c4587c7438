// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {ConsortiumBase} from "./ConsortiumBase.sol";

/// @title Roles
/// @notice The named roles: coordinator, guardian, dispute court, and who receives what is slashed.
abstract contract Roles is ConsortiumBase {
    /// @inheritdoc IConsortium
    address public guardian;
    /// @inheritdoc IConsortium
    address public disputeCourt;
    /// @inheritdoc IConsortium
    address public slashRecipient;
    /// @dev The court in office, or the last one that was.
    address internal _lastCourt;

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
        if (court != address(0)) _lastCourt = court;
        emit DisputeCourtSet(court);
    }

    /// @inheritdoc IConsortium
    function setSlashRecipient(address recipient) external restricted {
        if (recipient == address(0) || recipient == address(this)) revert InvalidSlashRecipient(recipient);
        if (slashRecipient != address(0)) revert SlashRecipientFixed(slashRecipient);
        slashRecipient = recipient;
        emit SlashRecipientSet(recipient);
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
