// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "../interfaces/IContributionLedger.sol";
import {ILedgerEvents} from "../interfaces/ILedgerEvents.sol";
import {ILedgerTypes, Node} from "../interfaces/ILedgerTypes.sol";
import {LowerMedian} from "../libraries/LowerMedian.sol";
import {Rounds} from "./support/Rounds.sol";

/// @title SettlementTest
/// @notice Closing rounds: quorum, medians, budgets and allocations.
contract SettlementTest is Rounds {
    ILedgerTypes.Phase private constant REVEAL = ILedgerTypes.Phase.Reveal;
    ILedgerTypes.Phase private constant ENTRY = ILedgerTypes.Phase.Entry;
    ILedgerTypes.Phase private constant ATTEST = ILedgerTypes.Phase.Attest;
    ILedgerTypes.Phase private constant CLOSED = ILedgerTypes.Phase.Closed;

    /// @dev Score by validator and hospital where it is not the default; plus one.
    mapping(uint256 key => uint256) private override_;
    mapping(uint256 hospital => uint256) private modelOverride;

    function setUp() public {
        deployAll(0);
        for (uint16 id = 1; id <= 5; ++id) {
            join(account(id), 3000);
        }
        registerAll(0);
    }

    function scoreBy(uint16 by, uint16 id) internal view override returns (uint256) {
        uint256 set = override_[uint256(by) << 16 | id];
        return set == 0 ? givenScore : set - 1;
    }

    function modelScoreBy(uint16 id) internal view override returns (uint16) {
        return modelOverride[id] == 0 ? modelScore : uint16(modelOverride[id] - 1);
    }

    function give(uint16 by, uint16 id, uint256 score) private {
        override_[uint256(by) << 16 | id] = score + 1;
    }

    function allocationOf(uint64 round, uint16 id) private view returns (uint256) {
        return ledger.entry(round, id).allocation;
    }

    function test_equal_hospitals_get_equal_parts_scaled_by_quality() public {
        uint64 round = openTo(CLOSED, 5);
        eq(ledger.round(round).budget, 1000 ether, "budget");
        for (uint16 id = 1; id <= 5; ++id) {
            eq(allocationOf(round, id), 180 ether, "a fifth, times 0.9");
            eq(ledger.entry(round, id).quality, 9000, "quality");
        }
        eq(ledger.totalAllocated(), 900 ether, "the rest stays unminted");
        eq(ledger.nextEmission(), 990 ether, "decay");
    }

    function test_two_thirds_of_the_active_accept_a_digest() public {
        uint64 round = openTo(ATTEST, 5);
        for (uint16 id = 1; id <= 3; ++id) {
            attest(round, id, DIGEST);
        }
        eq(ledger.round(round).acceptedDigest, 0, "3 of 5 are too few");
        attest(round, 4, keccak256("another"));
        eq(ledger.round(round).acceptedDigest, 0, "another digest does not help");
        vm.expectEmit(true, true, true, true, address(ledger));
        emit ILedgerEvents.DigestAccepted(round, DIGEST);
        attest(round, 5, DIGEST);
        eq(ledger.attestations(round, DIGEST), 2 + 4 + 8 + 32, "supporters");
        ledger.closeRound(round);
        eq(allocationOf(round, 4), 0, "who attested another digest forfeits");
        isTrue(!ledger.entry(round, 4).attested, "and has not attested this one");
        eq(allocationOf(round, 5), 225 ether, "the others share: a quarter, times 0.9");
    }

    function test_exactly_two_thirds_are_enough() public {
        consortium.suspend(4);
        consortium.suspend(5);
        uint64 round = openTo(ATTEST, 3);
        attest(round, 1, DIGEST);
        eq(ledger.round(round).acceptedDigest, 0, "one of three");
        attest(round, 2, DIGEST);
        eq(ledger.round(round).acceptedDigest, DIGEST, "two of three");
    }

    function test_without_quorum_nothing_is_paid_and_the_emission_rolls_over() public {
        uint64 round = openTo(ATTEST, 5);
        for (uint16 id = 1; id <= 3; ++id) {
            attest(round, id, DIGEST);
        }
        vm.warp(ledger.round(round).phaseDeadline);
        vm.expectEmit(true, true, true, true, address(ledger));
        emit ILedgerEvents.RoundClosed(round, false, 0, 0, 0, 0, 0);
        ledger.closeRound(round);
        eq(ledger.totalAllocated(), 0, "nothing");
        eq(ledger.rolledOver(), 1000 ether, "rolled over");
        eq(ledger.lastQuality(1), 10_000, "qualities stay");
        (, bool known) = ledger.bestModelScore();
        isTrue(!known, "the best model score stays");
        round = openTo(CLOSED, 5);
        eq(ledger.round(round).budget, 1990 ether, "both emissions");
        eq(ledger.rolledOver(), 0, "spent");
        eq(ledger.nextEmission(), 980.1 ether, "decays all the same");
    }

    function test_who_does_not_reveal_or_attest_forfeits() public {
        uint64 round = openTo(REVEAL, 5);
        for (uint16 id = 2; id <= 5; ++id) {
            reveal(round, id);
        }
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        stepTo(round, ATTEST, 5);
        for (uint16 id = 1; id <= 4; ++id) {
            attest(round, id, DIGEST);
        }
        vm.warp(ledger.round(round).phaseDeadline);
        for (uint16 id = 1; id <= 5; id += 4) {
            vm.expectEmit(true, true, true, true, address(ledger));
            emit ILedgerEvents.Forfeited(round, id);
        }
        ledger.closeRound(round);
        eq(allocationOf(round, 1), 0, "did not reveal");
        eq(allocationOf(round, 5), 0, "did not attest");
        eq(allocationOf(round, 2), 270 ether, "capped at 0.3, times 0.9");
    }

    function test_quality_is_the_lower_median_of_the_others() public {
        give(2, 1, 1000);
        give(3, 1, 4000);
        give(4, 1, 6000);
        give(5, 1, 9500);
        uint64 round = openTo(CLOSED, 5);
        eq(ledger.entry(round, 1).quality, 4000, "lower median of four");
        eq(allocationOf(round, 1), 80 ether, "a fifth, times 0.4");
        eq(allocationOf(round, 2), 180 ether, "scoring another low pays nobody");
        eq(ledger.lastQuality(1), 4000, "kept");
    }

    function test_below_the_gate_nothing_is_allocated() public {
        for (uint16 by = 2; by <= 5; ++by) {
            give(by, 1, 1999);
        }
        uint64 round = openTo(CLOSED, 5);
        eq(allocationOf(round, 1), 0, "gated");
        eq(ledger.entry(round, 1).quality, 1999, "quality");
        isTrue(ledger.entry(round, 1).attested, "not forfeited");
    }

    function test_with_fewer_than_two_scores_the_last_quality_stands() public {
        for (uint16 by = 2; by <= 5; ++by) {
            give(by, 1, 5000);
        }
        openTo(CLOSED, 5);
        for (uint16 by = 2; by <= 5; ++by) {
            give(by, 1, NO_SCORE);
        }
        give(3, 1, 9999);
        for (uint16 by = 1; by <= 4; ++by) {
            give(by, 5, NO_SCORE);
        }
        uint64 round = openTo(CLOSED, 5);
        eq(ledger.entry(round, 1).quality, 5000, "last accepted");
        eq(ledger.entry(round, 5).quality, 9000, "last accepted");
        give(4, 1, 7000);
        round = openTo(CLOSED, 5);
        eq(ledger.entry(round, 1).quality, 7000, "two scores count again");
    }

    function test_a_newcomer_without_scores_counts_in_full() public {
        for (uint16 by = 2; by <= 5; ++by) {
            give(by, 1, NO_SCORE);
        }
        uint64 round = openTo(CLOSED, 5);
        eq(ledger.entry(round, 1).quality, 10_000, "newcomer");
    }

    function test_a_private_round_scores_nobody() public {
        for (uint16 by = 2; by <= 5; ++by) {
            give(by, 1, 100);
        }
        profile = 2;
        uint64 round = openTo(CLOSED, 5);
        eq(allocationOf(round, 1), 200 ether, "no quality, no gate");
        eq(ledger.lastQuality(1), 10_000, "untouched");
        profile = 1;
        round = openTo(CLOSED, 5);
        eq(ledger.entry(round, 1).quality, 100, "the hospital profile scores hospitals");
    }

    function test_scores_of_hospitals_outside_the_round_change_nothing() public {
        consortium.suspend(5);
        uint64 round = open();
        stepTo(round, ILedgerTypes.Phase.Commit, 4);
        bytes32 digest;
        for (uint16 id = 1; id <= 4; ++id) {
            uint256[] memory scores = scoresBy(round, id);
            setScore(scores, 5, 1);
            digest = ledger.qualityCommitment(round, id, scores, modelScore, UTILITIES, SALT);
            vm.prank(account(id));
            ledger.commitQuality(round, digest);
        }
        for (uint16 id = 1; id <= 4; ++id) {
            uint256[] memory scores = scoresBy(round, id);
            setScore(scores, 5, 1);
            vm.prank(account(id));
            ledger.revealQuality(round, scores, modelScore, UTILITIES, SALT);
        }
        stepTo(round, CLOSED, 4);
        eq(ledger.lastQuality(5), 10_000, "untouched");
        eq(ledger.lastQuality(4), 9000, "scored");
    }

    function test_a_hospital_suspended_after_its_acts_keeps_its_allocation() public {
        uint64 round = openTo(ATTEST, 5);
        for (uint16 id = 1; id <= 4; ++id) {
            attest(round, id, DIGEST);
        }
        consortium.suspend(1);
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.closeRound(round);
        eq(allocationOf(round, 1), 225 ether, "a quarter, times 0.9");
        eq(allocationOf(round, 5), 0, "did not attest");
    }

    function test_the_bonus_pays_the_median_s_gain_over_the_best() public {
        uint64 round = openTo(CLOSED, 5);
        eq(ledger.round(round).medianModelScore, 8000, "median");
        eq(ledger.round(round).budget, 1000 ether, "the first only sets the mark");
        for (uint16 id = 1; id <= 5; ++id) {
            modelOverride[id] = 8000 + 10 * uint256(id) + 1;
        }
        round = openTo(ATTEST, 5);
        for (uint16 id = 1; id <= 5; ++id) {
            attest(round, id, DIGEST);
        }
        vm.expectEmit(true, true, true, true, address(ledger));
        emit ILedgerEvents.RoundClosed(2, true, 1020 ether, 30 ether, 35_000, 21_000, DIGEST);
        ledger.closeRound(round);
        eq(ledger.round(round).medianModelScore, 8030, "median");
        eq(ledger.round(round).budget, 1020 ether, "990 and 30");
        for (uint16 id = 1; id <= 5; ++id) {
            modelOverride[id] = 7501;
        }
        round = openTo(CLOSED, 5);
        eq(ledger.round(round).budget, 980.1 ether, "no bonus for getting worse");
        (uint16 best,) = ledger.bestModelScore();
        eq(best, 8030, "the best stays");
        for (uint16 id = 1; id <= 5; ++id) {
            modelOverride[id] = 10_001;
        }
        round = openTo(CLOSED, 5);
        eq(ledger.round(round).budget, 970.299 ether + 100 ether, "capped");
    }

    function test_fewer_than_two_model_scores_have_no_median() public {
        uint64 round = openTo(REVEAL, 5);
        reveal(round, 3);
        vm.warp(ledger.round(round).phaseDeadline);
        ledger.advance(round);
        stepTo(round, CLOSED, 5);
        (, bool known) = ledger.bestModelScore();
        isTrue(!known, "no median");
        isTrue(ledger.round(round).paid, "paid");
        eq(allocationOf(round, 3), 300 ether, "capped, and with a newcomer's quality");
    }

    function test_emission_ends_at_the_maximum_supply() public {
        ILedgerTypes.Params memory p = defaultParams();
        p.maxSupply = 1500 ether;
        p.emissionDecayBps = 10_000;
        ledger = deployLedger(p, defaultRule());
        registerAll(0);
        givenScore = 10_000;
        openTo(CLOSED, 5);
        eq(ledger.totalAllocated(), 1000 ether, "first");
        uint64 round = openTo(CLOSED, 5);
        eq(ledger.round(round).budget, 500 ether, "what is left");
        eq(ledger.totalAllocated(), 1500 ether, "all");
        round = openTo(CLOSED, 5);
        eq(ledger.round(round).budget, 0, "nothing is left");
        isTrue(ledger.round(round).paid, "and nothing reverts");
        eq(ledger.totalAllocated(), 1500 ether, "all");
    }

    function test_rolled_over_emission_is_bounded() public {
        ILedgerTypes.Params memory p = defaultParams();
        p.initialEmission = MAX_SUPPLY;
        p.emissionDecayBps = 10_000;
        ledger = deployLedger(p, defaultRule());
        for (uint256 i = 0; i < 3; ++i) {
            uint64 round = openTo(ILedgerTypes.Phase.Training, 0);
            vm.warp(ledger.round(round).phaseDeadline);
            ledger.advance(round);
        }
        eq(ledger.rolledOver(), MAX_SUPPLY, "bounded");
    }

    function test_zero_totals_allocate_zero() public {
        uint64 round = openTo(ENTRY, 5);
        for (uint16 id = 1; id <= 5; ++id) {
            vm.prank(account(id));
            ledger.submitEntry(round, Node(DIGEST, 2), Node(DIGEST, 0), DIGEST);
        }
        stepTo(round, CLOSED, 5);
        isTrue(ledger.round(round).paid, "paid");
        eq(ledger.totalAllocated(), 0, "nothing");
    }

    function test_a_lone_hospital_has_its_capacity() public {
        for (uint16 id = 2; id <= 5; ++id) {
            consortium.suspend(id);
        }
        uint64 round = openTo(CLOSED, 1);
        isTrue(ledger.round(round).paid, "one of one is a quorum");
        eq(allocationOf(round, 1), 300 ether, "capacity 0.3, a newcomer's quality");
    }

    function testFuzz_allocations_follow_the_rule(uint256 seed) public {
        for (uint16 by = 1; by <= 5; ++by) {
            for (uint16 id = 1; id <= 5; ++id) {
                give(by, id, uint256(keccak256(abi.encode(seed, by, id))) % 10_001);
            }
        }
        uint64 round = openTo(ENTRY, 5);
        uint256[6] memory volume;
        uint256[6] memory compute;
        for (uint16 id = 1; id <= 5; ++id) {
            volume[id] = uint256(keccak256(abi.encode(seed, id, "v"))) % 1_000_001;
            compute[id] = uint256(keccak256(abi.encode(seed, id, "c"))) % 1_000_001;
            volume[0] += volume[id];
            compute[0] += compute[id];
            uint256 lanes = 100 | (volume[id] << 32) | (compute[id] << 80);
            vm.prank(account(id));
            ledger.submitEntry(round, Node(DIGEST, lanes), Node(DIGEST, 0), DIGEST);
        }
        stepTo(round, CLOSED, 5);
        uint256 total = 0;
        for (uint16 id = 1; id <= 5; ++id) {
            uint256 share = (7000e14 * volume[id]) / volume[0] + (3000e14 * compute[id]) / compute[0];
            if (share > 3000e14) share = 3000e14;
            uint256 quality = medianFor(id);
            uint256 expected = quality < 2000 ? 0 : (1000 ether * share * quality) / 1e22;
            eq(allocationOf(round, id), expected, "allocation");
            total += expected;
        }
        eq(ledger.totalAllocated(), total, "total");
    }

    function medianFor(uint16 id) private view returns (uint256) {
        uint256[] memory scores = new uint256[](4);
        uint256 n = 0;
        for (uint16 by = 1; by <= 5; ++by) {
            if (by != id) scores[n++] = scoreBy(by, id);
        }
        return LowerMedian.inPlace(scores, 4);
    }

    function test_a_quality_that_rises_by_a_single_point_counts() public {
        for (uint256 points = 9000; points < 9003; ++points) {
            givenScore = points;
            uint64 round = openTo(CLOSED, 5);
            eq(ledger.entry(round, 1).quality, points, "applied");
            eq(ledger.lastQuality(1), points, "kept");
        }
    }

    function test_forty_hospitals_close_within_ten_million_gas() public {
        for (uint16 id = 6; id <= 40; ++id) {
            join(account(id), 500);
        }
        ledger = IContributionLedger(address(deployLedger(defaultParams(), defaultRule())));
        registerAll(0);
        uint64 round = openTo(ATTEST, 40);
        for (uint16 id = 1; id <= 40; ++id) {
            attest(round, id, DIGEST);
        }
        uint256 before = gasleft();
        ledger.closeRound(round);
        atMost(before - gasleft(), 5_000_000, "gas");
        isTrue(ledger.round(round).paid, "paid");
    }
}
