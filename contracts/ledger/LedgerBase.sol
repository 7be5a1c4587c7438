// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {RoundWords} from "../libraries/RoundWords.sol";

/// @title LedgerBase
/// @notice What every part of the ledger shares: the parameters, the storage and who is calling.
/// @dev Sets of hospitals have bit `id - 1` for hospital `id` in here, and bit `id` outside.
abstract contract LedgerBase is IContributionLedger {
    /// @dev A round. The words are RoundWords', but for `sets`: who acted in the ready, commit, reveal and entry
    /// phases that are over, 64 bits each.
    struct Round {
        uint256 head;
        uint256 sets;
        uint256 outcome;
        uint256 opening;
        bytes32 specHash;
        bytes32 modelHash;
        bytes32 modelHashAfter;
        bytes32 beacon;
        bytes32 acceptedDigest;
    }

    /// @dev A hospital's entry: root and packed sums of its tree.
    struct Entry {
        bytes32 root;
        uint256 lanes;
    }

    /// @inheritdoc IContributionLedger
    IConsortium public immutable consortium;

    uint256 internal immutable _MAX_SUPPLY;
    uint256 internal immutable _INITIAL_EMISSION;
    uint256 internal immutable _EMISSION_DECAY_BPS;
    uint256 internal immutable _BONUS_PER_POINT;
    uint256 internal immutable _BONUS_CAP;
    uint256 internal immutable _K_MIN;
    uint256 internal immutable _RHO_CAP_MICRO;
    uint256 internal immutable _READY_SECONDS;
    uint256 internal immutable _TRAINING_SECONDS;
    uint256 internal immutable _COMMIT_SECONDS;
    uint256 internal immutable _REVEAL_SECONDS;
    uint256 internal immutable _ENTRY_SECONDS;
    uint256 internal immutable _ATTEST_SECONDS;
    uint256 internal immutable _CHALLENGE_SECONDS;
    uint256 internal immutable _IDLE_SECONDS;
    uint256 internal immutable _MAX_FREEZE_SECONDS;
    uint256 internal immutable _DEPLOYED_AT;
    address internal immutable _DISCLOSED_TREE;

    /// @inheritdoc IContributionLedger
    uint64 public currentRound;
    /// @inheritdoc IContributionLedger
    uint256 public totalAllocated;
    uint256 internal _emission;
    mapping(uint256 round => Round) internal _rounds;
    mapping(uint256 key => Entry) internal _entries;
    /// @dev RoundWords' results, that of hospital `id` at index `id - 1`.
    mapping(uint256 round => uint128[64]) internal _results;
    mapping(uint256 round => mapping(bytes32 digest => uint256)) internal _attestations;
    /// @dev Working space of the open round, used anew in each: the commitment, then the revealed words with the
    /// model score in the hospital's own lane. Meaningful only for members of the round's committed and revealed sets.
    mapping(uint256 hospital => uint256[4]) internal _work;
    /// @dev Last accepted qualities, packed like scores; 0 for none, else the quality plus one.
    mapping(uint256 word => uint256) internal _lastQualities;

    /// @dev Longest duration of any phase or window: keeps every deadline within 40 bits.
    uint256 private constant _MAX_DURATION = 3650 days;

    constructor(IConsortium consortium_, Params memory p) {
        if (address(consortium_) == address(0)) revert InvalidParameter("consortium");
        if (p.maxSupply == 0 || p.maxSupply > type(uint96).max) revert InvalidParameter("maxSupply");
        if (p.initialEmission > p.maxSupply) revert InvalidParameter("initialEmission");
        if (p.emissionDecayBps > 10_000) revert InvalidParameter("emissionDecayBps");
        if (p.bonusPerPoint > p.maxSupply) revert InvalidParameter("bonusPerPoint");
        if (p.bonusCap > p.maxSupply) revert InvalidParameter("bonusCap");
        if (p.kMin == 0) revert InvalidParameter("kMin");

        consortium = consortium_;
        _MAX_SUPPLY = p.maxSupply;
        _INITIAL_EMISSION = p.initialEmission;
        _EMISSION_DECAY_BPS = p.emissionDecayBps;
        _BONUS_PER_POINT = p.bonusPerPoint;
        _BONUS_CAP = p.bonusCap;
        _K_MIN = p.kMin;
        _RHO_CAP_MICRO = p.rhoCapMicro;
        _READY_SECONDS = _checked(p.readySeconds);
        _TRAINING_SECONDS = _checked(p.trainingSeconds);
        _COMMIT_SECONDS = _checked(p.commitSeconds);
        _REVEAL_SECONDS = _checked(p.revealSeconds);
        _ENTRY_SECONDS = _checked(p.entrySeconds);
        _ATTEST_SECONDS = _checked(p.attestSeconds);
        _CHALLENGE_SECONDS = _checked(p.challengeSeconds);
        _IDLE_SECONDS = _checked(p.idleSeconds);
        _MAX_FREEZE_SECONDS = _checked(p.maxFreezeSeconds);
        _DEPLOYED_AT = block.timestamp;
        _DISCLOSED_TREE = p.disclosedTree;
        _emission = p.initialEmission;
    }

    /// @dev The head of a round; every act starts with this and ends with `_store`.
    function _load(uint256 round_) internal view returns (RoundWords.Head memory) {
        return RoundWords.unpackHead(_rounds[round_].head);
    }

    /// @dev Keep a changed head.
    function _store(uint256 round_, RoundWords.Head memory head) internal {
        _rounds[round_].head = RoundWords.pack(head);
    }

    /// @dev The hospital that the caller acts for; reverts unless it is active.
    function _callingHospital() internal view returns (uint16 id) {
        id = consortium.activeHospitalOf(msg.sender);
        if (id == 0) {
            id = consortium.hospitalIdOf(msg.sender);
            if (id == 0) revert NotHospital(msg.sender);
            revert HospitalNotActive(id);
        }
    }

    function _requirePhase(uint64 round_, RoundWords.Head memory head, Phase phase) internal pure {
        if (head.phase != uint256(phase)) revert WrongPhase(round_, Phase(head.phase), phase);
    }

    function _requireDigest(bytes32 digest) internal pure {
        if (digest == 0) revert ZeroDigest();
    }

    /// @dev Where a hospital's entry of a round is kept.
    function _key(uint256 round_, uint256 id) internal pure returns (uint256) {
        return (round_ << 16) | id;
    }

    /// @dev Durations are set once, and zero only where time is simulated.
    function _checked(uint256 duration) private view returns (uint256) {
        if (duration == 0 && block.chainid != 31337 && block.chainid != 1337) revert ZeroDuration();
        if (duration > _MAX_DURATION) revert InvalidParameter("duration");
        return duration;
    }
}
