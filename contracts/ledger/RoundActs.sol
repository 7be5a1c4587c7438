// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {RewardMath} from "../libraries/RewardMath.sol";
import {RoundWords} from "../libraries/RoundWords.sol";
import {RoundClock} from "./RoundClock.sol";

/// @title RoundActs
/// @notice What opens a round and starts its phases: opening, ready lists, the model, attestations.
abstract contract RoundActs is RoundClock {
    /// @inheritdoc IContributionLedger
    function openRound(uint64 round_, uint8 profile, bytes32 specHash, bytes32 modelHash, uint64 rhoMicro) external {
        uint64 last = currentRound;
        if (round_ != last + 1) revert UnexpectedRound(round_, last + 1);
        if (last != 0 && _load(last).phase != uint256(Phase.Closed)) revert PreviousRoundOpen(last);
        if (profile > RewardMath.MAX_PROFILE) revert InvalidProfile(profile);
        _requireDigest(specHash);
        _requireDigest(modelHash);
        if (rhoMicro > _RHO_CAP_MICRO) revert RhoAboveCap(rhoMicro, uint64(_RHO_CAP_MICRO));
        (address coordinator, uint256 activeSet, uint16 hospitals) = consortium.roster();
        if (activeSet == 0) revert NoActiveHospitals();
        uint256 opener = msg.sender == coordinator ? 0 : _idleOpener(last);

        currentRound = round_;
        Round storage r = _rounds[round_];
        r.opening = RoundWords.pack(RoundWords.Opening(activeSet >> 1, rhoMicro, opener, 0));
        r.outcome = block.timestamp << 128; // openedAt
        r.specHash = specHash;
        r.modelHash = modelHash;
        // slither-disable-next-line uninitialized-local -- begins with zeros
        RoundWords.Head memory head;
        head.profile = profile;
        head.hospitals = hospitals;
        head.ruleId = _currentRuleId();
        emit RoundOpened(round_, profile, uint16(head.ruleId), uint16(opener), activeSet, specHash, modelHash, rhoMicro);
        _enter(round_, head, Phase.Ready, activeSet >> 1, _READY_SECONDS);
        _store(round_, head);
    }

    /// @inheritdoc IContributionLedger
    function submitReady(uint64 round_, bytes32 digest) external {
        RoundWords.Head memory head = _load(round_);
        (uint16 id, uint256 bit) = _actor(round_, head, Phase.Ready);
        _requireDigest(digest);
        if (_rosterSize(id, round_) == 0) revert EpochNotRegistered(id, round_ >> 8);
        emit ReadySubmitted(round_, id, digest);
        _record(round_, head, bit);
    }

    /// @inheritdoc IContributionLedger
    function publishModel(uint64 round_, bytes32 modelHashAfter) external {
        Round storage r = _rounds[round_];
        RoundWords.Head memory head = _load(round_);
        _requirePhase(round_, head, Phase.Training);
        RoundWords.Opening memory opening = RoundWords.unpackOpening(r.opening);
        if (msg.sender != consortium.coordinator()) {
            uint256 id = consortium.activeHospitalOf(msg.sender);
            if (id == 0 || id != opening.opener) revert NotCoordinator(msg.sender);
        }
        _requireDigest(modelHashAfter);
        r.modelHashAfter = modelHashAfter;
        emit ModelPublished(round_, modelHashAfter);
        _enter(round_, head, Phase.Commit, opening.active, _COMMIT_SECONDS);
        _store(round_, head);
    }

    /// @inheritdoc IContributionLedger
    function attest(uint64 round_, bytes32 roundDigest) external {
        RoundWords.Head memory head = _load(round_);
        (uint16 id, uint256 bit) = _actor(round_, head, Phase.Attest);
        _requireDigest(roundDigest);
        uint256 supporters = _attestations[round_][roundDigest] | bit;
        _attestations[round_][roundDigest] = supporters;
        emit Attested(round_, id, roundDigest);
        Round storage r = _rounds[round_];
        if (3 * RoundWords.count(supporters) >= 2 * RoundWords.count(head.expected) && r.acceptedDigest == 0) {
            r.acceptedDigest = roundDigest;
            emit DigestAccepted(round_, roundDigest);
        }
        _record(round_, head, bit);
    }

    /// @dev The rule that a round opened now freezes.
    function _currentRuleId() internal view virtual returns (uint16);

    /// @dev The hospital that the caller acts for, if hospitals may open a round now.
    function _idleOpener(uint256 last) private view returns (uint16 id) {
        id = consortium.activeHospitalOf(msg.sender);
        if (id == 0) revert NotCoordinator(msg.sender);
        uint256 since = last == 0 ? _DEPLOYED_AT : RoundWords.closedAtOf(_rounds[last].outcome);
        uint256 until = since + _IDLE_SECONDS;
        if (block.timestamp < until) revert IdlePeriodRunning(uint64(until));
    }
}
