// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes, Node} from "../../interfaces/ILedgerTypes.sol";
import {IRewardDistributor, Leaf} from "../../interfaces/IRewardDistributor.sol";
import {Deployed} from "./Deployed.sol";
import {SumTreeBuilder} from "./SumTreeBuilder.sol";

/// @title Rounds
/// @notice Takes rounds through their phases with honest hospitals, as far as a test wants.
abstract contract Rounds is Deployed {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    uint256 internal constant NO_SCORE = 0x3FFF;
    bytes32 internal constant DIGEST = keccak256("round digest");
    bytes32 internal constant UTILITIES = keccak256("utilities");
    bytes32 internal constant SALT = keccak256("salt");

    /// @dev What every hospital gives every other, and the model; tests change them.
    uint256 internal givenScore = 9000;
    uint16 internal modelScore = 8000;
    uint8 internal profile = 0;
    /// @dev Real leaves of every entry.
    uint256 internal leafCount = 4;

    function open() internal returns (uint64 round) {
        round = ledger.currentRound() + 1;
        vm.prank(COORDINATOR);
        ledger.openRound(round, profile, keccak256("spec"), keccak256("model"), 0);
    }

    function registerAll(uint64 epoch) internal {
        for (uint16 id = 1; id <= consortium.hospitalCount(); ++id) {
            vm.prank(account(id));
            ledger.registerEpoch(epoch, keccak256("roster"), 4096, keccak256("seed"));
        }
    }

    /// @dev Open a round and take it up to a phase, with hospitals 1..n acting.
    function openTo(ILedgerTypes.Phase phase, uint16 n) internal returns (uint64 round) {
        round = open();
        stepTo(round, phase, n);
    }

    /// @dev Take an open round up to a phase, with hospitals 1..n acting and the deadline passing where others do not.
    function stepTo(uint64 round, ILedgerTypes.Phase phase, uint16 n) internal {
        while (ledger.round(round).phase != phase) step(round, n);
    }

    function step(uint64 round, uint16 n) internal {
        ILedgerTypes.Phase phase = ledger.round(round).phase;
        if (phase == ILedgerTypes.Phase.Beacon) {
            vm.roll(vm.getBlockNumber() + 2);
            ledger.fixBeacon(round);
        } else if (phase == ILedgerTypes.Phase.Training) {
            vm.prank(COORDINATOR);
            ledger.publishModel(round, keccak256(abi.encode("model", round)));
        } else {
            for (uint16 id = 1; id <= n; ++id) {
                act(round, phase, id);
            }
            if (ledger.round(round).phase == phase) {
                vm.warp(ledger.round(round).phaseDeadline);
                if (phase == ILedgerTypes.Phase.Attest) ledger.closeRound(round);
                else ledger.advance(round);
            }
        }
    }

    /// @dev The act of one honest hospital in a phase.
    function act(uint64 round, ILedgerTypes.Phase phase, uint16 id) internal {
        if (phase == ILedgerTypes.Phase.Ready) ready(round, id);
        else if (phase == ILedgerTypes.Phase.Commit) commit(round, id);
        else if (phase == ILedgerTypes.Phase.Reveal) reveal(round, id);
        else if (phase == ILedgerTypes.Phase.Entry) enter(round, id);
        else if (phase == ILedgerTypes.Phase.Attest) attest(round, id, DIGEST);
    }

    function ready(uint64 round, uint16 id) internal {
        vm.prank(account(id));
        ledger.submitReady(round, keccak256(abi.encode("ready", id)));
    }

    function commit(uint64 round, uint16 id) internal {
        bytes32 commitment = ledger.qualityCommitment(round, id, scoresBy(round, id), modelScoreBy(id), UTILITIES, SALT);
        vm.prank(account(id));
        ledger.commitQuality(round, commitment);
    }

    function reveal(uint64 round, uint16 id) internal {
        uint256[] memory scores = scoresBy(round, id);
        uint16 ofModel = modelScoreBy(id);
        vm.prank(account(id));
        ledger.revealQuality(round, scores, ofModel, UTILITIES, SALT);
    }

    function enter(uint64 round, uint16 id) internal {
        (Node memory left, Node memory right) = treeOf(round, id).children();
        vm.prank(account(id));
        ledger.submitEntry(round, left, right, keccak256("bundle"));
    }

    function attest(uint64 round, uint16 id, bytes32 digest) internal {
        vm.prank(account(id));
        ledger.attest(round, digest);
    }

    function scoresBy(uint64 round, uint16 by) internal view returns (uint256[] memory words) {
        ILedgerTypes.RoundView memory v = ledger.round(round);
        words = emptyScores(v.hospitalCount);
        for (uint16 id = 1; id <= v.hospitalCount; ++id) {
            if (id != by && (v.activeSet >> id) & 1 == 1) setScore(words, id, scoreBy(by, id));
        }
    }

    function emptyScores(uint256 hospitals) internal pure returns (uint256[] memory words) {
        words = new uint256[]((hospitals + 17) / 18);
        for (uint256 i = 0; i < words.length; ++i) {
            words[i] = (1 << 252) - 1;
        }
    }

    function setScore(uint256[] memory words, uint16 id, uint256 score) internal pure {
        uint256 shift = 14 * ((id - 1) % 18);
        words[(id - 1) / 18] = (words[(id - 1) / 18] & ~(NO_SCORE << shift)) | (score << shift);
    }

    function scoreBy(uint16, uint16) internal view virtual returns (uint256) {
        return givenScore;
    }

    function modelScoreBy(uint16) internal view virtual returns (uint16) {
        return modelScore;
    }

    /// @dev Leaves of a hospital: those with an odd index have a payee of their own.
    function leavesOf(uint16 id) internal view virtual returns (Leaf[] memory leaves, uint256[] memory weights) {
        leaves = new Leaf[](leafCount);
        weights = new uint256[](leafCount);
        for (uint32 k = 0; k < leafCount; ++k) {
            Leaf memory leaf = leaves[k];
            leaf.slot = 2 * k;
            leaf.deviceClass = uint8(k % 4);
            if (k % 2 == 1) leaf.payee = payeeOf(id, k);
            leaf.volume = uint16(1000 + 500 * (k % 4));
            leaf.quality = 8000;
            leaf.compute = uint16(900 + 100 * (k % 4));
            leaf.salt = keccak256(abi.encode("leaf", id, k));
            weights[k] = 3000 * uint256(leaf.volume) + 5000 * uint256(profile == 0 ? 8000 : 10_000) + 2000
                * uint256(leaf.compute);
        }
    }

    function payeeOf(uint16 id, uint256 k) internal pure returns (address) {
        return vm.addr(1_000_000 * uint256(id) + k + 1);
    }

    function treeOf(uint64 round, uint16 id) internal view returns (SumTreeBuilder.Tree memory) {
        (Leaf[] memory leaves, uint256[] memory weights) = leavesOf(id);
        return SumTreeBuilder.build(address(ledger), round, id, leaves, weights);
    }

    /// @dev The claim of leaf `k` of a hospital.
    function claimOf(uint64 round, uint16 id, uint256 k) internal view returns (IRewardDistributor.Claim memory c) {
        (Leaf[] memory leaves,) = leavesOf(id);
        c.round = round;
        c.hospital = id;
        c.leaf = leaves[k];
        c.siblings = treeOf(round, id).proof(leaves[k].slot);
    }

    function one(IRewardDistributor.Claim memory c) internal pure returns (IRewardDistributor.Claim[] memory cs) {
        cs = new IRewardDistributor.Claim[](1);
        cs[0] = c;
    }

    /// @dev A paid round whose challenge window is over.
    function claimable(uint16 n) internal returns (uint64 round) {
        round = openTo(ILedgerTypes.Phase.Closed, n);
        vm.warp(ledger.round(round).claimableAt);
    }
}
