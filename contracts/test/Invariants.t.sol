// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ILedgerTypes} from "../interfaces/ILedgerTypes.sol";
import {Check} from "./support/Check.sol";
import {Story} from "./support/Story.sol";

/// @title InvariantsTest
/// @notice What holds whatever anybody does.
contract InvariantsTest is Check {
    /// @dev What forge asks for in `targetSelectors`.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    uint256 private constant MAX_SUPPLY = 1_000_000 ether;
    Story private story;

    function setUp() public {
        story = new Story();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(story);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](9);
        selectors[0] = Story.proceed.selector;
        selectors[1] = Story.proceed.selector;
        selectors[2] = Story.claimLeaf.selector;
        selectors[3] = Story.claimTreasury.selector;
        selectors[4] = Story.freeze.selector;
        selectors[5] = Story.decide.selector;
        selectors[6] = Story.wait.selector;
        selectors[7] = Story.shake.selector;
        selectors[8] = Story.claimBatch.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(story), selectors);
    }

    /// @dev The story gets somewhere, so that the invariants are not about nothing.
    function test_the_story_closes_freezes_voids_and_pays() public {
        for (uint256 i = 0; i < 60; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            story.proceed(seed);
            story.freeze(0, uint8(i));
            story.wait(uint32(3 * 86_400));
            for (uint8 id = 0; id < 3; ++id) {
                story.claimLeaf(uint8(i), id, uint8(i / 2));
                story.claimTreasury(uint8(i), id);
                story.claimBatch(id, uint8(i));
            }
            story.decide(uint8(i), uint8(i), i % 4 == 0);
        }
        eq(story.wrongs(), 0, "wrongs");
        isTrue(story.rounds() > story.paidRounds() && story.paidRounds() > 5, "rounds closed, paid and not");
        isTrue(story.freezes() > 10 && story.voids() > 2, "frozen, voided");
        isTrue(story.claims() > 30 && story.batches() > 5, "claims");
        isTrue(story.refusals() > 30, "refusals");
    }

    /// @dev minted <= allocated <= emission <= maximum supply, and what is minted is what was claimed. Emission is the
    /// schedule's of all rounds that closed, and a token for every point by which the best model got better.
    function invariant_supply_is_bounded_and_accounted_for() public view {
        (uint256 minted, uint256 allocated, uint256 supply) = story.supply();
        eq(minted, story.paid(), "minted is what claims paid");
        atMost(minted, allocated, "minted <= allocated");
        uint256 emission = story.emitted() + story.bestModelScore() * 1 ether;
        atMost(allocated, emission, "allocated <= emission");
        atMost(emission, MAX_SUPPLY, "emission <= maximum");
        eq(supply, minted - story.burned(), "supply is minted less burned");
    }

    /// @dev The allocations of a round never exceed its budget, nor the claims on an entry its allocation.
    function invariant_rounds_and_entries_are_within_their_means() public view {
        uint256 total = 0;
        for (uint64 round = 1; round <= story.lastRound(); ++round) {
            uint256 sum = 0;
            for (uint16 id = 1; id <= story.HOSPITALS(); ++id) {
                ILedgerTypes.EntryView memory e = story.entryOf(round, id);
                atMost(story.paidOf(round, id), e.allocation, "claims <= allocation");
                if (e.voided) eq(e.allocation, 0, "voided");
                sum += e.allocation;
            }
            atMost(sum, story.budgetOf(round), "allocations <= budget");
            total += sum;
        }
        (, uint256 allocated,) = story.supply();
        eq(total, allocated, "total");
    }

    /// @dev A round that closed stays on record as it closed, whatever disputes, rules and accounts do later.
    function invariant_history_never_changes() public view {
        for (uint64 round = 1; round <= story.lastRound(); ++round) {
            isTrue(story.isAsItClosed(round), "history");
        }
    }

    /// @dev Nothing is paid twice, early, under a pause, or of a frozen or voided entry; whatever else is due is paid, a
    /// frozen entry beside it or not.
    function invariant_what_is_due_is_paid_once_and_nothing_else() public view {
        eq(story.wrongs(), 0, "wrongs");
    }

    /// @dev From wherever the fuzzer got, strangers bring the round to its end.
    function invariant_no_round_is_ever_stranded() public {
        uint256 snapshot = vm.snapshotState();
        story.strangerCloses();
        vm.revertToState(snapshot);
    }
}
