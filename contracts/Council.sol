// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {ICouncil} from "./interfaces/ICouncil.sol";
import {RoundWords} from "./libraries/RoundWords.sol";

/// @title Council
/// @notice Governance by two thirds of the hospitals; see ICouncil.
contract Council is ICouncil {
    /// @dev A proposal. Sets of hospitals have bit `id - 1` for hospital `id` in here, and bit `id` outside.
    struct Proposal {
        address target;
        uint64 votingEndsAt;
        uint16 proposer;
        bool executed;
        bool cancelled;
        uint64 electorate;
        uint64 supporters;
        uint64 executableAt; // 0 until it is queued
        uint64 expiresAt;
        bytes data;
    }

    /// @inheritdoc ICouncil
    uint64 public constant MIN_VOTING_SECONDS = 1 hours;
    /// @inheritdoc ICouncil
    uint64 public constant MAX_VOTING_SECONDS = 90 days;
    /// @inheritdoc ICouncil
    uint64 public constant GRACE_SECONDS = 7 days;
    /// @inheritdoc ICouncil
    uint256 public constant MAX_CALL_BYTES = 4096;

    /// @inheritdoc ICouncil
    IConsortium public immutable consortium;
    /// @inheritdoc ICouncil
    AccessManager public immutable manager;
    /// @inheritdoc ICouncil
    uint64 public immutable votingSeconds;

    /// @inheritdoc ICouncil
    uint256 public proposalCount;
    mapping(uint256 id => Proposal) private _proposals;

    /// @notice Found a council without proposals. It governs once it is given the administrator's role.
    /// @param consortium_ Who the hospitals are; its manager is the one that calls go through.
    /// @param votingSeconds_ How long votes are taken; any time but zero on local chains.
    constructor(IConsortium consortium_, uint64 votingSeconds_) {
        if (address(consortium_) == address(0)) revert ZeroAddress();
        uint64 minimum = block.chainid == 31337 || block.chainid == 1337 ? 1 : MIN_VOTING_SECONDS;
        if (votingSeconds_ < minimum || votingSeconds_ > MAX_VOTING_SECONDS) {
            revert DurationOutOfBounds(votingSeconds_, minimum, MAX_VOTING_SECONDS);
        }
        consortium = consortium_;
        manager = AccessManager(IAccessManaged(address(consortium_)).authority());
        votingSeconds = votingSeconds_;
    }

    // Hospitals

    /// @inheritdoc ICouncil
    function propose(address target, bytes calldata data) external returns (uint256 id) {
        uint16 hospital = _callingHospital();
        if (target.code.length == 0) revert NoContract(target);
        if (data.length < 4 || data.length > MAX_CALL_BYTES) revert InvalidCallLength(data.length, MAX_CALL_BYTES);

        id = ++proposalCount;
        Proposal storage p = _proposals[id];
        p.target = target;
        p.votingEndsAt = uint64(block.timestamp) + votingSeconds;
        p.proposer = hospital;
        p.electorate = _active();
        p.supporters = _bitOf(hospital);
        p.expiresAt = p.votingEndsAt + GRACE_SECONDS;
        p.data = data;
        emit Proposed(id, hospital, target, data, uint256(p.electorate) << 1, p.votingEndsAt);
        emit Voted(id, hospital, true);
    }

    /// @inheritdoc ICouncil
    function vote(uint256 id, bool support) external {
        uint16 hospital = _callingHospital();
        Proposal storage p = _known(id);
        uint64 bit = _bitOf(hospital);
        if (p.electorate & bit == 0) revert NotInElectorate(id, hospital);
        State state = _stateOf(p);
        bool alive = state == State.Open || state == State.Passed || state == State.Queued;
        if (!alive) revert WrongState(id, state);
        if (support && block.timestamp >= p.votingEndsAt) revert VotingOver(id, p.votingEndsAt);
        if ((p.supporters & bit != 0) == support) revert VoteUnchanged(id, hospital, support);
        p.supporters ^= bit;
        emit Voted(id, hospital, support);
    }

    // Anyone

    /// @inheritdoc ICouncil
    function queue(uint256 id) external {
        Proposal storage p = _require(id, State.Passed);
        (address target, bytes memory data) = (p.target, p.data);
        // The manager's nonce is not needed, and it calls nobody when it schedules.
        // slither-disable-next-line unused-return,reentrancy-events
        (bytes32 operation,) = manager.schedule(target, data, 0);
        uint64 executableAt = manager.getSchedule(operation);
        p.executableAt = executableAt;
        p.expiresAt = executableAt + manager.expiration();
        emit Queued(id, operation, executableAt);
    }

    /// @inheritdoc ICouncil
    function execute(uint256 id) external {
        Proposal storage p = _known(id);
        State state = _stateOf(p);
        if (state != State.Passed && state != State.Queued) revert WrongState(id, state);
        (address target, bytes memory data) = (p.target, p.data);
        if (state == State.Passed) {
            bytes32 operation = manager.hashOperation(address(this), target, data);
            if (manager.getSchedule(operation) != 0) revert QueuedByAnother(id, operation);
        }
        p.executed = true;
        emit Executed(id);
        // slither-disable-next-line unused-return -- the manager's nonce is not needed
        manager.execute(target, data);
    }

    /// @inheritdoc ICouncil
    function cancel(uint256 id) external {
        Proposal storage p = _known(id);
        State state = _stateOf(p);
        bool queued = p.executableAt != 0;
        if (state == State.Open) {
            if (consortium.hospitalIdOf(msg.sender) != p.proposer) revert NotProposer(id, msg.sender);
        } else if (state != State.Rejected || !queued) {
            revert WrongState(id, state);
        }
        p.cancelled = true;
        emit Cancelled(id);
        if (!queued) return;
        bytes32 operation = manager.hashOperation(address(this), p.target, p.data);
        // else it was done or forgotten there, or is the place of another proposal of the same call
        // slither-disable-next-line unused-return -- the manager's nonce is not needed
        if (manager.getSchedule(operation) == p.executableAt) manager.cancel(address(this), p.target, p.data);
    }

    // Views

    /// @inheritdoc ICouncil
    function proposal(uint256 id) external view returns (ProposalView memory v) {
        Proposal storage p = _known(id);
        v.state = _stateOf(p);
        v.proposer = p.proposer;
        v.target = p.target;
        v.data = p.data;
        v.electorate = uint256(p.electorate) << 1;
        v.supporters = uint256(p.supporters) << 1;
        v.counted = _counted(p);
        v.threshold = _threshold(p);
        v.votingEndsAt = p.votingEndsAt;
        v.executableAt = p.executableAt;
        v.expiresAt = p.expiresAt;
    }

    /// @inheritdoc ICouncil
    function stateOf(uint256 id) external view returns (State) {
        return _stateOf(_proposals[id]);
    }

    /// @inheritdoc ICouncil
    function executionDelay() external view returns (bool governs, uint32 seconds_) {
        return manager.hasRole(manager.ADMIN_ROLE(), address(this));
    }

    // Internals

    function _stateOf(Proposal storage p) private view returns (State) {
        if (p.target == address(0)) return State.None;
        if (p.executed) return State.Executed;
        if (p.cancelled) return State.Cancelled;
        bool passed = _counted(p) >= _threshold(p);
        if (!passed) return block.timestamp < p.votingEndsAt ? State.Open : State.Rejected;
        if (block.timestamp >= p.expiresAt) return State.Expired;
        return p.executableAt == 0 ? State.Passed : State.Queued;
    }

    /// @dev Votes of hospitals that are active now.
    function _counted(Proposal storage p) private view returns (uint256) {
        return RoundWords.count(p.supporters & _active());
    }

    /// @dev Two thirds of the electorate and of whoever is active besides: no proposal made by few outlasts their number.
    function _threshold(Proposal storage p) private view returns (uint256) {
        return (2 * RoundWords.count(p.electorate | _active()) + 2) / 3;
    }

    function _active() private view returns (uint64) {
        return uint64(consortium.activeSet() >> 1);
    }

    function _callingHospital() private view returns (uint16 id) {
        id = consortium.activeHospitalOf(msg.sender);
        if (id == 0) revert NotActiveHospital(msg.sender);
    }

    function _known(uint256 id) private view returns (Proposal storage p) {
        p = _proposals[id];
        if (p.target == address(0)) revert UnknownProposal(id);
    }

    function _require(uint256 id, State state) private view returns (Proposal storage p) {
        p = _known(id);
        State actual = _stateOf(p);
        if (actual != state) revert WrongState(id, actual);
    }

    function _bitOf(uint16 hospital) private pure returns (uint64) {
        return uint64(1) << (hospital - 1);
    }
}
