// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerEvents} from "../interfaces/ILedgerEvents.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title RevealsTest
/// @notice Rounds in which all commit and hardly anybody reveals: whose quality moves, who forfeits, who is paid.
contract RevealsTest is Rounds {
    ILedgerTypes.Phase private constant REVEAL = ILedgerTypes.Phase.Reveal;
    ILedgerTypes.Phase private constant ATTEST = ILedgerTypes.Phase.Attest;
    ILedgerTypes.Phase private constant CLOSED = ILedgerTypes.Phase.Closed;

    function setUp() public {
        deployAll(0);
        for (uint16 id = 1; id <= 5; ++id) {
            join(account(id), 3000);
        }
        registerAll(0);
    }

    function allocationOf(uint64 round, uint16 id) private view returns (uint256) {
        return ledger.entry(round, id).allocation;
    }

    /// @dev Let everybody commit, and 1..n reveal, enter and attest as far as they may; `n` is below 5.
    function roundWithReveals(uint16 n) private returns (uint64 round) {
        round = openTo(REVEAL, 5);
        for (uint16 id = 1; id <= n; ++id) {
            reveal(round, id);
        }
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        stepTo(round, ATTEST, 5);
        for (uint16 id = 1; id <= 5; ++id) {
            attest(round, id, DIGEST);
        }
        for (uint16 id = n + 1; id <= 5; ++id) {
            vm.expectEmit(true, true, true, true, address(ledger));
            emit ILedgerEvents.Forfeited(round, id);
        }
        ledger.closeRound(round);
        isTrue(ledger.round(round).paid, "closed with its quorum");
        for (uint16 id = n + 1; id <= 5; ++id) {
            eq(allocationOf(round, id), 0, "who does not reveal forfeits");
        }
    }

    /// @dev A round whose accepted qualities differ from any score given later.
    function settleQualitiesAt(uint256 score) private {
        givenScore = score;
        openTo(CLOSED, 5);
        givenScore = 9000;
    }

    function test_without_a_reveal_all_forfeit_and_the_last_qualities_stand() public {
        settleQualitiesAt(5000);
        uint256 before = ledger.totalAllocated();
        roundWithReveals(0);
        eq(ledger.totalAllocated(), before, "nobody revealed, so nobody is paid");
        for (uint16 id = 1; id <= 5; ++id) {
            eq(ledger.lastQuality(id), 5000, "last accepted");
        }
        (uint16 best, bool known) = ledger.bestModelScore();
        isTrue(known && best == 8000, "the best model score stays");
        uint64 round = openTo(CLOSED, 5);
        for (uint16 id = 1; id <= 5; ++id) {
            eq(ledger.entry(round, id).quality, 9000, "the next round scores again");
            isTrue(allocationOf(round, id) != 0, "and pays again");
        }
    }

    function test_a_lone_reveal_changes_no_quality_and_whoever_made_it_is_paid() public {
        settleQualitiesAt(5000);
        uint64 round = roundWithReveals(1);
        for (uint16 id = 1; id <= 5; ++id) {
            eq(ledger.lastQuality(id), 5000, "a single score is no median");
        }
        eq(ledger.entry(round, 1).quality, 5000, "last accepted");
        eq(allocationOf(round, 1), 148.5 ether, "of 990, capped at 0.3, times 0.5");
    }

    function test_two_reveals_score_those_who_made_none_and_leave_their_own_as_they_were() public {
        settleQualitiesAt(5000);
        uint64 round = roundWithReveals(2);
        for (uint16 id = 1; id <= 2; ++id) {
            eq(ledger.lastQuality(id), 5000, "one other score is no median");
            eq(allocationOf(round, id), 148.5 ether, "of 990, capped at 0.3, times 0.5");
        }
        for (uint16 id = 3; id <= 5; ++id) {
            eq(ledger.lastQuality(id), 9000, "two scores are one");
        }
    }
}
