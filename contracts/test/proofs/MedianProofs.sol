// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {LowerMedian} from "../../libraries/LowerMedian.sol";

/// @title MedianProofs
/// @notice The lower median of up to three values of any size.
contract MedianProofs {
    function check_median_of_1(uint256[1] memory given) public pure {
        uint256[] memory values = new uint256[](1);
        values[0] = given[0];
        assert(LowerMedian.inPlace(values, 1) == given[0]);
    }

    function check_median_of_2(uint256[2] memory given) public pure {
        uint256[] memory values = new uint256[](2);
        for (uint256 i = 0; i < 2; ++i) {
            values[i] = given[i];
        }
        isLowerMedian(values, LowerMedian.inPlace(copy(values), 2));
    }

    function check_median_of_3(uint256[3] memory given) public pure {
        uint256[] memory values = new uint256[](3);
        for (uint256 i = 0; i < 3; ++i) {
            values[i] = given[i];
        }
        isLowerMedian(values, LowerMedian.inPlace(copy(values), 3));
    }

    /// @dev One of the values, with no more than (n - 1) / 2 below it and no more than n / 2 above it.
    function isLowerMedian(uint256[] memory values, uint256 median) private pure {
        uint256 n = values.length;
        uint256 below = 0;
        uint256 above = 0;
        for (uint256 i = 0; i < n; ++i) {
            uint256 value = values[i];
            assembly ("memory-safe") {
                below := add(below, lt(value, median))
                above := add(above, gt(value, median))
            }
        }
        assert(below <= (n - 1) / 2);
        assert(above <= n / 2);
        assert(below + above < n);
    }

    function copy(uint256[] memory values) private pure returns (uint256[] memory same) {
        same = new uint256[](values.length);
        for (uint256 i = 0; i < values.length; ++i) {
            same[i] = values[i];
        }
    }
}
