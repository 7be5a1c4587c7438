// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IConsortium} from "./IConsortium.sol";

// Parameters are named for what they are, as the views beside them; an interface has no bodies to confuse them in.
// slither-disable-start shadowing-local

/// @title ICouncil
/// @notice Governance by the hospitals. A proposal is one call; every hospital active when it is made has one vote; two
/// thirds of them carry it. It is made through the AccessManager, in which the council holds the administrator's role
/// with an execution delay: a carried call is queued there, public, for that long before anyone may have it made.
/// @dev Votes belong to hospitals, not to accounts, and count at the moment of queueing and of executing: a hospital may
/// take its vote back until then, and the vote of one that is no longer active does not count. Hospitals that became active
/// since have no vote, but raise the threshold: what a few founders proposed does not pass once the others have joined.
/// Known weaknesses: two thirds of the active hospitals can suspend the rest, and then govern without them; a hospital
/// that leaves still counts in the thresholds of proposals made before; while no hospital is active, nobody governs, and
/// where more than a third have lost their keys, nobody can.
interface ICouncil {
    /// @notice Where a proposal stands. `Passed` has enough votes and can be queued, or executed where the manager asks
    /// for no delay; `Rejected` has too few and no more can come; `Expired` was not executed in time.
    enum State {
        None,
        Open,
        Passed,
        Queued,
        Executed,
        Rejected,
        Expired,
        Cancelled
    }

    /// @notice A proposal as outsiders see it. In sets, bit `id` stands for hospital `id`.
    /// @param state Where it stands.
    /// @param proposer The hospital that made it.
    /// @param target The contract that is called.
    /// @param data The call's selector and arguments.
    /// @param electorate The hospitals active when it was made.
    /// @param supporters Those that voted for it.
    /// @param counted How many of the supporters are active now.
    /// @param threshold How many it takes: two thirds, rounded up, of the electorate and the hospitals active now besides.
    /// @param votingEndsAt Until when votes for it are taken (unix seconds).
    /// @param executableAt From when it can be executed, once queued (unix seconds); 0 if it is not.
    /// @param expiresAt From when it no longer can (unix seconds).
    struct ProposalView {
        State state;
        uint16 proposer;
        address target;
        bytes data;
        uint256 electorate;
        uint256 supporters;
        uint256 counted;
        uint256 threshold;
        uint64 votingEndsAt;
        uint64 executableAt;
        uint64 expiresAt;
    }

    /// @notice A hospital proposed a call. It has voted for it by that.
    event Proposed(
        uint256 indexed proposal,
        uint16 indexed hospital,
        address indexed target,
        bytes data,
        uint256 electorate,
        uint64 votingEndsAt
    );
    /// @notice A hospital gave a proposal its vote, or took it back.
    event Voted(uint256 indexed proposal, uint16 indexed hospital, bool support);
    /// @notice A proposal was queued with the manager under `operation`; it can be executed from `executableAt` on.
    event Queued(uint256 indexed proposal, bytes32 indexed operation, uint64 executableAt);
    /// @notice A proposal's call was made.
    event Executed(uint256 indexed proposal);
    /// @notice A proposal was cancelled.
    event Cancelled(uint256 indexed proposal);

    /// @notice An address argument is zero.
    error ZeroAddress();
    /// @notice A duration is outside its bounds.
    error DurationOutOfBounds(uint64 given, uint64 minimum, uint64 maximum);
    /// @notice The caller acts for no active hospital.
    error NotActiveHospital(address caller);
    /// @notice There is no contract at the proposal's target.
    error NoContract(address target);
    /// @notice The call has no selector, or is too long to be kept.
    error InvalidCallLength(uint256 length, uint256 maximum);
    /// @notice There is no such proposal.
    error UnknownProposal(uint256 proposal);
    /// @notice The hospital was not active when the proposal was made.
    error NotInElectorate(uint256 proposal, uint16 hospital);
    /// @notice The hospital's vote is that already.
    error VoteUnchanged(uint256 proposal, uint16 hospital, bool support);
    /// @notice No more votes are taken; they can only be taken back.
    error VotingOver(uint256 proposal, uint64 endedAt);
    /// @notice The proposal stands where the call makes no sense.
    error WrongState(uint256 proposal, State actual);
    /// @notice The same call is queued by another proposal: this one has to be queued itself, after that.
    error QueuedByAnother(uint256 proposal, bytes32 operation);
    /// @notice Only the hospital that made an open proposal may cancel it.
    error NotProposer(uint256 proposal, address caller);

    /// @notice Propose a call and vote for it. Called by an active hospital.
    /// @param target The contract to be called; the manager itself too.
    /// @param data Selector and arguments.
    /// @return proposal The proposal's id, from 1.
    function propose(address target, bytes calldata data) external returns (uint256 proposal);

    /// @notice Give a proposal the hospital's vote while votes are taken, or take it back until it is executed. Called by
    /// an active hospital of its electorate.
    /// @param proposal The proposal.
    /// @param support True to give, false to take back.
    function vote(uint256 proposal, bool support) external;

    /// @notice Queue a passed proposal with the manager, which starts its delay. Anyone. Reverts where there is no delay.
    /// @param proposal The proposal.
    function queue(uint256 proposal) external;

    /// @notice Make the call of a queued proposal whose delay is over, or of a passed one where the manager asks for no
    /// delay. Anyone. If the call fails, all of this reverts, and may be tried again until the proposal expires.
    /// @param proposal The proposal.
    function execute(uint256 proposal) external;

    /// @notice Cancel an open proposal, by the hospital that made it; or one that was queued and then lost its votes, by
    /// anyone, which takes it out of the manager's queue if it is still there.
    /// @param proposal The proposal.
    function cancel(uint256 proposal) external;

    /// @notice Shortest time for votes, but for local chains (ids 31337 and 1337).
    function MIN_VOTING_SECONDS() external view returns (uint64);
    /// @notice Longest time for votes.
    function MAX_VOTING_SECONDS() external view returns (uint64);
    /// @notice From the end of voting, how long a passed proposal may be queued (or executed, without a delay).
    function GRACE_SECONDS() external view returns (uint64);
    /// @notice Most bytes of a call.
    function MAX_CALL_BYTES() external view returns (uint256);
    /// @notice Who the hospitals are.
    function consortium() external view returns (IConsortium);
    /// @notice The manager through which calls are made.
    function manager() external view returns (AccessManager);
    /// @notice How long votes are taken, in seconds.
    function votingSeconds() external view returns (uint64);
    /// @notice How many proposals were ever made; ids are 1..count.
    function proposalCount() external view returns (uint256);
    /// @notice A proposal.
    /// @param id The proposal.
    function proposal(uint256 id) external view returns (ProposalView memory);
    /// @notice Where a proposal stands now; `None` if there is none.
    /// @param id The proposal.
    function stateOf(uint256 id) external view returns (State);
    /// @notice Seconds between queueing and execution that the manager asks of the council; false if it does not hold the
    /// administrator's role.
    /// @return governs Whether the council holds the role.
    /// @return seconds_ The delay.
    function executionDelay() external view returns (bool governs, uint32 seconds_);
}

// slither-disable-end shadowing-local
