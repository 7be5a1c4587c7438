// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IContributionLedger} from "./IContributionLedger.sol";
import {IParticipationToken} from "./IParticipationToken.sol";
import {Node} from "./ILedgerTypes.sol";

/// @notice A device's contribution in one round, as its hospital committed to it.
/// @param slot Its slot in the tree; even, drawn once an epoch. Odd slots hold dummies.
/// @param deviceClass 0 wearable, 1 bedside, 2 imaging, 3 server.
/// @param payee Who is paid; zero for the hospital's treasury.
/// @param volume Volume score, 0..10,000.
/// @param quality Quality score, 0..10,000.
/// @param compute Compute score, 0..10,000.
/// @param salt Keeps the leaf from being guessed from its hash.
struct Leaf {
    uint32 slot;
    uint8 deviceClass;
    address payee;
    uint16 volume;
    uint16 quality;
    uint16 compute;
    bytes32 salt;
}

/// @title IRewardDistributor
/// @notice Pays allocations out: checks a leaf against its hospital's root, recomputes its weight with the rule frozen
/// into the round, and mints. A device is paid through its own leaf, everybody else through the hospital's treasury.
/// @dev Known weaknesses: a claim discloses the leaf's scores and payee, and its siblings' sums; how a hospital splits
/// its allocation among its own devices is audited, not enforced; leaves paid to the treasury are not checked here.
interface IRewardDistributor {
    /// @notice One leaf to be paid.
    /// @param round The round.
    /// @param hospital The hospital.
    /// @param leaf The leaf.
    /// @param siblings Its siblings from the bottom of the tree to the root's children.
    struct Claim {
        uint64 round;
        uint16 hospital;
        Leaf leaf;
        Node[] siblings;
    }

    /// @notice A payee's consent that a relayer claims for it. Not consumed: claims are paid once anyway.
    /// @param payee Who is paid.
    /// @param relayer Who may call.
    /// @param fromRound First round covered.
    /// @param toRound Last round covered.
    /// @param deadline Last second (unix) in which the consent holds.
    struct Consent {
        address payee;
        address relayer;
        uint64 fromRound;
        uint64 toRound;
        uint256 deadline;
    }

    /// @notice A leaf was paid.
    event Claimed(uint64 indexed round, uint16 indexed hospital, uint32 slot, address indexed payee, uint256 amount);
    /// @notice A hospital's treasury was paid for a round: operator's share and the leaves without a payee.
    event TreasuryClaimed(uint64 indexed round, uint16 indexed hospital, address indexed account, uint256 amount);
    /// @notice A claim was passed over: the entry is frozen (it can be claimed later), voided, missing or forfeited.
    event ClaimSkipped(uint64 indexed round, uint16 indexed hospital, uint32 slot);
    /// @notice A treasury claim was passed over: the entry is frozen (later it can be claimed), voided, missing or forfeited.
    event TreasurySkipped(uint64 indexed round, uint16 indexed hospital);

    /// @notice Claims are paused until `until` at the latest.
    event ClaimsPausedUntil(uint64 until);
    /// @notice Claims are open again before the pause would have ended by itself.
    event ClaimsUnpaused();

    /// @notice Claims are paused.
    error ClaimsPaused();
    /// @notice Only the guardian may pause or unpause claims.
    error NotGuardian(address caller);
    /// @notice The pause's cool-down is still running.
    error PauseCoolingDown(uint64 until);
    /// @notice There is no pause to lift.
    error NotPaused();
    /// @notice The round is not closed.
    error NotClosed(uint64 round);
    /// @notice The round closed without an accepted digest, so nothing is paid.
    error NotPaid(uint64 round);
    /// @notice The challenge window is open until `claimableAt`.
    error WindowOpen(uint64 round, uint64 claimableAt);
    /// @notice The leaf and its siblings do not lead to the hospital's root.
    error InvalidProof(uint64 round, uint16 hospital, uint32 slot);
    /// @notice The leaf was paid already.
    error AlreadyClaimed(uint64 round, uint16 hospital, uint32 slot);
    /// @notice The treasury was paid for the round already.
    error TreasuryAlreadyClaimed(uint64 round, uint16 hospital);
    /// @notice The leaf pays somebody else.
    error NotPayee(address payee, address expected);
    /// @notice The caller does not act for the hospital.
    error NotHospitalAccount(uint16 hospital, address caller);
    /// @notice Odd slots hold dummies, which are never paid.
    error OddSlot(uint32 slot);
    /// @notice A score of the leaf is above its cap.
    error LeafAboveCap(uint32 slot, uint256 score, uint256 cap);
    /// @notice There is no such device class.
    error UnknownDeviceClass(uint8 deviceClass);
    /// @notice The consent's deadline has passed.
    error ConsentExpired(uint256 deadline);
    /// @notice The consent was not signed by the payee.
    error BadConsent(address payee);
    /// @notice The consent names another relayer.
    error NotRelayer(address relayer, address caller);
    /// @notice The consent does not cover the round.
    error RoundNotConsented(uint64 round, uint64 fromRound, uint64 toRound);
    /// @notice The ledger or the token given to the constructor is zero.
    error ZeroAddress();

    /// @notice Claim leaves that pay the caller. One bad claim reverts all; entries that pay nothing now are passed over.
    /// The latest round first is the cheapest order.
    /// @param claims The leaves.
    /// @return total What was minted.
    function claim(Claim[] calldata claims) external returns (uint256 total);

    /// @notice Claim leaves for their payee, with its consent. What is minted goes to the payee.
    /// @param claims The leaves.
    /// @param consent The consent; its relayer is the caller.
    /// @param signature The payee's EIP-712 signature (or ERC-1271) over the consent.
    /// @return total What was minted.
    function claimFor(Claim[] calldata claims, Consent calldata consent, bytes calldata signature)
        external
        returns (uint256 total);

    /// @notice Claim the treasury's part of rounds: the operator's share and the leaves without a payee. Called by the
    /// hospital's present account, which receives it.
    /// @param hospital The hospital.
    /// @param rounds The rounds.
    /// @return total What was minted.
    function claimTreasury(uint16 hospital, uint64[] calldata rounds) external returns (uint256 total);

    /// @notice Pause claims for seven days at most. Called by the consortium's guardian, and refused while a cool-down runs.
    function pauseClaims() external;

    /// @notice Lift the pause early; the cool-down of seven days starts now. Called by the consortium's guardian.
    function unpauseClaims() external;

    /// @notice Longest pause of claims, and its cool-down, in seconds.
    function MAX_PAUSE_SECONDS() external view returns (uint64);
    /// @notice Whether claims are paused now.
    function claimsPaused() external view returns (bool);
    /// @notice Until when claims are paused, and from when the guardian may pause again (unix seconds).
    /// @return pausedUntil Until when (unix seconds).
    /// @return nextPauseAt From when again (unix seconds).
    function pauseState() external view returns (uint64 pausedUntil, uint64 nextPauseAt);
    /// @notice The last round that a claim has found claimable: of it, and of those before it, claims do not look up the
    /// challenge window again.
    function claimableUpTo() external view returns (uint64);
    /// @notice Where rounds are recorded.
    function ledger() external view returns (IContributionLedger);
    /// @notice What is minted.
    function token() external view returns (IParticipationToken);
    /// @notice What a claim would pay now: 0 if the entry pays nothing now or the leaf was paid. Reverts like `claim`,
    /// but for the payee and the pause.
    /// @param c The claim.
    /// @return amount The amount.
    function quote(Claim calldata c) external view returns (uint256 amount);
    /// @notice Whether a leaf was paid.
    /// @param round The round.
    /// @param hospital The hospital.
    /// @param slot The slot.
    function isClaimed(uint64 round, uint16 hospital, uint32 slot) external view returns (bool);
    /// @notice Whether the treasury was paid for a round.
    /// @param round The round.
    /// @param hospital The hospital.
    function isTreasuryClaimed(uint64 round, uint16 hospital) external view returns (bool);
    /// @notice The 256 rounds of an epoch in which a slot was paid; bit `round & 255`.
    /// @param hospital The hospital.
    /// @param epoch The epoch.
    /// @param slot The slot.
    function claimedWord(uint16 hospital, uint64 epoch, uint32 slot) external view returns (uint256);
    /// @notice The 256 rounds of an epoch in which the treasury was paid; bit `round & 255`.
    /// @param hospital The hospital.
    /// @param epoch The epoch.
    function treasuryClaimedWord(uint16 hospital, uint64 epoch) external view returns (uint256);
    /// @notice What a payee signs, as an EIP-712 digest.
    /// @param consent The consent.
    function consentDigest(Consent calldata consent) external view returns (bytes32);
}
