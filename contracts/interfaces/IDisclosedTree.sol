// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {PackedRule} from "../libraries/RulePacking.sol";
import {Node} from "./ILedgerTypes.sol";

/// @title IDisclosedTree
/// @notice Builds the Merkle-sum tree of an entry from its devices' scores in clear.
/// @dev Leaves are hashed and placed as in every entry: device `k` at slot `2k`. Since there is nothing left to hide, what
/// stands beside a device's leaf, and where the tree is padded to a power of two, is the empty node: hash 0 and sums 0,
/// at whatever height. A device that takes no part has the empty node too.
interface IDisclosedTree {
    /// @notice What leaves are bound to and weighed with; the ledger is the caller.
    /// @param round The round.
    /// @param hospital The hospital.
    /// @param qualityScored Whether devices' quality counts in this round.
    /// @param rule The round's reward rule.
    /// @param salt The salt of every leaf: it hides nothing here, and leaves differ by their slots.
    struct Terms {
        uint64 round;
        uint16 hospital;
        bool qualityScored;
        PackedRule rule;
        bytes32 salt;
    }

    /// @notice The devices are not a multiple of six bytes, none, or one of them is above its caps or malformed.
    error InvalidDisclosedDevices();
    /// @notice The payees are not a multiple of 24 bytes in ascending order, zero, or of a device that takes no part.
    error InvalidDisclosedPayees();

    /// @notice The two children of the root.
    /// @param terms What the leaves are bound to.
    /// @param devices Six bytes a device, big-endian: 1 (1 bit), class (2 bits), and then a zero bit and 14 bits for each of
    /// volume, quality and compute. All zero for a device that takes no part.
    /// @param payees For each device with a payee of its own, in ascending order: its index (4 bytes), its payee (20).
    function children(Terms calldata terms, bytes calldata devices, bytes calldata payees)
        external
        view
        returns (Node memory left, Node memory right);
}
