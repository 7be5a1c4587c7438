// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisclosedTree} from "../interfaces/IDisclosedTree.sol";
import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {Node} from "../interfaces/ILedgerTypes.sol";
import {RewardMath} from "../libraries/RewardMath.sol";
import {PackedRule} from "../libraries/RulePacking.sol";
import {RoundWords} from "../libraries/RoundWords.sol";
import {ScorePacking} from "../libraries/ScorePacking.sol";
import {SumTree} from "../libraries/SumTree.sol";
import {RoundActs} from "./RoundActs.sol";

/// @title Contributions
/// @notice What a hospital puts on record: its scores of the others, committed and then revealed, and its entry.
abstract contract Contributions is RoundActs {
    /// @dev Domain tag of a commitment.
    bytes32 private constant _COMMIT_TYPEHASH = keccak256("FedIoMT.QualityCommit.v1");

    /// @inheritdoc IContributionLedger
    function commitQuality(uint64 round_, bytes32 commitment) external {
        RoundWords.Head memory head = _load(round_);
        (uint16 id, uint256 bit) = _actor(round_, head, Phase.Commit);
        _requireDigest(commitment);
        _work[id][0] = uint256(commitment);
        emit QualityCommitted(round_, id, commitment);
        _record(round_, head, bit);
    }

    /// @inheritdoc IContributionLedger
    function revealQuality(
        uint64 round_,
        uint256[] calldata packedScores,
        uint16 modelScore,
        bytes32 utilitiesDigest,
        bytes32 salt
    ) external {
        RoundWords.Head memory head = _load(round_);
        (uint16 id, uint256 bit) = _actor(round_, head, Phase.Reveal);
        uint256[4] storage work = _work[id];
        bytes32 opened = qualityCommitment(round_, id, packedScores, modelScore, utilitiesDigest, salt);
        if (uint256(opened) != work[0]) revert CommitmentMismatch(round_, id);
        if (modelScore > ScorePacking.MAX_SCORE) revert InvalidModelScore(modelScore);
        _checkScores(packedScores, head.hospitals, id);

        uint256 own = ScorePacking.wordOf(id);
        for (uint256 w = 0; w < packedScores.length; ++w) {
            uint256 word = packedScores[w];
            if (w == own) word = ScorePacking.set(word, ScorePacking.shiftOf(id), modelScore);
            work[w] = word;
        }
        emit QualityRevealed(round_, id, packedScores, modelScore, utilitiesDigest, salt);
        _record(round_, head, bit);
    }

    /// @inheritdoc IContributionLedger
    function submitEntry(uint64 round_, Node calldata left, Node calldata right, bytes32 bundleDigest) external {
        RoundWords.Head memory head = _load(round_);
        (uint16 id, uint256 bit) = _actor(round_, head, Phase.Entry);
        _requireDigest(bundleDigest);
        uint256 lanes = SumTree.add(left.lanes, right.lanes);
        _checkSums(lanes);
        bytes32 root = SumTree.nodeHash(left.hash, left.lanes, right.hash, right.lanes);

        Entry storage e = _entries[_key(round_, id)];
        e.root = root;
        e.lanes = lanes;
        emit EntrySubmitted(round_, id, root, lanes, left, right, bundleDigest);
        _record(round_, head, bit);
    }

    /// @inheritdoc IContributionLedger
    function submitDisclosedEntry(
        uint64 round_,
        bytes32 salt,
        bytes calldata devices,
        bytes calldata payees,
        bytes32 bundleDigest
    ) external {
        if (_DISCLOSED_TREE == address(0)) revert DisclosureOff();
        RoundWords.Head memory head = _load(round_);
        (uint16 id, uint256 bit) = _actor(round_, head, Phase.Entry);
        _requireDigest(bundleDigest);
        bool scored = RewardMath.deviceQualityScored(head.profile);
        (Node memory left, Node memory right) = IDisclosedTree(_DISCLOSED_TREE)
            .children(IDisclosedTree.Terms(round_, id, scored, _packedRule(head.ruleId), salt), devices, payees);
        uint256 lanes = SumTree.add(left.lanes, right.lanes);
        _checkSums(lanes);
        bytes32 root = SumTree.nodeHash(left.hash, left.lanes, right.hash, right.lanes);

        Entry storage e = _entries[_key(round_, id)];
        e.root = root;
        e.lanes = lanes;
        emit EntrySubmitted(round_, id, root, lanes, left, right, bundleDigest);
        _record(round_, head, bit);
    }

    /// @inheritdoc IContributionLedger
    /// @dev Binding the hospital keeps a copied commitment from being opened by the copier, and lets a hospital that
    /// rotates its account between commit and reveal still reveal.
    function qualityCommitment(
        uint64 round_,
        uint16 hospital,
        uint256[] calldata packedScores,
        uint16 modelScore,
        bytes32 utilitiesDigest,
        bytes32 salt
    ) public view returns (bytes32) {
        bytes32 scores = keccak256(abi.encodePacked(packedScores));
        return keccak256(
            abi.encode(
                _COMMIT_TYPEHASH,
                block.chainid,
                address(this),
                round_,
                hospital,
                scores,
                modelScore,
                utilitiesDigest,
                salt
            )
        );
    }

    /// @dev The rule of that id, packed.
    function _packedRule(uint256 ruleId) internal view virtual returns (PackedRule);

    /// @dev Lanes 1..hospitals are scores or none, and all others none; the four bits above the lanes are clear.
    function _checkScores(uint256[] calldata packedScores, uint256 hospitals, uint256 own) private pure {
        uint256 words = ScorePacking.wordCount(hospitals);
        if (packedScores.length != words) revert WrongScoreWords(packedScores.length, words);
        for (uint256 w = 0; w < words; ++w) {
            uint256 word = packedScores[w];
            // slither-disable-next-line incorrect-equality -- counts words of scores
            uint256 used = w + 1 == words ? hospitals - w * ScorePacking.LANES : ScorePacking.LANES;
            uint256 tail = ScorePacking.EMPTY >> (ScorePacking.BITS * used);
            if (word >> (ScorePacking.BITS * used) != tail || !ScorePacking.allInRange(word)) {
                revert InvalidScores(w, word);
            }
        }
        uint256 self = ScorePacking.get(packedScores[ScorePacking.wordOf(own)], ScorePacking.shiftOf(own));
        if (self != ScorePacking.NO_SCORE) revert SelfScored(uint16(own), self);
    }

    /// @dev Sums that `n` leaves within the score bounds can have, for enough leaves.
    function _checkSums(uint256 lanes) private view {
        uint256 n = uint32(lanes);
        if (n < _K_MIN) revert TooFewDevices(n, _K_MIN);
        uint256 most = n * ScorePacking.MAX_SCORE;
        uint256 weights = uint64(lanes >> 128) + (lanes >> 192);
        if (uint48(lanes >> 32) > most || uint48(lanes >> 80) > most || weights > most * ScorePacking.MAX_SCORE) {
            revert ImplausibleSums(lanes);
        }
    }
}
