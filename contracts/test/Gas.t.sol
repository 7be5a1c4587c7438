// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes, Node} from "../interfaces/ILedgerTypes.sol";
import {IParticipationToken} from "../interfaces/IParticipationToken.sol";
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

    /// @dev Twelve levels are 2,048 devices and their dummies, twenty are half a million.
    function test_claims_at_depth_twelve_and_twenty() public {
        for (uint256 k = 0; k < 2; ++k) {
            uint256 depth = k == 0 ? 12 : 20;
            string memory deep = k == 0 ? ", depth 12" : ", depth 20";
            deployAll(HOSPITALS);
            registerAll(0);
            uint64[] memory rounds = new uint64[](4);
            for (uint256 i = 0; i < rounds.length; ++i) {
                rounds[i] = roundOfOneDeepEntry(depth);
            }
            vm.warp(ledger.claimableAt(rounds[3]));
            claimAt(rounds, depth, deep, k == 0 ? 110_000 : 120_000, k == 0 ? 27_000 : 35_000);
        }
    }

    function claimAt(uint64[] memory rounds, uint256 depth, string memory deep, uint256 first, uint256 further)
        private
    {
        uint64[] memory before = new uint64[](1);
        before[0] = rounds[0];
        vm.prank(account(1)); // so that there is a supply to add to
        distributor.claimTreasury(1, before);
        uint256 state = vm.snapshotState();
        vm.prank(PAYEE);
        distributor.claim(one(deepClaim(rounds[3], depth)));
        vm.snapshotGasLastCall(GROUP, string.concat("claim, new holder, first of its round", deep));
        vm.revertToState(state);
        vm.prank(account(1)); // so that the rounds are known to be claimable
        distributor.claimTreasury(1, rest(rounds));
        vm.prank(PAYEE);
        distributor.claim(one(deepClaim(rounds[0], depth)));
        uint256 single = vm.snapshotGasLastCall(GROUP, string.concat("claim, new holder", deep));
        vm.prank(PAYEE);
        distributor.claim(one(deepClaim(rounds[1], depth)));
        uint256 alone = vm.snapshotGasLastCall(GROUP, string.concat("claim, holder", deep));
        IRewardDistributor.Claim[] memory batch = new IRewardDistributor.Claim[](2);
        batch[0] = deepClaim(rounds[3], depth);
        batch[1] = deepClaim(rounds[2], depth);
        vm.prank(PAYEE);
        distributor.claim(batch);
        uint256 both = vm.snapshotGasLastCall(GROUP, string.concat("claim, two rounds", deep));
        vm.snapshotValue(GROUP, string.concat("claim, further one in a batch", deep), both - alone);

        atMost(single, first, "first claim");
        atMost(both - alone, further, "further claim");
    }

    function test_treasury_claims() public {
        deployAll(HOSPITALS);
        registerAll(0);
        uint64[] memory rounds = new uint64[](6);
        for (uint256 i = 0; i < rounds.length; ++i) {
            rounds[i] = roundOfOneDeepEntry(12);
        }
        vm.warp(ledger.claimableAt(rounds[5]));
        vm.prank(PAYEE); // so that there is a supply to add to
        distributor.claim(one(deepClaim(rounds[0], 12)));
        claimTreasury(rounds, 0, 1);
        vm.snapshotGasLastCall(GROUP, "claimTreasury, new holder, first of its epoch");
        claimTreasury(rounds, 1, 1);
        uint256 single = vm.snapshotGasLastCall(GROUP, "claimTreasury, holder");
        claimTreasury(rounds, 2, 4);
        vm.snapshotGasLastCall(GROUP, "claimTreasury, holder, four rounds");
        atMost(single, 80_000, "treasury claim");
    }

    function rest(uint64[] memory all) private pure returns (uint64[] memory some) {
        some = new uint64[](all.length - 1);
        for (uint256 i = 0; i < some.length; ++i) {
            some[i] = all[i + 1];
        }
    }

    function claimTreasury(uint64[] memory all, uint256 from, uint256 count) private {
        uint64[] memory rounds = new uint64[](count);
        for (uint256 i = 0; i < count; ++i) {
            rounds[i] = all[from + i];
        }
        vm.prank(account(1));
        distributor.claimTreasury(1, rounds);
    }

    /// @dev Devices with random scores, none with a payee of its own.
    function test_disclosed_entries() public {
        deployAll(2);
        ILedgerTypes.Params memory p = defaultParams();
        p.disclosedTree = vm.deployCode("DisclosedTree.sol:DisclosedTree", "");
        ledger = deployLedger(p, defaultRule());
        registerAll(0);
        disclose(100, "submitDisclosedEntry, 100 devices");
        uint256 thousand = disclose(1000, "submitDisclosedEntry, 1000 devices");
        uint256 most = disclose(4000, "submitDisclosedEntry, 4000 devices");
        vm.snapshotValue(GROUP, "submitDisclosedEntry, a device of 1000", thousand / 1000);
        atMost(thousand, 900 * 1000, "disclosed entry");
        atMost(most, 10_000_000, "largest");
    }

    function disclose(uint256 count, string memory name) private returns (uint256 used) {
        uint64 round = openTo(ILedgerTypes.Phase.Entry, 2);
        bytes memory devices = new bytes(6 * count);
        for (uint256 k = 0; k < count; ++k) {
            uint256 seed = uint256(keccak256(abi.encode(k)));
            uint256 scores = ((seed % 3001) << 30) | (((seed >> 32) % 10_001) << 15) | ((seed >> 64) % 3001);
            bytes6 device = bytes6(uint48((1 << 47) | ((seed % 4) << 45) | scores));
            for (uint256 i = 0; i < 6; ++i) {
                devices[6 * k + i] = device[i];
            }
        }
        vm.prank(account(1));
        ledger.submitDisclosedEntry(round, SALT, devices, "", keccak256("bundle"));
        used = vm.snapshotGasLastCall(GROUP, name);
        stepTo(round, ILedgerTypes.Phase.Closed, 0);
    }

    function test_cash_out() public {
        deployAll(1);
        token = IParticipationToken(
            vm.deployCode("ParticipationToken.sol:ParticipationToken", abi.encode(address(this), MAX_SUPPLY))
        );
        desk = deployDesk(token, consortium);
        token.mint(PAYEE, 3 ether);
        vm.prank(PAYEE);
        token.approve(address(desk), 3 ether);
        settlement.approve(address(desk), 10 ether);
        desk.fundReserve(10 ether);
        vm.snapshotGasLastCall(GROUP, "fundReserve, first");
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(PAYEE);
            desk.requestCashOut(1 ether, i == 2 ? 2 ether : 1);
        }
        vm.snapshotGasLastCall(GROUP, "requestCashOut");
        uint64 epoch = desk.currentCashOutEpoch();
        vm.warp(desk.cashOutEpochEnd(epoch));
        desk.settleCashOutEpoch(epoch);
        vm.snapshotGasLastCall(GROUP, "settleCashOutEpoch");
        desk.collectCashOut(1);
        vm.snapshotGasLastCall(GROUP, "collectCashOut, new holder");
        desk.collectCashOut(2);
        vm.snapshotGasLastCall(GROUP, "collectCashOut, holder");
    }

    function scoreBy(uint16 by, uint16 id) internal view override returns (uint256) {
        return uint256(keccak256(abi.encode(by, id, ledger.currentRound()))) % 10_001;
    }

    function modelScoreBy(uint16 id) internal view override returns (uint16) {
        return uint16(uint256(keccak256(abi.encode(id, ledger.currentRound()))) % 10_001);
    }

    /// @dev A paid round in which hospital 1 alone has an entry: a deep tree of which one path is known.
    function roundOfOneDeepEntry(uint256 depth) private returns (uint64 round) {
        round = openTo(ILedgerTypes.Phase.Entry, HOSPITALS);
        IRewardDistributor.Claim memory c = deepClaim(round, depth);
        uint256 weight = 3000 * 1000 + 5000 * 8000 + 2000 * 900;
        Node memory node =
            Node(SumTreeBuilder.leafHash(address(ledger), round, 1, c.leaf), SumTreeBuilder.leafLanes(c.leaf, weight));
        for (uint256 i = 0; i < depth - 1; ++i) {
            node = (c.leaf.slot >> i) & 1 == 0
                ? SumTreeBuilder.parent(node, c.siblings[i])
                : SumTreeBuilder.parent(c.siblings[i], node);
        }
        vm.prank(account(1));
        ledger.submitEntry(round, c.siblings[depth - 1], node, keccak256("bundle"));
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        stepTo(round, ILedgerTypes.Phase.Closed, HOSPITALS);
    }

    function deepClaim(uint64 round, uint256 depth) private pure returns (IRewardDistributor.Claim memory c) {
        c.round = round;
        c.hospital = 1;
        c.leaf.slot = uint32((1 << (depth - 1)) + 1234);
        c.leaf.payee = PAYEE;
        c.leaf.volume = 1000;
        c.leaf.quality = 8000;
        c.leaf.compute = 900;
        c.leaf.salt = keccak256(abi.encode(round));
        c.siblings = new Node[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            uint256 n = (1 << i) / 2;
            uint256 lanes = n | ((n * 4321) << 32) | ((n * 3210) << 80) | ((n * 12_345_678) << 128);
            c.siblings[i] = Node(keccak256(abi.encode(round, i)), lanes | ((n * 23_456_789) << 192));
        }
    }
}
