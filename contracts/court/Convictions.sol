// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerTypes, Node} from "../interfaces/ILedgerTypes.sol";
import {LeafFaults} from "../libraries/LeafFaults.sol";
import {Participation} from "../libraries/Participation.sol";
import {PackedRule} from "../libraries/RulePacking.sol";
import {SumTree} from "../libraries/SumTree.sol";
import {CourtBase} from "./CourtBase.sol";

/// @title Convictions
/// @notice Faults that need no judge: a leaf that the rule does not allow, more leaves than devices, a signed receipt that
/// contradicts the root.
abstract contract Convictions is CourtBase {
    mapping(uint256 key => bool) private _convicted;

    /// @inheritdoc IDisputeCourt
    function proveLeaf(
        uint64 round,
        uint16 hospital,
        uint256[7] calldata words,
        uint256 slot,
        uint256 lanes,
        Node[] calldata siblings
    ) external returns (Fault fault) {
        bytes32 root = _rootOf(round, hospital);
        bytes32 hash = LeafFaults.hashOf(address(ledger), round, hospital, words);
        // slither-disable-next-line unused-return -- the root's hash binds its sums
        (hash,) = SumTree.climb(hash, lanes, slot, siblings);
        if (hash != root) revert NotInTree(round, hospital);
        (PackedRule rule, bool qualityScored) = _ruleOf(round);
        fault = LeafFaults.find(words, slot, lanes, rule, qualityScored);
        if (fault == Fault.None) revert NoFault();
        _convict(round, hospital, fault);
    }

    /// @inheritdoc IDisputeCourt
    function proveReceipt(uint64 round, uint16 hospital, bytes32 signedRoot, bytes calldata signature) external {
        if (signedRoot == _rootOf(round, hospital)) revert NoFault();
        // A signature that is none gives the zero address, refused below.
        // slither-disable-next-line unused-return
        (address signer,,) = ECDSA.tryRecoverCalldata(receiptDigest(round, hospital, signedRoot), signature);
        ILedgerTypes.RoundView memory v = ledger.round(round);
        uint64 end = v.closedAt == 0 ? uint64(block.timestamp) : v.closedAt;
        (uint16 owner, uint64 from, uint64 until) = _CONSORTIUM.tenureOf(signer);
        bool inRound = from <= end && (until == 0 || until >= v.openedAt);
        if (signer == address(0) || owner != hospital || !inRound) revert NotSignedByHospital(hospital, signer);
        _convict(round, hospital, Fault.OtherRoot);
    }

    /// @inheritdoc IDisputeCourt
    function proveCount(uint64 round, uint16 hospital) external {
        _rootOf(round, hospital);
        uint256 enrolled = ledger.epochRegistration(hospital, round >> 8).rosterSize;
        if (ledger.entry(round, hospital).lanes.n <= enrolled) revert NoFault();
        _convict(round, hospital, Fault.TooManyDevices);
    }

    /// @inheritdoc IDisputeCourt
    function isConvicted(uint64 round, uint16 hospital) external view returns (bool) {
        return _convicted[_key(round, hospital)];
    }

    /// @inheritdoc IDisputeCourt
    function receiptDigest(uint64 round, uint16 hospital, bytes32 root) public view returns (bytes32) {
        return Participation.typedDigest(address(ledger), Participation.receiptHash(round, hospital, root));
    }

    /// @dev The root of an entry, which there must be.
    function _rootOf(uint64 round, uint16 hospital) internal view returns (bytes32 root) {
        root = ledger.entry(round, hospital).root;
        if (root == 0) revert NoSuchEntry(round, hospital);
    }

    /// @dev Void the entry unless it is too late or done, end its case, and slash once an entry. The court in office
    /// voids, the court over the hospital slashes: another one only if governance replaced it when the hospital had left.
    /// A consortium that refuses to slash keeps nobody from voiding: the fault can be proved again later.
    function _convict(uint64 round, uint16 hospital, Fault fault) private {
        bool inOffice = _inOffice();
        if (!inOffice && _CONSORTIUM.courtOver(hospital) != address(this)) revert NotInOffice();
        uint256 key = _key(round, hospital);
        bool again = _convicted[key];
        // One that convicted while another was in office may void once it is back.
        if (again && (!inOffice || ledger.entry(round, hospital).voided)) revert AlreadyConvicted(round, hospital);
        _convicted[key] = true;
        uint256 caseId = _openCases[key];
        if (inOffice && caseId != 0) _end(caseId, _cases[caseId], Outcome.Voided);

        bool voided = inOffice && _void(round, hospital);
        if (again) {
            if (!voided) revert AlreadyConvicted(round, hospital);
            // slither-disable-next-line reentrancy-events -- the ledger calls nobody back
            emit Convicted(round, hospital, fault, true, 0);
            return;
        }
        // The settlement token may call back, and finds the entry convicted; if it refuses, what it did meanwhile is undone.
        // slither-disable-next-line reentrancy-no-eth,reentrancy-events
        try _CONSORTIUM.slash(hospital, slashAmount) returns (uint256 amount) {
            emit Convicted(round, hospital, fault, voided, amount);
        } catch {
            _convicted[key] = false;
            emit Convicted(round, hospital, fault, voided, 0);
            emit SlashFailed(round, hospital);
        }
    }

    /// @dev Whether the entry is void now. Once claims were open it may have been paid, and stays.
    function _void(uint64 round, uint16 hospital) private returns (bool) {
        IContributionLedger.EntryView memory e = ledger.entry(round, hospital);
        if (e.voided) return true;
        if (!e.frozen) {
            uint64 claimableAt = ledger.claimableAt(round);
            if (claimableAt != 0 && block.timestamp >= claimableAt) return false;
            ledger.freezeEntry(round, hospital);
        }
        ledger.voidEntry(round, hospital);
        return true;
    }
}
