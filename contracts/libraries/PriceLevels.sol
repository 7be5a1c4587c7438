// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

/// @title PriceLevels
/// @notice The 64 lowest prices that a cash-out request can ask for: the price cap, and 5/8, 6/8, 7/8 and 8/8 of it
/// halved up to 15 times. A price is in units of the settlement token for a whole participation token.
/// @dev A fixed set of levels is what lets a whole epoch be cleared in a bounded number of steps.
library PriceLevels {
    /// @notice How many there are; the last one is the cap.
    uint256 internal constant COUNT = 64;
    /// @notice A whole participation token.
    uint256 internal constant WHOLE = 1e18;

    /// @notice The price of a level, rounded down.
    function price(uint256 cap, uint256 level) internal pure returns (uint256) {
        uint256 down = COUNT - 1 - level;
        return (cap * (8 - (down & 3))) >> (3 + (down >> 2));
    }

    /// @notice The lowest level at which `amount` earns at least `minOut`; COUNT if not even the cap is enough.
    function levelFor(uint256 cap, uint256 amount, uint256 minOut) internal pure returns (uint256 level) {
        uint256 high = COUNT;
        while (level < high) {
            uint256 middle = (level + high) / 2;
            if (price(cap, middle) * amount >= minOut * WHOLE) high = middle;
            else level = middle + 1;
        }
    }
}
