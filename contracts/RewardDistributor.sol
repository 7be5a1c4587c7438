// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IContributionLedger} from "./interfaces/IContributionLedger.sol";
import {ILedgerTypes, RewardRule} from "./interfaces/ILedgerTypes.sol";
import {IParticipationToken} from "./interfaces/IParticipationToken.sol";
import {IRewardDistributor, Leaf} from "./interfaces/IRewardDistributor.sol";
import {RewardMath} from "./libraries/RewardMath.sol";
import {RulePacking} from "./libraries/RulePacking.sol";
import {SumTree} from "./libraries/SumTree.sol";

/// @title RewardDistributor
/// @notice Pays allocations out against Merkle-sum proofs; see IRewardDistributor.
/// @dev Nothing is called but the ledger, the consortium and the token, which call nobody back, so nothing can reenter.
contract RewardDistributor is IRewardDistributor, EIP712 {
    bytes32 private constant _CONSENT_TYPEHASH =
        keccak256("Consent(address payee,address relayer,uint64 fromRound,uint64 toRound,uint256 deadline)");

    /// @inheritdoc IRewardDistributor
    IContributionLedger public immutable ledger;
    /// @inheritdoc IRewardDistributor
    IParticipationToken public immutable token;
    IConsortium private immutable _CONSORTIUM;

    /// @dev One word is an epoch of a slot: bit `round & 255`. The key is hospital << 96 | epoch << 32 | slot.
    mapping(uint256 key => uint256) private _claimed;
    /// @dev The same for treasuries. The key is hospital << 64 | epoch.
    mapping(uint256 key => uint256) private _treasuryClaimed;

    /// @param ledger_ Where rounds are recorded.
    /// @param token_ What is minted; this contract must be its minter.
    constructor(IContributionLedger ledger_, IParticipationToken token_) EIP712("FedIoMT RewardDistributor", "1") {
        if (address(ledger_) == address(0) || address(token_) == address(0)) revert ZeroAddress();
        ledger = ledger_;
        token = token_;
        _CONSORTIUM = ledger_.consortium();
    }

    modifier whenClaimsOpen() {
        if (_CONSORTIUM.claimsPaused()) revert ClaimsPaused();
        _;
    }

    /// @inheritdoc IRewardDistributor
    function claim(Claim[] calldata claims) external whenClaimsOpen returns (uint256 total) {
        return _payAll(claims, msg.sender);
    }

    /// @inheritdoc IRewardDistributor
    function claimFor(Claim[] calldata claims, Consent calldata consent, bytes calldata signature)
        external
        whenClaimsOpen
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
    function claimTreasury(uint16 hospital, uint64[] calldata rounds) external whenClaimsOpen returns (uint256 total) {
        if (hospital == 0 || _CONSORTIUM.hospitalIdOf(msg.sender) != hospital) {
            revert NotHospitalAccount(hospital, msg.sender);
        }
        for (uint256 i = 0; i < rounds.length; ++i) {
            total += _settleTreasury(rounds[i], hospital);
        }
        if (total != 0) token.mint(msg.sender, total);
    }

    /// @inheritdoc IRewardDistributor
    function isClaimed(uint64 round, uint16 hospital, uint32 slot) external view returns (bool) {
        return _claimed[_slotKey(hospital, round >> 8, slot)] & _roundBit(round) != 0;
    }

    /// @inheritdoc IRewardDistributor
    function isTreasuryClaimed(uint64 round, uint16 hospital) external view returns (bool) {
        return _treasuryClaimed[_treasuryKey(hospital, round >> 8)] & _roundBit(round) != 0;
    }

    /// @inheritdoc IRewardDistributor
    function claimedWord(uint16 hospital, uint64 epoch, uint32 slot) external view returns (uint256) {
        return _claimed[_slotKey(hospital, epoch, slot)];
    }

    /// @inheritdoc IRewardDistributor
    function treasuryClaimedWord(uint16 hospital, uint64 epoch) external view returns (uint256) {
        return _treasuryClaimed[_treasuryKey(hospital, epoch)];
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
        uint256 packedRule;
        RewardRule memory rule;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata c = claims[i];
            if (c.leaf.payee != payee) revert NotPayee(payee, c.leaf.payee);
            ILedgerTypes.ClaimTerms memory terms = _terms(c.round, c.hospital);
            if (terms.held) {
                emit ClaimSkipped(c.round, c.hospital, c.leaf.slot);
                continue;
            }
            if (terms.packedRule != packedRule) {
                packedRule = terms.packedRule;
                rule = RulePacking.unpack(packedRule);
            }
            total += _settleLeaf(c, terms, rule);
        }
        if (total != 0) token.mint(payee, total);
    }

    /// @dev Check one claim and mark it paid.
    function _settleLeaf(Claim calldata c, ILedgerTypes.ClaimTerms memory terms, RewardRule memory rule)
        private
        returns (uint256 amount)
    {
        Leaf calldata leaf = c.leaf;
        _checkLeaf(leaf, rule);
        uint256 weight =
            RewardMath.weight(rule, terms.deviceQualityScored, leaf.volume, leaf.quality, leaf.compute);
        (bytes32 root, uint256 sums) = SumTree.climb(
            SumTree.leafHash(address(ledger), c.round, c.hospital, leaf),
            SumTree.packLanes(1, leaf.volume, leaf.compute, 0, weight),
            leaf.slot,
            c.siblings
        );
        if (root != terms.root) revert InvalidProof(c.round, c.hospital, leaf.slot);

        uint256 key = _slotKey(c.hospital, c.round >> 8, leaf.slot);
        uint256 word = _claimed[key];
        uint256 bit = _roundBit(c.round);
        if (word & bit != 0) revert AlreadyClaimed(c.round, c.hospital, leaf.slot);
        _claimed[key] = word | bit;
        amount = RewardMath.devicePayout(
            terms.allocation, rule.operatorBps, weight, uint64(sums >> 128), uint64(sums >> 192)
        );
        emit Claimed(c.round, c.hospital, leaf.slot, leaf.payee, amount);
    }

    function _settleTreasury(uint64 round, uint16 hospital) private returns (uint256 amount) {
        ILedgerTypes.ClaimTerms memory terms = _terms(round, hospital);
        if (terms.held) {
            emit TreasurySkipped(round, hospital);
            return 0;
        }
        uint256 key = _treasuryKey(hospital, round >> 8);
        uint256 word = _treasuryClaimed[key];
        if (word & _roundBit(round) != 0) revert TreasuryAlreadyClaimed(round, hospital);
        _treasuryClaimed[key] = word | _roundBit(round);
        (uint64 treasury, uint64 device) = ledger.entryWeights(round, hospital);
        uint256 operatorBps = RulePacking.unpack(terms.packedRule).operatorBps;
        amount = RewardMath.treasuryPayout(terms.allocation, operatorBps, treasury, device);
        emit TreasuryClaimed(round, hospital, msg.sender, amount);
    }

    /// @dev The terms of a claim; reverts unless the round is open to claims.
    function _terms(uint64 round, uint16 hospital) private view returns (ILedgerTypes.ClaimTerms memory terms) {
        terms = ledger.claimTerms(round, hospital);
        if (!terms.closed) revert NotClosed(round);
        if (!terms.paid) revert NotPaid(round);
        if (block.timestamp < terms.claimableAt) revert WindowOpen(round, terms.claimableAt);
    }

    /// @dev A real leaf, within the caps of its class.
    function _checkLeaf(Leaf calldata leaf, RewardRule memory rule) private pure {
        if (leaf.slot & 1 != 0) revert OddSlot(leaf.slot);
        uint8 deviceClass = leaf.deviceClass;
        if (deviceClass > 3) revert UnknownDeviceClass(deviceClass);
        _checkScore(leaf.slot, leaf.volume, rule.volumeCap[deviceClass]);
        _checkScore(leaf.slot, leaf.compute, rule.computeCap[deviceClass]);
        _checkScore(leaf.slot, leaf.quality, RewardMath.FULL);
    }

    function _checkScore(uint32 slot, uint256 score, uint256 cap) private pure {
        if (score > cap) revert LeafAboveCap(slot, score, cap);
    }

    function _slotKey(uint16 hospital, uint64 epoch, uint32 slot) private pure returns (uint256) {
        return (uint256(hospital) << 96) | (uint256(epoch) << 32) | slot;
    }

    function _treasuryKey(uint16 hospital, uint64 epoch) private pure returns (uint256) {
        return (uint256(hospital) << 64) | epoch;
    }

    function _roundBit(uint64 round) private pure returns (uint256) {
        return 1 << (round & 255);
    }
}
