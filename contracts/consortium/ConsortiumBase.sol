// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";

/// @title ConsortiumBase
/// @notice What every part of the consortium shares: the parameters, the hospitals, who is active and who is calling.
abstract contract ConsortiumBase is IConsortium, AccessManaged {
    /// @dev A hospital.
    struct Hospital {
        address account;
        uint16 capacityBps;
        Status status;
        uint64 bondReleaseAt;
        uint256 bond;
        address exitCourt; // in office when it left
    }

    /// @inheritdoc IConsortium
    uint64 public constant MAX_EXIT_SECONDS = 730 days;

    /// @dev Marks members whose hospital is active.
    uint256 internal constant _ACTIVE = 1 << 16;

    /// @inheritdoc IConsortium
    IERC20 public immutable settlement;
    /// @inheritdoc IConsortium
    uint256 public immutable bondAmount;
    /// @inheritdoc IConsortium
    uint64 public immutable exitSeconds;

    // One slot, so that opening a round reads it once.
    /// @inheritdoc IConsortium
    address public coordinator;
    uint64 internal _active; // bit `id - 1`
    /// @inheritdoc IConsortium
    uint16 public hospitalCount;

    /// @dev The hospital that an account acts for (16 bits), and _ACTIVE if it is active: one read for every act.
    mapping(address account => uint256) internal _members;
    mapping(uint16 id => Hospital) internal _hospitals;

    constructor(IERC20 settlement_, uint256 bondAmount_, uint64 exitSeconds_) {
        if (address(settlement_) == address(0)) revert ZeroAddress();
        if (exitSeconds_ == 0 && block.chainid != 31337 && block.chainid != 1337) revert ZeroDuration();
        if (exitSeconds_ > MAX_EXIT_SECONDS) revert DurationOutOfBounds(exitSeconds_, 0, MAX_EXIT_SECONDS);
        settlement = settlement_;
        bondAmount = bondAmount_;
        exitSeconds = exitSeconds_;
    }

    /// @dev The one place where a hospital's activity changes, in all three records of it.
    function _setStatus(uint16 id, Hospital storage h, Status status) internal {
        h.status = status;
        bool active = status == Status.Active;
        _members[h.account] = active ? id | _ACTIVE : id;
        _active = active ? _active | _bitOf(id) : _active & ~_bitOf(id);
    }

    function _callingHospital() internal view returns (uint16 id) {
        id = uint16(_members[msg.sender]);
        if (id == 0) revert NotHospital(msg.sender);
    }

    function _known(uint16 id) internal view returns (Hospital storage h) {
        h = _hospitals[id];
        if (h.status == Status.None) revert UnknownHospital(id);
    }

    function _requireStatus(uint16 id, Status status) internal view returns (Hospital storage h) {
        h = _known(id);
        if (h.status != status) revert WrongStatus(id, h.status);
    }

    function _bitOf(uint16 id) internal pure returns (uint64) {
        return uint64(1) << (id - 1);
    }
}
