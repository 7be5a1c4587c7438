// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IDisputeCourt} from "../../interfaces/IDisputeCourt.sol";
import {ILedgerTypes} from "../../interfaces/ILedgerTypes.sol";
import {Leaf} from "../../interfaces/IRewardDistributor.sol";
import {InCourt} from "./InCourt.sol";
import {SumTreeBuilder} from "./SumTreeBuilder.sol";

/// @title Openers
/// @notice Hospital 1 with devices that are enrolled and took part in a round, and what opens their leaves.
abstract contract Openers is InCourt {
    using SumTreeBuilder for SumTreeBuilder.Tree;

    uint256 internal constant DEVICES = 5;
    uint64 internal round;
    uint64 internal epoch;

    function setUp() public {
        deployAll(4);
        deployCourt();
        leafCount = DEVICES;
        enrol();
        round = openTo(ILedgerTypes.Phase.Attest, 4);
    }

    function enrol() internal {
        for (uint16 id = 1; id <= 4; ++id) {
            bytes32 root = id == 1 ? rootOf(0, DEVICES) : keccak256("roster");
            vm.prank(account(id));
            ledger.registerEpoch(epoch, root, uint32(DEVICES), keccak256("seed"));
        }
    }

    /// @dev Leaf `k` of hospital 1 stands for device `k`.
    function leavesOf(uint16 id) internal view override returns (Leaf[] memory leaves, uint256[] memory weights) {
        (leaves, weights) = super.leavesOf(id);
        for (uint256 k = 0; k < leaves.length; ++k) {
            leaves[k].salt = keccak256(abi.encode(device(k), openerOf(k)));
        }
    }

    /// @dev The leaves that the last demand asks for.
    function drawn() internal {
        vm.roll(vm.getBlockNumber() + 2);
        court.draw(court.challengeCount());
    }

    /// @dev Open all leaves of a demand.
    function openAll(uint256 id) internal {
        for (uint256 i = 0; i < OPENINGS; ++i) {
            court.answer(id, i, openingOf(leafAt(id, i)));
        }
    }

    /// @dev The next round, with a tree of hospital 1's own.
    function reenter(SumTreeBuilder.Tree memory tree) internal {
        stepTo(round, ILedgerTypes.Phase.Closed, 4);
        round = open();
        enterAs(1, round, tree);
    }

    /// @dev The leaf that covers a drawn point.
    function leafAt(uint256 id, uint256 index) internal view returns (uint256 k) {
        (IDisputeCourt.Lane lane, uint256 point) = court.pointOf(id, index);
        uint256[] memory sizes = sizesIn(lane);
        while (point >= sizes[k]) {
            point -= sizes[k++];
        }
    }

    /// @dev What each leaf of hospital 1 has in a lane.
    function sizesIn(IDisputeCourt.Lane lane) internal view returns (uint256[] memory sizes) {
        Leaf[] memory leaves;
        (leaves, sizes) = leavesOf(1);
        for (uint256 k = 0; k < DEVICES && lane != IDisputeCourt.Lane.Weight; ++k) {
            sizes[k] = lane == IDisputeCourt.Lane.Volume ? leaves[k].volume : leaves[k].compute;
        }
    }

    function device(uint256 k) internal pure returns (address) {
        return vm.addr(5000 + k);
    }

    function openerOf(uint256 k) internal pure returns (bytes32) {
        return keccak256(abi.encode("opener", k));
    }

    function keysOf(uint256 k) internal pure returns (bytes32, bytes32) {
        return (keccak256(abi.encode("mask", k)), keccak256(abi.encode("channel", k)));
    }

    function openingOf(uint256 k) internal view returns (IDisputeCourt.Opening memory o) {
        (Leaf[] memory leaves,) = leavesOf(1);
        o.leaf = leaves[k];
        o.siblings = treeOf(round, 1).proof(2 * k);
        o.opener = openerOf(k);
        o.account = device(k);
        (o.maskKey, o.channelKey) = keysOf(k);
        o.position = k;
        o.rosterPath = pathOf(k);
        o.plan = planOf(round, 1);
        o.deposited = keccak256("deposited");
        o.masked = keccak256(abi.encode("masked", k));
        o.signature = signatureOf(k, o);
    }

    function planOf(uint64 number, uint16 hospital) internal pure returns (bytes memory) {
        bytes memory numbers = abi.encodePacked(number, uint64(hospital), new bytes(48));
        return bytes.concat(
            abi.encodePacked("FedIoMT.SecAgg.v1/", uint32(4), "plan", uint32(32), keccak256("session")),
            abi.encodePacked(uint32(32), keccak256("subject"), uint32(64), numbers, uint32(3), "end")
        );
    }

    function signatureOf(uint256 k, IDisputeCourt.Opening memory o) internal view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("FedIoMT"),
                keccak256("1"),
                block.chainid,
                ledger
            )
        );
        bytes32 kind = keccak256("MaskedInput(bytes32 plan,uint32 attempt,bytes32 deposited,bytes32 masked)");
        bytes32 message = keccak256(abi.encode(kind, sha256(o.plan), o.attempt, o.deposited, o.masked));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(5000 + k, keccak256(abi.encodePacked(hex"1901", domain, message)));
        return abi.encodePacked(r, s, v);
    }

    /// @dev RFC 6962 over devices `from..to - 1`, by its recursive definition.
    function rootOf(uint256 from, uint256 to) internal view returns (bytes32) {
        if (to - from == 1) {
            (bytes32 maskKey, bytes32 channelKey) = keysOf(from);
            return sha256(abi.encodePacked(uint8(0), epoch, device(from), maskKey, channelKey));
        }
        uint256 half = 1;
        while (2 * half < to - from) half *= 2;
        return sha256(abi.encodePacked(uint8(1), rootOf(from, from + half), rootOf(from + half, to)));
    }

    /// @dev The path of a leaf, from the bottom up, by the same definition.
    function pathOf(uint256 k) internal view returns (bytes32[] memory path) {
        bytes32[] memory down = new bytes32[](8);
        (uint256 from, uint256 to, uint256 n) = (0, DEVICES, 0);
        while (to - from > 1) {
            uint256 half = 1;
            while (2 * half < to - from) half *= 2;
            if (k < from + half) {
                (down[n++], to) = (rootOf(from + half, to), from + half);
            } else {
                (down[n++], from) = (rootOf(from, from + half), from + half);
            }
        }
        path = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            path[i] = down[n - 1 - i];
        }
    }
}
