// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "./IConsortium.sol";
import {ILedgerErrors} from "./ILedgerErrors.sol";
import {ILedgerEvents} from "./ILedgerEvents.sol";
import {Node, RewardRule} from "./ILedgerTypes.sol";
import {PackedRule} from "../libraries/RulePacking.sol";

/// @title IContributionLedger
/// @notice The record of the rounds: who took part, how the others scored it, what its devices' contributions sum to,
/// and what the round allocates to it. Append-only; no role can rewrite a round.
/// @dev One round is open at a time. A phase ends when everybody who can still act in it has acted, or when somebody
/// calls `advance` (or `closeRound`) after its deadline; until then late acts are accepted.
/// Known weaknesses: volume and compute are capped and auditable, not verified; the proposer of the block after the
/// ready phase can bias the beacon; a coalition of more than (n - 1) / 2 of the validators sets a hospital's median.
interface IContributionLedger is ILedgerEvents, ILedgerErrors {
    /// @notice Register the roster and the noise seed for an epoch. Called by an active hospital, once an epoch.
    /// @param epoch The epoch, `round >> 8`; not before the present one.
    /// @param rosterRoot Root of the roster.
    /// @param rosterSize Devices on it.
    /// @param noiseSeedCommitment Commitment to the seed of the hospital's global noise.
    function registerEpoch(uint64 epoch, bytes32 rosterRoot, uint32 rosterSize, bytes32 noiseSeedCommitment) external;

    /// @notice Add a reward rule; rounds opened from now on use it. Restricted to governance.
    /// @param newRule The rule.
    /// @return ruleId Its id, from 1.
    function setRule(RewardRule memory newRule) external returns (uint16 ruleId);

    /// @notice Open the next round. Called by the coordinator or, after the idle period, by any active hospital.
    /// @param round_ Its number, one above the last.
    /// @param profile 0 accountable, 1 hospital, 2 private.
    /// @param specHash Hash of its specification.
    /// @param modelHash Hash of the model that training starts from.
    /// @param rhoMicro Declared privacy loss, in millionths of rho.
    function openRound(uint64 round_, uint8 profile, bytes32 specHash, bytes32 modelHash, uint64 rhoMicro) external;

    /// @notice Submit the digest of the ready list. Called by a hospital that has registered for the epoch.
    /// @param round_ The round.
    /// @param digest The digest.
    function submitReady(uint64 round_, bytes32 digest) external;

    /// @notice End the present phase. Anyone, once its deadline has passed or everybody who can act has acted.
    /// From the training phase, the round closes unpaid. The beacon and attest phases have calls of their own.
    /// @param round_ The round.
    function advance(uint64 round_) external;

    /// @notice Fix the beacon: the hash of the block after the ready phase. Anyone. If that block is more than 256
    /// blocks back, this anchors the beacon anew instead, and has to be called again two blocks later.
    /// @param round_ The round.
    function fixBeacon(uint64 round_) external;

    /// @notice Publish the model that came out. Called by the coordinator, or by the hospital that opened the round.
    /// @param round_ The round.
    /// @param modelHashAfter Its hash.
    function publishModel(uint64 round_, bytes32 modelHashAfter) external;

    /// @notice Commit to the scores of the other hospitals.
    /// @param round_ The round.
    /// @param commitment As `qualityCommitment` computes it.
    function commitQuality(uint64 round_, bytes32 commitment) external;

    /// @notice Reveal the scores committed to.
    /// @param round_ The round.
    /// @param packedScores Scores of 14 bits, 18 to a word, hospital `id` at lane `id - 1`; 0x3FFF for none. The own
    /// lane and lanes past the last hospital must be none; scores of hospitals that are not in the round are ignored.
    /// @param modelScore Score of the published model on the hospital's own records, 0..10,000.
    /// @param utilitiesDigest Digest of the utilities from which the scores come.
    /// @param salt The commitment's salt.
    function revealQuality(
        uint64 round_,
        uint256[] calldata packedScores,
        uint16 modelScore,
        bytes32 utilitiesDigest,
        bytes32 salt
    ) external;

    /// @notice Submit the entry: the two children of the root of the hospital's Merkle-sum tree.
    /// @param round_ The round.
    /// @param left Left child.
    /// @param right Right child.
    /// @param bundleDigest Digest of the hospital's bundle.
    function submitEntry(uint64 round_, Node calldata left, Node calldata right, bytes32 bundleDigest) external;

    /// @notice Submit the entry with its devices' scores in clear: the contract builds the tree itself, and leaves of it are
    /// claimed as of any other. Only where the consortium chose so at deployment (`Params.disclosedTree`).
    /// @param round_ The round.
    /// @param salt The salt of every leaf.
    /// @param devices As for IDisclosedTree.children.
    /// @param payees As for IDisclosedTree.children.
    /// @param bundleDigest Digest of the hospital's bundle.
    function submitDisclosedEntry(
        uint64 round_,
        bytes32 salt,
        bytes calldata devices,
        bytes calldata payees,
        bytes32 bundleDigest
    ) external;

    /// @notice Attest the digest of the round after recomputing it. The first digest that two thirds of the hospitals
    /// active at opening attest is accepted.
    /// @param round_ The round.
    /// @param roundDigest The digest.
    function attest(uint64 round_, bytes32 roundDigest) external;

    /// @notice Close the round: medians, allocations, emission. Anyone, once all have attested or the deadline passed.
    /// @param round_ The round.
    function closeRound(uint64 round_) external;

    /// @notice Hold an entry back. Called by the dispute court, from submission to the end of the challenge window.
    /// @param round_ The round.
    /// @param hospital The hospital.
    function freezeEntry(uint64 round_, uint16 hospital) external;

    /// @notice Release a frozen entry. Called by the dispute court or, after `maxFreezeSeconds`, by anyone.
    /// @param round_ The round.
    /// @param hospital The hospital.
    function releaseEntry(uint64 round_, uint16 hospital) external;

    /// @notice Void a frozen entry: its allocation is never minted. Called by the dispute court.
    /// @param round_ The round.
    /// @param hospital The hospital.
    function voidEntry(uint64 round_, uint16 hospital) external;

    /// @notice Who the hospitals are.
    function consortium() external view returns (IConsortium);
    /// @notice What was fixed at deployment.
    function params() external view returns (Params memory);
    /// @notice The last round opened; 0 before the first.
    function currentRound() external view returns (uint64);
    /// @notice A round.
    /// @param round_ The round.
    function round(uint64 round_) external view returns (RoundView memory);
    /// @notice A hospital's part in a round.
    /// @param round_ The round.
    /// @param hospital The hospital.
    function entry(uint64 round_, uint16 hospital) external view returns (EntryView memory);
    /// @notice From when a round can be claimed (unix seconds); 0 before it is closed. Later rounds are never claimable
    /// earlier.
    /// @param round_ The round.
    function claimableAt(uint64 round_) external view returns (uint64);
    /// @notice What a claim on a hospital's entry is based on.
    /// @param round_ The round.
    /// @param hospital The hospital.
    /// @param open A round that the caller knows to be claimable: of it, and of those before it, the challenge window is not
    /// looked up.
    /// @return standing Whether the entry can be paid; the rest is zero unless it is held or payable.
    /// @return deviceQualityScored Whether devices' quality counts in this round.
    /// @return root Root of the hospital's tree.
    /// @return allocation What the entry was allocated.
    /// @return packedRule The round's reward rule: its sixteen numbers, 16 bits each, from the lowest.
    function claimBasis(uint64 round_, uint16 hospital, uint256 open)
        external
        view
        returns (Standing standing, bool deviceQualityScored, bytes32 root, uint256 allocation, PackedRule packedRule);
    /// @notice The weights of the two payee lanes of an entry.
    /// @param round_ The round.
    /// @param hospital The hospital.
    /// @return treasury Weight of the leaves without a payee.
    /// @return device Weight of the leaves with one.
    function entryWeights(uint64 round_, uint16 hospital) external view returns (uint64 treasury, uint64 device);
    /// @notice Whether a hospital has acted in a phase of a round.
    /// @param round_ The round.
    /// @param phase The phase.
    /// @param hospital The hospital.
    function acted(uint64 round_, Phase phase, uint16 hospital) external view returns (bool);
    /// @notice The open round's commitment of a hospital; zero before the commit and after the reveal.
    /// @param round_ The round.
    /// @param hospital The hospital.
    function commitmentOf(uint64 round_, uint16 hospital) external view returns (bytes32);
    /// @notice The hospitals that attested a digest; bit `id` stands for hospital `id`.
    /// @param round_ The round.
    /// @param roundDigest The digest.
    function attestations(uint64 round_, bytes32 roundDigest) external view returns (uint256);
    /// @notice A rule.
    /// @param ruleId The rule.
    function rule(uint16 ruleId) external view returns (RewardRule memory);
    /// @notice The rule that the next round will freeze.
    function latestRuleId() external view returns (uint16);
    /// @notice Everything allocated so far, less what was voided.
    function totalAllocated() external view returns (uint256);
    /// @notice Base emission of the next round to close.
    function nextEmission() external view returns (uint256);
    /// @notice Base emission of unpaid rounds, waiting for the next paid one.
    function rolledOver() external view returns (uint256);
    /// @notice The best median model score so far, and whether there has been one.
    /// @return score The score.
    /// @return known Whether there has been one.
    function bestModelScore() external view returns (uint16 score, bool known);
    /// @notice The last quality accepted for a hospital; 10,000 for a newcomer.
    /// @param hospital The hospital.
    function lastQuality(uint16 hospital) external view returns (uint16);
    /// @notice A hospital's registration for an epoch; zeros without one.
    /// @param hospital The hospital.
    /// @param epoch The epoch.
    function epochRegistration(uint16 hospital, uint64 epoch) external view returns (EpochRegistration memory);
    /// @notice The commitment to a set of scores; binds chain, ledger, round and hospital.
    /// @param round_ The round.
    /// @param hospital The hospital.
    /// @param packedScores As for `revealQuality`.
    /// @param modelScore As for `revealQuality`.
    /// @param utilitiesDigest As for `revealQuality`.
    /// @param salt As for `revealQuality`.
    function qualityCommitment(
        uint64 round_,
        uint16 hospital,
        uint256[] calldata packedScores,
        uint16 modelScore,
        bytes32 utilitiesDigest,
        bytes32 salt
    ) external view returns (bytes32);
}
