// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {LedgerBase} from "./LedgerBase.sol";

/// @title EpochRegistry
/// @notice What a hospital fixes for an epoch of 256 rounds before any of their beacons is known.
abstract contract EpochRegistry is LedgerBase {
    mapping(uint256 hospital => mapping(uint256 epoch => EpochRegistration)) private _registrations;

    /// @inheritdoc IContributionLedger
    function registerEpoch(uint64 epoch, bytes32 rosterRoot, uint32 rosterSize, bytes32 noiseSeedCommitment) external {
        uint16 id = _callingHospital();
        uint64 current = currentRound >> 8;
        if (epoch < current) revert EpochPassed(epoch, current);
        _requireDigest(rosterRoot);
        _requireDigest(noiseSeedCommitment);
        if (rosterSize == 0) revert EmptyRoster();
        EpochRegistration storage registration = _registrations[id][epoch];
        if (registration.rosterSize != 0) revert EpochAlreadyRegistered(id, epoch);

        registration.rosterRoot = rosterRoot;
        registration.noiseSeedCommitment = noiseSeedCommitment;
        registration.rosterSize = rosterSize;
        emit EpochRegistered(id, epoch, rosterRoot, rosterSize, noiseSeedCommitment);
    }

    /// @inheritdoc IContributionLedger
    function epochRegistration(uint16 hospital, uint64 epoch) external view returns (EpochRegistration memory) {
        return _registrations[hospital][epoch];
    }

    /// @dev Devices on the roster that the hospital registered for the round's epoch; 0 without a registration.
    function _rosterSize(uint256 id, uint256 round_) internal view returns (uint256) {
        return _registrations[id][round_ >> 8].rosterSize;
    }
}
