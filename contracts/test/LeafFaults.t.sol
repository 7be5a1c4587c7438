// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {RewardRule} from "../interfaces/ILedgerTypes.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {LeafFaults} from "../libraries/LeafFaults.sol";
import {PackedRule, RulePacking} from "../libraries/RulePacking.sol";
import {Deployed} from "./support/Deployed.sol";

/// @title LeafFaultsTest
/// @notice What is a fault of a leaf, field by field and at its limit; and what is none.
contract LeafFaultsTest is Deployed {
    uint256 private constant SLOT = 6;
    uint256[7] private good = [SLOT, 2, uint256(0xA11CE), 5000, 8000, 4000, uint256(keccak256("salt"))];

    function find(uint256[7] calldata words, uint256 slot, uint256 lanes, bool scored)
        external
        pure
        returns (IDisputeCourt.Fault)
    {
        return LeafFaults.find(words, slot, lanes, rule(), scored);
    }

    function rule() private pure returns (PackedRule) {
        RewardRule memory r = defaultRule();
        return RulePacking.pack(r);
    }

    /// @dev The lanes of a leaf, from the specification alone.
    function lanesOf(uint256[7] memory w, bool scored) private pure returns (uint256) {
        uint256 quality = scored ? w[4] : 10_000;
        uint256 weight = scored && quality < 3000 ? 0 : 3000 * w[3] + 5000 * quality + 2000 * w[5];
        return 1 + w[3] * 2 ** 32 + w[5] * 2 ** 80 + weight * 2 ** (w[2] == 0 ? 128 : 192);
    }

    function is_(uint256[7] memory words, IDisputeCourt.Fault fault, string memory what) private view {
        eq(uint256(this.find(words, SLOT, lanesOf(words, true), true)), uint256(fault), what);
    }

    function test_a_leaf_that_follows_the_rule_has_no_fault() public view {
        uint256[7] memory w = good;
        is_(w, IDisputeCourt.Fault.None, "a device's own");
        eq(uint256(this.find(w, SLOT, lanesOf(w, false), false)), uint256(IDisputeCourt.Fault.None), "not scored");
        w[2] = 0;
        is_(w, IDisputeCourt.Fault.None, "the treasury's");
        (w[3], w[4], w[5]) = (8000, 10_000, 7000);
        is_(w, IDisputeCourt.Fault.None, "at every cap");
        w[4] = 2999;
        is_(w, IDisputeCourt.Fault.None, "below the gate, weighing nothing");
        w[4] = 3000;
        is_(w, IDisputeCourt.Fault.None, "at the gate");
        for (w[1] = 0; w[1] < 4; ++w[1]) {
            (w[3], w[5]) = (4000 + 2000 * w[1], 3000 + 2000 * w[1]);
            is_(w, IDisputeCourt.Fault.None, "every class, at its caps");
        }
    }

    function test_a_field_that_does_not_fit_its_type_is_a_fault() public view {
        uint256[6] memory bits = [uint256(32), 0, 160, 16, 16, 16];
        for (uint256 i = 0; i < 6; ++i) {
            if (i == 1) continue;
            uint256[7] memory w = good;
            w[i] = 1 << bits[i];
            eq(uint256(this.find(w, w[0], 0, true)), uint256(IDisputeCourt.Fault.DirtyField), "too large");
            w[i] -= 1;
            isTrue(this.find(w, w[0], 0, true) != IDisputeCourt.Fault.DirtyField, "the largest");
        }
    }

    function test_a_leaf_in_another_slot_is_a_fault() public view {
        uint256[7] memory w = good;
        w[0] = SLOT + 2;
        is_(w, IDisputeCourt.Fault.WrongSlot, "slot");
    }

    function test_a_dummy_that_weighs_is_a_fault() public view {
        uint256[7] memory w = good;
        w[0] = SLOT + 1;
        eq(uint256(this.find(w, SLOT + 1, 0, true)), uint256(IDisputeCourt.Fault.None), "weighs nothing");
        eq(uint256(this.find(w, SLOT + 1, 1, true)), uint256(IDisputeCourt.Fault.DummyWeighs), "counts");
    }

    function test_classes_and_scores_beyond_the_rule_are_faults() public view {
        uint256[7] memory w = good;
        w[1] = 4;
        is_(w, IDisputeCourt.Fault.UnknownClass, "class");
        w = good;
        w[3] = 8001;
        is_(w, IDisputeCourt.Fault.AboveCap, "volume");
        w = good;
        w[4] = 10_001;
        is_(w, IDisputeCourt.Fault.AboveCap, "quality");
        w = good;
        w[5] = 7001;
        is_(w, IDisputeCourt.Fault.AboveCap, "compute");
    }

    function test_an_absent_device_is_a_leaf_of_zeros_and_nothing_else() public view {
        uint256[7] memory w;
        (w[0], w[6]) = (SLOT, 1);
        eq(uint256(this.find(w, SLOT, 0, true)), uint256(IDisputeCourt.Fault.None), "absent");
        for (uint256 i = 1; i < 6; ++i) {
            w[i] = 1;
            eq(uint256(this.find(w, SLOT, 0, true)), uint256(IDisputeCourt.Fault.WrongLanes), "says something");
            w[i] = 0;
        }
        eq(uint256(this.find(w, SLOT, 1, true)), uint256(IDisputeCourt.Fault.None), "present with no scores");
    }

    function test_lanes_that_the_rule_does_not_make_are_a_fault() public view {
        uint256[7] memory w = good;
        uint256 lanes = lanesOf(w, true);
        for (uint256 i = 0; i < 5; ++i) {
            uint256 bit = [uint256(0), 32, 80, 128, 192][i];
            eq(uint256(this.find(w, SLOT, lanes + (1 << bit), true)), uint256(IDisputeCourt.Fault.WrongLanes), "more");
        }
        eq(uint256(this.find(w, SLOT, lanes, false)), uint256(IDisputeCourt.Fault.WrongLanes), "of the other profile");
    }

    function test_a_leaf_hash_binds_the_ledger_and_its_place() public view {
        uint256[7] memory w = good;
        bytes memory head = abi.encode(keccak256("FedIoMT.Leaf.v1"), block.chainid, address(9), uint64(3), uint16(2));
        bytes memory tail = abi.encode(w[0], w[1], w[2], w[3], w[4], w[5], w[6]);
        eq(this.hashOf(w), keccak256(abi.encode(keccak256(bytes.concat(head, tail)))), "hash");
    }

    function hashOf(uint256[7] calldata words) external view returns (bytes32) {
        return LeafFaults.hashOf(address(9), 3, 2, words);
    }
}
