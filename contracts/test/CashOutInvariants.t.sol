// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Check} from "./support/Check.sol";
import {CashOutStory} from "./support/CashOutStory.sol";

/// @title CashOutInvariantsTest
/// @notice What holds at the desk whatever anybody does.
contract CashOutInvariantsTest is Check {
    CashOutStory private story;

    function setUp() public {
        story = new CashOutStory();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(story);
    }

    /// @dev The story gets somewhere, so that the invariants are not about nothing.
    function test_the_story_sells_returns_and_serves() public {
        for (uint256 i = 0; i < 60; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            story.fund(seed % 3 ether);
            story.sell(i, seed % 20 ether, seed);
            story.wait(seed);
            story.collect(i / 2);
            story.order(i);
            story.handle(seed, i);
            story.handle(seed, i / 2);
        }
        isTrue(story.sales() > 5, "sales");
        isTrue(story.returns_() > 5, "returns");
        isTrue(story.served() > 5, "orders");
    }

    /// @dev The reserve never owes more than it has, and what it has is what was given and not paid.
    function invariant_the_reserve_is_there() public view {
        (uint256 balance, uint256 reserve, uint256 owed) = story.books();
        atMost(reserve + owed, balance, "reserve and owed <= balance");
        eq(balance, story.given() - story.paid(), "balance");
    }

    /// @dev Tokens of open orders and open requests are there, and nothing else.
    function invariant_escrow_covers_orders_and_requests() public view {
        (uint256 balance, uint256 requests, uint256 services) = story.escrow();
        eq(balance, requests + services, "escrow");
    }

    /// @dev What is owed is what the epochs have to pay, and that covers every request that is due.
    function invariant_what_is_owed_covers_what_is_due() public view {
        (uint256 unpaid, uint256 queued, uint256 due) = story.sums();
        (, uint256 requests,) = story.escrow();
        (,, uint256 owed) = story.books();
        eq(unpaid, owed, "owed");
        eq(queued, requests, "requests");
        atMost(due, owed, "due <= owed");
    }

    /// @dev Nobody is paid less than asked for, more than the cap, twice, early, or another amount than was said.
    function invariant_nothing_happens_that_must_not() public view {
        eq(story.wrongs(), 0, "wrongs");
    }
}
