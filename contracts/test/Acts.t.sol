// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ILedgerErrors} from "../interfaces/ILedgerErrors.sol";
import {ILedgerTypes, Node, RewardRule} from "../interfaces/ILedgerTypes.sol";
import {SumTree} from "../libraries/SumTree.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title ActsTest
/// @notice What hospitals put on record, and what is refused of it.
contract ActsTest is Rounds {
    ILedgerTypes.Phase private constant READY = ILedgerTypes.Phase.Ready;
    ILedgerTypes.Phase private constant COMMIT = ILedgerTypes.Phase.Commit;
    ILedgerTypes.Phase private constant REVEAL = ILedgerTypes.Phase.Reveal;
    ILedgerTypes.Phase private constant ENTRY = ILedgerTypes.Phase.Entry;
    ILedgerTypes.Phase private constant ATTEST = ILedgerTypes.Phase.Attest;

    function setUp() public {
        deployAll(4);
        registerAll(0);
    }

    function test_an_epoch_is_registered_once_and_not_afterwards() public {
        eq(ledger.epochRegistration(1, 0).rosterSize, 4096, "size");
        vm.startPrank(account(1));
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.EpochAlreadyRegistered.selector, 1, 0));
        ledger.registerEpoch(0, DIGEST, 1, DIGEST);
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        ledger.registerEpoch(1, 0, 1, DIGEST);
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        ledger.registerEpoch(1, DIGEST, 1, 0);
        vm.expectRevert(ILedgerErrors.EmptyRoster.selector);
        ledger.registerEpoch(1, DIGEST, 0, DIGEST);
        ledger.registerEpoch(1, DIGEST, 7, DIGEST);
        eq(ledger.epochRegistration(1, 1).rosterSize, 7, "size");
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotHospital.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.registerEpoch(1, DIGEST, 1, DIGEST);
    }

    function test_epochs_pass_and_have_to_be_registered_anew() public {
        while (ledger.currentRound() < 256) {
            uint64 round = open();
            vm.warp(ledger.round(round).phaseDeadline);
            if (round == 256) break;
            ledger.advance(round);
            vm.roll(vm.getBlockNumber() + 2);
            ledger.fixBeacon(round);
            vm.warp(ledger.round(round).phaseDeadline);
            ledger.advance(round);
        }
        vm.startPrank(account(1));
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.EpochNotRegistered.selector, 1, 1));
        ledger.submitReady(256, DIGEST);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.EpochPassed.selector, 0, 1));
        ledger.registerEpoch(0, DIGEST, 1, DIGEST);
        ledger.registerEpoch(1, DIGEST, 1, DIGEST);
        ledger.submitReady(256, DIGEST);
    }

    function test_strangers_the_suspended_and_latecomers_do_not_act() public {
        uint64 round = open();
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotHospital.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.submitReady(round, DIGEST);
        consortium.suspend(2);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.HospitalNotActive.selector, 2));
        vm.prank(account(2));
        ledger.submitReady(round, DIGEST);
        join(account(5), 1000);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotInRound.selector, round, 5));
        vm.prank(account(5));
        ledger.submitReady(round, DIGEST);
    }

    function test_each_act_is_done_once() public {
        uint64 round = open();
        ILedgerTypes.Phase[5] memory phases = [READY, COMMIT, REVEAL, ENTRY, ATTEST];
        for (uint256 i = 0; i < phases.length; ++i) {
            stepTo(round, phases[i], 4);
            act(round, phases[i], 1);
            isTrue(ledger.acted(round, phases[i], 1), "acted");
            isTrue(!ledger.acted(round, phases[i], 2), "the other has not");
            vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.AlreadyActed.selector, round, phases[i], 1));
            this.actExternal(round, phases[i], 1);
            for (uint16 id = 2; id <= 4; ++id) {
                act(round, phases[i], id);
            }
            isTrue(ledger.acted(round, phases[i], 2), "it has now");
        }
    }

    function actExternal(uint64 round, ILedgerTypes.Phase phase, uint16 id) external {
        act(round, phase, id);
    }

    function test_digests_are_not_zero() public {
        uint64 round = open();
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        vm.prank(account(1));
        ledger.submitReady(round, 0);
        stepTo(round, COMMIT, 4);
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        vm.prank(account(1));
        ledger.commitQuality(round, 0);
        stepTo(round, ENTRY, 4);
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        vm.prank(account(1));
        ledger.submitEntry(round, Node(0, 9), Node(0, 9), 0);
        stepTo(round, ATTEST, 4);
        vm.expectRevert(ILedgerErrors.ZeroDigest.selector);
        vm.prank(account(1));
        ledger.attest(round, 0);
    }

    function test_a_copied_commitment_cannot_be_opened_by_the_copier() public {
        uint64 round = openTo(COMMIT, 4);
        commit(round, 1);
        bytes32 copied = ledger.commitmentOf(round, 1);
        vm.prank(account(2));
        ledger.commitQuality(round, copied);
        commit(round, 3);
        commit(round, 4);
        uint256[] memory scores = scoresBy(round, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.CommitmentMismatch.selector, round, 2));
        vm.prank(account(2));
        ledger.revealQuality(round, scores, modelScore, UTILITIES, SALT);
        reveal(round, 1);
        eq(ledger.commitmentOf(round, 1), 0, "opened");
        eq(ledger.commitmentOf(round, 2), copied, "not opened");
    }

    function testFuzz_what_is_revealed_is_what_was_committed(uint8 field) public {
        uint64 round = openTo(REVEAL, 4);
        uint256[] memory scores = scoresBy(round, 1);
        field = field % 4;
        if (field == 0) setScore(scores, 2, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.CommitmentMismatch.selector, round, 1));
        vm.prank(account(1));
        ledger.revealQuality(
            round,
            scores,
            field == 1 ? modelScore + 1 : modelScore,
            field == 2 ? DIGEST : UTILITIES,
            field == 3 ? DIGEST : SALT
        );
    }

    function test_a_commitment_binds_ledger_round_and_chain() public {
        uint256[] memory scores = emptyScores(4);
        bytes32 here = ledger.qualityCommitment(1, 1, scores, 0, UTILITIES, SALT);
        isTrue(here != ledger.qualityCommitment(2, 1, scores, 0, UTILITIES, SALT), "round");
        isTrue(here != ledger.qualityCommitment(1, 2, scores, 0, UTILITIES, SALT), "hospital");
        isTrue(
            here != deployLedger(defaultParams(), defaultRule()).qualityCommitment(1, 1, scores, 0, UTILITIES, SALT),
            "ledger"
        );
        bytes32 expected = keccak256(
            abi.encode(
                keccak256("FedIoMT.QualityCommit.v1"),
                block.chainid,
                address(ledger),
                uint64(1),
                uint16(1),
                keccak256(abi.encodePacked(scores)),
                uint16(0),
                UTILITIES,
                SALT
            )
        );
        eq(here, expected, "formula");
        vm.chainId(5);
        isTrue(here != ledger.qualityCommitment(1, 1, scores, 0, UTILITIES, SALT), "chain");
    }

    function test_a_hospital_that_rotated_its_account_reveals_what_it_committed() public {
        uint64 round = openTo(COMMIT, 4);
        for (uint16 id = 1; id <= 3; ++id) {
            commit(round, id);
        }
        commit(round, 4);
        move(4, account(4), STRANGER);
        uint256[] memory scores = scoresBy(round, 4);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.NotHospital.selector, account(4)));
        vm.prank(account(4));
        ledger.revealQuality(round, scores, modelScore, UTILITIES, SALT);
        vm.startPrank(STRANGER);
        ledger.revealQuality(round, scores, modelScore, UTILITIES, SALT);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.AlreadyActed.selector, round, REVEAL, 4));
        ledger.revealQuality(round, scores, modelScore, UTILITIES, SALT);
    }

    function test_scores_are_checked() public {
        uint64 round = openTo(COMMIT, 4);
        uint256[] memory scores = scoresBy(round, 1);
        refused(round, new uint256[](2), 1, abi.encodeWithSelector(ILedgerErrors.WrongScoreWords.selector, 2, 1));
        refused(round, new uint256[](0), 1, abi.encodeWithSelector(ILedgerErrors.WrongScoreWords.selector, 0, 1));
        refused(round, scores, 10_001, abi.encodeWithSelector(ILedgerErrors.InvalidModelScore.selector, 10_001));
        setScore(scores, 2, 10_001);
        refused(round, scores, 1, abi.encodeWithSelector(ILedgerErrors.InvalidScores.selector, 0, scores[0]));
        setScore(scores, 2, 10_000);
        setScore(scores, 5, 0); // there is no hospital 5
        refused(round, scores, 1, abi.encodeWithSelector(ILedgerErrors.InvalidScores.selector, 0, scores[0]));
        setScore(scores, 5, NO_SCORE);
        setScore(scores, 1, 77);
        refused(round, scores, 1, abi.encodeWithSelector(ILedgerErrors.SelfScored.selector, 1, 77));
        setScore(scores, 1, NO_SCORE);
        scores[0] |= 1 << 252; // past the lanes
        refused(round, scores, 1, abi.encodeWithSelector(ILedgerErrors.InvalidScores.selector, 0, scores[0]));
    }

    /// @dev Commit to something as hospital 1, and be refused at the reveal; then take it all back.
    function refused(uint64 round, uint256[] memory scores, uint16 score, bytes memory why) private {
        uint256 snapshot = vm.snapshotState();
        bytes32 commitment = ledger.qualityCommitment(round, 1, scores, score, UTILITIES, SALT);
        vm.prank(account(1));
        ledger.commitQuality(round, commitment);
        for (uint16 id = 2; id <= 4; ++id) {
            commit(round, id);
        }
        vm.expectRevert(why);
        vm.prank(account(1));
        ledger.revealQuality(round, scores, score, UTILITIES, SALT);
        vm.revertToState(snapshot);
    }

    function test_an_entry_records_what_its_tree_sums_to() public {
        uint64 round = openTo(ATTEST, 4);
        ILedgerTypes.EntryView memory e = ledger.entry(round, 2);
        eq(e.lanes.n, 4, "n");
        eq(e.lanes.volume, 1000 + 1500 + 2000 + 2500, "volume");
        eq(e.lanes.compute, 900 + 1000 + 1100 + 1200, "compute");
        eq(e.lanes.weightTreasury, 3000 * 3000 + 2 * 5000 * 8000 + 2000 * 2000, "treasury");
        eq(e.lanes.weightDevice, 3000 * 4000 + 2 * 5000 * 8000 + 2000 * 2200, "device");
        isTrue(e.ready && e.committed && e.revealed && e.submitted && !e.attested, "acts");
        (uint64 treasury, uint64 device) = ledger.entryWeights(round, 2);
        eq(treasury, e.lanes.weightTreasury, "treasury");
        eq(device, e.lanes.weightDevice, "device");
    }

    function test_entries_are_checked() public {
        uint64 round = openTo(ENTRY, 4);
        vm.startPrank(account(1));
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.TooFewDevices.selector, 1, 2));
        ledger.submitEntry(round, Node(DIGEST, 1), Node(DIGEST, 0), DIGEST);
        uint256 lanes = 2 | (20_001 << 32);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.ImplausibleSums.selector, lanes));
        ledger.submitEntry(round, Node(DIGEST, lanes), Node(DIGEST, 0), DIGEST);
        lanes = 2 | (20_001 << 80);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.ImplausibleSums.selector, lanes));
        ledger.submitEntry(round, Node(DIGEST, lanes), Node(DIGEST, 0), DIGEST);
        lanes = 2 | (100_000_000 << 128) | (100_000_001 << 192);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.ImplausibleSums.selector, lanes));
        ledger.submitEntry(round, Node(DIGEST, lanes), Node(DIGEST, 0), DIGEST);
        vm.expectRevert(SumTree.LaneOverflow.selector);
        ledger.submitEntry(round, Node(DIGEST, 1 << 31), Node(DIGEST, 1 << 31), DIGEST);
        lanes = 2 | (20_000 << 32) | (20_000 << 80) | (100_000_000 << 128) | (100_000_000 << 192);
        ledger.submitEntry(round, Node(DIGEST, lanes), Node(DIGEST, 0), DIGEST);
    }

    function test_rules_are_governance_s_and_apply_from_the_next_round_on() public {
        uint64 round = open();
        RewardRule memory rule = defaultRule();
        rule.operatorBps = 2000;
        eq(ledger.setRule(rule), 2, "id");
        eq(ledger.round(round).ruleId, 1, "the open round keeps its rule");
        eq(ledger.rule(2).operatorBps, 2000, "kept");
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        eq(ledger.round(open()).ruleId, 2, "the next has the new one");
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.UnknownRule.selector, 3));
        ledger.rule(3);
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.UnknownRule.selector, 0));
        ledger.rule(0);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.setRule(rule);
    }

    function test_rules_are_checked() public {
        RewardRule memory rule = defaultRule();
        rule.wVolume += 1;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.WeightsMustSumTo10000.selector, 10_001));
        ledger.setRule(rule);
        rule = defaultRule();
        rule.shareCompute -= 1;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.SharesMustSumTo10000.selector, 9999));
        ledger.setRule(rule);
        rule = defaultRule();
        rule.operatorBps = 2001;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.RuleFieldTooLarge.selector, 7, 2001, 2000));
        ledger.setRule(rule);
        rule = defaultRule();
        rule.deviceGate = 10_001;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.RuleFieldTooLarge.selector, 3, 10_001, 10_000));
        ledger.setRule(rule);
        rule = defaultRule();
        rule.computeCap[3] = 10_001;
        vm.expectRevert(abi.encodeWithSelector(ILedgerErrors.RuleFieldTooLarge.selector, 15, 10_001, 10_000));
        ledger.setRule(rule);
    }
}
