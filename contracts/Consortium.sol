// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Accounts} from "./consortium/Accounts.sol";
import {Bonds} from "./consortium/Bonds.sol";
import {ConsortiumBase} from "./consortium/ConsortiumBase.sol";
import {Roles} from "./consortium/Roles.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";

/// @title Consortium
/// @notice Hospitals, their accounts and bonds, and the named roles; see IConsortium. Its parts are in `consortium/`:
/// accounts, bonds and roles. Here governance admits and suspends.
contract Consortium is Accounts, Bonds {
    /// @inheritdoc IConsortium
    uint256 public constant MAX_HOSPITALS = 64;

    uint256[4] private _capacityWords;

    /// @notice Found a consortium without hospitals.
    /// @param authority_ The AccessManager through which governance acts.
    /// @param settlement_ The token in which bonds are posted.
    /// @param bondAmount_ The bond a hospital posts.
    /// @param exitSeconds_ Seconds between leaving and the release of the bond, at most MAX_EXIT_SECONDS; zero on local
    /// chains only.
    /// @param coordinator_ The first coordinator.
    /// @param guardian_ The first guardian.
    constructor(
        address authority_,
        IERC20 settlement_,
        uint256 bondAmount_,
        uint64 exitSeconds_,
        address coordinator_,
        address guardian_
    ) AccessManaged(authority_) ConsortiumBase(settlement_, bondAmount_, exitSeconds_) Roles(coordinator_, guardian_) {
        if (authority_ == address(0)) revert ZeroAddress();
    }

    /// @inheritdoc IConsortium
    function admit(address account, uint16 capacityBps) external restricted returns (uint16 id) {
        if (account == address(0)) revert ZeroAddress();
        if (capacityBps == 0 || capacityBps > 10_000) revert InvalidCapacity(capacityBps);
        if (hospitalCount == MAX_HOSPITALS) revert TooManyHospitals(MAX_HOSPITALS);
        _requireFree(account);

        id = ++hospitalCount;
        _members[account] = id;
        Hospital storage h = _hospitals[id];
        _appoint(id, h, account);
        h.capacityBps = capacityBps;
        h.status = Status.Admitted;
        uint256 index = id - 1;
        _capacityWords[index >> 4] |= uint256(capacityBps) << (16 * (index & 15));
        emit HospitalAdmitted(id, account, capacityBps);
    }

    /// @inheritdoc IConsortium
    function suspend(uint16 id) external restricted {
        Hospital storage h = _known(id);
        if (h.status != Status.Active && h.status != Status.BondDue) revert WrongStatus(id, h.status);
        if (_active == _bitOf(id)) revert LastActiveHospital(id);
        _setStatus(id, h, Status.Suspended);
        emit HospitalSuspended(id);
    }

    /// @inheritdoc IConsortium
    function reinstate(uint16 id) external restricted {
        Hospital storage h = _requireStatus(id, Status.Suspended);
        if (h.bond < bondAmount) revert BondShort(id, bondAmount - h.bond);
        _setStatus(id, h, Status.Active);
        emit HospitalReinstated(id);
    }

    /// @inheritdoc IConsortium
    function activeSet() external view returns (uint256) {
        return uint256(_active) << 1;
    }

    /// @inheritdoc IConsortium
    function roster() external view returns (address coordinator_, uint256 activeSet_, uint16 hospitalCount_) {
        return (coordinator, uint256(_active) << 1, hospitalCount);
    }

    /// @inheritdoc IConsortium
    function hospital(uint16 id) external view returns (HospitalView memory) {
        Hospital storage h = _hospitals[id];
        return HospitalView(h.account, h.capacityBps, h.status, h.bond, h.bondReleaseAt);
    }

    /// @inheritdoc IConsortium
    function capacityWords() external view returns (uint256[4] memory) {
        return _capacityWords;
    }
}
