// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";
import {CallingToken, FeeToken} from "./support/HostileTokens.sol";
import {InCourt} from "./support/InCourt.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title CourtBondsTest
/// @notice Settlement tokens that keep fees, call back or refuse: bonds are neither short nor paid twice, and judgements
/// wait for no transfer.
contract CourtBondsTest is InCourt {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    uint64 private round;

    function found(IERC20 token_) private {
        deployAll(0);
        settlement = token_;
        consortium = IConsortium(
            vm.deployCode(
                "Consortium.sol:Consortium", abi.encode(manager, token_, BOND, 30 * DAY, COORDINATOR, GUARDIAN)
            )
        );
        ledger = deployLedger(defaultParams(), defaultRule());
        for (uint16 id = 1; id <= 4; ++id) {
            join(account(id), 10_000);
        }
        deployCourt();
        registerAll(0);
        round = open();
        enterAs(2, round, treeOf(round, 2));
    }

    function test_a_token_that_keeps_a_fee_is_refused() public {
        FeeToken token_ = new FeeToken();
        found(token_);
        stake(CHALLENGER);
        token_.charge();
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.TransferNotExact.selector, STAKE, STAKE - STAKE / 100));
        vm.prank(CHALLENGER);
        court.challenge(round, 1, EVIDENCE);
    }

    function test_a_bond_is_settled_once_whatever_calls_back() public {
        CallingToken token_ = new CallingToken();
        found(token_);
        uint256 first = challengeAs(CHALLENGER, round, 1);
        challengeAs(STRANGER, round, 2);
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        token_.callBack(address(court), abi.encodeCall(IDisputeCourt.settle, (first)));
        court.settle(first);
        isTrue(!token_.reached(), "refused inside");
        eq(settlement.balanceOf(address(court)), STAKE, "the other bond is there");
    }

    function test_a_challenge_within_a_challenge_pays_for_itself() public {
        CallingToken token_ = new CallingToken();
        found(token_);
        stake(CHALLENGER);
        stake(address(token_));
        token_.callBack(address(court), abi.encodeCall(IDisputeCourt.challenge, (round, 2, EVIDENCE)));
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.TransferNotExact.selector, STAKE, 2 * STAKE));
        vm.prank(CHALLENGER);
        court.challenge(round, 1, EVIDENCE);
        eq(court.challengeCount(), 0, "all undone");
    }

    function test_a_token_that_refuses_the_reserve_stops_no_conviction_and_is_slashed_later() public {
        CallingToken token_ = new CallingToken();
        found(token_);
        (Leaf[] memory leaves, uint256[] memory weights) = leavesOf(1);
        weights[0] *= 2;
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        round = open();
        SumTreeBuilder.Tree memory tree = SumTreeBuilder.build(address(ledger), round, 1, leaves, weights);
        enterAs(1, round, tree);
        token_.blockAccount(RESERVE, true);
        uint256 lanes = SumTreeBuilder.leafLanes(leaves[0], weights[0]);
        court.proveLeaf(round, 1, wordsOf(leaves[0]), 0, lanes, tree.proof(0));
        isTrue(ledger.entry(round, 1).voided && !court.isConvicted(round, 1), "void, not slashed");
        token_.blockAccount(RESERVE, false);
        court.proveLeaf(round, 1, wordsOf(leaves[0]), 0, lanes, tree.proof(0));
        isTrue(court.isConvicted(round, 1), "slashed");
        eq(settlement.balanceOf(RESERVE), SLASHED, "there");
    }

    function test_an_accused_that_the_token_refuses_ends_its_case_all_the_same() public {
        CallingToken token_ = new CallingToken();
        found(token_);
        uint256 id = challengeAs(CHALLENGER, round, 1);
        token_.blockAccount(account(1), true);
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        isTrue(!ledger.entry(round, 1).frozen, "released");
        vm.expectRevert(abi.encodeWithSelector(CallingToken.Blocked.selector, account(1)));
        court.settle(id);
    }
}
