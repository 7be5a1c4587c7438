// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

/// @title ScorePacking
/// @notice Scores of 14 bits, 18 to a word: hospital `id` is lane `id - 1`.
library ScorePacking {
    /// @notice No score given.
    uint256 internal constant NO_SCORE = 0x3FFF;
    /// @notice Largest score.
    uint256 internal constant MAX_SCORE = 10_000;
    /// @notice Lanes of a word.
    uint256 internal constant LANES = 18;
    /// @notice Bits of a lane.
    uint256 internal constant BITS = 14;

    /// @notice A word without a score.
    uint256 internal constant EMPTY = (1 << 252) - 1;
    /// @notice One in every second lane: a word's half has nine scores with 14 free bits above each.
    // slither-disable-next-line too-many-digits -- a mask of 253 bits
    uint256 internal constant HALF_ONES = 0x100000010000001000000100000010000001000000100000010000001;
    /// @notice All bits of every second lane.
    uint256 internal constant HALF = HALF_ONES * NO_SCORE;

    /// @notice Words that `hospitals` lanes take.
    function wordCount(uint256 hospitals) internal pure returns (uint256) {
        unchecked {
            return (hospitals + LANES - 1) / LANES;
        }
    }

    /// @notice The word of a hospital's lane.
    function wordOf(uint256 hospital) internal pure returns (uint256) {
        unchecked {
            return (hospital - 1) / LANES;
        }
    }

    /// @notice The shift of a hospital's lane within its word.
    function shiftOf(uint256 hospital) internal pure returns (uint256) {
        unchecked {
            return BITS * ((hospital - 1) % LANES);
        }
    }

    /// @notice The lane at `shift` of `word`.
    function get(uint256 word, uint256 shift) internal pure returns (uint256) {
        return (word >> shift) & NO_SCORE;
    }

    /// @notice `word` with the lane at `shift` set to `value`, which has 14 bits.
    function set(uint256 word, uint256 shift, uint256 value) internal pure returns (uint256) {
        return (word & ~(NO_SCORE << shift)) | (value << shift);
    }

    /// @notice Whether each of the 18 lanes is a score or NO_SCORE.
    function allInRange(uint256 word) internal pure returns (bool) {
        return _halfInRange(word & HALF) && _halfInRange((word >> BITS) & HALF);
    }

    /// @dev Adding carries into bit 14 of a lane where it is above MAX_SCORE, or where it is NO_SCORE: both or neither.
    function _halfInRange(uint256 half) private pure returns (bool) {
        unchecked {
            uint256 above = half + HALF_ONES * (NO_SCORE - MAX_SCORE);
            uint256 none = half + HALF_ONES;
            return (above ^ none) & (HALF_ONES << BITS) == 0;
        }
    }
}
