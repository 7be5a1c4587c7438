// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes, RewardRule} from "../../interfaces/ILedgerTypes.sol";
import {IRewardDistributor} from "../../interfaces/IRewardDistributor.sol";
import {Rounds} from "./Rounds.sol";

/// @title Story
/// @notice What the fuzzer may do: hospitals that act or not, courts that freeze, void and release, payees that claim
/// once, twice, early and of frozen entries; and books kept of what ought to have happened.
contract Story is Rounds {
    uint16 public constant HOSPITALS = 3;
    uint256 public constant LEAVES = 4;
    /// @dev Where the books have the treasury's claim, beside those of slots.
    uint256 private constant TREASURY = type(uint256).max;

    /// @notice What was paid of a hospital's entry of a round, and in all.
    mapping(uint64 round => mapping(uint16 hospital => uint256)) public paidOf;
    uint256 public paid;
    uint256 public burned;
    /// @notice How many claims that must fail did not, or that must pay did not.
    uint256 public wrongs;
    /// @notice How much of everything there was: what an invariant says of nothing is worth nothing.
    uint256 public claims;
    uint256 public refusals;
    uint256 public batches;
    uint256 public freezes;
    uint256 public voids;
    uint256 public rounds;
    uint256 public paidRounds;
    /// @notice What the schedule has emitted: every round that closed, paid or not.
    uint256 public emitted;

    uint256 private nextEmission = 1000 ether;
    mapping(uint64 round => bytes32) private recordAtClose;
    mapping(uint64 round => mapping(uint16 hospital => uint256)) private allocationAtClose;
    mapping(uint64 round => mapping(uint16 hospital => mapping(uint256 slot => bool))) private had;

    mapping(uint16 hospital => address) private accounts;
    uint160 private nextAccount = 0xACC0_0000;

    constructor() {
        for (uint16 id = 1; id <= HOSPITALS; ++id) {
            rotate(id);
        }
        deployAll(HOSPITALS);
        leafCount = LEAVES;
        registerAll(0);
    }

    function account(uint16 id) internal view override returns (address) {
        return accounts[id];
    }

    function scoreBy(uint16 by, uint16 id) internal view override returns (uint256) {
        return uint256(keccak256(abi.encode(by, id, ledger.currentRound()))) % 10_001;
    }

    function modelScoreBy(uint16 id) internal view override returns (uint16) {
        return uint16(uint256(keccak256(abi.encode(id, ledger.currentRound()))) % 10_001);
    }

    // What may happen

    /// @notice Up to eight phases go by, with this or that hospital absent now and then.
    function proceed(uint256 seed) external {
        for (uint256 i = 0; i <= seed % 8; ++i) {
            step(uint8(uint256(keccak256(abi.encode(seed, i)))));
        }
    }

    /// @dev Some hospitals act (bits of `who`), or one alone, and unless all did, a deadline passes.
    function step(uint8 who) private {
        uint64 current = ledger.currentRound();
        ILedgerTypes.Phase phase = ledger.round(current).phase;
        profile = ledger.round(current).profile;
        if (current == 0 || phase == ILedgerTypes.Phase.Closed) {
            profile = who % 8 == 0 ? 2 : who % 8 == 1 ? 1 : 0;
            open();
            return;
        }
        if (phase == ILedgerTypes.Phase.Beacon || phase == ILedgerTypes.Phase.Training) {
            if (who % 16 != 7) step(current, 0);
            else stall(current, phase);
        } else {
            for (uint16 id = 1; id <= HOSPITALS; ++id) {
                bool absent = (who >> id) % 16 == 0 || (who % 8 == 3 && id != 1);
                if (!absent && able(current, phase, id)) act(current, phase, id);
            }
            if (ledger.round(current).phase == phase) finish(current, phase);
        }
        if (ledger.round(current).phase == ILedgerTypes.Phase.Closed) keepRecord(current);
    }

    function keepRecord(uint64 round) private {
        ++rounds;
        if (ledger.round(round).paid) ++paidRounds;
        emitted += nextEmission;
        nextEmission = (nextEmission * 99) / 100;
        recordAtClose[round] = recordOf(round);
        for (uint16 id = 1; id <= HOSPITALS; ++id) {
            allocationAtClose[round][id] = ledger.entry(round, id).allocation;
        }
    }

    /// @notice What is seldom: suspensions, new accounts, new rules, pauses, burns.
    function shake(uint8 what, uint8 who, uint128 amount) external {
        uint16 id = pick(who);
        if (what % 8 == 0) suspendOrReinstate(id);
        if (what % 8 == 1) rotateAccount(id);
        if (what % 8 == 2) changeRule(uint16(amount), uint16(amount >> 16));
        if (what % 8 == 3) pause();
        if (what % 8 > 4) burn(id, amount);
    }

    function freeze(uint8 which, uint8 who) external {
        (uint64 round, uint16 id) = (pickRound(which), pick(who));
        ILedgerTypes.EntryView memory e = ledger.entry(round, id);
        uint64 until = ledger.claimableAt(round);
        if (e.root == 0 || e.frozen || e.voided || (until != 0 && vm.getBlockTimestamp() >= until)) return;
        vm.prank(COURT);
        ledger.freezeEntry(round, id);
        ++freezes;
    }

    function decide(uint8 which, uint8 who, bool guilty) external {
        (uint64 round, uint16 id) = (pickRound(which), pick(who));
        if (!ledger.entry(round, id).frozen) return;
        vm.prank(COURT);
        if (guilty) ledger.voidEntry(round, id);
        else ledger.releaseEntry(round, id);
        if (guilty) ++voids;
    }

    function wait(uint32 time) external {
        vm.warp(vm.getBlockTimestamp() + time % (4 * DAY));
        vm.roll(vm.getBlockNumber() + time % 300);
    }

    function claimLeaf(uint8 which, uint8 who, uint8 leaf) external {
        (uint64 round, uint16 id) = (pickRound(which), pick(who));
        if (round == 0) return;
        IRewardDistributor.Claim memory c = leafClaim(round, id, leaf);
        IRewardDistributor.Claim[] memory cs = one(c);
        vm.prank(c.leaf.payee);
        try distributor.claim(cs) returns (uint256 amount) {
            judge(round, id, c.leaf.slot, amount);
        } catch {
            refuse(round, id, c.leaf.slot);
        }
    }

    /// @notice A payee claims everything of the last four rounds at once: what is frozen or void is passed over.
    function claimBatch(uint8 who, uint8 leaf) external {
        uint16 id = pick(who);
        IRewardDistributor.Claim[] memory cs = new IRewardDistributor.Claim[](4);
        uint256 n = 0;
        uint256 expected = 0;
        for (uint8 back = 0; back < 4 && back < ledger.currentRound(); ++back) {
            uint64 round = pickRound(back);
            uint64 from = ledger.claimableAt(round);
            if (!ledger.round(round).paid || vm.getBlockTimestamp() < from) continue;
            IRewardDistributor.Claim memory c = leafClaim(round, id, leaf);
            if (distributor.isClaimed(round, id, c.leaf.slot)) continue;
            if (due(round, id, c.leaf.slot)) {
                expected += distributor.quote(c);
                had[round][id][c.leaf.slot] = true;
                paidOf[round][id] += distributor.quote(c);
            }
            cs[n++] = c;
        }
        if (n == 0 || distributor.claimsPaused()) return;
        assembly ("memory-safe") {
            mstore(cs, n)
        }
        vm.prank(cs[0].leaf.payee);
        if (distributor.claim(cs) != expected) ++wrongs;
        paid += expected;
        if (expected != 0) ++batches;
    }

    function claimTreasury(uint8 which, uint8 who) external {
        (uint64 round, uint16 id) = (pickRound(which), pick(who));
        if (round == 0) return;
        uint64[] memory chosen = new uint64[](1);
        chosen[0] = round;
        vm.prank(accounts[id]);
        try distributor.claimTreasury(id, chosen) returns (uint256 amount) {
            judge(round, id, TREASURY, amount);
        } catch {
            refuse(round, id, TREASURY);
        }
    }

    // What the invariants read

    function lastRound() external view returns (uint64) {
        return ledger.currentRound();
    }

    function supply() external view returns (uint256 minted, uint256 allocated, uint256 total) {
        return (token.totalMinted(), ledger.totalAllocated(), token.totalSupply());
    }

    function bestModelScore() external view returns (uint256 score) {
        (score,) = ledger.bestModelScore();
    }

    /// @notice Whether a round that closed is on record as it was then: all of it, but for what disputes hold or voided.
    function isAsItClosed(uint64 round) external view returns (bool) {
        if (recordAtClose[round] == 0) return true;
        for (uint16 id = 1; id <= HOSPITALS; ++id) {
            ILedgerTypes.EntryView memory e = ledger.entry(round, id);
            if (e.allocation != (e.voided ? 0 : allocationAtClose[round][id])) return false;
        }
        return recordOf(round) == recordAtClose[round];
    }

    function budgetOf(uint64 round) external view returns (uint256) {
        return ledger.round(round).budget;
    }

    function entryOf(uint64 round, uint16 id) external view returns (ILedgerTypes.EntryView memory) {
        return ledger.entry(round, id);
    }

    /// @notice A stranger, with nothing but time, closes the round that is open. For use under a snapshot.
    function strangerCloses() external {
        uint64 current = ledger.currentRound();
        for (uint256 i = 0; i < 16 && current != 0; ++i) {
            ILedgerTypes.RoundView memory v = ledger.round(current);
            if (v.phase == ILedgerTypes.Phase.Closed) return;
            vm.startPrank(STRANGER);
            if (v.phase == ILedgerTypes.Phase.Beacon) {
                vm.roll(vm.getBlockNumber() + 2);
                ledger.fixBeacon(current);
            } else {
                if (vm.getBlockTimestamp() < v.phaseDeadline) vm.warp(v.phaseDeadline);
                if (v.phase == ILedgerTypes.Phase.Attest) ledger.closeRound(current);
                else ledger.advance(current);
            }
            vm.stopPrank();
        }
        isTrue(current == 0, "stranded");
    }

    // Internals

    function suspendOrReinstate(uint16 id) private {
        if (consortium.activeHospitalOf(accounts[id]) != id) consortium.reinstate(id);
        else if (consortium.activeSet() != 1 << id) consortium.suspend(id);
    }

    function rotateAccount(uint16 id) private {
        address from = accounts[id];
        rotate(id);
        move(id, from, accounts[id]);
    }

    function changeRule(uint16 operatorBps, uint16 gate) private {
        RewardRule memory rule = defaultRule();
        rule.operatorBps = operatorBps % 2001;
        rule.hospitalGate = gate % 10_001;
        ledger.setRule(rule);
    }

    function pause() private {
        (, uint64 next) = distributor.pauseState();
        bool paused = distributor.claimsPaused();
        if (!paused && vm.getBlockTimestamp() < next) return;
        vm.prank(GUARDIAN);
        if (paused) distributor.unpauseClaims();
        else distributor.pauseClaims();
    }

    function burn(uint16 id, uint256 amount) private {
        address holder = accounts[id];
        uint256 some = within(amount, 0, token.balanceOf(holder));
        vm.prank(holder);
        token.burn(some);
        burned += some;
    }

    function rotate(uint16 id) private {
        accounts[id] = address(++nextAccount);
    }

    function pick(uint8 who) private pure returns (uint16) {
        return uint16(1 + who % HOSPITALS);
    }

    /// @dev One of the last four rounds; 0 if there is none.
    function pickRound(uint8 which) private view returns (uint64) {
        uint64 current = ledger.currentRound();
        return current > which % 4 ? current - which % 4 : current;
    }

    function recordOf(uint64 round) private view returns (bytes32 record) {
        record = keccak256(abi.encode(ledger.round(round)));
        for (uint16 id = 1; id <= HOSPITALS; ++id) {
            ILedgerTypes.EntryView memory e = ledger.entry(round, id);
            (e.frozen, e.voided, e.allocation) = (false, false, 0);
            record = keccak256(abi.encode(record, e));
        }
    }

    /// @dev The claim of one of the two leaves with a payee of their own, by the profile of its round.
    function leafClaim(uint64 round, uint16 id, uint8 leaf) private returns (IRewardDistributor.Claim memory) {
        profile = ledger.round(round).profile;
        return claimOf(round, id, leaf % 2 == 0 ? 1 : 3);
    }

    /// @dev A claim went through: paid what was due, and nothing else.
    function judge(uint64 round, uint16 id, uint256 slot, uint256 amount) private {
        if ((amount != 0) != due(round, id, slot)) ++wrongs;
        if (amount == 0) return;
        had[round][id][slot] = true;
        paidOf[round][id] += amount;
        paid += amount;
        ++claims;
    }

    /// @dev A claim was refused: nothing was due.
    function refuse(uint64 round, uint16 id, uint256 slot) private {
        if (due(round, id, slot)) ++wrongs;
        ++refusals;
    }

    function due(uint64 round, uint16 id, uint256 slot) private view returns (bool) {
        return claimOpen(round, id) && ledger.entry(round, id).allocation != 0 && !had[round][id][slot];
    }

    function claimOpen(uint64 round, uint16 id) private view returns (bool) {
        ILedgerTypes.EntryView memory e = ledger.entry(round, id);
        uint64 from = ledger.claimableAt(round);
        return !distributor.claimsPaused() && from != 0 && vm.getBlockTimestamp() >= from && !e.frozen && !e.voided;
    }

    function able(uint64 round, ILedgerTypes.Phase phase, uint16 id) private view returns (bool) {
        if (consortium.activeHospitalOf(accounts[id]) != id || (ledger.round(round).activeSet >> id) & 1 == 0) {
            return false;
        }
        if (ledger.acted(round, phase, id)) return false;
        if (phase == ILedgerTypes.Phase.Reveal) return ledger.acted(round, ILedgerTypes.Phase.Commit, id);
        if (phase == ILedgerTypes.Phase.Entry) return ledger.acted(round, ILedgerTypes.Phase.Ready, id);
        return true;
    }

    function finish(uint64 round, ILedgerTypes.Phase phase) private {
        uint64 deadline = ledger.round(round).phaseDeadline;
        if (vm.getBlockTimestamp() < deadline) vm.warp(deadline);
        vm.prank(STRANGER);
        if (phase == ILedgerTypes.Phase.Attest) ledger.closeRound(round);
        else ledger.advance(round);
    }

    function stall(uint64 round, ILedgerTypes.Phase phase) private {
        if (phase == ILedgerTypes.Phase.Training) {
            finish(round, phase);
        } else {
            vm.roll(ledger.round(round).readyBlock + 300);
            ledger.fixBeacon(round);
        }
    }
}
