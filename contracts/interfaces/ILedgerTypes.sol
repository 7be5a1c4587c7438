// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

/// @notice The reward rule. Scores, gates and caps are 0..10,000; `w*` sum to 10,000, and so do `share*`.
/// @param wVolume Weight of volume in a device's weight.
/// @param wQuality Weight of quality in a device's weight.
/// @param wCompute Weight of compute in a device's weight.
/// @param deviceGate Quality below which a device weighs nothing.
/// @param hospitalGate Quality below which a hospital is allocated nothing.
/// @param shareVolume Weight of volume in a hospital's share.
/// @param shareCompute Weight of compute in a hospital's share.
/// @param operatorBps The operator's share of an allocation, in basis points, at most 2,000.
/// @param volumeCap Largest volume score by device class (wearable, bedside, imaging, server).
/// @param computeCap Largest compute score by device class.
struct RewardRule {
    uint16 wVolume;
    uint16 wQuality;
    uint16 wCompute;
    uint16 deviceGate;
    uint16 hospitalGate;
    uint16 shareVolume;
    uint16 shareCompute;
    uint16 operatorBps;
    uint16[4] volumeCap;
    uint16[4] computeCap;
}

/// @notice What a Merkle-sum tree sums, unpacked.
/// @param n Number of real leaves.
/// @param volume Sum of volume scores.
/// @param compute Sum of compute scores.
/// @param weightTreasury Sum of the weights whose payee is the hospital's treasury.
/// @param weightDevice Sum of the weights of devices with a payee of their own.
struct Lanes {
    uint32 n;
    uint48 volume;
    uint48 compute;
    uint64 weightTreasury;
    uint64 weightDevice;
}

/// @notice A node of a Merkle-sum tree, as it travels in calldata.
/// @param hash Its hash.
/// @param lanes Its sums, packed: n | volume << 32 | compute << 80 | weightTreasury << 128 | weightDevice << 192.
struct Node {
    bytes32 hash;
    uint256 lanes;
}

/// @title ILedgerTypes
/// @notice The structs and phases of the contribution ledger.
interface ILedgerTypes {
    /// @notice The phases of a round, in order.
    enum Phase {
        None,
        Ready,
        Beacon,
        Training,
        Commit,
        Reveal,
        Entry,
        Attest,
        Closed
    }

    /// @notice What is fixed at deployment. Durations are seconds and may be zero on chain ids 31337 and 1337 only.
    /// @param maxSupply Upper bound of everything ever allocated, in the token's smallest unit; below 2^96.
    /// @param initialEmission Base emission of round 1.
    /// @param emissionDecayBps Each round's base emission is the previous one's times this over 10,000.
    /// @param bonusPerPoint Bonus for each point (of 10,000) by which the median model score beats the best so far.
    /// @param bonusCap Largest bonus of one round.
    /// @param kMin Fewest devices of an entry.
    /// @param rhoCapMicro Largest zCDP rho that a round may declare, in millionths.
    /// @param readySeconds Duration of the ready phase.
    /// @param trainingSeconds Duration of the training phase.
    /// @param commitSeconds Duration of the commit phase.
    /// @param revealSeconds Duration of the reveal phase.
    /// @param entrySeconds Duration of the entry phase.
    /// @param attestSeconds Duration of the attest phase.
    /// @param challengeSeconds Time between closing and the first claim, in which entries can be frozen.
    /// @param idleSeconds Time after closing from which any active hospital may open the next round.
    /// @param maxFreezeSeconds Time after which anyone may release a frozen entry.
    /// @param disclosedTree What builds the trees of disclosed entries (IDisclosedTree); zero if there are none.
    struct Params {
        uint256 maxSupply;
        uint256 initialEmission;
        uint16 emissionDecayBps;
        uint256 bonusPerPoint;
        uint256 bonusCap;
        uint32 kMin;
        uint64 rhoCapMicro;
        uint64 readySeconds;
        uint64 trainingSeconds;
        uint64 commitSeconds;
        uint64 revealSeconds;
        uint64 entrySeconds;
        uint64 attestSeconds;
        uint64 challengeSeconds;
        uint64 idleSeconds;
        uint64 maxFreezeSeconds;
        address disclosedTree;
    }

    /// @notice A round as outsiders see it. Fields of phases not reached yet are zero.
    /// @param phase Where the round stands.
    /// @param paid Whether it closed with an accepted digest.
    /// @param profile 0 accountable, 1 hospital, 2 private.
    /// @param ruleId The reward rule frozen into it.
    /// @param activeSet Hospitals active when it opened; bit `id` stands for hospital `id`.
    /// @param hospitalCount Hospitals ever admitted when it opened.
    /// @param opener The hospital that opened it; 0 for the coordinator.
    /// @param specHash Hash of the round's specification.
    /// @param modelHash Hash of the model that training starts from.
    /// @param modelHashAfter Hash of the model that came out.
    /// @param beacon The block hash from which cohorts are drawn.
    /// @param readyBlock The block in which the ready phase ended (or was anchored anew).
    /// @param phaseDeadline From when anyone may end the present phase (unix seconds).
    /// @param openedAt When it opened (unix seconds).
    /// @param closedAt When it closed (unix seconds).
    /// @param claimableAt From when it can be claimed (unix seconds).
    /// @param budget What it could allocate at most.
    /// @param acceptedDigest The round digest that reached quorum.
    /// @param rhoMicro The privacy loss that it declared, in millionths of rho.
    /// @param medianModelScore Lower median of the revealed model scores; 0 with fewer than two.
    struct RoundView {
        Phase phase;
        bool paid;
        uint8 profile;
        uint16 ruleId;
        uint256 activeSet;
        uint16 hospitalCount;
        uint16 opener;
        bytes32 specHash;
        bytes32 modelHash;
        bytes32 modelHashAfter;
        bytes32 beacon;
        uint64 readyBlock;
        uint64 phaseDeadline;
        uint64 openedAt;
        uint64 closedAt;
        uint64 claimableAt;
        uint256 budget;
        bytes32 acceptedDigest;
        uint64 rhoMicro;
        uint16 medianModelScore;
    }

    /// @notice A hospital's part in a round.
    /// @param root Root of its Merkle-sum tree; zero without an entry.
    /// @param lanes What the tree sums to.
    /// @param ready Whether it submitted a ready list.
    /// @param committed Whether it committed scores.
    /// @param revealed Whether it revealed them.
    /// @param submitted Whether it submitted an entry.
    /// @param attested Whether it attested the digest that was accepted or, before acceptance, any digest.
    /// @param frozen Whether a dispute holds it back.
    /// @param voided Whether a dispute voided it.
    /// @param quality The hospital quality that was applied, 0..10,000; 0 before a paid close.
    /// @param allocation What the round allocates to it, in the token's smallest unit.
    struct EntryView {
        bytes32 root;
        Lanes lanes;
        bool ready;
        bool committed;
        bool revealed;
        bool submitted;
        bool attested;
        bool frozen;
        bool voided;
        uint16 quality;
        uint256 allocation;
    }

    /// @notice Whether a hospital's entry can be paid: its round is not closed, or still in its challenge window, or closed
    /// unpaid, or the entry is missing or forfeited, or a dispute holds it back or has voided it, or it can be.
    enum Standing {
        NotClosed,
        WindowOpen,
        Unpaid,
        NotAllocated,
        Held,
        Payable
    }

    /// @notice A hospital's keys and noise seed of one epoch (256 rounds).
    /// @param rosterRoot Root of its roster of devices.
    /// @param noiseSeedCommitment Commitment to the seed of its global noise.
    /// @param rosterSize Devices on the roster.
    struct EpochRegistration {
        bytes32 rosterRoot;
        bytes32 noiseSeedCommitment;
        uint32 rosterSize;
    }
}
