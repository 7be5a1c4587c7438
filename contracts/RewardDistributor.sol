// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ClaimGate} from "./distributor/ClaimGate.sol";
import {IContributionLedger} from "./interfaces/IContributionLedger.sol";
import {ILedgerTypes} from "./interfaces/ILedgerTypes.sol";
import {IParticipationToken} from "./interfaces/IParticipationToken.sol";
import {IRewardDistributor, Leaf} from "./interfaces/IRewardDistributor.sol";
import {RewardMath} from "./libraries/RewardMath.sol";
import {PackedRule} from "./libraries/RulePacking.sol";
import {SumTree} from "./libraries/SumTree.sol";

/// @title RewardDistributor
/// @notice Pays allocations out against Merkle-sum proofs; see IRewardDistributor.
/// @dev Nothing is called but the ledger, the consortium and the token, which call nobody back, so nothing can reenter.
contract RewardDistributor is ClaimGate, EIP712 {
    bytes32 private constant _CONSENT_TYPEHASH =
        keccak256("Consent(address payee,address relayer,uint64 fromRound,uint64 toRound,uint256 deadline)");

    /// @inheritdoc IRewardDistributor
    IContributionLedger public immutable ledger;
    /// @inheritdoc IRewardDistributor
    IParticipationToken public immutable token;

    /// @dev What was paid in an epoch: bit `round & 255`.
    struct Epoch {
        uint256 paid;
    }

    /// @dev Of a slot. The key is hospital << 96 | epoch << 32 | slot.
    mapping(uint256 key => Epoch) private _claimed;
    /// @dev Of a treasury. The key is hospital << 64 | epoch.
    mapping(uint256 key => Epoch) private _treasuryClaimed;

    /// @notice Pay the claims of a ledger in a token.
    /// @param ledger_ Where rounds are recorded.
    /// @param token_ What is minted; this contract must be its minter.
    constructor(IContributionLedger ledger_, IParticipationToken token_)
        ClaimGate(ledger_)
        EIP712("FedIoMT RewardDistributor", "1")
    {
        if (address(token_) == address(0)) revert ZeroAddress();
        ledger = ledger_;
        token = token_;
    }

    /// @inheritdoc IRewardDistributor
    function claim(Claim[] calldata claims) external returns (uint256 total) {
        return _payAll(claims, msg.sender);
    }

    /// @inheritdoc IRewardDistributor
    function claimFor(Claim[] calldata claims, Consent calldata consent, bytes calldata signature)
        external
        returns (uint256 total)
    {
        if (block.timestamp > consent.deadline) revert ConsentExpired(consent.deadline);
        if (msg.sender != consent.relayer) revert NotRelayer(consent.relayer, msg.sender);
        if (
            consent.payee == address(0)
                || !SignatureChecker.isValidSignatureNowCalldata(consent.payee, consentDigest(consent), signature)
        ) revert BadConsent(consent.payee);
        for (uint256 i = 0; i < claims.length; ++i) {
            uint64 round = claims[i].round;
            if (round < consent.fromRound || round > consent.toRound) {
                revert RoundNotConsented(round, consent.fromRound, consent.toRound);
            }
        }
        return _payAll(claims, consent.payee);
    }

    /// @inheritdoc IRewardDistributor
    function claimTreasury(uint16 hospital, uint64[] calldata rounds) external returns (uint256 total) {
        if (hospital == 0 || _CONSORTIUM.hospitalIdOf(msg.sender) != hospital) {
            revert NotHospitalAccount(hospital, msg.sender);
        }
        uint256 open = _enter();
        uint256 last = open;
        for (uint256 i = 0; i < rounds.length; ++i) {
            uint256 round = rounds[i];
            total += _settleTreasury(round, hospital, last);
            if (round > last) last = round;
        }
        _leave(open, last);
        if (total != 0) token.mint(msg.sender, total);
    }

    /// @inheritdoc IRewardDistributor
    function quote(Claim calldata c) external view returns (uint256 amount) {
        (, amount) = _payout(c, c.round, c.hospital, c.leaf.slot, 0);
        if (isClaimed(c.round, c.hospital, c.leaf.slot)) amount = 0;
    }

    /// @inheritdoc IRewardDistributor
    function isClaimed(uint64 round, uint16 hospital, uint32 slot) public view returns (bool) {
        return _claimed[_slotKey(hospital, round >> 8, slot)].paid & _roundBit(round) != 0;
    }

    /// @inheritdoc IRewardDistributor
    function isTreasuryClaimed(uint64 round, uint16 hospital) external view returns (bool) {
        return _treasuryClaimed[_treasuryKey(hospital, round >> 8)].paid & _roundBit(round) != 0;
    }

    /// @inheritdoc IRewardDistributor
    function claimedWord(uint16 hospital, uint64 epoch, uint32 slot) external view returns (uint256) {
        return _claimed[_slotKey(hospital, epoch, slot)].paid;
    }

    /// @inheritdoc IRewardDistributor
    function treasuryClaimedWord(uint16 hospital, uint64 epoch) external view returns (uint256) {
        return _treasuryClaimed[_treasuryKey(hospital, epoch)].paid;
    }

    /// @inheritdoc IRewardDistributor
    function consentDigest(Consent calldata consent) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    _CONSENT_TYPEHASH,
                    consent.payee,
                    consent.relayer,
                    consent.fromRound,
                    consent.toRound,
                    consent.deadline
                )
            )
        );
    }

    /// @dev Mark every claim, then mint once.
    function _payAll(Claim[] calldata claims, address payee) private returns (uint256 total) {
        uint256 open = _enter();
        uint256 last = open;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata c = claims[i];
            uint256 round = c.round;
            uint256 amount = _settleLeaf(c, round, payee, last);
            unchecked {
                total += amount; // which is less than 2^96
            }
            if (round > last) last = round;
        }
        _leave(open, last);
        if (total != 0) token.mint(payee, total);
    }

    /// @dev Check one claim and mark it paid. Rounds up to `open` are known to be claimable; so is this one if it returns.
    function _settleLeaf(Claim calldata c, uint256 round, address payee, uint256 open)
        private
        returns (uint256 amount)
    {
        uint256 hospital = c.hospital;
        uint256 slot = c.leaf.slot;
        if (c.leaf.payee != payee) revert NotPayee(payee, c.leaf.payee);
        bool payable_;
        (payable_, amount) = _payout(c, round, hospital, slot, open);
        if (!payable_) {
            emit ClaimSkipped(uint64(round), uint16(hospital), uint32(slot));
        } else if (_mark(_claimed[_slotKey(hospital, round >> 8, slot)], round)) {
            emit Claimed(uint64(round), uint16(hospital), uint32(slot), payee, amount);
        } else {
            revert AlreadyClaimed(uint64(round), uint16(hospital), uint32(slot));
        }
    }

    /// @dev What a claim is worth, if its proof holds; and whether there is anything to be had now.
    function _payout(Claim calldata c, uint256 round, uint256 hospital, uint256 slot, uint256 open)
        private
        view
        returns (bool payable_, uint256 amount)
    {
        bool qualityScored;
        bytes32 root;
        uint256 allocation;
        PackedRule rule;
        (payable_, qualityScored, root, allocation, rule) = _basis(round, hospital, open);
        if (!payable_) return (false, 0);
        (uint256 weight, uint256 lanes) = _weigh(c.leaf, slot, rule, qualityScored);
        bytes32 top = SumTree.leafHash(address(ledger), round, hospital, c.leaf);
        (top, lanes) = SumTree.climb(top, lanes, slot, c.siblings);
        if (top != root) revert InvalidProof(uint64(round), uint16(hospital), uint32(slot));
        amount = RewardMath.devicePayout(allocation, rule.operatorBps(), weight, uint64(lanes >> 128), lanes >> 192);
    }

    function _settleTreasury(uint256 round, uint256 hospital, uint256 open) private returns (uint256 amount) {
        (bool payable_,,, uint256 allocation, PackedRule rule) = _basis(round, hospital, open);
        if (!payable_) {
            emit TreasurySkipped(uint64(round), uint16(hospital));
            return 0;
        }
        if (!_mark(_treasuryClaimed[_treasuryKey(hospital, round >> 8)], round)) {
            revert TreasuryAlreadyClaimed(uint64(round), uint16(hospital));
        }
        // One of the rounds that the caller named, and the ledger refuses none for others' sake.
        // slither-disable-next-line calls-loop
        (uint64 treasury, uint64 device) = ledger.entryWeights(uint64(round), uint16(hospital));
        amount = RewardMath.treasuryPayout(allocation, rule.operatorBps(), treasury, device);
        emit TreasuryClaimed(uint64(round), uint16(hospital), msg.sender, amount);
    }

    /// @dev What a claim is based on. Reverts if the round pays nobody or its challenge window is not over, which is not
    /// looked up for rounds up to `open`. Not payable if it does not pay this hospital, be it for good or for now.
    function _basis(uint256 round, uint256 hospital, uint256 open)
        private
        view
        returns (bool payable_, bool qualityScored, bytes32 root, uint256 allocation, PackedRule rule)
    {
        ILedgerTypes.Standing standing;
        // slither-disable-next-line calls-loop -- one of the claims that the caller chose to make together
        (standing, qualityScored, root, allocation, rule) = ledger.claimBasis(uint64(round), uint16(hospital), open);
        payable_ = standing == ILedgerTypes.Standing.Payable;
        if (!payable_) _requirePaid(uint64(round), standing);
    }

    /// @dev Reverts unless a round pays somebody by now.
    function _requirePaid(uint64 round, ILedgerTypes.Standing standing) private view {
        if (standing == ILedgerTypes.Standing.NotClosed) revert NotClosed(round);
        // slither-disable-next-line calls-loop -- once: it ends the loop
        if (standing == ILedgerTypes.Standing.WindowOpen) revert WindowOpen(round, ledger.claimableAt(round));
        if (standing == ILedgerTypes.Standing.Unpaid) revert NotPaid(round);
    }

    /// @dev Mark a round of an epoch as paid; false if it was before.
    function _mark(Epoch storage epoch, uint256 round) private returns (bool) {
        uint256 paid = epoch.paid;
        if (paid & _roundBit(round) != 0) return false;
        epoch.paid = paid | _roundBit(round);
        return true;
    }

    /// @dev The weight and the lanes of a real leaf, within the caps of its class.
    function _weigh(Leaf calldata leaf, uint256 slot, PackedRule rule, bool qualityScored)
        private
        pure
        returns (uint256 weight, uint256 lanes)
    {
        if (slot & 1 != 0) revert OddSlot(uint32(slot));
        uint256 deviceClass = leaf.deviceClass;
        if (deviceClass > 3) revert UnknownDeviceClass(uint8(deviceClass));
        uint16 volume = leaf.volume;
        uint16 quality = leaf.quality;
        uint16 compute = leaf.compute;
        _checkScore(slot, volume, rule.volumeCap(deviceClass));
        _checkScore(slot, compute, rule.computeCap(deviceClass));
        _checkScore(slot, quality, RewardMath.FULL);
        weight = RewardMath.weight(rule, qualityScored, volume, quality, compute);
        lanes = SumTree.packLanes(1, volume, compute, 0, weight);
    }

    function _checkScore(uint256 slot, uint256 score, uint256 cap) private pure {
        if (score > cap) revert LeafAboveCap(uint32(slot), score, cap);
    }

    function _slotKey(uint256 hospital, uint256 epoch, uint256 slot) private pure returns (uint256) {
        return (hospital << 96) | (epoch << 32) | slot;
    }

    function _treasuryKey(uint256 hospital, uint256 epoch) private pure returns (uint256) {
        return (hospital << 64) | epoch;
    }

    function _roundBit(uint256 round) private pure returns (uint256) {
        return 1 << (round & 255);
    }
}
