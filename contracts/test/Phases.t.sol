// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerErrors} from "../interfaces/ILedgerErrors.sol";
import {ILedgerEvents} from "../interfaces/ILedgerEvents.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title PhasesTest
/// @notice How rounds open, move on and close: nobody's silence strands one.
contract PhasesTest is Rounds {
    ILedgerTypes.Phase private constant READY = ILedgerTypes.Phase.Ready;
    ILedgerTypes.Phase private constant BEACON = ILedgerTypes.Phase.Beacon;
    ILedgerTypes.Phase private constant TRAINING = ILedgerTypes.Phase.Training;
    ILedgerTypes.Phase private constant COMMIT = ILedgerTypes.Phase.Commit;
    ILedgerTypes.Phase private constant REVEAL = ILedgerTypes.Phase.Reveal;
    ILedgerTypes.Phase private constant ENTRY = ILedgerTypes.Phase.Entry;
    ILedgerTypes.Phase private constant ATTEST = ILedgerTypes.Phase.Attest;
    ILedgerTypes.Phase private constant CLOSED = ILedgerTypes.Phase.Closed;

    function setUp() public {
        deployAll(4);
        registerAll(0);
    }

    function phaseOf(uint64 round) private view returns (ILedgerTypes.Phase) {
        return ledger.round(round).phase;
    }

    function test_a_round_in_which_all_act_needs_no_deadline() public {
        uint256 start = vm.getBlockTimestamp();
        uint64 round = openTo(ATTEST, 4);
        for (uint16 id = 1; id <= 4; ++id) {
            attest(round, id, DIGEST);
        }
        isTrue(phaseOf(round) == ATTEST, "closing is a call of its own");
        vm.prank(STRANGER);
        ledger.closeRound(round);
        eq(vm.getBlockTimestamp(), start, "no time passed");
        ILedgerTypes.RoundView memory v = ledger.round(round);
        isTrue(v.phase == CLOSED && v.paid, "paid");
        eq(v.claimableAt, start + 2 * DAY, "claimable");
        eq(v.acceptedDigest, DIGEST, "digest");
        eq(v.activeSet, 30, "active set");
    }

    function test_a_round_in_which_nobody_acts_is_closed_by_strangers() public {
        uint64 round = open();
        vm.startPrank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(ILedgerErrors.DeadlineNotReached.selector, round, block.timestamp + HOUR)
        );
        ledger.advance(round);
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        vm.roll(vm.getBlockNumber() + 2);
        ledger.fixBeacon(round);
        uint64 deadline = ledger.round(round).phaseDeadline;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.DeadlineNotReached.selector, round, deadline));
        ledger.advance(round);
        vm.warp(deadline);
        ledger.advance(round);
        isTrue(phaseOf(round) == CLOSED && !ledger.round(round).paid, "unpaid");
        eq(ledger.rolledOver(), 1000 ether, "the emission rolls over");
        eq(ledger.totalAllocated(), 0, "nothing is allocated");
    }

    function test_a_round_with_a_model_but_no_hospital_is_closed_by_strangers() public {
        uint64 round = openTo(COMMIT, 0);
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        isTrue(phaseOf(round) == REVEAL, "reveal");
        ledger.advance(round); // nobody committed, so nobody can reveal
        isTrue(phaseOf(round) == ENTRY, "entry");
        ledger.advance(round); // nobody was ready, so nobody can have an entry
        isTrue(phaseOf(round) == ATTEST, "attest");
        uint64 deadline = ledger.round(round).phaseDeadline;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.DeadlineNotReached.selector, round, deadline));
        ledger.closeRound(round);
        vm.warp(deadline);
        ledger.closeRound(round);
        isTrue(!ledger.round(round).paid, "unpaid");
    }

    function test_late_acts_count_until_somebody_advances() public {
        uint64 round = open();
        for (uint16 id = 1; id <= 3; ++id) {
            ready(round, id);
        }
        vm.warp(ledger.round(round).phaseDeadline + DAY);
        ready(round, 4);
        isTrue(phaseOf(round) == BEACON, "moved on");
        isTrue(ledger.acted(round, READY, 4), "counted");
    }

    function test_reveal_waits_for_committers_alone_and_entry_for_the_ready() public {
        uint64 round = openTo(COMMIT, 3);
        for (uint16 id = 1; id <= 2; ++id) {
            commit(round, id);
        }
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotCommitted.selector, round, 3));
        this.revealExternal(round, 3);
        for (uint16 id = 1; id <= 2; ++id) {
            reveal(round, id);
        }
        isTrue(phaseOf(round) == ENTRY, "two reveals were all that could come");
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotReady.selector, round, 4));
        this.enterExternal(round, 4);
        for (uint16 id = 1; id <= 3; ++id) {
            enter(round, id);
        }
        isTrue(phaseOf(round) == ATTEST, "three entries were all that could come");
    }

    function test_a_late_reveal_is_refused_in_every_later_phase_and_costs_its_validator_alone() public {
        uint64 round = openTo(REVEAL, 4);
        for (uint16 id = 1; id <= 3; ++id) {
            reveal(round, id);
        }
        vm.warp(ledger.round(round).phaseDeadline);
        vm.prank(STRANGER);
        ledger.advance(round);
        refuseReveal(round, 4, ENTRY);
        stepTo(round, ATTEST, 4);
        refuseReveal(round, 4, ATTEST);
        for (uint16 id = 1; id <= 4; ++id) {
            attest(round, id, DIGEST);
        }
        vm.expectEmit(true, true, true, true, address(ledger));
        emit ILedgerEvents.Forfeited(round, 4);
        ledger.closeRound(round);
        refuseReveal(round, 4, CLOSED);
        isTrue(ledger.round(round).paid, "paid");
        isTrue(!ledger.acted(round, REVEAL, 4), "never revealed");
        eq(ledger.entry(round, 4).allocation, 0, "who reveals late forfeits");
        for (uint16 id = 1; id <= 3; ++id) {
            eq(ledger.entry(round, id).quality, 9000, "scored by the two who revealed in time");
            eq(ledger.entry(round, id).allocation, 300 ether - 300, "a third, rounded down, times 0.9");
        }
    }

    function refuseReveal(uint64 round, uint16 id, ILedgerTypes.Phase phase) private {
        isTrue(phaseOf(round) == phase, "phase");
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.WrongPhase.selector, round, phase, REVEAL));
        this.revealExternal(round, id);
    }

    function revealExternal(uint64 round, uint16 id) external {
        reveal(round, id);
    }

    function enterExternal(uint64 round, uint16 id) external {
        enter(round, id);
    }

    function test_the_beacon_is_the_hash_of_the_block_after_the_ready_phase() public {
        uint64 round = openTo(BEACON, 4);
        uint256 anchor = vm.getBlockNumber();
        eq(ledger.round(round).readyBlock, anchor, "anchor");
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.BeaconNotReady.selector, round, anchor + 2));
        ledger.fixBeacon(round);
        vm.roll(anchor + 1);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.BeaconNotReady.selector, round, anchor + 2));
        ledger.fixBeacon(round);
        vm.roll(anchor + 2);
        vm.prank(STRANGER);
        ledger.fixBeacon(round);
        eq(ledger.round(round).beacon, blockhash(anchor + 1), "beacon");
        isTrue(phaseOf(round) == TRAINING, "training");
    }

    function test_a_beacon_missed_by_256_blocks_is_anchored_anew() public {
        uint64 round = openTo(BEACON, 4);
        uint256 anchor = vm.getBlockNumber();
        vm.roll(anchor + 1 + 257);
        ledger.fixBeacon(round);
        isTrue(phaseOf(round) == BEACON, "still without a beacon");
        eq(ledger.round(round).readyBlock, anchor + 258, "new anchor");
        vm.roll(anchor + 260);
        ledger.fixBeacon(round);
        eq(ledger.round(round).beacon, blockhash(anchor + 259), "beacon");

        round = restart(round);
        anchor = vm.getBlockNumber();
        vm.roll(anchor + 1 + 256);
        ledger.fixBeacon(round);
        isTrue(ledger.round(round).beacon != 0, "256 blocks are in time");
    }

    /// @dev Let the round close, and take the next one to its beacon.
    function restart(uint64 round) private returns (uint64) {
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        return openTo(BEACON, 4);
    }

    function test_rounds_are_opened_one_after_the_other() public {
        vm.startPrank(COORDINATOR);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.UnexpectedRound.selector, 2, 1));
        ledger.openRound(2, 0, DIGEST, DIGEST, 0);
        ledger.openRound(1, 0, DIGEST, DIGEST, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.UnexpectedRound.selector, 1, 2));
        ledger.openRound(1, 0, DIGEST, DIGEST, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.PreviousRoundOpen.selector, 1));
        ledger.openRound(2, 0, DIGEST, DIGEST, 0);
    }

    function test_what_opens_a_round_is_checked() public {
        vm.startPrank(COORDINATOR);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.InvalidProfile.selector, 3));
        ledger.openRound(1, 3, DIGEST, DIGEST, 0);
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        ledger.openRound(1, 0, 0, DIGEST, 0);
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        ledger.openRound(1, 0, DIGEST, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.RhoAboveCap.selector, 1_000_001, 1_000_000));
        ledger.openRound(1, 0, DIGEST, DIGEST, 1_000_001);
        vm.stopPrank();
        for (uint16 id = 1; id <= 4; ++id) {
            vm.prank(account(id));
            consortium.resign();
        }
        vm.expectRevert(ILedgerErrors.NoActiveHospitals.selector);
        vm.prank(COORDINATOR);
        ledger.openRound(1, 0, DIGEST, DIGEST, 0);
    }

    function test_any_hospital_opens_the_next_round_after_the_idle_period() public {
        uint64 until = uint64(block.timestamp) + 3 * DAY;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotCoordinator.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.openRound(1, 0, DIGEST, DIGEST, 0);
        vm.startPrank(account(2));
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.IdlePeriodRunning.selector, until));
        ledger.openRound(1, 0, DIGEST, DIGEST, 0);
        vm.warp(until);
        ledger.openRound(1, 0, DIGEST, DIGEST, 0);
        vm.stopPrank();
        eq(ledger.round(1).opener, 2, "opener");

        // the coordinator has vanished: the opener publishes the model, and nobody else does
        stepTo(1, TRAINING, 4);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotCoordinator.selector, account(3)));
        vm.prank(account(3));
        ledger.publishModel(1, DIGEST);
        vm.prank(account(2));
        ledger.publishModel(1, DIGEST);
        stepTo(1, CLOSED, 4);
        isTrue(ledger.round(1).paid, "paid");

        // the idle period runs anew from the closing on
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.IdlePeriodRunning.selector, block.timestamp + 3 * DAY));
        vm.prank(account(2));
        ledger.openRound(2, 0, DIGEST, DIGEST, 0);
    }

    function test_a_suspended_hospital_opens_no_round() public {
        vm.warp(vm.getBlockTimestamp() + 3 * DAY);
        consortium.suspend(2);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotCoordinator.selector, account(2)));
        vm.prank(account(2));
        ledger.openRound(1, 0, DIGEST, DIGEST, 0);
    }

    function test_the_coordinator_alone_publishes_in_its_rounds() public {
        uint64 round = openTo(TRAINING, 4);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotCoordinator.selector, account(1)));
        vm.prank(account(1));
        ledger.publishModel(round, DIGEST);
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        vm.prank(COORDINATOR);
        ledger.publishModel(round, 0);
        consortium.setCoordinator(STRANGER); // replaced in the middle of a round
        vm.prank(STRANGER);
        ledger.publishModel(round, DIGEST);
        eq(ledger.round(round).modelHashAfter, DIGEST, "model");
    }

    function test_calls_of_another_phase_are_refused() public {
        uint64 round = open();
        bytes memory wrong = abi.encodeWithSelector(ILedgerErrors.WrongPhase.selector, round, READY, BEACON);
        vm.expectRevert(wrong);
        ledger.fixBeacon(round);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.WrongPhase.selector, round, READY, ATTEST));
        ledger.closeRound(round);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.WrongPhase.selector, round, READY, TRAINING));
        vm.prank(COORDINATOR);
        ledger.publishModel(round, DIGEST);
        vm.startPrank(account(1));
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.WrongPhase.selector, round, READY, COMMIT));
        ledger.commitQuality(round, DIGEST);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.WrongPhase.selector, round, READY, ATTEST));
        ledger.attest(round, DIGEST);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.WrongPhase.selector, 9, ILedgerTypes.Phase.None, READY));
        ledger.submitReady(9, DIGEST);
        vm.stopPrank();

        stepTo(round, BEACON, 4);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotAdvanceable.selector, round, BEACON));
        ledger.advance(round);
        stepTo(round, ATTEST, 4);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotAdvanceable.selector, round, ATTEST));
        ledger.advance(round);
        stepTo(round, CLOSED, 4);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotAdvanceable.selector, round, CLOSED));
        ledger.advance(round);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.WrongPhase.selector, round, CLOSED, ATTEST));
        ledger.closeRound(round);
    }

    function test_phases_are_announced() public {
        uint64 round = open();
        vm.warp(ledger.round(round).phaseDeadline);
        vm.expectEmit(true, true, true, true, address(ledger));
        emit ILedgerEvents.PhaseAdvanced(round, BEACON, 0);
        ledger.advance(round);
        vm.roll(vm.getBlockNumber() + 2);
        vm.expectEmit(true, true, true, true, address(ledger));
        emit ILedgerEvents.PhaseAdvanced(round, TRAINING, uint64(vm.getBlockTimestamp() + DAY));
        ledger.fixBeacon(round);
    }

    /// @dev Whatever a subset of hospitals does in each phase, strangers bring the round to its end.
    function testFuzz_no_pattern_of_absences_strands_a_round(uint16[5] memory who, uint8 missing) public {
        uint64 round = open();
        for (uint256 guard = 0; phaseOf(round) != CLOSED; ++guard) {
            isTrue(guard < 20, "stranded");
            ILedgerTypes.Phase phase = phaseOf(round);
            if (phase == BEACON) {
                vm.roll(vm.getBlockNumber() + (missing % 2 == 0 ? 2 : 400));
                ledger.fixBeacon(round);
                missing /= 2;
            } else if (phase == TRAINING && missing % 4 == 3) {
                vm.warp(ledger.round(round).phaseDeadline);
                ledger.advance(round);
            } else if (phase == TRAINING) {
                step(round, 0);
            } else {
                actSome(round, phase, who[guard % 5]);
            }
        }
        open();
    }

    function actSome(uint64 round, ILedgerTypes.Phase phase, uint16 who) private {
        for (uint16 id = 1; id <= 4; ++id) {
            bool able =
                phase == REVEAL ? ledger.acted(round, COMMIT, id) : phase != ENTRY || ledger.acted(round, READY, id);
            if (able && (who >> id) & 1 == 1) act(round, phase, id);
        }
        if (phaseOf(round) != phase) return;
        vm.warp(ledger.round(round).phaseDeadline);
        vm.prank(STRANGER);
        if (phase == ATTEST) ledger.closeRound(round);
        else ledger.advance(round);
    }
}
