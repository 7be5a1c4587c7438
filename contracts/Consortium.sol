// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";

/// @title Consortium
/// @notice Hospitals, their bonds and the named roles; see IConsortium.
contract Consortium is IConsortium, AccessManaged {
    using SafeERC20 for IERC20;

    /// @dev A hospital.
    struct Hospital {
        address account;
        uint16 capacityBps;
        Status status;
        uint64 bondReleaseAt;
        uint256 bond;
    }

    /// @dev From when on an account acts for a hospital, or for none.
    struct Tenure {
        uint64 since;
        uint16 hospital;
    }

    /// @inheritdoc IConsortium
    uint256 public constant MAX_HOSPITALS = 64;
    /// @inheritdoc IConsortium
    uint64 public constant MAX_PAUSE_SECONDS = 7 days;

    /// @dev Marks members whose hospital is active.
    uint256 private constant _ACTIVE = 1 << 16;

    /// @inheritdoc IConsortium
    IERC20 public immutable settlement;
    /// @inheritdoc IConsortium
    uint256 public immutable bondAmount;
    /// @inheritdoc IConsortium
    uint64 public immutable exitSeconds;

    /// @inheritdoc IConsortium
    address public coordinator;
    uint64 private _active; // bit `id - 1`
    /// @inheritdoc IConsortium
    uint16 public hospitalCount;

    /// @inheritdoc IConsortium
    address public guardian;
    uint40 private _pausedUntil;
    uint40 private _nextPauseAt;

    /// @inheritdoc IConsortium
    address public disputeCourt;

    /// @dev The hospital that an account acts for (16 bits), and _ACTIVE if it is active: one read for every act.
    mapping(address account => uint256) private _members;
    mapping(uint16 id => Hospital) private _hospitals;
    /// @dev Which hospital an account acted for from when on; 0 from when it no longer did.
    mapping(address account => Tenure[]) private _tenures;
    /// @inheritdoc IConsortium
    address public slashRecipient;
    uint256[4] private _capacityWords;

    /// @notice Found a consortium without hospitals.
    /// @param authority_ The AccessManager through which governance acts.
    /// @param settlement_ The token in which bonds are posted.
    /// @param bondAmount_ The bond a hospital posts.
    /// @param exitSeconds_ Seconds between leaving and the release of the bond; zero on local chains only.
    /// @param coordinator_ The first coordinator.
    /// @param guardian_ The first guardian.
    constructor(
        address authority_,
        IERC20 settlement_,
        uint256 bondAmount_,
        uint64 exitSeconds_,
        address coordinator_,
        address guardian_
    ) AccessManaged(authority_) {
        if (authority_ == address(0) || address(settlement_) == address(0)) revert ZeroAddress();
        if (exitSeconds_ == 0 && block.chainid != 31337 && block.chainid != 1337) revert ZeroDuration();
        settlement = settlement_;
        bondAmount = bondAmount_;
        exitSeconds = exitSeconds_;
        _setCoordinator(coordinator_);
        _setGuardian(guardian_);
    }

    // Governance

    /// @inheritdoc IConsortium
    function admit(address account, uint16 capacityBps) external restricted returns (uint16 id) {
        if (account == address(0)) revert ZeroAddress();
        if (capacityBps == 0 || capacityBps > 10_000) revert InvalidCapacity(capacityBps);
        if (hospitalCount == MAX_HOSPITALS) revert TooManyHospitals(MAX_HOSPITALS);
        _requireFree(account);

        id = ++hospitalCount;
        _members[account] = id;
        _tenures[account].push(Tenure(uint64(block.timestamp), id));
        Hospital storage h = _hospitals[id];
        h.account = account;
        h.capacityBps = capacityBps;
        h.status = Status.Admitted;
        uint256 index = id - 1;
        _capacityWords[index >> 4] |= uint256(capacityBps) << (16 * (index & 15));
        emit HospitalAdmitted(id, account, capacityBps);
    }

    /// @inheritdoc IConsortium
    function suspend(uint16 id) external restricted {
        Hospital storage h = _requireStatus(id, Status.Active);
        _setStatus(id, h, Status.Suspended);
        emit HospitalSuspended(id);
    }

    /// @inheritdoc IConsortium
    function reinstate(uint16 id) external restricted {
        Hospital storage h = _requireStatus(id, Status.Suspended);
        _setStatus(id, h, Status.Active);
        emit HospitalReinstated(id);
    }

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
        disputeCourt = court;
        emit DisputeCourtSet(court);
    }

    /// @inheritdoc IConsortium
    function setSlashRecipient(address recipient) external restricted {
        if (recipient == address(0)) revert ZeroAddress();
        if (slashRecipient != address(0)) revert SlashRecipientFixed(slashRecipient);
        slashRecipient = recipient;
        emit SlashRecipientSet(recipient);
    }

    /// @inheritdoc IConsortium
    function slash(uint16 id, uint256 amount) external returns (uint256 slashed) {
        if (msg.sender != disputeCourt) revert NotDisputeCourt(msg.sender);
        if (slashRecipient == address(0)) revert NoSlashRecipient();
        Hospital storage h = _hospitals[id];
        slashed = amount < h.bond ? amount : h.bond;
        if (slashed == 0) return 0;
        h.bond -= slashed;
        emit BondSlashed(id, slashRecipient, slashed, h.bond);
        settlement.safeTransfer(slashRecipient, slashed);
    }

    // Hospitals

    /// @inheritdoc IConsortium
    function postBond() external {
        uint16 id = _callingHospital();
        Hospital storage h = _requireStatus(id, Status.Admitted);
        h.bond = bondAmount;
        _setStatus(id, h, Status.Active);
        emit BondPosted(id, bondAmount);
        settlement.safeTransferFrom(msg.sender, address(this), bondAmount);
    }

    /// @inheritdoc IConsortium
    function resign() external {
        uint16 id = _callingHospital();
        Hospital storage h = _hospitals[id];
        if (h.status == Status.Left) revert WrongStatus(id, Status.Left);
        uint64 releaseAt = uint64(block.timestamp) + exitSeconds;
        h.bondReleaseAt = releaseAt;
        _setStatus(id, h, Status.Left);
        emit HospitalLeft(id, releaseAt);
    }

    /// @inheritdoc IConsortium
    function withdrawBond(uint16 id) external {
        Hospital storage h = _requireStatus(id, Status.Left);
        if (block.timestamp < h.bondReleaseAt) revert BondLocked(id, h.bondReleaseAt);
        uint256 amount = h.bond;
        h.bond = 0;
        emit BondWithdrawn(id, h.account, amount);
        settlement.safeTransfer(h.account, amount);
    }

    /// @inheritdoc IConsortium
    function rotateAccount(address next) external {
        uint16 id = _callingHospital();
        if (next == address(0)) revert ZeroAddress();
        _requireFree(next);
        _members[next] = _members[msg.sender];
        delete _members[msg.sender];
        _tenures[msg.sender].push(Tenure(uint64(block.timestamp), 0));
        _tenures[next].push(Tenure(uint64(block.timestamp), id));
        _hospitals[id].account = next;
        emit AccountRotated(id, msg.sender, next);
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

    // Views

    /// @inheritdoc IConsortium
    function claimsPaused() public view returns (bool) {
        return block.timestamp < _pausedUntil;
    }

    /// @inheritdoc IConsortium
    function pauseState() external view returns (uint64 pausedUntil, uint64 nextPauseAt) {
        return (_pausedUntil, _nextPauseAt);
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
    function hospitalIdOf(address account) external view returns (uint16) {
        return uint16(_members[account]);
    }

    /// @inheritdoc IConsortium
    function wasAccountOf(address account, uint64 time) external view returns (uint16 id) {
        Tenure[] storage tenures = _tenures[account];
        for (uint256 i = tenures.length; i > 0; --i) {
            if (tenures[i - 1].since <= time) return tenures[i - 1].hospital;
        }
    }

    /// @inheritdoc IConsortium
    function activeHospitalOf(address account) external view returns (uint16) {
        uint256 member = _members[account];
        return member & _ACTIVE == 0 ? 0 : uint16(member);
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

    // Internals

    function _setCoordinator(address coordinator_) private {
        coordinator = coordinator_;
        emit CoordinatorSet(coordinator_);
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    /// @dev The one place where a hospital's activity changes, in all three records of it.
    function _setStatus(uint16 id, Hospital storage h, Status status) private {
        h.status = status;
        bool active = status == Status.Active;
        _members[h.account] = active ? id | _ACTIVE : id;
        uint64 bit = uint64(1) << (id - 1);
        _active = active ? _active | bit : _active & ~bit;
    }

    function _callingHospital() private view returns (uint16 id) {
        id = uint16(_members[msg.sender]);
        if (id == 0) revert NotHospital(msg.sender);
    }

    function _requireStatus(uint16 id, Status status) private view returns (Hospital storage h) {
        h = _hospitals[id];
        if (h.status == Status.None) revert UnknownHospital(id);
        if (h.status != status) revert WrongStatus(id, h.status);
    }

    function _requireFree(address account) private view {
        uint16 taken = uint16(_members[account]);
        if (taken != 0) revert AccountInUse(account, taken);
    }
}
