// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../../interfaces/IDisputeCourt.sol";
import {ILedgerTypes, Node} from "../../interfaces/ILedgerTypes.sol";
import {Leaf} from "../../interfaces/IRewardDistributor.sol";
import {Rounds} from "./Rounds.sol";
import {SumTreeBuilder} from "./SumTreeBuilder.sol";

/// @title InCourt
/// @notice A consortium with a court in office, and what parties do before it.
abstract contract InCourt is Rounds {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    uint256 internal constant STAKE = 1 ether;
    uint256 internal constant SLASHED = 2 ether;
    uint64 internal constant CASE = 3 * DAY;
    uint256 internal constant OPENINGS = 3;
    address internal constant RESERVE = address(0x4E5E);
    address internal constant CHALLENGER = address(0xC4A1);
    bytes32 internal constant EVIDENCE = keccak256("evidence");

    IDisputeCourt internal court;

    function deployCourt() internal {
        court = newCourt();
        consortium.setDisputeCourt(address(court));
        consortium.setSlashRecipient(RESERVE);
    }

    function newCourt() internal returns (IDisputeCourt) {
        return newCourt(OPENINGS);
    }

    function newCourt(uint256 openings) internal returns (IDisputeCourt) {
        return IDisputeCourt(
            vm.deployCode("DisputeCourt.sol:DisputeCourt", abi.encode(ledger, STAKE, SLASHED, CASE, openings))
        );
    }

    /// @dev Give an account the bond of a challenge, approved.
    function stake(address who) internal {
        settlement.transfer(who, STAKE);
        vm.prank(who);
        settlement.approve(address(court), STAKE);
    }

    function challengeAs(address who, uint64 round, uint16 hospital) internal returns (uint256) {
        stake(who);
        vm.prank(who);
        return court.challenge(round, hospital, EVIDENCE);
    }

    function demandAs(address who, uint64 round, uint16 hospital) internal returns (uint256) {
        stake(who);
        vm.prank(who);
        return court.demand(round, hospital);
    }

    /// @dev Hospital 1 acts through another account from now on.
    function rotateTo(address next) internal {
        vm.prank(account(1));
        consortium.proposeAccount(next);
        vm.prank(next);
        consortium.acceptAccount(1);
    }

    function voteAs(uint16 id, uint256 caseId) internal {
        vm.prank(account(id));
        court.vote(caseId);
    }

    function outcomeOf(uint256 caseId) internal view returns (uint256) {
        return uint256(court.caseOf(caseId).outcome);
    }

    function eq(uint256 caseId, IDisputeCourt.Outcome outcome, string memory what) internal view {
        eq(outcomeOf(caseId), uint256(outcome), what);
    }

    /// @dev A leaf as the words that are hashed.
    function wordsOf(Leaf memory leaf) internal pure returns (uint256[7] memory) {
        return [
            uint256(leaf.slot),
            leaf.deviceClass,
            uint160(leaf.payee),
            leaf.volume,
            leaf.quality,
            leaf.compute,
            uint256(leaf.salt)
        ];
    }

    /// @dev The hash of any seven words as a leaf, from the specification alone.
    function hashOf(uint64 round, uint16 hospital, uint256[7] memory w) internal view returns (bytes32) {
        bytes memory head = abi.encode(keccak256("FedIoMT.Leaf.v1"), block.chainid, ledger, round, hospital);
        bytes memory tail = abi.encode(w[0], w[1], w[2], w[3], w[4], w[5], w[6]);
        return keccak256(abi.encode(keccak256(bytes.concat(head, tail))));
    }

    /// @dev Take the round to its Entry phase, let hospital 1 submit a tree of its own and the others theirs.
    function enterAs(uint16 liar, uint64 round, SumTreeBuilder.Tree memory tree) internal {
        stepTo(round, ILedgerTypes.Phase.Entry, 4);
        (Node memory left, Node memory right) = tree.children();
        vm.prank(account(liar));
        ledger.submitEntry(round, left, right, keccak256("bundle"));
        for (uint16 id = 1; id <= 4; ++id) {
            if (id != liar) enter(round, id);
        }
    }

    function treasury(uint16 id, uint64 round) internal returns (uint256) {
        uint64[] memory rounds = new uint64[](1);
        rounds[0] = round;
        vm.prank(account(id));
        return distributor.claimTreasury(id, rounds);
    }
}
