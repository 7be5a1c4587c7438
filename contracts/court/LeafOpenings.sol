// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ILedgerTypes, Lanes} from "../interfaces/ILedgerTypes.sol";
import {LeafFaults} from "../libraries/LeafFaults.sol";
import {Participation} from "../libraries/Participation.sol";
import {PackedRule} from "../libraries/RulePacking.sol";
import {SumTree} from "../libraries/SumTree.sol";
import {Convictions} from "./Convictions.sol";

/// @title LeafOpenings
/// @notice Random leaves, opened: the hash of a later block picks points of an entry's total weight, volume and compute
/// (allocations follow all three), the sums of the tree lead to the leaves that cover them, and each must be shown to
/// stand for a device that took part.
/// @dev A leaf names no device, but its salt does: it is the hash of the device's account and a secret. So the devices
/// are fixed before the draw, and no device stands for two leaves.
abstract contract LeafOpenings is Convictions {
    /// @dev A demand, which is a challenge.
    struct Demand {
        uint64 caseId;
        uint64 anchorBlock;
        uint64 answered;
        bytes32 beacon;
    }

    mapping(uint256 challengeId => Demand) private _demands;
    /// @dev The last demand that a hospital made on an entry; that of everybody who is none is under 0.
    mapping(uint256 key => mapping(uint256 hospital => uint256 challengeId)) private _demandBy;
    /// @dev The place that an account was shown for: the leaf's depth and slot.
    mapping(uint256 key => mapping(address account => uint256)) private _shownFor;

    /// @inheritdoc IDisputeCourt
    function demand(uint64 round, uint16 hospital) external returns (uint256 challengeId) {
        if (_DISCLOSED) revert OpeningsUnavailable();
        uint16 by = _CONSORTIUM.hospitalIdOf(msg.sender);
        uint256 key = _key(round, hospital);
        Demand storage d = _demands[_demandBy[key][by]];
        Outcome earlier = _cases[d.caseId].outcome;
        if (earlier == Outcome.Open || (d.beacon != 0 && earlier != Outcome.Lapsed)) {
            revert AlreadyDemanded(round, hospital, by);
        }
        uint256 caseId;
        // The ledger calls nobody back; the bond is taken last.
        // slither-disable-next-line reentrancy-no-eth,reentrancy-events
        (challengeId, caseId) = _challenge(round, hospital, 0);
        (, uint256 total) = _laneOf(round, hospital, 0);
        if (total == 0) revert NothingToOpen(round, hospital);
        _demandBy[key][by] = challengeId;
        d = _demands[challengeId];
        (d.caseId, d.anchorBlock) = (uint64(caseId), uint64(block.number));
        emit Demanded(challengeId, round, hospital, by, d.anchorBlock);
        _takeBond();
    }

    /// @inheritdoc IDisputeCourt
    function draw(uint256 challengeId) external {
        Demand storage d = _demands[challengeId];
        if (d.caseId == 0 || d.beacon != 0) revert NothingToDraw(challengeId);
        Case storage k = _requireCase(d.caseId);
        _requireBefore(d.caseId, k.drawnBy);
        uint256 source = d.anchorBlock + 1;
        if (block.number <= source) revert DrawNotReady(source + 1);
        bytes32 beacon = blockhash(source);
        if (beacon == 0) {
            d.anchorBlock = uint64(block.number);
            emit Reanchored(challengeId, d.anchorBlock);
        } else {
            d.beacon = beacon;
            ++k.unopened;
            k.deadline = uint64(block.timestamp) + caseSeconds;
            emit Drawn(challengeId, beacon, k.deadline);
        }
    }

    /// @inheritdoc IDisputeCourt
    function answer(uint256 challengeId, uint256 index, Opening calldata o) external {
        Demand storage d = _demands[challengeId];
        if (d.beacon == 0 || (d.answered >> index) & 1 == 1) {
            revert NotAsked(challengeId, index);
        }
        Case storage k = _requireCase(d.caseId);
        _requireBefore(d.caseId, k.deadline);
        (uint64 round, uint16 hospital) = (k.round, k.hospital);
        (Lane lane, uint256 point) = pointOf(challengeId, index);
        _checkLeaf(round, hospital, lane, point, o);
        _checkDevice(round, hospital, o);
        uint32 slot = o.leaf.slot;
        mapping(address account => uint256) storage shownFor = _shownFor[_key(round, hospital)];
        uint256 shown = shownFor[o.account];
        uint256 place = (o.siblings.length << 32) | slot; // a slot is another leaf at every depth; never zero
        if (shown != 0 && shown != place) revert AccountReused(o.account, uint32(shown));
        shownFor[o.account] = place;
        d.answered |= uint64(1 << index);
        if (d.answered == (1 << openings) - 1) --k.unopened;
        emit Opened(challengeId, index, slot, o.account);
    }

    /// @inheritdoc IDisputeCourt
    function demandOf(uint256 challengeId) external view returns (DemandView memory) {
        Demand storage d = _demands[challengeId];
        return DemandView(d.caseId, d.anchorBlock, d.beacon, d.answered);
    }

    /// @inheritdoc IDisputeCourt
    function pointOf(uint256 challengeId, uint256 index) public view returns (Lane lane, uint256 point) {
        Demand storage d = _demands[challengeId];
        if (d.beacon == 0 || index >= openings) revert NotAsked(challengeId, index);
        Case storage k = _cases[d.caseId];
        uint256 total;
        (lane, total) = _laneOf(k.round, k.hospital, index);
        point = uint256(keccak256(abi.encode(d.beacon, challengeId, index))) % total;
    }

    /// @dev The leaf lies in the tree, is in order, and covers the point of the lane.
    function _checkLeaf(uint64 round, uint16 hospital, Lane lane, uint256 point, Opening calldata o) private view {
        (PackedRule rule, bool qualityScored) = _ruleOf(round);
        uint256[7] calldata words;
        Opening calldata whole = o;
        assembly ("memory-safe") {
            words := whole // the leaf's seven fields come first, laid out as words
        }
        uint256 slot = o.leaf.slot;
        uint256 lanes = LeafFaults.lanesOf(words, rule, qualityScored);
        if (LeafFaults.find(words, slot, lanes, rule, qualityScored) != Fault.None) revert NotInTree(round, hospital);
        bytes32 hash = LeafFaults.hashOf(address(ledger), round, hospital, words);
        // slither-disable-next-line unused-return -- the root's hash binds its sums
        (hash,) = SumTree.climb(hash, lanes, slot, o.siblings);
        if (hash != _rootOf(round, hospital)) revert NotInTree(round, hospital);
        uint256 before = 0;
        for (uint256 i = 0; i < o.siblings.length; ++i) {
            if ((slot >> i) & 1 == 1) before += _sumOf(lane, o.siblings[i].lanes);
        }
        uint256 size = _sumOf(lane, lanes);
        if (point < before || point - before >= size) revert WrongLeaf(point, before, size);
    }

    /// @dev The leaf stands for the account, which is on the roster and took part in this round of this hospital.
    function _checkDevice(uint64 round, uint16 hospital, Opening calldata o) private view {
        address account = o.account;
        if (o.leaf.salt != keccak256(abi.encode(account, o.opener))) revert NotBound(account);
        uint64 epoch = round >> 8;
        ILedgerTypes.EpochRegistration memory registered = ledger.epochRegistration(hospital, epoch);
        bytes32 node = Participation.rosterLeaf(epoch, account, o.maskKey, o.channelKey);
        node = Participation.rosterRoot(node, o.position, registered.rosterSize, o.rosterPath);
        if (node == 0 || node != registered.rosterRoot) revert NotOnRoster(account);
        if (!Participation.isPlanOf(o.plan, round, hospital)) revert WrongPlan();
        bytes32 message = Participation.maskedInputHash(sha256(o.plan), o.attempt, o.deposited, o.masked);
        // A signature that is none gives the zero address, refused below.
        // slither-disable-next-line unused-return
        (address signer,,) =
            ECDSA.tryRecoverCalldata(Participation.typedDigest(address(ledger), message), o.signature);
        if (signer != account || signer == address(0)) revert NotSignedByDevice(account, signer);
    }

    /// @dev The lane over which point `index` is drawn, and the entry's total in it: the lanes take turns, and one in which
    /// the entry has nothing leaves its turn to the next. The total is zero only if all are.
    function _laneOf(uint64 round, uint16 hospital, uint256 index) private view returns (Lane lane, uint256 total) {
        Lanes memory sums = ledger.entry(round, hospital).lanes;
        uint256[3] memory totals = [uint256(sums.weightTreasury) + sums.weightDevice, sums.volume, sums.compute];
        for (uint256 turn = index; turn < index + 3; ++turn) {
            (lane, total) = (Lane(turn % 3), totals[turn % 3]);
            if (total != 0) break;
        }
    }

    /// @dev What packed lanes have in one lane.
    function _sumOf(Lane lane, uint256 lanes) private pure returns (uint256) {
        if (lane == Lane.Volume) return uint48(lanes >> 32);
        if (lane == Lane.Compute) return uint48(lanes >> 80);
        return uint256(uint64(lanes >> 128)) + (lanes >> 192);
    }
}
