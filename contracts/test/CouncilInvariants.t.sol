// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Assembly} from "./support/Assembly.sol";
import {Check} from "./support/Check.sol";

/// @title CouncilInvariantsTest
/// @notice What holds whatever hospitals propose and vote.
contract CouncilInvariantsTest is Check {
    Assembly private hall;

    function setUp() public {
        hall = new Assembly();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(hall);
    }

    /// @dev The assembly gets somewhere, so that the invariants are not about nothing.
    function test_the_assembly_makes_calls() public {
        for (uint8 i = 0; i < 12; ++i) {
            hall.proposal(i);
            hall.ballot(0, type(uint8).max, true);
            hall.queue(0);
            hall.execute(0);
            hall.wait(uint32(2 days));
            hall.execute(0);
            hall.execute(0);
        }
        eq(hall.executed(), 12, "executed");
        isTrue(hall.refused() >= 24, "early and twice refused");
        eq(hall.wrongs(), 0, "wrongs");
    }

    /// @dev A call is made once for each executed proposal, and for nothing else.
    function invariant_calls_are_executed_proposals() public view {
        (uint256 calls, uint256 proposals) = hall.totals();
        eq(calls, proposals, "calls");
        eq(proposals, hall.executed(), "executed");
    }

    /// @dev Nothing executes with fewer than two thirds of its electorate, early, late or twice; and what may, does.
    function invariant_nothing_executes_without_two_thirds() public view {
        eq(hall.wrongs(), 0, "wrongs");
    }
}
