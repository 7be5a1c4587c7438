// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";
import {InCourt} from "./support/InCourt.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title CourtExitsTest
/// @notice Whoever leaves before governance replaces the court answers to the court that it knew, and to no other.
contract CourtExitsTest is InCourt {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    address private constant GRABBER = address(0x6AB);
    uint64 private round;

    function setUp() public {
        deployAll(4);
        deployCourt();
        registerAll(0);
        manager.grantRole(0, address(council), DELAY);
        manager.renounceRole(0, address(this));
        round = open();
    }

    /// @dev Three of four hospitals carry that another court takes over; the delay runs.
    function replacing() private returns (uint256 id) {
        vm.prank(account(2));
        id = council.propose(address(consortium), abi.encodeCall(IConsortium.setDisputeCourt, (GRABBER)));
        for (uint16 by = 3; by <= 4; ++by) {
            vm.prank(account(by));
            council.vote(id, true);
        }
        council.queue(id);
    }

    function slashAs(address who, uint16 hospital) private {
        vm.prank(who);
        consortium.slash(hospital, BOND);
    }

    function test_a_hospital_that_leaves_within_the_delay_keeps_its_bond_from_the_next_court() public {
        uint256 id = replacing();
        vm.expectRevert();
        council.execute(id); // the delay is the time there is to leave
        vm.warp(vm.getBlockTimestamp() + DELAY - 1);
        vm.prank(account(1));
        consortium.resign();
        vm.warp(vm.getBlockTimestamp() + 1);
        council.execute(id);
        isTrue(consortium.disputeCourt() == GRABBER, "replaced");
        isTrue(consortium.courtOver(1) == address(court), "its own court");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotDisputeCourt.selector, GRABBER));
        slashAs(GRABBER, 1);
        vm.warp(vm.getBlockTimestamp() + 30 * DAY);
        consortium.withdrawBond(1);
        eq(settlement.balanceOf(account(1)), BOND, "all of it");
    }

    function test_a_hospital_that_stays_answers_to_the_next_court() public {
        uint256 id = replacing();
        vm.warp(vm.getBlockTimestamp() + DELAY);
        council.execute(id);
        slashAs(GRABBER, 1);
        eq(settlement.balanceOf(RESERVE), BOND, "to the fixed recipient");
        vm.prank(account(1));
        consortium.resign();
        isTrue(consortium.courtOver(1) == GRABBER, "too late");
    }

    function test_nobody_but_the_council_replaces_the_court_and_never_without_the_delay() public {
        vm.expectRevert();
        consortium.setDisputeCourt(GRABBER);
        uint256 id = replacing();
        vm.warp(vm.getBlockTimestamp() + DELAY - 1);
        bytes32 operation = manager.hashOperation(
            address(council), address(consortium), abi.encodeCall(IConsortium.setDisputeCourt, (GRABBER))
        );
        vm.expectRevert(abi.encodeWithSelector(IAccessManager.AccessManagerNotReady.selector, operation));
        council.execute(id);
    }

    function test_a_fault_of_who_has_left_is_slashed_by_the_old_court_and_voided_by_the_new_one() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        IDisputeCourt next = newCourt();
        vm.prank(account(2));
        uint256 id = council.propose(address(consortium), abi.encodeCall(IConsortium.setDisputeCourt, (address(next))));
        for (uint16 by = 3; by <= 4; ++by) {
            vm.prank(account(by));
            council.vote(id, true);
        }
        council.queue(id);
        vm.prank(account(1));
        consortium.resign();
        challengeAs(CHALLENGER, round, 1);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        council.execute(id);

        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        eq(settlement.balanceOf(RESERVE), SLASHED, "replacing the court spares no bond");
        isTrue(!ledger.entry(round, 1).voided, "the old court has no say in the ledger");
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Lapsed, "nor in its open cases");
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyConvicted.selector, round, 1));
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        next.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        isTrue(ledger.entry(round, 1).voided && !next.isConvicted(round, 1), "void");
        eq(settlement.balanceOf(RESERVE), SLASHED, "and not slashed twice");
    }

    /// @dev The tree of hospital 1 with a leaf at slot 0 that weighs twice what it should.
    function inflated() private view returns (SumTreeBuilder.Tree memory, uint256[7] memory words, uint256 lanes) {
        (Leaf[] memory leaves, uint256[] memory weights) = leavesOf(1);
        weights[0] *= 2;
        return (
            SumTreeBuilder.build(address(ledger), round, 1, leaves, weights),
            wordsOf(leaves[0]),
            SumTreeBuilder.leafLanes(leaves[0], weights[0])
        );
    }
}
