// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

// One function, since Yul's do not reach beyond the block that they are in.
// solhint-disable function-max-lines

import {IDisclosedTree} from "./interfaces/IDisclosedTree.sol";
import {Node} from "./interfaces/ILedgerTypes.sol";
import {RewardMath} from "./libraries/RewardMath.sol";
import {SumTree} from "./libraries/SumTree.sol";

/// @title DisclosedTree
/// @notice Builds trees from scores in clear; see IDisclosedTree. Holds no state, and calls nobody.
/// @dev Beside the ledger, since the ledger's code is near the size that a chain accepts. No sum can overflow its lane:
/// scores have 14 bits, rules 16, and a transaction has far fewer than 2^17 devices.
///
/// The one function ends in assembly that owns all memory, at fixed places, so that a device costs less than 900 gas:
/// 0x000 what each class may have (eight words); 0x100 the leaf (twelve words: slot at 0x1a0, class 0x1c0, payee 0x1e0,
/// volume 0x200, quality 0x220, compute 0x240); 0x280 the leaf's node and the empty one beside it; 0x300 the lanes of a
/// device without points; 0x320 the gate, but at least 1, and 0x340 the gate; 0x360 the next slot; 0x380 the lanes of a
/// point of volume, quality and compute; 0x400 nodes.
contract DisclosedTree is IDisclosedTree {
    // One pass over the devices, in assembly; what it builds is held against the tree that Python builds.
    // slither-disable-start cyclomatic-complexity

    /// @inheritdoc IDisclosedTree
    function children(Terms calldata terms, bytes calldata devices, bytes calldata payees)
        external
        view
        returns (Node memory, Node memory)
    {
        if (devices.length == 0 || devices.length % 6 != 0) revert InvalidDisclosedDevices();
        if (payees.length % 24 != 0) revert InvalidDisclosedPayees();
        bytes32 tag = SumTree.LEAF_TYPEHASH;
        uint256 full = terms.qualityScored ? 0 : RewardMath.FULL;
        uint256 gate = terms.qualityScored ? terms.rule.deviceGate() : 0;
        bytes4 wrongDevices = InvalidDisclosedDevices.selector;
        bytes4 wrongPayees = InvalidDisclosedPayees.selector;
        assembly {
            // What a class lacks to the next power of two, a field each: a larger number carries into the bit above its
            // field. Who takes no part has class 0 and no scores; of the other classes every record carries.
            function allow(rule) {
                mstore(0, or(shl(30, 0x3fff), or(shl(15, 0x3fff), 0x3fff)))
                for { let class := 1 } lt(class, 4) { class := add(class, 1) } { mstore(shl(5, class), 0x4000) }
                for { let class := 0 } lt(class, 4) { class := add(class, 1) } {
                    let caps := shr(add(128, shl(4, class)), rule)
                    let room := or(shl(30, sub(0x3fff, and(caps, 0xffff))), shl(15, sub(0x3fff, 10000)))
                    mstore(shl(5, add(class, 4)), or(room, sub(0x3fff, and(shr(64, caps), 0xffff))))
                }
            }
            // Have weights go to the lane at `shift`. Where quality is not scored it has full marks, whatever it is.
            function weigh(rule, full_, shift) {
                let wQuality := and(shr(16, rule), 0xffff)
                mstore(0x380, add(shl(32, 1), shl(shift, and(rule, 0xffff))))
                mstore(0x3a0, mul(iszero(full_), shl(shift, wQuality)))
                mstore(0x3c0, add(shl(80, 1), shl(shift, and(shr(32, rule), 0xffff))))
                mstore(0x300, add(1, shl(shift, mul(full_, wQuality))))
            }
            // A device below the gate weighs nothing; one that takes no part is the empty node.
            function seldom(word, quality, lanes) -> kept {
                kept := lanes
                if lt(quality, mload(0x340)) { kept := and(lanes, 0xffffffffffffffffffffffffffffffff) }
                if iszero(word) {
                    mstore(0x280, 0)
                    kept := 0
                }
            }
            // The nodes over the leaves of devices that share a payee; `bad` gathers the bits above fields, set or
            // carried into. Four at a time: one by one, the loop itself would cost another fifty gas a device.
            function fill(device, end, bad) -> bad_ {
                let slot := mload(0x360)
                let byVolume := mload(0x380)
                let byQuality := mload(0x3a0)
                let byCompute := mload(0x3c0)
                let base := mload(0x300)
                let least := mload(0x320)
                let word
                let quality
                let lanes
                let out := add(0x400, shl(5, slot))
                for {} lt(add(device, 18), end) { device := add(device, 24) } {
                    word := shr(208, calldataload(device))
                    bad := or(bad, or(word, add(word, mload(and(shr(40, word), 0xe0)))))
                    mstore(0x1c0, and(shr(45, word), 3))
                    quality := and(shr(15, word), 0x3fff)
                    mstore(0x220, quality)
                    lanes := and(word, 0x3fff)
                    mstore(0x240, lanes)
                    lanes := add(mul(lanes, byCompute), mul(quality, byQuality))
                    mstore(0x200, and(shr(30, word), 0x3fff))
                    lanes := add(add(lanes, base), mul(mload(0x200), byVolume))
                    mstore(0x1a0, slot)
                    mstore(0x280, keccak256(0x100, 0x180))
                    mstore(0x280, keccak256(0x280, 0x20))
                    if lt(quality, least) { lanes := seldom(word, quality, lanes) }
                    mstore(0x2a0, lanes)
                    mstore(out, keccak256(0x280, 0x80))
                    mstore(add(out, 0x20), lanes)
                    word := shr(208, calldataload(add(device, 6)))
                    bad := or(bad, or(word, add(word, mload(and(shr(40, word), 0xe0)))))
                    mstore(0x1c0, and(shr(45, word), 3))
                    quality := and(shr(15, word), 0x3fff)
                    mstore(0x220, quality)
                    lanes := and(word, 0x3fff)
                    mstore(0x240, lanes)
                    lanes := add(mul(lanes, byCompute), mul(quality, byQuality))
                    mstore(0x200, and(shr(30, word), 0x3fff))
                    lanes := add(add(lanes, base), mul(mload(0x200), byVolume))
                    mstore(0x1a0, add(slot, 2))
                    mstore(0x280, keccak256(0x100, 0x180))
                    mstore(0x280, keccak256(0x280, 0x20))
                    if lt(quality, least) { lanes := seldom(word, quality, lanes) }
                    mstore(0x2a0, lanes)
                    mstore(add(out, 0x40), keccak256(0x280, 0x80))
                    mstore(add(out, 0x60), lanes)
                    word := shr(208, calldataload(add(device, 12)))
                    bad := or(bad, or(word, add(word, mload(and(shr(40, word), 0xe0)))))
                    mstore(0x1c0, and(shr(45, word), 3))
                    quality := and(shr(15, word), 0x3fff)
                    mstore(0x220, quality)
                    lanes := and(word, 0x3fff)
                    mstore(0x240, lanes)
                    lanes := add(mul(lanes, byCompute), mul(quality, byQuality))
                    mstore(0x200, and(shr(30, word), 0x3fff))
                    lanes := add(add(lanes, base), mul(mload(0x200), byVolume))
                    mstore(0x1a0, add(slot, 4))
                    mstore(0x280, keccak256(0x100, 0x180))
                    mstore(0x280, keccak256(0x280, 0x20))
                    if lt(quality, least) { lanes := seldom(word, quality, lanes) }
                    mstore(0x2a0, lanes)
                    mstore(add(out, 0x80), keccak256(0x280, 0x80))
                    mstore(add(out, 0xa0), lanes)
                    word := shr(208, calldataload(add(device, 18)))
                    bad := or(bad, or(word, add(word, mload(and(shr(40, word), 0xe0)))))
                    mstore(0x1c0, and(shr(45, word), 3))
                    quality := and(shr(15, word), 0x3fff)
                    mstore(0x220, quality)
                    lanes := and(word, 0x3fff)
                    mstore(0x240, lanes)
                    lanes := add(mul(lanes, byCompute), mul(quality, byQuality))
                    mstore(0x200, and(shr(30, word), 0x3fff))
                    lanes := add(add(lanes, base), mul(mload(0x200), byVolume))
                    mstore(0x1a0, add(slot, 6))
                    mstore(0x280, keccak256(0x100, 0x180))
                    mstore(0x280, keccak256(0x280, 0x20))
                    if lt(quality, least) { lanes := seldom(word, quality, lanes) }
                    mstore(0x2a0, lanes)
                    mstore(add(out, 0xc0), keccak256(0x280, 0x80))
                    mstore(add(out, 0xe0), lanes)
                    slot := add(slot, 8)
                    out := add(out, 0x100)
                }
                for {} lt(device, end) { device := add(device, 6) } {
                    word := shr(208, calldataload(device))
                    bad := or(bad, or(word, add(word, mload(and(shr(40, word), 0xe0)))))
                    mstore(0x1c0, and(shr(45, word), 3))
                    quality := and(shr(15, word), 0x3fff)
                    mstore(0x220, quality)
                    lanes := and(word, 0x3fff)
                    mstore(0x240, lanes)
                    lanes := add(mul(lanes, byCompute), mul(quality, byQuality))
                    mstore(0x200, and(shr(30, word), 0x3fff))
                    lanes := add(add(lanes, base), mul(mload(0x200), byVolume))
                    mstore(0x1a0, slot)
                    mstore(0x280, keccak256(0x100, 0x180))
                    mstore(0x280, keccak256(0x280, 0x20))
                    if lt(quality, least) { lanes := seldom(word, quality, lanes) }
                    mstore(0x2a0, lanes)
                    mstore(out, keccak256(0x280, 0x80))
                    mstore(add(out, 0x20), lanes)
                    slot := add(slot, 2)
                    out := add(out, 0x40)
                }
                mstore(0x360, slot)
                bad_ := bad
            }
            // Halve a level in place, from `from` to `end`, eight nodes at a time and then one by one.
            function fold(from, to, end) {
                for {} lt(add(from, 0x3c0), end) { from := add(from, 0x400) } {
                    mstore(to, keccak256(from, 0x80))
                    mstore(add(to, 0x20), add(mload(add(from, 0x20)), mload(add(from, 0x60))))
                    mstore(add(to, 0x40), keccak256(add(from, 0x80), 0x80))
                    mstore(add(to, 0x60), add(mload(add(from, 0xa0)), mload(add(from, 0xe0))))
                    mstore(add(to, 0x80), keccak256(add(from, 0x100), 0x80))
                    mstore(add(to, 0xa0), add(mload(add(from, 0x120)), mload(add(from, 0x160))))
                    mstore(add(to, 0xc0), keccak256(add(from, 0x180), 0x80))
                    mstore(add(to, 0xe0), add(mload(add(from, 0x1a0)), mload(add(from, 0x1e0))))
                    mstore(add(to, 0x100), keccak256(add(from, 0x200), 0x80))
                    mstore(add(to, 0x120), add(mload(add(from, 0x220)), mload(add(from, 0x260))))
                    mstore(add(to, 0x140), keccak256(add(from, 0x280), 0x80))
                    mstore(add(to, 0x160), add(mload(add(from, 0x2a0)), mload(add(from, 0x2e0))))
                    mstore(add(to, 0x180), keccak256(add(from, 0x300), 0x80))
                    mstore(add(to, 0x1a0), add(mload(add(from, 0x320)), mload(add(from, 0x360))))
                    mstore(add(to, 0x1c0), keccak256(add(from, 0x380), 0x80))
                    mstore(add(to, 0x1e0), add(mload(add(from, 0x3a0)), mload(add(from, 0x3e0))))
                    to := add(to, 0x200)
                }
                for {} lt(from, end) { from := add(from, 0x80) } {
                    mstore(to, keccak256(from, 0x80))
                    mstore(add(to, 0x20), add(mload(add(from, 0x20)), mload(add(from, 0x60))))
                    to := add(to, 0x40)
                }
            }

            mstore(0x100, tag)
            mstore(0x120, chainid())
            mstore(0x140, caller())
            calldatacopy(0x160, terms, 0x40) // round, hospital
            mstore(0x1e0, 0)
            calldatacopy(0x260, add(terms, 0x80), 0x20) // salt
            mstore(0x2c0, 0)
            mstore(0x2e0, 0)
            mstore(0x320, or(gate, iszero(gate)))
            mstore(0x340, gate)
            mstore(0x360, 0)
            let rule := calldataload(add(terms, 0x60))
            allow(rule)
            weigh(rule, full, 128)

            let bad := 0
            let device := devices.offset
            let last := add(payees.offset, payees.length)
            for { let own := payees.offset } lt(own, last) { own := add(own, 24) } {
                let next := add(devices.offset, mul(6, shr(224, calldataload(own))))
                let payee := shr(96, shl(32, calldataload(own)))
                // in order, within the devices, of one that takes part
                if or(
                    lt(next, device),
                    or(iszero(lt(next, add(devices.offset, devices.length))), iszero(shr(208, calldataload(next))))
                ) {
                    mstore(0, wrongPayees)
                    revert(0, 4)
                }
                if iszero(payee) {
                    mstore(0, wrongPayees)
                    revert(0, 4)
                }
                bad := fill(device, next, bad)
                mstore(0x1e0, payee)
                weigh(rule, full, 192)
                device := add(next, 6)
                bad := fill(next, device, bad)
                mstore(0x1e0, 0)
                weigh(rule, full, 128)
            }
            bad := fill(device, add(devices.offset, devices.length), bad)
            if and(bad, 0x100020004000) {
                mstore(0, wrongDevices)
                revert(0, 4)
            }

            let count := div(devices.length, 6)
            if eq(count, 1) { return(0x280, 0x80) }
            for {} gt(count, 2) { count := shr(1, count) } {
                if and(count, 1) {
                    let end := add(0x400, shl(6, count))
                    mstore(end, 0)
                    mstore(add(end, 0x20), 0)
                    count := add(count, 1)
                }
                fold(0x400, 0x400, add(0x400, shl(6, count)))
            }
            return(0x400, 0x80)
        }
    }
    // slither-disable-end cyclomatic-complexity
}
