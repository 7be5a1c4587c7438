// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerTypes, Node} from "../interfaces/ILedgerTypes.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";
import {InCourt} from "./support/InCourt.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title CourtFaultsTest
/// @notice What machines check: no honest tree can be convicted by anything, every dishonest leaf that is shown is.
contract CourtFaultsTest is InCourt {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    uint64 private round;
    uint256 private seed;

    function setUp() public {
        deployAll(4);
        deployCourt();
        registerAll(0);
        round = open();
    }

    /// @dev Leaves within the caps of their classes, drawn from the seed once there is one.
    function leavesOf(uint16 id) internal view override returns (Leaf[] memory leaves, uint256[] memory weights) {
        (leaves, weights) = super.leavesOf(id);
        if (seed == 0) return (leaves, weights);
        for (uint256 k = 0; k < leaves.length; ++k) {
            uint256 r = uint256(keccak256(abi.encode(seed, id, k)));
            uint256 kind = r % 4;
            leaves[k].deviceClass = uint8(kind);
            leaves[k].volume = uint16((r >> 16) % (defaultRule().volumeCap[kind] + 1));
            leaves[k].compute = uint16((r >> 48) % (defaultRule().computeCap[kind] + 1));
            leaves[k].quality = uint16((r >> 80) % 10_001);
            bool scored = profile == 0;
            weights[k] = scored && leaves[k].quality < 3000
                ? 0
                : 3000 * uint256(leaves[k].volume) + 5000 * (scored ? uint256(leaves[k].quality) : 10_000)
                    + 2000 * uint256(leaves[k].compute);
        }
    }

    function prove(uint256[7] memory words, uint256 slot, uint256 lanes, Node[] memory siblings)
        private
        returns (bool convicted)
    {
        try court.proveLeaf(round, 1, words, slot, lanes, siblings) {
            return true;
        } catch {
            return false;
        }
    }

    function testFuzz_no_claim_against_an_honest_tree_convicts(uint256 seed_, uint8 count, uint8 ofProfile, uint256 noise)
        public
    {
        (seed, leafCount, profile) = (within(seed_, 1, type(uint128).max), within(count, 2, 9), ofProfile % 3);
        vm.warp(vm.getBlockTimestamp() + 30 * DAY);
        round = reopened();
        enterAs(2, round, treeOf(round, 2));
        SumTreeBuilder.Tree memory tree = treeOf(round, 1);
        (Leaf[] memory leaves,) = leavesOf(1);
        for (uint256 slot = 0; slot < tree.levels[0].length; ++slot) {
            bool real = slot % 2 == 0 && slot / 2 < leaves.length;
            uint256[7] memory words =
                wordsOf(real ? leaves[slot / 2] : SumTreeBuilder.dummy(uint32(slot)));
            uint256 lanes = tree.levels[0][slot].lanes;
            Node[] memory siblings = tree.proof(slot);
            isTrue(!prove(words, slot, lanes, siblings), "true leaf");
            isTrue(!prove(words, slot, lanes ^ (1 << (noise % 256)), siblings), "other lanes");
            isTrue(!prove(words, (slot + 1 + noise % 7) % 32, lanes, siblings), "other slot");
            words[noise % 7] ^= 1 << (noise % 250);
            isTrue(!prove(words, slot, lanes, siblings), "other leaf");
            isTrue(!prove(words, slot, noise, siblings), "other leaf, other lanes");
        }
        eq(consortium.hospital(1).bond, BOND, "untouched");
    }

    function test_inner_nodes_pass_for_no_leaves() public {
        enterAs(2, round, treeOf(round, 2));
        SumTreeBuilder.Tree memory tree = treeOf(round, 1);
        Node[] memory path = new Node[](1);
        path[0] = tree.levels[tree.levels.length - 1][1];
        uint256[7] memory words;
        isTrue(!prove(words, 0, tree.levels[tree.levels.length - 1][0].lanes, path), "the root's child");
        isTrue(!prove(words, 0, 0, new Node[](0)), "the root");
        isTrue(!prove(words, 0, 0, new Node[](33)), "too deep");
    }

    function testFuzz_every_dishonest_leaf_that_is_shown_convicts(uint256 seed_, uint8 which, uint256 r) public {
        seed = within(seed_, 1, type(uint128).max);
        (Leaf[] memory leaves, uint256[] memory weights) = leavesOf(1);
        SumTreeBuilder.Tree memory tree = SumTreeBuilder.build(address(ledger), round, 1, leaves, weights);
        uint256 k = r % leaves.length;
        uint256[7] memory words = wordsOf(leaves[k]);
        uint256 slot = 2 * k;
        uint256 lanes = tree.levels[0][slot].lanes;
        IDisputeCourt.Fault expected;
        (expected, slot, lanes) = spoil(which % 9, words, slot, lanes, r);
        tree.levels[0][slot] = Node(hashOf(round, 1, words), lanes);
        tree = SumTreeBuilder.grow(tree.levels[0]);
        enterAs(1, round, tree);
        vm.prank(STRANGER);
        IDisputeCourt.Fault fault = court.proveLeaf(round, 1, words, slot, lanes, tree.proof(slot));
        eq(uint256(fault), uint256(expected), "fault");
        isTrue(ledger.entry(round, 1).voided && court.isConvicted(round, 1), "void");
        eq(settlement.balanceOf(RESERVE), SLASHED, "slashed to the reserve");
        eq(settlement.balanceOf(STRANGER), 0, "nothing for the proof");
    }

    /// @dev Spoil a leaf in one of nine ways.
    function spoil(uint256 way, uint256[7] memory words, uint256 slot, uint256 lanes, uint256 r)
        private
        pure
        returns (IDisputeCourt.Fault, uint256, uint256)
    {
        if (way == 0) return (IDisputeCourt.Fault.WrongLanes, slot, lanes + ((1 + (r % 1e6)) << 128));
        if (way == 1) return (IDisputeCourt.Fault.WrongLanes, slot, lanes + ((1 + (r % 1e6)) << 192));
        if (way == 2) {
            words[3] = 10_001 + (r % 50_000);
            return (IDisputeCourt.Fault.AboveCap, slot, lanes);
        }
        if (way == 3) {
            words[5] = 9001 + (r % 50_000);
            return (IDisputeCourt.Fault.AboveCap, slot, lanes);
        }
        if (way == 4) {
            words[4] = 10_001 + (r % 50_000);
            return (IDisputeCourt.Fault.AboveCap, slot, lanes);
        }
        if (way == 5) {
            words[1] = 4 + (r % 1e9);
            return (IDisputeCourt.Fault.UnknownClass, slot, lanes);
        }
        if (way == 6) {
            words[2 + (r % 4)] |= 1 << 200;
            return (IDisputeCourt.Fault.DirtyField, slot, lanes);
        }
        if (way == 7) {
            words[0] = slot + 2;
            return (IDisputeCourt.Fault.WrongSlot, slot, lanes);
        }
        words[0] = slot + 1;
        return (IDisputeCourt.Fault.DummyWeighs, slot + 1, (1 + (r % 1e6)) << 128);
    }

    function test_an_inflated_treasury_leaf_that_claims_would_pay_is_void_and_slashed_once() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        uint256 id = challengeAs(CHALLENGER, round, 1);
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        isTrue(ledger.entry(round, 1).voided, "void");
        eq(1, IDisputeCourt.Outcome.Voided, "the case is over");
        court.settle(id);
        eq(settlement.balanceOf(CHALLENGER), STAKE, "its bond is back");
        eq(consortium.hospital(1).bond, BOND - SLASHED, "a fixed part");
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyConvicted.selector, round, 1));
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        vm.warp(ledger.claimableAt(round));
        eq(treasury(1, round), 0, "unpaid");
        isTrue(treasury(2, round) > 0, "the others are paid");
    }

    function test_a_fault_shown_after_claims_opened_is_slashed_but_not_voided() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        vm.warp(ledger.claimableAt(round));
        isTrue(treasury(1, round) > 0, "paid");
        uint256 allocated = ledger.totalAllocated();
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        isTrue(!ledger.entry(round, 1).voided, "history stays");
        eq(ledger.totalAllocated(), allocated, "so do the books");
        eq(settlement.balanceOf(RESERVE), SLASHED, "slashed");
    }

    function test_a_voted_void_is_slashed_when_the_fault_is_shown_later() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        challengeAs(account(2), round, 1);
        voteAs(3, 1);
        voteAs(4, 1);
        eq(consortium.hospital(1).bond, BOND, "not by the vote");
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        eq(settlement.balanceOf(RESERVE), SLASHED, "by the proof");
    }

    function test_a_departed_hospital_is_slashed_while_its_bond_is_there() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        vm.prank(account(1));
        consortium.resign();
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        eq(settlement.balanceOf(RESERVE), SLASHED, "slashed");
    }

    function test_receipts_for_another_root_convict_their_signer() public {
        enterAs(2, round, treeOf(round, 2));
        bytes32 other = keccak256("another root");
        bytes memory signature = signedBy(77, other);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotSignedByHospital.selector, 1, vm.addr(77)));
        court.proveReceipt(round, 1, other, signature);
        rotateTo(vm.addr(77)); // within the round
        court.proveReceipt(round, 1, other, signature);
        isTrue(ledger.entry(round, 1).voided && court.isConvicted(round, 1), "convicted");
    }

    function test_an_account_of_the_middle_of_a_round_convicts_too() public {
        stepTo(round, ILedgerTypes.Phase.Training, 4);
        vm.warp(vm.getBlockTimestamp() + 1);
        rotateTo(vm.addr(77));
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.prank(vm.addr(77));
        consortium.proposeAccount(vm.addr(78));
        vm.prank(vm.addr(78));
        consortium.acceptAccount(1);
        step(round, 0);
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round); // nobody committed
        ledger.advance(round); // so nobody can reveal
        (Node memory left, Node memory right) = treeOf(round, 1).children();
        vm.prank(vm.addr(78));
        ledger.submitEntry(round, left, right, keccak256("bundle"));
        bytes32 other = keccak256("another root");
        bytes memory signature = signedBy(77, other);
        court.proveReceipt(round, 1, other, signature);
        isTrue(court.isConvicted(round, 1), "convicted");
    }

    function test_an_account_replaced_in_the_second_in_which_the_round_opened_convicts_too() public {
        rotateTo(vm.addr(77));
        move(1, vm.addr(77), vm.addr(78));
        enterWith(vm.addr(78));
        court.proveReceipt(round, 1, keccak256("another root"), signedBy(77, keccak256("another root")));
        isTrue(court.isConvicted(round, 1), "convicted");
    }

    function test_what_an_account_signed_that_acted_only_before_the_round_convicts_nobody() public {
        rotateTo(vm.addr(77));
        vm.prank(vm.addr(77));
        consortium.proposeAccount(vm.addr(78));
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.prank(vm.addr(78));
        consortium.acceptAccount(1);
        vm.warp(vm.getBlockTimestamp() + 30 * DAY);
        round = reopened();
        enterWith(vm.addr(78));
        bytes memory signature = signedBy(77, keccak256("other"));
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotSignedByHospital.selector, 1, vm.addr(77)));
        court.proveReceipt(round, 1, keccak256("other"), signature);
    }

    function test_receipts_for_the_root_convict_nobody_and_nor_does_what_others_signed() public {
        rotateTo(vm.addr(77));
        enterWith(vm.addr(77));
        bytes32 root = ledger.entry(round, 1).root;
        bytes memory signature = signedBy(77, root);
        vm.expectRevert(IDisputeCourt.NoFault.selector);
        court.proveReceipt(round, 1, root, signature);
        vm.expectRevert();
        court.proveReceipt(round, 1, keccak256("other"), signature);
        bytes32 theirs = ledger.entry(round, 2).root;
        signature = signedBy(77, theirs);
        vm.expectRevert(IDisputeCourt.NoFault.selector); // of hospital 2, which did not sign it, and it is its root
        court.proveReceipt(round, 2, theirs, signature);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeCourt.NotSignedByHospital.selector, 1, address(0))
        );
        court.proveReceipt(round, 1, theirs, hex"1234");
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NoSuchEntry.selector, round, 9));
        court.proveReceipt(round, 9, root, signature);
    }

    function test_what_an_account_signed_before_it_was_the_hospitals_or_after_convicts_nobody() public {
        enterAs(2, round, treeOf(round, 2));
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        vm.warp(vm.getBlockTimestamp() + 1);
        rotateTo(vm.addr(77)); // after the close
        bytes memory signature = signedBy(77, keccak256("other"));
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotSignedByHospital.selector, 1, vm.addr(77)));
        court.proveReceipt(round, 1, keccak256("other"), signature);
    }

    function test_who_leaves_while_the_office_is_empty_answers_to_the_last_court() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        consortium.setDisputeCourt(address(0));
        vm.prank(account(1));
        consortium.resign();
        consortium.setDisputeCourt(COURT);
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        eq(settlement.balanceOf(RESERVE), SLASHED, "slashed");
    }

    function test_a_court_that_convicted_out_of_office_voids_once_it_is_back() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        vm.prank(account(1));
        consortium.resign();
        consortium.setDisputeCourt(COURT);
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        isTrue(court.isConvicted(round, 1) && !ledger.entry(round, 1).voided, "slashed, not void");
        bytes memory again = abi.encodeWithSelector(IDisputeCourt.AlreadyConvicted.selector, round, 1);
        vm.expectRevert(again);
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        consortium.setDisputeCourt(address(court));
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
        isTrue(ledger.entry(round, 1).voided, "void");
        eq(settlement.balanceOf(RESERVE), SLASHED, "slashed once");
        vm.expectRevert(again);
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
    }

    /// forge-config: default.isolate = true
    function test_what_a_proof_costs() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        Node[] memory siblings = tree.proof(0);
        court.proveLeaf(round, 1, words, 0, lanes, siblings);
        atMost(vm.snapshotGasLastCall("court", "proveLeaf, depth 3"), 400_000, "proof");
    }

    function test_a_court_out_of_office_convicts_nobody() public {
        (SumTreeBuilder.Tree memory tree, uint256[7] memory words, uint256 lanes) = inflated();
        enterAs(1, round, tree);
        consortium.setDisputeCourt(COURT);
        vm.expectRevert(IDisputeCourt.NotInOffice.selector);
        court.proveLeaf(round, 1, words, 0, lanes, tree.proof(0));
    }

    /// @dev The tree of hospital 1 with a treasury leaf at slot 0 that weighs thrice what it should.
    function inflated() private view returns (SumTreeBuilder.Tree memory, uint256[7] memory words, uint256 lanes) {
        (Leaf[] memory leaves, uint256[] memory weights) = leavesOf(1);
        weights[0] *= 3;
        return (
            SumTreeBuilder.build(address(ledger), round, 1, leaves, weights),
            wordsOf(leaves[0]),
            SumTreeBuilder.leafLanes(leaves[0], weights[0])
        );
    }

    function reopened() private returns (uint64) {
        ledger.advance(round);
        vm.roll(vm.getBlockNumber() + 2);
        ledger.fixBeacon(round);
        vm.warp(vm.getBlockTimestamp() + 2 * DAY);
        ledger.advance(round);
        return open();
    }

    function enterWith(address own) private {
        stepTo2(own);
        (Node memory left, Node memory right) = treeOf(round, 1).children();
        vm.prank(own);
        ledger.submitEntry(round, left, right, keccak256("bundle"));
        enter(round, 2);
    }

    function stepTo2(address own) private {
        vm.prank(own);
        ledger.submitReady(round, keccak256("ready"));
        for (uint16 id = 2; id <= 4; ++id) {
            ready(round, id);
        }
        step(round, 0);
        step(round, 0);
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round); // nobody committed
        ledger.advance(round); // so nobody can reveal
    }

    function signedBy(uint256 key, bytes32 root) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, court.receiptDigest(round, 1, root));
        return abi.encodePacked(r, s, v);
    }
}
