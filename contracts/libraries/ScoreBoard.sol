// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {LowerMedian} from "./LowerMedian.sol";
import {RoundWords} from "./RoundWords.sol";
import {ScorePacking} from "./ScorePacking.sol";

/// @title ScoreBoard
/// @notice What the validators of a round revealed, and the medians of it. Fewer than two scores have no median.
/// @dev Words are split into halves of nine lanes with as many bits between them, so that one subtraction compares nine
/// hospitals' scores at once. Each half's rows are sorted through a network: the cost depends on how many there are,
/// not on what they say. NO_SCORE is the largest value, so scores that were not given end up behind those that were.
library ScoreBoard {
    /// @notice The revealed scores. The two halves of word `w` of sorted row `k` are at `rows[2 * (w * validators + k)]`
    /// and after it.
    struct Board {
        uint256 validators;
        uint256[] rows;
        uint256[] missing; // by half, lane by lane: how many gave no score
        uint256[] modelScores;
    }

    /// @notice Load what the hospitals of the set `revealed` revealed: a validator's own lane has its model score.
    function load(mapping(uint256 hospital => uint256[4]) storage work, uint256 revealed, uint256 hospitals)
        internal
        view
        returns (Board memory board)
    {
        uint256 n = RoundWords.count(revealed);
        uint256 words = ScorePacking.wordCount(hospitals);
        board.validators = n;
        board.rows = new uint256[](2 * words * n);
        board.missing = new uint256[](2 * words);
        board.modelScores = new uint256[](n);
        uint256 k = 0;
        unchecked {
            for (uint256 id = 1; k < n; ++id) {
                if ((revealed >> (id - 1)) & 1 == 0) continue;
                uint256[4] storage own = work[id];
                for (uint256 w = 0; w < words; ++w) {
                    uint256 word = own[w];
                    if (w == ScorePacking.wordOf(id)) {
                        uint256 shift = ScorePacking.shiftOf(id);
                        board.modelScores[k] = ScorePacking.get(word, shift);
                        word |= ScorePacking.NO_SCORE << shift;
                    }
                    _put(board.rows, 2 * (w * n + k), word);
                }
                ++k;
            }
        }
        for (uint256 w = 0; w < words; ++w) {
            _sort(board, w);
        }
    }

    /// @notice The lower median of the model scores.
    function modelMedian(Board memory board) internal pure returns (bool known, uint256 median) {
        uint256 n = board.validators;
        return n < 2 ? (false, 0) : (true, LowerMedian.inPlace(board.modelScores, n));
    }

    /// @notice The lower median of the scores that the others gave a hospital.
    function qualityMedian(Board memory board, uint256 hospital) internal pure returns (bool known, uint256 median) {
        unchecked {
            uint256 word = ScorePacking.wordOf(hospital);
            uint256 lane = (hospital - 1) % ScorePacking.LANES;
            // Two lanes share a shift, so the remainder has to go.
            // slither-disable-next-line divide-before-multiply
            uint256 shift = 2 * ScorePacking.BITS * (lane / 2);
            uint256 given = board.validators - ScorePacking.get(board.missing[2 * word + lane % 2], shift);
            if (given < 2) return (false, 0);
            uint256 row = word * board.validators + (given - 1) / 2;
            return (true, ScorePacking.get(board.rows[2 * row + lane % 2], shift));
        }
    }

    /// @dev Sort the lanes of a word's rows, ascending, and count the NO_SCOREs. Batcher's merge exchange (Knuth, The Art
    /// of Computer Programming, 5.2.2, algorithm M), whose keys are lanes: all of a row's are exchanged at once.
    function _sort(Board memory board, uint256 w) private pure {
        uint256 n = board.validators;
        if (n == 0) return;
        uint256 start = _address(board.rows, 2 * w * n);
        uint256 high = _topBits();
        uint256 top = 1;
        while (2 * top < n) top *= 2;
        for (uint256 p = top; p > 0; p /= 2) {
            uint256 r = 0;
            uint256 d = p;
            for (uint256 q = top;; q /= 2) {
                if (n > d) _exchange(start, n - d, p, r, d, high);
                if (q == p) break;
                d = q - p;
                r = p;
            }
        }
        (board.missing[2 * w], board.missing[2 * w + 1]) = _missing(start, n);
    }

    /// @dev Compare-exchange the rows `i` and `i + d`, for every `i < end` with `i & p == r`; rows are pairs of halves.
    /// Bit 14 of (a | 2^14) - b says that a lane's a >= b, and is spread to a mask of the lane; `high` has those bits.
    function _exchange(uint256 start, uint256 end, uint256 p, uint256 r, uint256 d, uint256 high) private pure {
        assembly ("memory-safe") {
            d := shl(6, d)
            p := shl(6, p)
            end := add(start, shl(6, end))
            for { let first := add(start, shl(6, r)) } lt(first, end) { first := add(first, shl(1, p)) } {
                let last := add(first, p)
                if gt(last, end) { last := end }
                for { let row := first } lt(row, last) { row := add(row, 0x20) } {
                    let a := mload(row)
                    let b := mload(add(row, d))
                    let greater := and(sub(or(a, high), b), high)
                    let differ := xor(a, b)
                    let low := xor(a, and(differ, sub(greater, shr(14, greater))))
                    mstore(row, low)
                    mstore(add(row, d), xor(differ, low))
                }
            }
        }
    }

    /// @dev Bit 14 of every lane of a half. Put together here, since the compiler would rebuild a constant of this size
    /// in every turn of the loop that uses it.
    function _topBits() private pure returns (uint256 high) {
        for (uint256 lane = 0; lane < ScorePacking.LANES / 2; ++lane) {
            high = (high << (2 * ScorePacking.BITS)) | (1 << ScorePacking.BITS);
        }
    }

    /// @dev How many of `n` rows have NO_SCORE in each lane, for both halves.
    function _missing(uint256 start, uint256 n) private pure returns (uint256 even, uint256 odd) {
        uint256 ones = ScorePacking.HALF_ONES;
        assembly ("memory-safe") {
            for { let end := add(start, shl(6, n)) } lt(start, end) { start := add(start, 0x40) } {
                even := add(even, and(shr(14, add(mload(start), ones)), ones))
                odd := add(odd, and(shr(14, add(mload(add(start, 0x20)), ones)), ones))
            }
        }
    }

    /// @dev Write both halves of a word.
    function _put(uint256[] memory rows, uint256 index, uint256 word) private pure {
        rows[index] = word & ScorePacking.HALF;
        rows[index + 1] = (word >> ScorePacking.BITS) & ScorePacking.HALF;
    }

    /// @dev Where an element of an array is in memory.
    function _address(uint256[] memory array, uint256 index) private pure returns (uint256 location) {
        assembly ("memory-safe") {
            location := add(add(array, 0x20), shl(5, index))
        }
    }
}
