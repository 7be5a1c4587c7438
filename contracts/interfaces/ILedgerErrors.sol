// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes} from "./ILedgerTypes.sol";

/// @title ILedgerErrors
/// @notice Why the contribution ledger refuses a call.
interface ILedgerErrors is ILedgerTypes {
    /// @notice A duration is zero, which only local chains (ids 31337 and 1337) allow.
    error ZeroDuration();
    /// @notice A constructor parameter is out of range.
    error InvalidParameter(string name);
    /// @notice A number of a reward rule is too large; `field` counts 0..15 in the order of the struct.
    error RuleFieldTooLarge(uint256 field, uint256 value, uint256 maximum);
    /// @notice wVolume, wQuality and wCompute of a reward rule must sum to 10,000.
    error WeightsMustSumTo10000(uint256 sum);
    /// @notice shareVolume and shareCompute of a reward rule must sum to 10,000.
    error SharesMustSumTo10000(uint256 sum);
    /// @notice There is no rule of that id.
    error UnknownRule(uint16 ruleId);
    /// @notice The caller is not the coordinator (nor the hospital that opened the round).
    error NotCoordinator(address caller);
    /// @notice The caller acts for no hospital.
    error NotHospital(address caller);
    /// @notice The hospital is not active.
    error HospitalNotActive(uint16 hospital);
    /// @notice The hospital was not active when the round opened.
    error NotInRound(uint64 round, uint16 hospital);
    /// @notice Rounds are opened one after the other.
    error UnexpectedRound(uint64 round, uint64 expected);
    /// @notice The previous round is still open.
    error PreviousRoundOpen(uint64 round);
    /// @notice Hospitals may open the next round only after the idle period.
    error IdlePeriodRunning(uint64 until);
    /// @notice No hospital is active.
    error NoActiveHospitals();
    /// @notice There is no such profile.
    error InvalidProfile(uint8 profile);
    /// @notice The declared privacy loss is above the cap.
    error RhoAboveCap(uint64 rhoMicro, uint64 capMicro);
    /// @notice A digest or hash is zero.
    error ZeroDigest();
    /// @notice The roster is empty.
    error EmptyRoster();
    /// @notice The hospital has not registered for the epoch of the round.
    error EpochNotRegistered(uint16 hospital, uint64 epoch);
    /// @notice The hospital has already registered for the epoch.
    error EpochAlreadyRegistered(uint16 hospital, uint64 epoch);
    /// @notice The epoch is over.
    error EpochPassed(uint64 epoch, uint64 current);
    /// @notice The call belongs to another phase.
    error WrongPhase(uint64 round, Phase actual, Phase expected);
    /// @notice This phase is not ended by `advance`.
    error NotAdvanceable(uint64 round, Phase actual);
    /// @notice The hospital has already acted in this phase.
    error AlreadyActed(uint64 round, Phase phase, uint16 hospital);
    /// @notice The phase's deadline has not passed, and not everybody has acted.
    error DeadlineNotReached(uint64 round, uint64 deadline);
    /// @notice The beacon's block is not known yet; `fixBeacon` works from block `fromBlock` on.
    error BeaconNotReady(uint64 round, uint256 fromBlock);
    /// @notice The hospital has not committed.
    error NotCommitted(uint64 round, uint16 hospital);
    /// @notice What is revealed is not what was committed.
    error CommitmentMismatch(uint64 round, uint16 hospital);
    /// @notice The number of score words is not ceil(hospitals / 18).
    error WrongScoreWords(uint256 given, uint256 expected);
    /// @notice A lane of that word is above 10,000, or set where there is no hospital.
    error InvalidScores(uint256 index, uint256 word);
    /// @notice A hospital does not score itself.
    error SelfScored(uint16 hospital, uint256 score);
    /// @notice The model score is above 10,000.
    error InvalidModelScore(uint16 score);
    /// @notice The hospital did not submit a ready list, so it can have no cohorts.
    error NotReady(uint64 round, uint16 hospital);
    /// @notice The consortium did not choose at deployment that devices' scores may be disclosed.
    error DisclosureOff();
    /// @notice The entry has fewer devices than the minimum.
    error TooFewDevices(uint256 n, uint256 kMin);
    /// @notice The entry's sums cannot come from that many devices.
    error ImplausibleSums(uint256 lanes);
    /// @notice Only the dispute court may do this.
    error NotDisputeCourt(address caller);
    /// @notice The hospital has no entry in the round.
    error NoEntry(uint64 round, uint16 hospital);
    /// @notice The entry is frozen or voided already.
    error AlreadyHeld(uint64 round, uint16 hospital);
    /// @notice The entry is not frozen.
    error NotFrozen(uint64 round, uint16 hospital);
    /// @notice The challenge window is over.
    error ChallengeWindowOver(uint64 round, uint64 endedAt);
    /// @notice Before `until`, only the court may release the entry.
    error FreezeRunning(uint64 round, uint16 hospital, uint64 until);
}
