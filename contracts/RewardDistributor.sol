// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
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

    /// @notice Pay the claims of a ledger in a token.
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
        uint64 open = 0;
        for (uint256 i = 0; i < rounds.length; ++i) {
            uint256 amount;
            (amount, open) = _settleTreasury(rounds[i], hospital, open);
            total += amount;
        }
        if (total != 0) token.mint(msg.sender, total);
    }

    /// @inheritdoc IRewardDistributor
    function quote(Claim calldata c) external view returns (uint256 amount) {
        (, amount,) = _payout(c, c.round, c.hospital, c.leaf.slot, 0);
        if (isClaimed(c.round, c.hospital, c.leaf.slot)) amount = 0;
    }

    /// @inheritdoc IRewardDistributor
    function isClaimed(uint64 round, uint16 hospital, uint32 slot) public view returns (bool) {
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
        uint64 open = 0;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata c = claims[i];
            uint256 amount;
            (amount, open) = _settleLeaf(c, payee, open);
            total += amount;
        }
        if (total != 0) token.mint(payee, total);
    }

    /// @dev Check one claim and mark it paid. Rounds up to `open` are known to be claimable; so are those up to what is
    /// returned.
    function _settleLeaf(Claim calldata c, address payee, uint64 open) private returns (uint256 amount, uint64) {
        uint64 round = c.round;
        uint16 hospital = c.hospital;
        uint32 slot = c.leaf.slot;
        if (c.leaf.payee != payee) revert NotPayee(payee, c.leaf.payee);
        uint256 key = _slotKey(hospital, round >> 8, slot);
        uint256 word = _claimed[key];
        if (word & _roundBit(round) != 0) revert AlreadyClaimed(round, hospital, slot);
        bool payable_;
        (payable_, amount, open) = _payout(c, round, hospital, slot, open);
        if (payable_) {
            _claimed[key] = word | _roundBit(round);
            emit Claimed(round, hospital, slot, payee, amount);
        } else {
            emit ClaimSkipped(round, hospital, slot);
        }
        return (amount, open);
    }

    /// @dev What a claim is worth, if its proof holds; and whether there is anything to be had now.
    function _payout(Claim calldata c, uint64 round, uint16 hospital, uint32 slot, uint64 open)
        private
        view
        returns (bool payable_, uint256 amount, uint64)
    {
        bool qualityScored;
        bytes32 root;
        PackedRule rule;
        (payable_, qualityScored, root, amount, rule, open) = _basis(round, hospital, open);
        if (!payable_) return (false, 0, open);
        (uint256 weight, uint256 lanes) = _weigh(c.leaf, slot, rule, qualityScored);
        bytes32 top = SumTree.leafHash(address(ledger), round, hospital, c.leaf);
        (top, lanes) = SumTree.climb(top, lanes, slot, c.siblings);
        if (top != root) revert InvalidProof(round, hospital, slot);
        amount = RewardMath.devicePayout(amount, rule.operatorBps(), weight, uint64(lanes >> 128), lanes >> 192);
        return (payable_, amount, open);
    }

    function _settleTreasury(uint64 round, uint16 hospital, uint64 open) private returns (uint256 amount, uint64) {
        bool payable_;
        uint256 allocation;
        PackedRule rule;
        (payable_,,, allocation, rule, open) = _basis(round, hospital, open);
        if (!payable_) {
            emit TreasurySkipped(round, hospital);
            return (0, open);
        }
        uint256 key = _treasuryKey(hospital, round >> 8);
        uint256 word = _treasuryClaimed[key];
        if (word & _roundBit(round) != 0) revert TreasuryAlreadyClaimed(round, hospital);
        _treasuryClaimed[key] = word | _roundBit(round);
        // One of the rounds that the caller named, and the ledger refuses none for others' sake.
        // slither-disable-next-line calls-loop
        (uint64 treasury, uint64 device) = ledger.entryWeights(round, hospital);
        amount = RewardMath.treasuryPayout(allocation, rule.operatorBps(), treasury, device);
        emit TreasuryClaimed(round, hospital, msg.sender, amount);
        return (amount, open);
    }

    /// @dev What a claim is based on. Reverts if the round pays nobody or its challenge window is not over; where that of
    /// round `open` is, so are those before it, and the later of the two is returned. Not payable if it does not pay this
    /// hospital, be it for good or for now.
    function _basis(uint64 round, uint16 hospital, uint64 open)
        private
        view
        returns (bool payable_, bool qualityScored, bytes32 root, uint256 allocation, PackedRule rule, uint64)
    {
        ILedgerTypes.Standing standing;
        if (round <= open) {
            // slither-disable-next-line calls-loop -- one of the claims that the caller chose to make together
            (standing, qualityScored, root, allocation, rule) = ledger.claimBasis(round, hospital);
        } else {
            uint64 openAt;
            // slither-disable-next-line calls-loop -- the same
            (openAt, standing, qualityScored, root, allocation, rule) = ledger.claimBasisFrom(round, hospital);
            if (openAt == 0) revert NotClosed(round);
            if (block.timestamp < openAt) revert WindowOpen(round, openAt);
            open = round;
        }
        if (standing == ILedgerTypes.Standing.Unpaid) revert NotPaid(round);
        payable_ = standing == ILedgerTypes.Standing.Payable;
        return (payable_, qualityScored, root, allocation, rule, open);
    }

    /// @dev The weight and the lanes of a real leaf, within the caps of its class.
    function _weigh(Leaf calldata leaf, uint32 slot, PackedRule rule, bool qualityScored)
        private
        pure
        returns (uint256 weight, uint256 lanes)
    {
        if (slot & 1 != 0) revert OddSlot(slot);
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
