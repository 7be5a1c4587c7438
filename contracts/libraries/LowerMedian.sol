// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

/// @title LowerMedian
/// @notice The lower median, element (n - 1) / 2 of the sorted values.
library LowerMedian {
    /// @notice There is no median of nothing.
    error NoValues();

    /// @notice The lower median of the first `n` values of `values`; sorts them in place.
    /// @dev Insertion sort: at most 63 short values, where it beats anything recursive. The assembly only spares the
    /// bounds checks of the inner loop; `n` is checked against the array once.
    function inPlace(uint256[] memory values, uint256 n) internal pure returns (uint256) {
        if (n == 0 || n > values.length) revert NoValues();
        assembly ("memory-safe") {
            let first := add(values, 0x20)
            let end := add(first, shl(5, n))
            for { let p := add(first, 0x20) } lt(p, end) { p := add(p, 0x20) } {
                let value := mload(p)
                let hole := p
                for {} gt(hole, first) {} {
                    let below := mload(sub(hole, 0x20))
                    if iszero(gt(below, value)) { break }
                    mstore(hole, below)
                    hole := sub(hole, 0x20)
                }
                mstore(hole, value)
            }
        }
        return values[(n - 1) / 2];
    }
}
