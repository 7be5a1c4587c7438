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
    /// @notice The revealed scores: half `h` has `validators` rows from `rows[h * validators]` on, sorted.
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
        for (uint256 id = 1; id <= hospitals; ++id) {
            if ((revealed >> (id - 1)) & 1 == 0) continue;
            uint256[4] storage own = work[id];
            for (uint256 w = 0; w < words; ++w) {
                uint256 word = own[w];
                if (w == ScorePacking.wordOf(id)) {
                    uint256 shift = ScorePacking.shiftOf(id);
                    board.modelScores[k] = ScorePacking.get(word, shift);
                    word |= ScorePacking.NO_SCORE << shift;
                }
                board.rows[2 * w * n + k] = word & ScorePacking.HALF;
                board.rows[(2 * w + 1) * n + k] = (word >> ScorePacking.BITS) & ScorePacking.HALF;
            }
            ++k;
        }
        for (uint256 h = 0; h < 2 * words; ++h) board.missing[h] = _sort(board.rows, h * n, n);
    }

    /// @notice The lower median of the model scores.
    function modelMedian(Board memory board) internal pure returns (bool known, uint256 median) {
        uint256 n = board.validators;
        return n < 2 ? (false, 0) : (true, LowerMedian.inPlace(board.modelScores, n));
    }

    /// @notice The lower median of the scores that the others gave a hospital.
    function qualityMedian(Board memory board, uint256 hospital) internal pure returns (bool known, uint256 median) {
        uint256 lane = (hospital - 1) % ScorePacking.LANES;
        uint256 half = 2 * ((hospital - 1) / ScorePacking.LANES) + lane % 2;
        uint256 shift = 2 * ScorePacking.BITS * (lane / 2);
        uint256 given = board.validators - ScorePacking.get(board.missing[half], shift);
        if (given < 2) return (false, 0);
        uint256 row = board.rows[half * board.validators + (given - 1) / 2];
        return (true, ScorePacking.get(row, shift));
    }

    /// @dev Sort each lane of `rows[first..first + n - 1]`, ascending, and count its NO_SCOREs. Batcher's merge exchange
    /// (Knuth, The Art of Computer Programming, 5.2.2, algorithm M) with a compare-exchange of all nine lanes: bit 14
    /// of (a | 2^14) - b says a >= b, and spreads to a mask of the lane.
    function _sort(uint256[] memory rows, uint256 first, uint256 n) private pure returns (uint256 missing) {
        if (n == 0) return 0;
        uint256 start;
        assembly ("memory-safe") {
            start := add(add(rows, 0x20), shl(5, first))
        }
        uint256 top = 1;
        while (2 * top < n) top *= 2;
        for (uint256 p = top; p > 0; p /= 2) {
            uint256 r = 0;
            uint256 d = p;
            for (uint256 q = top;; q /= 2) {
                if (n > d) _exchange(start, n - d, p, r, d);
                if (q == p) break;
                d = q - p;
                r = p;
            }
        }
        uint256 ones = ScorePacking.HALF_ONES;
        assembly ("memory-safe") {
            for { let i := 0 } lt(i, n) { i := add(i, 1) } {
                missing := add(missing, and(shr(14, add(mload(add(start, shl(5, i))), ones)), ones))
            }
        }
    }

    /// @dev Compare-exchange the rows `i` and `i + d`, for every `i < end` with `i & p == r`; `start` is where row 0 is.
    function _exchange(uint256 start, uint256 end, uint256 p, uint256 r, uint256 d) private pure {
        uint256 high = ScorePacking.HALF_ONES << ScorePacking.BITS;
        assembly ("memory-safe") {
            let offset := shl(5, d)
            for { let i := 0 } lt(i, end) { i := add(i, 1) } {
                if eq(and(i, p), r) {
                    let row := add(start, shl(5, i))
                    let a := mload(row)
                    let b := mload(add(row, offset))
                    let greater := and(sub(or(a, high), b), high)
                    let differ := xor(a, b)
                    let low := xor(a, and(differ, sub(greater, shr(14, greater))))
                    mstore(row, low)
                    mstore(add(row, offset), xor(differ, low))
                }
            }
        }
    }
}
