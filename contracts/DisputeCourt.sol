// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "./interfaces/IContributionLedger.sol";
import {IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {RoundWords} from "./libraries/RoundWords.sol";
import {CourtBase} from "./court/CourtBase.sol";
import {LeafOpenings} from "./court/LeafOpenings.sol";

/// @title DisputeCourt
/// @notice Disputes about single entries; see IDisputeCourt. Its parts are in `court/`: cases and bonds, machine-checked
/// faults, random openings.
contract DisputeCourt is LeafOpenings {
    /// @notice Open a court.
    /// @param ledger_ The ledger whose entries are disputed; bonds are in its consortium's settlement token.
    /// @param challengeBond_ The bond of a challenge.
    /// @param slashAmount_ What a conviction takes from the hospital's bond.
    /// @param caseSeconds_ How long a case is open; at most a third of the ledger's `maxFreezeSeconds`.
    /// @param openings_ How many leaves a demand draws, 1..63.
    constructor(
        IContributionLedger ledger_,
        uint256 challengeBond_,
        uint256 slashAmount_,
        uint64 caseSeconds_,
        uint256 openings_
    ) CourtBase(ledger_, challengeBond_, slashAmount_, caseSeconds_, openings_) {}

    /// @inheritdoc IDisputeCourt
    function challenge(uint64 round, uint16 hospital, bytes32 evidenceHash) external returns (uint256 challengeId) {
        (challengeId,) = _challenge(round, hospital, evidenceHash);
        _takeBond();
    }

    /// @inheritdoc IDisputeCourt
    function vote(uint256 caseId) external {
        Case storage k = _requireCase(caseId);
        _requireOffice();
        _requireBefore(caseId, k.deadline);
        uint16 id = _CONSORTIUM.activeHospitalOf(msg.sender);
        uint64 bit = uint64(RoundWords.bitOf(id));
        if (k.electors & bit == 0) revert NotElector(caseId, msg.sender);
        if (k.votes & bit != 0) revert AlreadyVoted(caseId, id);
        k.votes |= bit;
        emit Voted(caseId, id);
        if (_isQuorum(k)) {
            _end(caseId, k, Outcome.Voided);
            ledger.voidEntry(k.round, k.hospital);
        }
    }

    /// @inheritdoc IDisputeCourt
    function conclude(uint256 caseId) external {
        Case storage k = _requireCase(caseId);
        (uint64 round, uint16 hospital) = (k.round, k.hospital);
        if (!_inOffice()) {
            _end(caseId, k, Outcome.Lapsed);
            return;
        }
        if (block.timestamp < k.deadline) revert CaseRunning(caseId, k.deadline);
        bool held = ledger.entry(round, hospital).frozen;
        if (k.unopened != 0 || _isQuorum(k)) {
            // if somebody released the entry before anybody concluded, it is too late to void, yet the challenge was just
            _end(caseId, k, held ? Outcome.Voided : Outcome.Lapsed);
            if (held) ledger.voidEntry(round, hospital);
        } else {
            _end(caseId, k, Outcome.Upheld);
            if (held) ledger.releaseEntry(round, hospital);
        }
    }

    /// @dev Whether two thirds of the electors voted: seldom for the first time at the end, where an elector that did not
    /// vote has challenged since.
    function _isQuorum(Case storage k) private view returns (bool) {
        uint256 votes = RoundWords.count(k.votes);
        return votes != 0 && 3 * votes >= 2 * RoundWords.count(k.electors);
    }
}
