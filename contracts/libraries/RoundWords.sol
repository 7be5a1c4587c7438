// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

/// @title RoundWords
/// @notice The ledger's packed storage words, and what they are in memory.
/// @dev Packed by hand: one read and one write a word, and no masking in between. Sets of hospitals have 64 bits,
/// hospital `id` at bit `id - 1`. Values must fit their widths when packed.
library RoundWords {
    /// @notice What every act of a round reads and writes: phase 8 bits, profile 8, hospitals 8, ruleId 16,
    /// deadline 40, readyBlock 48, expected 64 (who can act in the phase), acted 64 (who has).
    struct Head {
        uint256 phase;
        uint256 profile;
        uint256 hospitals;
        uint256 ruleId;
        uint256 deadline;
        uint256 readyBlock;
        uint256 expected;
        uint256 acted;
    }

    /// @notice What disputes, and the first claim of a batch, read: frozen 64 bits, voided 64, openedAt 40, closedAt 40,
    /// medianModelScore 16, paid 8.
    struct Outcome {
        uint256 frozen;
        uint256 voided;
        uint256 openedAt;
        uint256 closedAt;
        uint256 medianModelScore;
        bool paid;
    }

    /// @notice What every claim reads; two of them share a storage word: allocation 96 bits, quality 14, ruleId 16,
    /// deviceQualityScored 1, held 1. Zero before a paid close, and for a hospital whose entry does not count.
    struct Result {
        uint256 allocation;
        uint256 quality;
        uint256 ruleId;
        bool deviceQualityScored;
        bool held;
    }

    /// @notice Marks a result whose entry a dispute holds back, or has voided.
    uint128 internal constant HELD = 1 << 127;

    /// @notice Set at opening, but for the budget: active 64 bits, rhoMicro 64, opener 16, budget 112.
    struct Opening {
        uint256 active;
        uint256 rhoMicro;
        uint256 opener;
        uint256 budget;
    }

    /// @notice What carries over from round to round: nextEmission 112 bits, rolledOver 112, bestModelScore 16,
    /// bestKnown 8.
    struct Emission {
        uint256 next;
        uint256 rolledOver;
        uint256 bestModelScore;
        bool bestKnown;
    }

    /// @notice The head in `word`.
    function unpackHead(uint256 word) internal pure returns (Head memory h) {
        h.phase = word & 0xFF;
        h.profile = (word >> 8) & 0xFF;
        h.hospitals = (word >> 16) & 0xFF;
        h.ruleId = (word >> 24) & 0xFFFF;
        h.deadline = (word >> 40) & 0xFFFFFFFFFF;
        h.readyBlock = (word >> 80) & 0xFFFFFFFFFFFF;
        h.expected = uint64(word >> 128);
        h.acted = word >> 192;
    }

    /// @notice The word of a head.
    function pack(Head memory h) internal pure returns (uint256) {
        return h.phase | (h.profile << 8) | (h.hospitals << 16) | (h.ruleId << 24) | (h.deadline << 40)
            | (h.readyBlock << 80) | (h.expected << 128) | (h.acted << 192);
    }

    /// @notice When the round closed; 0 before.
    function closedAtOf(uint256 outcome) internal pure returns (uint256) {
        return (outcome >> 168) & 0xFFFFFFFFFF;
    }

    /// @notice Whether the round closed with an accepted digest.
    function paidOf(uint256 outcome) internal pure returns (bool) {
        return outcome >> 224 != 0;
    }

    /// @notice The outcome in `word`.
    function unpackOutcome(uint256 word) internal pure returns (Outcome memory o) {
        o.frozen = uint64(word);
        o.voided = uint64(word >> 64);
        o.openedAt = (word >> 128) & 0xFFFFFFFFFF;
        o.closedAt = closedAtOf(word);
        o.medianModelScore = (word >> 208) & 0xFFFF;
        o.paid = paidOf(word);
    }

    /// @notice The word of an outcome.
    function pack(Outcome memory o) internal pure returns (uint256) {
        return o.frozen | (o.voided << 64) | (o.openedAt << 128) | (o.closedAt << 168) | (o.medianModelScore << 208)
            | (o.paid ? 1 << 224 : 0);
    }

    /// @notice The allocation of a result.
    function allocationOf(uint128 result) internal pure returns (uint96) {
        return uint96(result);
    }

    /// @notice The quality of a result.
    function qualityOf(uint128 result) internal pure returns (uint256) {
        return (result >> 96) & 0x3FFF;
    }

    /// @notice The rule of a result.
    function ruleIdOf(uint128 result) internal pure returns (uint256) {
        return (result >> 110) & 0xFFFF;
    }

    /// @notice Whether devices' quality counts.
    function deviceQualityScoredOf(uint128 result) internal pure returns (bool) {
        return (result >> 126) & 1 == 1;
    }

    /// @notice The word of a result.
    function pack(Result memory r) internal pure returns (uint128) {
        uint256 word = r.allocation | (r.quality << 96) | (r.ruleId << 110) | (r.deviceQualityScored ? 1 << 126 : 0);
        return uint128(word) | (r.held ? HELD : 0);
    }

    /// @notice The opening in `word`.
    function unpackOpening(uint256 word) internal pure returns (Opening memory o) {
        o.active = uint64(word);
        o.rhoMicro = uint64(word >> 64);
        o.opener = (word >> 128) & 0xFFFF;
        o.budget = word >> 144;
    }

    /// @notice The word of an opening.
    function pack(Opening memory o) internal pure returns (uint256) {
        return o.active | (o.rhoMicro << 64) | (o.opener << 128) | (o.budget << 144);
    }

    /// @notice The emission in `word`.
    function unpackEmission(uint256 word) internal pure returns (Emission memory e) {
        e.next = uint112(word);
        e.rolledOver = uint112(word >> 112);
        e.bestModelScore = (word >> 224) & 0xFFFF;
        e.bestKnown = word >> 240 != 0;
    }

    /// @notice The word of an emission.
    function pack(Emission memory e) internal pure returns (uint256) {
        return e.next | (e.rolledOver << 112) | (e.bestModelScore << 224) | (e.bestKnown ? 1 << 240 : 0);
    }

    /// @notice The bit of a hospital; 0 for ids that cannot be.
    function bitOf(uint256 hospital) internal pure returns (uint256) {
        return hospital == 0 || hospital > 64 ? 0 : 1 << (hospital - 1);
    }

    /// @notice How many hospitals a set has.
    function count(uint256 set) internal pure returns (uint256 n) {
        unchecked {
            for (; set != 0; set &= set - 1) {
                ++n;
            }
        }
    }
}
