// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerErrors} from "../interfaces/ILedgerErrors.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {InCourt} from "./support/InCourt.sol";

/// @title CourtCasesTest
/// @notice Challenges, votes and how cases end: silence upholds, two thirds void, and nobody earns by either.
contract CourtCasesTest is InCourt {
    uint64 private round;

    function setUp() public {
        deployAll(5);
        deployCourt();
        registerAll(0);
        round = openTo(ILedgerTypes.Phase.Closed, 5);
    }

    function test_silence_upholds_and_the_bond_is_the_accuseds() public {
        uint256 id = challengeAs(CHALLENGER, round, 1);
        (uint256 caseId, address who, bool settled) = court.challengeOf(id);
        isTrue(who == CHALLENGER && !settled, "kept");
        isTrue(ledger.entry(round, 1).frozen, "held");
        eq(court.openCaseOf(round, 1), caseId, "open");
        voteAs(2, caseId);
        voteAs(3, caseId);
        uint64 deadline = court.caseOf(caseId).deadline;
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.CaseRunning.selector, caseId, deadline));
        court.conclude(caseId);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.CaseRunning.selector, caseId, deadline));
        court.settle(id);
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.CaseDeadlinePassed.selector, caseId, deadline));
        voteAs(4, caseId);
        vm.prank(STRANGER);
        court.conclude(caseId);
        eq(caseId, IDisputeCourt.Outcome.Upheld, "upheld");
        eq(court.openCaseOf(round, 1), 0, "closed");
        isTrue(!ledger.entry(round, 1).frozen && treasury(1, round) > 0, "paid");
        uint256 before = settlement.balanceOf(account(1));
        court.settle(id);
        eq(settlement.balanceOf(account(1)) - before, STAKE, "to who waited");
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadySettled.selector, id));
        court.settle(id);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.CaseOver.selector, caseId));
        court.conclude(caseId);
        eq(settlement.balanceOf(address(court)), 0, "nothing left");
    }

    function test_two_thirds_of_the_others_void_and_earn_nothing() public {
        uint256 id = challengeAs(CHALLENGER, round, 1);
        (uint256 caseId,,) = court.challengeOf(id);
        eq(court.caseOf(caseId).electors, (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5), "all but the accused");
        uint256 voter = settlement.balanceOf(account(2));
        voteAs(2, caseId);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyVoted.selector, caseId, 2));
        voteAs(2, caseId);
        voteAs(3, caseId);
        eq(caseId, IDisputeCourt.Outcome.Open, "two of four are not two thirds");
        voteAs(4, caseId);
        eq(caseId, IDisputeCourt.Outcome.Voided, "void");
        isTrue(ledger.entry(round, 1).voided, "on the ledger");
        vm.warp(ledger.claimableAt(round));
        eq(treasury(1, round), 0, "unpaid");
        isTrue(treasury(2, round) > 0, "the others are paid");
        court.settle(id);
        eq(settlement.balanceOf(CHALLENGER), STAKE, "back");
        eq(settlement.balanceOf(account(2)), voter, "voters get nothing");
        eq(consortium.hospital(1).bond, BOND, "votes slash nobody");
        stake(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.AlreadyHeld.selector, round, 1));
        vm.prank(CHALLENGER);
        court.challenge(round, 1, EVIDENCE);
    }

    function test_only_electors_vote_and_neither_accused_nor_challenger_is_one() public {
        uint256 id = challengeAs(account(2), round, 1);
        (uint256 caseId,,) = court.challengeOf(id);
        address[4] memory others = [account(1), account(2), STRANGER, CHALLENGER];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotElector.selector, caseId, others[i]));
            vm.prank(others[i]);
            court.vote(caseId);
        }
        consortium.suspend(3);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotElector.selector, caseId, account(3)));
        voteAs(3, caseId);
        join(address(0x9999), 100);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotElector.selector, caseId, address(0x9999)));
        vm.prank(address(0x9999));
        court.vote(caseId);
        voteAs(4, caseId);
        voteAs(5, caseId);
        eq(caseId, IDisputeCourt.Outcome.Voided, "two of three");
    }

    function test_an_elector_that_challenges_instead_of_voting_is_counted_out() public {
        challengeAs(CHALLENGER, round, 1);
        voteAs(2, 1);
        voteAs(3, 1);
        challengeAs(account(4), round, 1);
        eq(court.caseOf(1).electors, (1 << 2) | (1 << 3) | (1 << 5), "three are left");
        eq(1, IDisputeCourt.Outcome.Open, "open");
        challengeAs(CHALLENGER, round, 2);
        voteAs(3, 2);
        challengeAs(account(3), round, 2);
        eq(court.caseOf(2).votes, 0, "nor does a challenger's vote count");
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Voided, "two of three");
    }

    function test_a_friends_early_challenge_shields_no_entry() public {
        uint256 friend = challengeAs(CHALLENGER, round, 1);
        (uint256 caseId,,) = court.challengeOf(friend);
        vm.warp(ledger.claimableAt(round) - 1);
        uint256 second = challengeAs(STRANGER, round, 1);
        (uint256 joined,,) = court.challengeOf(second);
        eq(joined, caseId, "the same case");
        eq(court.caseOf(caseId).deadline, vm.getBlockTimestamp() + CASE, "the clock starts anew");
        vm.warp(vm.getBlockTimestamp() + CASE - 1);
        voteAs(2, caseId);
        voteAs(3, caseId);
        voteAs(4, caseId);
        court.settle(friend);
        court.settle(second);
        eq(settlement.balanceOf(STRANGER), STAKE, "both back");
        eq(settlement.balanceOf(address(court)), 0, "nothing left");
    }

    function test_challenges_delay_no_longer_than_a_case_past_the_window_and_each_costs_a_bond() public {
        uint256 id = challengeAs(CHALLENGER, round, 1);
        (uint256 caseId,,) = court.challengeOf(id);
        uint64 end = ledger.claimableAt(round);
        vm.warp(end - 1);
        challengeAs(CHALLENGER, round, 1);
        vm.warp(end);
        stake(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.ChallengeWindowOver.selector, round, end));
        vm.prank(CHALLENGER);
        court.challenge(round, 1, EVIDENCE);
        vm.warp(end - 1 + CASE);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeCourt.CaseDeadlinePassed.selector, caseId, court.caseOf(caseId).deadline)
        );
        vm.prank(CHALLENGER);
        court.challenge(round, 1, EVIDENCE);
        court.conclude(caseId);
        court.settle(1);
        court.settle(2);
        eq(settlement.balanceOf(account(1)), 2 * STAKE, "two bonds");
    }

    function test_a_case_before_the_close_keeps_the_entry_out_of_everybodys_shares() public {
        round = openTo(ILedgerTypes.Phase.Attest, 5);
        challengeAs(account(2), round, 1);
        voteAs(3, 1);
        voteAs(4, 1);
        stepTo(round, ILedgerTypes.Phase.Closed, 5);
        eq(ledger.entry(round, 1).allocation, 0, "nothing");
        // a fourth of the second round's 990, times 0.9
        eq(ledger.entry(round, 2).allocation, 990 ether / 4 * 9 / 10, "a fourth each");
    }

    function test_an_accused_that_leaves_is_judged_all_the_same() public {
        vm.prank(account(1));
        consortium.resign();
        challengeAs(CHALLENGER, round, 1);
        for (uint16 id = 2; id <= 4; ++id) {
            voteAs(id, 1);
        }
        isTrue(ledger.entry(round, 1).voided, "void");
    }

    function test_the_bond_of_an_upheld_case_follows_the_accused_to_its_new_account() public {
        challengeAs(CHALLENGER, round, 1);
        address next = address(0xABCD);
        rotateTo(next);
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        court.settle(1);
        eq(settlement.balanceOf(next), STAKE, "there");
    }

    function test_a_replaced_court_decides_nothing_and_keeps_no_bond() public {
        challengeAs(CHALLENGER, round, 1);
        challengeAs(CHALLENGER, round, 2);
        IDisputeCourt next = newCourt();
        consortium.setDisputeCourt(address(next));
        vm.expectRevert(IDisputeCourt.NotInOffice.selector);
        voteAs(3, 1);
        vm.expectRevert(IDisputeCourt.NotInOffice.selector);
        court.challenge(round, 3, EVIDENCE);
        court.conclude(1);
        court.conclude(2);
        eq(1, IDisputeCourt.Outcome.Lapsed, "undecided");
        court.settle(1);
        court.settle(2);
        eq(settlement.balanceOf(CHALLENGER), 2 * STAKE, "both back");
        vm.warp(vm.getBlockTimestamp() + 14 * DAY);
        vm.prank(STRANGER);
        ledger.releaseEntry(round, 1);
        isTrue(treasury(1, round) > 0, "nobody is stranded");
    }

    function test_a_case_that_nobody_concluded_in_time_is_upheld() public {
        challengeAs(CHALLENGER, round, 1);
        vm.warp(vm.getBlockTimestamp() + 14 * DAY);
        ledger.releaseEntry(round, 1);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Upheld, "upheld");
    }

    function test_what_is_not_there_cannot_be_disputed() public {
        stake(account(1));
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.OwnEntry.selector, 1));
        vm.prank(account(1));
        court.challenge(round, 1, EVIDENCE);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NoEntry.selector, round, 9));
        court.challenge(round, 9, EVIDENCE);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NoEntry.selector, round, 0));
        court.challenge(round, 0, EVIDENCE);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.UnknownCase.selector, 7));
        court.vote(7);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.UnknownCase.selector, 7));
        court.conclude(7);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.UnknownChallenge.selector, 7));
        court.settle(7);
        vm.expectRevert();
        vm.prank(STRANGER); // without a bond
        court.challenge(round, 1, EVIDENCE);
    }

    function test_a_court_that_could_not_end_its_cases_is_not_opened() public {
        refused("challengeBond", abi.encode(ledger, 0, SLASHED, CASE, OPENINGS));
        refused("slashAmount", abi.encode(ledger, STAKE, 0, CASE, OPENINGS));
        refused("caseSeconds", abi.encode(ledger, STAKE, SLASHED, 0, OPENINGS));
        refused("caseSeconds", abi.encode(ledger, STAKE, SLASHED, 14 * DAY / 3 + 1, OPENINGS));
        refused("openings", abi.encode(ledger, STAKE, SLASHED, CASE, 0));
        refused("openings", abi.encode(ledger, STAKE, SLASHED, CASE, 64));
        vm.expectRevert(IDisputeCourt.ZeroAddress.selector);
        this.deploy(abi.encode(address(0), STAKE, SLASHED, CASE, OPENINGS));
    }

    /// forge-config: default.isolate = true
    function test_what_a_case_costs() public {
        stake(CHALLENGER);
        vm.prank(CHALLENGER);
        court.challenge(round, 1, EVIDENCE);
        vm.snapshotGasLastCall("court", "challenge");
        voteAs(2, 1);
        vm.snapshotGasLastCall("court", "vote");
        voteAs(3, 1);
        voteAs(4, 1);
        vm.snapshotGasLastCall("court", "vote, that voids");
        court.settle(1);
        vm.snapshotGasLastCall("court", "settle");
        challengeAs(CHALLENGER, round, 2);
        vm.warp(court.caseOf(2).deadline);
        court.conclude(2);
        vm.snapshotGasLastCall("court", "conclude, released");
    }

    function deploy(bytes calldata arguments) external {
        bytes memory code = bytes.concat(vm.getCode("DisputeCourt.sol:DisputeCourt"), arguments);
        assembly ("memory-safe") {
            if iszero(create(0, add(code, 0x20), mload(code))) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    function refused(string memory name, bytes memory arguments) private {
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.InvalidParameter.selector, name));
        this.deploy(arguments);
    }
}
