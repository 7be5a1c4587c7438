// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {Participation} from "../libraries/Participation.sol";
import {Check} from "./support/Check.sol";

/// @title ParticipationTest
/// @notice Plans are told by every byte that names them, and rosters by RFC 6962.
contract ParticipationTest is Check {
    uint64 private constant ROUND = 0x0102030405060708;
    uint16 private constant HOSPITAL = 0x0A0B;

    function isPlanOf(bytes calldata plan, uint64 round, uint16 hospital) external pure returns (bool) {
        return Participation.isPlanOf(plan, round, hospital);
    }

    function rosterRoot(bytes32 node, uint256 position, uint256 size, bytes32[] calldata path)
        external
        pure
        returns (bytes32)
    {
        return Participation.rosterRoot(node, position, size, path);
    }

    function wholePlan() private pure returns (bytes memory) {
        bytes memory head = abi.encodePacked("FedIoMT.SecAgg.v1/", uint32(4), "plan", uint32(32), keccak256("session"));
        bytes memory numbers = abi.encodePacked(ROUND, uint64(HOSPITAL), new bytes(48));
        return bytes.concat(head, abi.encodePacked(uint32(32), keccak256("subject"), uint32(64), numbers));
    }

    function test_the_shortest_plan_is_told_and_anything_shorter_is_none() public view {
        bytes memory whole = wholePlan();
        isTrue(this.isPlanOf(whole, ROUND, HOSPITAL), "whole");
        isTrue(this.isPlanOf(bytes.concat(whole, "more"), ROUND, HOSPITAL), "longer");
        for (uint256 length = 0; length < whole.length; ++length) {
            bytes memory part = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                part[i] = whole[i];
            }
            isTrue(!this.isPlanOf(part, ROUND, HOSPITAL), "short");
        }
    }

    function test_a_plan_of_another_round_or_hospital_is_none() public view {
        isTrue(!this.isPlanOf(wholePlan(), ROUND + 1, HOSPITAL), "round");
        isTrue(!this.isPlanOf(wholePlan(), ROUND, HOSPITAL + 1), "hospital");
    }

    /// @dev Prefix, label, lengths, round and hospital count, byte by byte; session, subject and the other numbers do not.
    function test_every_byte_that_names_a_plan_counts() public view {
        bytes memory whole = wholePlan();
        for (uint256 i = 0; i < whole.length; ++i) {
            bool free = (i >= 30 && i < 62) || (i >= 66 && i < 98) || i >= 118;
            bytes memory other = bytes.concat(whole);
            other[i] = bytes1(uint8(other[i]) ^ 1);
            isTrue(this.isPlanOf(other, ROUND, HOSPITAL) == free, "byte");
        }
    }

    function test_every_leaf_of_every_roster_leads_to_its_root_and_to_no_other_place() public view {
        for (uint256 size = 1; size <= 9; ++size) {
            for (uint256 k = 0; k < size; ++k) {
                bytes32[] memory path = pathOf(k, size);
                eq(this.rosterRoot(leaf(k), k, size, path), rootOf(0, size), "root");
                eq(this.rosterRoot(leaf(k), size, size, path), 0, "beyond");
                eq(this.rosterRoot(leaf(k), k, size, new bytes32[](path.length + 1)), 0, "too long");
                if (path.length != 0) {
                    eq(this.rosterRoot(leaf(k), k, size, new bytes32[](path.length - 1)), 0, "too short");
                }
                if (size > 1) isTrue(this.rosterRoot(leaf(k), k ^ 1, size, path) != rootOf(0, size), "beside");
            }
        }
    }

    function leaf(uint256 k) private pure returns (bytes32) {
        bytes32 key = bytes32(k);
        return Participation.rosterLeaf(uint64(7 + k), address(uint160(k)), key, keccak256(abi.encode(k)));
    }

    function test_a_roster_leaf_binds_epoch_account_and_keys() public pure {
        bytes memory encoded =
            abi.encodePacked(uint8(0), uint64(9), address(5), bytes32(uint256(1)), bytes32(uint256(2)));
        bytes32 hash = Participation.rosterLeaf(9, address(5), bytes32(uint256(1)), bytes32(uint256(2)));
        eq(hash, sha256(encoded), "leaf");
    }

    /// @dev RFC 6962 over leaves `from..to - 1`, by its recursive definition.
    function rootOf(uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return leaf(from);
        uint256 half = halfOf(to - from);
        return sha256(abi.encodePacked(uint8(1), rootOf(from, from + half), rootOf(from + half, to)));
    }

    function pathOf(uint256 k, uint256 size) private pure returns (bytes32[] memory path) {
        bytes32[] memory down = new bytes32[](8);
        (uint256 from, uint256 to, uint256 n) = (0, size, 0);
        while (to - from > 1) {
            uint256 half = halfOf(to - from);
            if (k < from + half) (down[n++], to) = (rootOf(from + half, to), from + half);
            else (down[n++], from) = (rootOf(from, from + half), from + half);
        }
        path = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            path[i] = down[n - 1 - i];
        }
    }

    function halfOf(uint256 n) private pure returns (uint256 half) {
        half = 1;
        while (2 * half < n) half *= 2;
    }
}
