// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {PackedRule, RulePacking} from "../libraries/RulePacking.sol";
import {RewardMath} from "../libraries/RewardMath.sol";
import {RoundWords} from "../libraries/RoundWords.sol";

/// @title CourtBase
/// @notice Cases and their bonds: how an entry comes before the court, and how a case ends.
/// @dev A case lasts `caseSeconds` from its last challenge, and from each draw that came before these were over; entries
/// stay frozen for thrice that at least, so that every case can be concluded while its entry is still held.
abstract contract CourtBase is IDisputeCourt {
    using SafeERC20 for IERC20;

    /// @dev A case; sets of hospitals have bit `id - 1` for hospital `id`.
    struct Case {
        uint64 round;
        uint16 hospital;
        Outcome outcome;
        uint64 deadline;
        uint64 electors;
        uint40 drawnBy; // demands of the case are drawn before this
        uint64 votes;
        uint16 unopened; // drawn demands with leaves still to be opened
    }

    /// @dev A challenge.
    struct Challenge {
        uint64 caseId;
        bool settled;
        address challenger;
    }

    /// @inheritdoc IDisputeCourt
    IContributionLedger public immutable ledger;
    /// @inheritdoc IDisputeCourt
    IERC20 public immutable settlement;
    /// @inheritdoc IDisputeCourt
    uint256 public immutable challengeBond;
    /// @inheritdoc IDisputeCourt
    uint256 public immutable slashAmount;
    /// @inheritdoc IDisputeCourt
    uint64 public immutable caseSeconds;
    /// @inheritdoc IDisputeCourt
    uint256 public immutable openings;
    IConsortium internal immutable _CONSORTIUM;
    /// @dev Whether the ledger takes entries in clear.
    bool internal immutable _DISCLOSED;

    /// @inheritdoc IDisputeCourt
    uint256 public challengeCount;
    /// @inheritdoc IDisputeCourt
    uint256 public caseCount;
    mapping(uint256 caseId => Case) internal _cases;
    mapping(uint256 challengeId => Challenge) private _challenges;
    mapping(uint256 key => uint256) internal _openCases;

    constructor(
        IContributionLedger ledger_,
        uint256 challengeBond_,
        uint256 slashAmount_,
        uint64 caseSeconds_,
        uint256 openings_
    ) {
        if (address(ledger_) == address(0)) revert ZeroAddress();
        if (challengeBond_ == 0) revert InvalidParameter("challengeBond");
        if (slashAmount_ == 0) revert InvalidParameter("slashAmount");
        ILedgerTypes.Params memory p = ledger_.params();
        if (caseSeconds_ == 0 || 3 * uint256(caseSeconds_) > p.maxFreezeSeconds) {
            revert InvalidParameter("caseSeconds");
        }
        if (openings_ == 0 || openings_ > 63) revert InvalidParameter("openings");
        ledger = ledger_;
        _CONSORTIUM = ledger_.consortium();
        _DISCLOSED = p.disclosedTree != address(0);
        settlement = _CONSORTIUM.settlement();
        challengeBond = challengeBond_;
        slashAmount = slashAmount_;
        caseSeconds = caseSeconds_;
        openings = openings_;
    }

    /// @inheritdoc IDisputeCourt
    function settle(uint256 challengeId) external {
        Challenge storage c = _challenges[challengeId];
        if (c.challenger == address(0)) revert UnknownChallenge(challengeId);
        Case storage k = _cases[c.caseId];
        if (k.outcome == Outcome.Open) revert CaseRunning(c.caseId, k.deadline);
        if (c.settled) revert AlreadySettled(challengeId);
        c.settled = true;
        address recipient = k.outcome == Outcome.Upheld ? _CONSORTIUM.hospital(k.hospital).account : c.challenger;
        emit BondSettled(challengeId, recipient, challengeBond);
        settlement.safeTransfer(recipient, challengeBond);
    }

    /// @inheritdoc IDisputeCourt
    function openCaseOf(uint64 round, uint16 hospital) external view returns (uint256) {
        return _openCases[_key(round, hospital)];
    }

    /// @inheritdoc IDisputeCourt
    function caseOf(uint256 caseId) external view returns (CaseView memory) {
        Case storage k = _cases[caseId];
        return CaseView({
            round: k.round,
            hospital: k.hospital,
            outcome: k.outcome,
            deadline: k.deadline,
            electors: uint256(k.electors) << 1,
            votes: uint256(k.votes) << 1
        });
    }

    /// @inheritdoc IDisputeCourt
    function challengeOf(uint256 challengeId)
        external
        view
        returns (uint256 caseId, address challenger, bool settled)
    {
        Challenge storage c = _challenges[challengeId];
        return (c.caseId, c.challenger, c.settled);
    }

    /// @dev Open a case about an entry or join the open one; the bond is taken last.
    function _challenge(uint64 round, uint16 hospital, bytes32 evidenceHash)
        internal
        returns (uint256 challengeId, uint256 caseId)
    {
        _requireOffice();
        uint16 own = _CONSORTIUM.hospitalIdOf(msg.sender);
        if (own == hospital && own != 0) revert OwnEntry(hospital);
        uint64 without = ~uint64(RoundWords.bitOf(own));
        uint256 key = _key(round, hospital);
        caseId = _openCases[key];
        Case storage k = _cases[caseId];
        if (caseId == 0) {
            caseId = ++caseCount;
            _openCases[key] = caseId;
            k = _cases[caseId];
            (k.round, k.hospital, k.outcome) = (round, hospital, Outcome.Open);
            k.electors = uint64(_CONSORTIUM.activeSet() >> 1) & ~uint64(RoundWords.bitOf(hospital));
        } else {
            _requireBefore(caseId, k.deadline);
            // The ledger calls nobody back.
            // slither-disable-next-line reentrancy-no-eth,reentrancy-benign,reentrancy-events
            ledger.releaseEntry(round, hospital); // to be frozen for the whole time again, if the window is still open
        }
        ledger.freezeEntry(round, hospital);
        (k.electors, k.votes) = (k.electors & without, k.votes & without);
        k.deadline = uint64(block.timestamp) + caseSeconds;
        k.drawnBy = uint40(k.deadline);
        challengeId = ++challengeCount;
        _challenges[challengeId] = Challenge(uint64(caseId), false, msg.sender);
        emit Challenged(challengeId, caseId, round, hospital, msg.sender, evidenceHash);
        emit CaseOpened(caseId, k.deadline, uint256(k.electors) << 1);
    }

    /// @dev Take the caller's bond, all of it: a token that keeps a fee would leave the bonds of others short, and one
    /// that calls back in between cannot count one payment twice.
    function _takeBond() internal {
        uint256 before = settlement.balanceOf(address(this));
        settlement.safeTransferFrom(msg.sender, address(this), challengeBond);
        uint256 received = settlement.balanceOf(address(this)) - before;
        if (received != challengeBond) revert TransferNotExact(challengeBond, received);
    }

    /// @dev End a case; the ledger is the caller's to tell.
    function _end(uint256 caseId, Case storage k, Outcome outcome) internal {
        k.outcome = outcome;
        delete _openCases[_key(k.round, k.hospital)];
        emit CaseEnded(caseId, k.round, k.hospital, outcome);
    }

    /// @dev The rule of a round, and whether devices' quality counts in it.
    function _ruleOf(uint64 round) internal view returns (PackedRule rule, bool qualityScored) {
        IContributionLedger.RoundView memory v = ledger.round(round);
        return (RulePacking.pack(ledger.rule(v.ruleId)), RewardMath.deviceQualityScored(v.profile));
    }

    /// @dev A case that is open.
    function _requireCase(uint256 caseId) internal view returns (Case storage k) {
        k = _cases[caseId];
        if (k.outcome == Outcome.None) revert UnknownCase(caseId);
        if (k.outcome != Outcome.Open) revert CaseOver(caseId);
    }

    function _requireBefore(uint256 caseId, uint64 deadline) internal view {
        if (block.timestamp >= deadline) revert CaseDeadlinePassed(caseId, deadline);
    }

    function _requireOffice() internal view {
        if (!_inOffice()) revert NotInOffice();
    }

    function _inOffice() internal view returns (bool) {
        return _CONSORTIUM.disputeCourt() == address(this);
    }

    /// @dev Where what concerns an entry is kept.
    function _key(uint64 round, uint16 hospital) internal pure returns (uint256) {
        return (uint256(round) << 16) | hospital;
    }
}
