// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Vm} from "./Vm.sol";

/// @title Check
/// @notice What every test needs: the cheatcodes, and assertions that say what differs.
abstract contract Check {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Different(string what, uint256 left, uint256 right);
    error NotTrue(string what);

    function eq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert Different(what, left, right);
    }

    function eq(bytes32 left, bytes32 right, string memory what) internal pure {
        if (left != right) revert Different(what, uint256(left), uint256(right));
    }

    function eq(address left, address right, string memory what) internal pure {
        if (left != right) revert Different(what, uint160(left), uint160(right));
    }

    function isTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function atMost(uint256 left, uint256 right, string memory what) internal pure {
        if (left > right) revert Different(what, left, right);
    }

    /// @dev A number in `low..high`, from any number.
    function within(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        return high - low == type(uint256).max ? x : low + (x % (high - low + 1));
    }
}
