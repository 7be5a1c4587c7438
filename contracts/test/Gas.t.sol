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
    /// @dev The goals for commit and reveal hold where the scores fit one word: up to 18 hospitals.
    uint16 private constant ONE_WORD = 18;
    uint16 private constant HOSPITALS = 20;
    address private constant PAYEE = address(uint160(uint256(keccak256("payee"))));

    function test_commit_and_reveal_of_the_second_round_of_eighteen_hospitals() public {
        deployAll(ONE_WORD);
        registerAll(0);
        openTo(ILedgerTypes.Phase.Closed, ONE_WORD);
        uint64 round = openTo(ILedgerTypes.Phase.Commit, ONE_WORD);
        commit(round, 1);
        uint256 committed = vm.snapshotGasLastCall(GROUP, "commitQuality");
        for (uint16 id = 2; id <= ONE_WORD; ++id) {
            commit(round, id);
        }
        reveal(round, 1);
        uint256 revealed = vm.snapshotGasLastCall(GROUP, "revealQuality, 18 hospitals");
        vm.snapshotValue(GROUP, "commit and reveal, 18 hospitals", committed + revealed);
        atMost(committed + revealed, 90_000, "commit and reveal");
    }

    function test_calls_of_the_second_round_of_twenty_hospitals() public {
        deployAll(HOSPITALS);
        registerAll(0);
        openTo(ILedgerTypes.Phase.Closed, HOSPITALS);
        uint64 round = open();
        vm.snapshotGasLastCall(GROUP, "openRound");
        ready(round, 1);
        vm.snapshotGasLastCall(GROUP, "submitReady");
        for (uint16 id = 2; id <= HOSPITALS; ++id) {
            ready(round, id);
        }
        vm.roll(vm.getBlockNumber() + 2);
        ledger.fixBeacon(round);
        vm.snapshotGasLastCall(GROUP, "fixBeacon");
        vm.prank(COORDINATOR);
        ledger.publishModel(round, keccak256("next model"));
        vm.snapshotGasLastCall(GROUP, "publishModel");

        commit(round, 1);
        uint256 committed = vm.snapshotGasLastCall(GROUP, "commitQuality");
        for (uint16 id = 2; id <= HOSPITALS; ++id) {
            commit(round, id);
        }
        vm.snapshotGasLastCall(GROUP, "commitQuality, last");
        reveal(round, 1);
        uint256 revealed = vm.snapshotGasLastCall(GROUP, "revealQuality, 20 hospitals");
        for (uint16 id = 2; id <= HOSPITALS; ++id) {
            reveal(round, id);
        }
        vm.snapshotValue(GROUP, "commit and reveal, 20 hospitals", committed + revealed);

        enter(round, 1);
        uint256 entered = vm.snapshotGasLastCall(GROUP, "submitEntry");
        for (uint16 id = 2; id <= HOSPITALS; ++id) {
            enter(round, id);
        }
        vm.snapshotGasLastCall(GROUP, "submitEntry, last");
        attest(round, 1, DIGEST);
        vm.snapshotGasLastCall(GROUP, "attest, first");
        attest(round, 2, DIGEST);
        vm.snapshotGasLastCall(GROUP, "attest");
        for (uint16 id = 3; id <= HOSPITALS; ++id) {
            attest(round, id, DIGEST);
        }
        ledger.closeRound(round);
        uint256 closed = vm.snapshotGasLastCall(GROUP, "closeRound, 20 hospitals");

        atMost(entered, 85_000, "entry");
        atMost(committed + revealed, 97_000, "commit and reveal");
        atMost(closed, 700_000, "close");
    }

    function test_claims_at_depth_twelve() public {
        deployAll(HOSPITALS);
        registerAll(0);
        uint64[] memory rounds = new uint64[](4);
        for (uint256 i = 0; i < rounds.length; ++i) {
            rounds[i] = roundOfOneDeepEntry();
        }
        vm.warp(ledger.claimableAt(rounds[3]));
        vm.prank(account(1));
        distributor.claimTreasury(1, rounds);
        vm.snapshotGasLastCall(GROUP, "claimTreasury, four rounds");
        vm.prank(PAYEE);
        distributor.claim(one(deepClaim(rounds[0])));
        uint256 single = vm.snapshotGasLastCall(GROUP, "claim, new holder, depth 12");

        vm.prank(PAYEE);
        distributor.claim(one(deepClaim(rounds[1])));
        uint256 alone = vm.snapshotGasLastCall(GROUP, "claim, holder, depth 12");
        IRewardDistributor.Claim[] memory batch = new IRewardDistributor.Claim[](2);
        batch[0] = deepClaim(rounds[3]);
        batch[1] = deepClaim(rounds[2]);
        vm.prank(PAYEE);
        distributor.claim(batch);
        uint256 both = vm.snapshotGasLastCall(GROUP, "claim, two rounds, depth 12");
        vm.snapshotValue(GROUP, "claim, further one in a batch, depth 12", both - alone);

        atMost(single, 120_000, "first claim");
        atMost(both - alone, 27_000, "further claim");
    }

    function scoreBy(uint16 by, uint16 id) internal view override returns (uint256) {
        return uint256(keccak256(abi.encode(by, id, ledger.currentRound()))) % 10_001;
    }

    function modelScoreBy(uint16 id) internal view override returns (uint16) {
        return uint16(uint256(keccak256(abi.encode(id, ledger.currentRound()))) % 10_001);
    }

    /// @dev A paid round in which hospital 1 alone has an entry: a tree of depth 12 of which one path is known.
    function roundOfOneDeepEntry() private returns (uint64 round) {
        round = openTo(ILedgerTypes.Phase.Entry, HOSPITALS);
        IRewardDistributor.Claim memory c = deepClaim(round);
        uint256 weight = 3000 * 1000 + 5000 * 8000 + 2000 * 900;
        Node memory node =
            Node(SumTreeBuilder.leafHash(address(ledger), round, 1, c.leaf), SumTreeBuilder.leafLanes(c.leaf, weight));
        for (uint256 i = 0; i < 11; ++i) {
            node = (c.leaf.slot >> i) & 1 == 0
                ? SumTreeBuilder.parent(node, c.siblings[i])
                : SumTreeBuilder.parent(c.siblings[i], node);
        }
        vm.prank(account(1));
        ledger.submitEntry(round, c.siblings[11], node, keccak256("bundle"));
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        stepTo(round, ILedgerTypes.Phase.Closed, HOSPITALS);
    }

    function deepClaim(uint64 round) private pure returns (IRewardDistributor.Claim memory c) {
        c.round = round;
        c.hospital = 1;
        c.leaf.slot = 2048 + 1234;
        c.leaf.payee = PAYEE;
        c.leaf.volume = 1000;
        c.leaf.quality = 8000;
        c.leaf.compute = 900;
        c.leaf.salt = keccak256(abi.encode(round));
        c.siblings = new Node[](12);
        for (uint256 i = 0; i < 12; ++i) {
            uint256 n = (1 << i) / 2;
            uint256 lanes = n | ((n * 4321) << 32) | ((n * 3210) << 80) | ((n * 12_345_678) << 128);
            c.siblings[i] = Node(keccak256(abi.encode(round, i)), lanes | ((n * 23_456_789) << 192));
        }
    }
}
