// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerTypes, Node} from "../interfaces/ILedgerTypes.sol";
import {Leaf} from "../interfaces/IRewardDistributor.sol";
import {Openers} from "./support/Openers.sol";
import {SumTreeBuilder} from "./support/SumTreeBuilder.sol";

/// @title CourtPlacesTest
/// @notice A slot is another leaf at every depth of a tree that is not balanced: a device opens one place, not one slot.
contract CourtPlacesTest is Openers {
    uint32 private constant SLOT = 2;
    uint256 private constant WEIGHT = 3000 * 10_000 + 5000 * 10_000 + 2000 * 9000;

    /// @dev As many leaves as are enrolled, all of one slot, each a level deeper, all for device 0.
    function leafOn(uint256 k) private pure returns (Leaf memory leaf) {
        (leaf.slot, leaf.deviceClass) = (SLOT, 3);
        (leaf.volume, leaf.quality, leaf.compute) = (10_000, 10_000, 9000);
        leaf.salt = keccak256(abi.encode(device(0), openerOf(k)));
    }

    /// @dev The spine, and what hangs on its right: leaf `k` beside nothing.
    function spine() private view returns (Node[] memory left, Node[] memory right) {
        (left, right) = (new Node[](DEVICES + 1), new Node[](DEVICES + 1));
        Node memory none;
        for (uint256 k = DEVICES; k > 0; --k) {
            Leaf memory leaf = leafOn(k);
            bytes32 hash = SumTreeBuilder.leafHash(address(ledger), round, 1, leaf);
            right[k] = SumTreeBuilder.parent(Node(hash, SumTreeBuilder.leafLanes(leaf, WEIGHT)), none);
            left[k - 1] = SumTreeBuilder.parent(left[k], right[k]);
        }
    }

    /// @dev Which leaf covers a drawn point; the deepest is leftmost.
    function leafFor(uint256 id, uint256 index) private view returns (uint256 k) {
        (IDisputeCourt.Lane lane, uint256 point) = court.pointOf(id, index);
        uint256 size = lane == IDisputeCourt.Lane.Weight ? WEIGHT : lane == IDisputeCourt.Lane.Volume ? 10_000 : 9000;
        k = DEVICES - point / size;
    }

    function opening(uint256 k) private view returns (IDisputeCourt.Opening memory o) {
        (Node[] memory left, Node[] memory right) = spine();
        o = openingOf(0);
        (o.leaf, o.opener) = (leafOn(k), openerOf(k));
        o.siblings = new Node[](k + 1);
        o.siblings[1] = left[k];
        for (uint256 j = 1; j < k; ++j) {
            o.siblings[1 + j] = right[k - j];
        }
    }

    function test_one_device_opens_one_place_where_a_slot_is_at_many_depths() public {
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        round = open();
        stepTo(round, ILedgerTypes.Phase.Entry, 4);
        (Node[] memory left, Node[] memory right) = spine();
        vm.prank(account(1));
        ledger.submitEntry(round, left[1], right[1], keccak256("bundle"));
        for (uint16 id = 2; id <= 4; ++id) {
            enter(round, id);
        }
        eq(ledger.entry(round, 1).lanes.n, DEVICES, "as many as are enrolled");
        demandAs(CHALLENGER, round, 1);
        drawn();
        uint256 first = leafFor(1, 0);
        court.answer(1, 0, opening(first));
        uint256 refused = 0;
        for (uint256 index = 1; index < OPENINGS; ++index) {
            uint256 k = leafFor(1, index);
            IDisputeCourt.Opening memory o = opening(k);
            if (k != first) {
                ++refused;
                vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AccountReused.selector, device(0), SLOT));
            }
            court.answer(1, index, o);
        }
        isTrue(refused != 0, "drawn apart");
        vm.warp(court.caseOf(1).deadline);
        court.conclude(1);
        eq(1, IDisputeCourt.Outcome.Voided, "void");
    }
}
