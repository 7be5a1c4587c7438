// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes, Node, RewardRule} from "./ILedgerTypes.sol";

/// @title ILedgerEvents
/// @notice The events of the contribution ledger: everything that an audit needs to read.
interface ILedgerEvents is ILedgerTypes {
    /// @notice A hospital registered its roster and noise seed for an epoch.
    event EpochRegistered(
        uint16 indexed hospital,
        uint64 indexed epoch,
        bytes32 rosterRoot,
        uint32 rosterSize,
        bytes32 noiseSeedCommitment
    );
    /// @notice A reward rule was added; rounds opened from now on use it.
    event RuleSet(uint16 indexed ruleId, RewardRule rule);
    /// @notice A round was opened. `opener` is 0 for the coordinator.
    event RoundOpened(
        uint64 indexed round,
        uint8 profile,
        uint16 ruleId,
        uint16 opener,
        uint256 activeSet,
        bytes32 specHash,
        bytes32 modelHash,
        uint64 rhoMicro
    );
    /// @notice A round entered a phase; `deadline` is 0 where a phase has none.
    event PhaseAdvanced(uint64 indexed round, Phase phase, uint64 deadline);
    /// @notice A hospital submitted the digest of its ready list.
    event ReadySubmitted(uint64 indexed round, uint16 indexed hospital, bytes32 digest);
    /// @notice The round's beacon is fixed: the hash of block `blockNumber`.
    event BeaconFixed(uint64 indexed round, bytes32 beacon, uint256 blockNumber);
    /// @notice The beacon's block was missed by more than 256 blocks; the block after `readyBlock` takes its place.
    event BeaconReanchored(uint64 indexed round, uint256 readyBlock);
    /// @notice The model that came out of the round was published.
    event ModelPublished(uint64 indexed round, bytes32 modelHashAfter);
    /// @notice A hospital committed to its scores.
    event QualityCommitted(uint64 indexed round, uint16 indexed hospital, bytes32 commitment);
    /// @notice A hospital revealed its scores.
    event QualityRevealed(
        uint64 indexed round,
        uint16 indexed hospital,
        uint256[] packedScores,
        uint16 modelScore,
        bytes32 utilitiesDigest,
        bytes32 salt
    );
    /// @notice A hospital submitted its entry; `lanes` is what the tree sums to, packed as in a Node.
    event EntrySubmitted(
        uint64 indexed round,
        uint16 indexed hospital,
        bytes32 root,
        uint256 lanes,
        Node left,
        Node right,
        bytes32 bundleDigest
    );
    /// @notice A hospital attested a round digest.
    event Attested(uint64 indexed round, uint16 indexed hospital, bytes32 roundDigest);
    /// @notice A round digest reached two thirds of the hospitals active at opening.
    event DigestAccepted(uint64 indexed round, bytes32 roundDigest);
    /// @notice A round closed. `totalVolume` and `totalCompute` sum over the entries that count.
    event RoundClosed(
        uint64 indexed round,
        bool paid,
        uint256 budget,
        uint256 bonus,
        uint256 totalVolume,
        uint256 totalCompute,
        bytes32 acceptedDigest
    );
    /// @notice A hospital was allocated its part of a round.
    event Allocated(uint64 indexed round, uint16 indexed hospital, uint16 quality, uint256 shareE18, uint256 amount);
    /// @notice A hospital submitted an entry but did not reveal, did not attest the accepted digest, or was voided.
    event Forfeited(uint64 indexed round, uint16 indexed hospital);
    /// @notice A dispute holds an entry back.
    event EntryFrozen(uint64 indexed round, uint16 indexed hospital, uint64 releasableAt);
    /// @notice An entry is no longer held back.
    event EntryReleased(uint64 indexed round, uint16 indexed hospital);
    /// @notice An entry was voided; `amount` will never be minted.
    event EntryVoided(uint64 indexed round, uint16 indexed hospital, uint256 amount);
}
