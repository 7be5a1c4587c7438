// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {ConsortiumBase} from "./ConsortiumBase.sol";

/// @title Accounts
/// @notice Through which account a hospital acts, and through which ones it did.
/// @dev An account serves one hospital, once: what it signed can be attributed for ever.
abstract contract Accounts is ConsortiumBase {
    /// @dev When an account acted, for whom; `until` is 0 while it does.
    struct Tenure {
        uint16 hospital;
        uint64 from;
        uint64 until;
    }

    /// @inheritdoc IConsortium
    uint256 public constant MAX_ACCOUNTS = 64;

    /// @inheritdoc IConsortium
    mapping(uint16 hospital => address) public pendingAccount;
    mapping(address account => Tenure) private _tenures;
    mapping(uint16 hospital => address[]) private _accounts;

    /// @inheritdoc IConsortium
    function proposeAccount(address next) external {
        uint16 id = _callingHospital();
        if (next != address(0)) _requireFree(next);
        pendingAccount[id] = next;
        emit AccountProposed(id, next);
    }

    /// @inheritdoc IConsortium
    function acceptAccount(uint16 id) external {
        if (pendingAccount[id] != msg.sender) revert NotPendingAccount(id, msg.sender);
        _requireFree(msg.sender);
        Hospital storage h = _hospitals[id];
        address previous = h.account;
        pendingAccount[id] = address(0);
        _tenures[previous].until = uint64(block.timestamp);
        _members[msg.sender] = _members[previous];
        delete _members[previous];
        _appoint(id, h, msg.sender);
        emit AccountRotated(id, previous, msg.sender);
    }

    /// @inheritdoc IConsortium
    function hospitalIdOf(address account) external view returns (uint16) {
        return uint16(_members[account]);
    }

    /// @inheritdoc IConsortium
    function activeHospitalOf(address account) external view returns (uint16) {
        uint256 member = _members[account];
        return member & _ACTIVE == 0 ? 0 : uint16(member);
    }

    /// @inheritdoc IConsortium
    function wasAccountOf(address account, uint64 time) external view returns (uint16) {
        Tenure storage t = _tenures[account];
        bool acted = t.from <= time && (t.until == 0 || time <= t.until);
        return acted ? t.hospital : 0;
    }

    /// @inheritdoc IConsortium
    function tenureOf(address account) external view returns (uint16 id, uint64 from, uint64 until) {
        Tenure storage t = _tenures[account];
        return (t.hospital, t.from, t.until);
    }

    /// @inheritdoc IConsortium
    function accountsOf(uint16 id) external view returns (address[] memory) {
        return _accounts[id];
    }

    /// @dev A hospital's account from now on; it must be free.
    function _appoint(uint16 id, Hospital storage h, address account) internal {
        if (_accounts[id].length == MAX_ACCOUNTS) revert TooManyAccounts(id);
        h.account = account;
        _tenures[account] = Tenure(id, uint64(block.timestamp), 0);
        _accounts[id].push(account);
    }

    function _requireFree(address account) internal view {
        uint16 taken = _tenures[account].hospital;
        if (taken != 0) revert AccountInUse(account, taken);
    }
}
