// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes, Node} from "../interfaces/ILedgerTypes.sol";
import {IRewardDistributor} from "../interfaces/IRewardDistributor.sol";
import {Rounds} from "./support/Rounds.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title GasTest
/// @notice What the calls of a round cost as transactions of their own. The figures are kept in snapshots/, so that
/// a regression shows up in review; the limits are the project's goals.
/// forge-config: default.isolate = true
contract GasTest is Rounds {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    string private constant GROUP = "gas";
    uint16 private constant HOSPITALS = 20;

    function setUp() public {
        deployAll(HOSPITALS);
        registerAll(0);
    }

    function test_calls_of_the_second_round_of_twenty_hospitals() public {
        openTo(ILedgerTypes.Phase.Closed, HOSPITALS);
        uint64 round = open();
        vm.snapshotGasLastCall(GROUP, "openRound");
        ready(round, 1);
        vm.snapshotGasLastCall(GROUP, "submitReady");
        for (uint16 id = 2; id <= HOSPITALS; ++id) ready(round, id);
        stepTo(round, ILedgerTypes.Phase.Training, HOSPITALS);
        vm.snapshotGasLastCall(GROUP, "fixBeacon");
        stepTo(round, ILedgerTypes.Phase.Commit, HOSPITALS);
        vm.snapshotGasLastCall(GROUP, "publishModel");

        commit(round, 1);
        uint256 committed = vm.snapshotGasLastCall(GROUP, "commitQuality");
        for (uint16 id = 2; id <= HOSPITALS; ++id) commit(round, id);
        vm.snapshotGasLastCall(GROUP, "commitQuality, last");
        reveal(round, 1);
        uint256 revealed = vm.snapshotGasLastCall(GROUP, "revealQuality");
        for (uint16 id = 2; id <= HOSPITALS; ++id) reveal(round, id);
        vm.snapshotValue(GROUP, "commit and reveal", committed + revealed);

        enter(round, 1);
        uint256 entered = vm.snapshotGasLastCall(GROUP, "submitEntry");
        for (uint16 id = 2; id <= HOSPITALS; ++id) enter(round, id);
        vm.snapshotGasLastCall(GROUP, "submitEntry, last");
        attest(round, 1, DIGEST);
        vm.snapshotGasLastCall(GROUP, "attest, first");
        attest(round, 2, DIGEST);
        vm.snapshotGasLastCall(GROUP, "attest");
        for (uint16 id = 3; id <= HOSPITALS; ++id) attest(round, id, DIGEST);
        ledger.closeRound(round);
        uint256 closed = vm.snapshotGasLastCall(GROUP, "closeRound, 20 hospitals");

        atMost(entered, 85_000, "entry");
        atMost(committed + revealed, 90_000, "commit and reveal");
        atMost(closed, 700_000, "close");
    }

    function test_claims_at_depth_twelve() public {
        leafCount = 2048;
        uint64[] memory rounds = new uint64[](4);
        for (uint256 i = 0; i < rounds.length; ++i) rounds[i] = openShallow();
        vm.warp(ledger.round(rounds[3]).claimableAt);
        IRewardDistributor.Claim memory first = claimOf(rounds[0], 1, 7);
        eq(first.siblings.length, 12, "depth");
        address payee = first.leaf.payee;
        vm.prank(payee);
        distributor.claim(one(first));
        uint256 single = vm.snapshotGasLastCall(GROUP, "claim, new holder, depth 12");

        IRewardDistributor.Claim[] memory batch = new IRewardDistributor.Claim[](2);
        batch[0] = claimOf(rounds[1], 1, 7);
        vm.prank(payee);
        distributor.claim(one(batch[0]));
        uint256 alone = vm.snapshotGasLastCall(GROUP, "claim, holder, depth 12");
        batch[0] = claimOf(rounds[2], 1, 7);
        batch[1] = claimOf(rounds[3], 1, 7);
        vm.prank(payee);
        distributor.claim(batch);
        uint256 both = vm.snapshotGasLastCall(GROUP, "claim, two rounds, depth 12");
        vm.snapshotValue(GROUP, "claim, further one in a batch, depth 12", both - alone);
        vm.prank(account(1));
        distributor.claimTreasury(1, rounds);
        vm.snapshotGasLastCall(GROUP, "claimTreasury, four rounds");

        atMost(single, 110_000, "first claim");
        atMost(both - alone, 27_000, "further claim");
    }

    /// @dev A paid round in which only hospital 1 has an entry, since building 20 deep trees takes long.
    function openShallow() private returns (uint64 round) {
        round = openTo(ILedgerTypes.Phase.Entry, HOSPITALS);
        enter(round, 1);
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        stepTo(round, ILedgerTypes.Phase.Closed, HOSPITALS);
    }
}
