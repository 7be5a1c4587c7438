// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {Roles} from "./Roles.sol";

/// @title Bonds
/// @notice What a hospital has at stake: posted on joining, slashed by the dispute court, topped up, released on leaving.
abstract contract Bonds is Roles {
    using SafeERC20 for IERC20;

    /// @inheritdoc IConsortium
    function postBond() external {
        uint16 id = _callingHospital();
        Hospital storage h = _requireStatus(id, Status.Admitted);
        h.bond = bondAmount;
        _setStatus(id, h, Status.Active);
        emit BondPosted(id, bondAmount);
        _pull(bondAmount);
    }

    /// @inheritdoc IConsortium
    function topUpBond() external {
        uint16 id = _callingHospital();
        Hospital storage h = _hospitals[id];
        if (h.status == Status.Admitted || h.status == Status.Left) revert WrongStatus(id, h.status);
        uint256 missing = bondAmount - h.bond;
        if (missing == 0) revert BondComplete(id);
        h.bond = bondAmount;
        if (h.status == Status.BondDue) _setStatus(id, h, Status.Active);
        emit BondToppedUp(id, missing);
        _pull(missing);
    }

    /// @inheritdoc IConsortium
    function slash(uint16 id, uint256 amount) external returns (uint256 slashed) {
        if (msg.sender != courtOver(id)) revert NotDisputeCourt(msg.sender);
        if (slashRecipient == address(0)) revert NoSlashRecipient();
        Hospital storage h = _known(id);
        uint256 bond = h.bond;
        slashed = amount < bond ? amount : bond;
        if (slashed == 0) return 0;
        h.bond = bond - slashed;
        if (h.status == Status.Active) _setStatus(id, h, Status.BondDue);
        emit BondSlashed(id, slashRecipient, slashed, bond - slashed);
        settlement.safeTransfer(slashRecipient, slashed);
    }

    /// @inheritdoc IConsortium
    function resign() external {
        uint16 id = _callingHospital();
        Hospital storage h = _hospitals[id];
        if (h.status == Status.Left) revert WrongStatus(id, Status.Left);
        uint64 releaseAt = uint64(block.timestamp) + exitSeconds;
        (h.bondReleaseAt, h.exitCourt) = (releaseAt, _lastCourt);
        _setStatus(id, h, Status.Left);
        emit HospitalLeft(id, releaseAt);
    }

    /// @inheritdoc IConsortium
    function withdrawBond(uint16 id) external {
        Hospital storage h = _requireStatus(id, Status.Left);
        if (block.timestamp < h.bondReleaseAt) revert BondLocked(id, h.bondReleaseAt);
        uint256 amount = h.bond;
        if (amount == 0) revert NoBond(id);
        h.bond = 0;
        emit BondWithdrawn(id, h.account, amount);
        settlement.safeTransfer(h.account, amount);
    }

    /// @inheritdoc IConsortium
    function courtOver(uint16 id) public view returns (address) {
        Hospital storage h = _hospitals[id];
        return h.status == Status.Left ? h.exitCourt : disputeCourt;
    }

    /// @dev Take settlement tokens from the caller, exactly what is asked for: a token that keeps a fee would leave the
    /// bonds of others short, and one that lets its sender in here meanwhile mixes up two payments.
    function _pull(uint256 amount) private {
        uint256 before = settlement.balanceOf(address(this));
        settlement.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = settlement.balanceOf(address(this)) - before;
        if (received != amount) revert TransferNotExact(amount, received);
    }
}
