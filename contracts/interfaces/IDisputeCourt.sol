// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IContributionLedger} from "./IContributionLedger.sol";
import {Node} from "./ILedgerTypes.sol";
import {Leaf} from "./IRewardDistributor.sol";

/// @title IDisputeCourt
/// @notice Disputes about one hospital's entry of one round: never about a round. A bonded challenge holds the entry
/// back; two thirds of the other hospitals may void it, silence upholds it; a machine-checked fault voids it and slashes
/// its hospital at once; random leaves can be demanded to be opened. No money ever goes to who votes or proves.
/// @dev Known weaknesses: two thirds of the electors can void any entry, and where they do so before the close, the round's
/// budget is shared without it, so that they gain by it what it would have had; a block's proposer can try out the hash that
/// draws the leaves; who draws late may try again; an opening discloses the device's account of the epoch. A court that is
/// replaced decides nothing any more: bonds of its open cases go back, the entries can be released by anyone after the
/// ledger's `maxFreezeSeconds`. Only hospitals that left while it was in office it can still convict, to slash them.
interface IDisputeCourt {
    /// @notice How a case stands: `Lapsed` is undecided, since the court was replaced or the freeze ran out.
    enum Outcome {
        None,
        Open,
        Voided,
        Upheld,
        Lapsed
    }

    /// @notice What machines check. `DirtyField`: a field of the leaf has no such type; `WrongSlot`: the leaf lies at
    /// another slot than it says; `DummyWeighs`: an odd slot has lanes; `WrongLanes`: they are not the rule's;
    /// `OtherRoot`: the hospital signed receipts for another root; `TooManyDevices`: more than are on its roster.
    enum Fault {
        None,
        DirtyField,
        WrongSlot,
        DummyWeighs,
        UnknownClass,
        AboveCap,
        WrongLanes,
        OtherRoot,
        TooManyDevices
    }

    /// @notice What a point is drawn over: an entry's total weight, volume or compute.
    enum Lane {
        Weight,
        Volume,
        Compute
    }

    /// @notice The dispute about an entry; challenges of it while it is open join it.
    /// @param round The round.
    /// @param hospital The accused.
    /// @param outcome How it stands.
    /// @param deadline Until when electors vote and leaves are opened (unix seconds).
    /// @param electors Who may vote; bit `id` stands for hospital `id`.
    /// @param votes Who voted to void.
    struct CaseView {
        uint64 round;
        uint16 hospital;
        Outcome outcome;
        uint64 deadline;
        uint256 electors;
        uint256 votes;
    }

    /// @notice A demand to open leaves of an entry.
    /// @param caseId The case that it is part of; 0 if the challenge demands nothing.
    /// @param anchorBlock The block after this one draws the leaves.
    /// @param beacon Its hash; zero before the draw.
    /// @param answered Which leaves were opened; bit `index`.
    struct DemandView {
        uint256 caseId;
        uint64 anchorBlock;
        bytes32 beacon;
        uint256 answered;
    }

    /// @notice A leaf opened: that it lies in the tree, which device it stands for, and that this device took part.
    /// @param leaf The leaf.
    /// @param siblings Its siblings from the bottom of the tree to the root's children.
    /// @param opener With the account, what the leaf's salt is the hash of.
    /// @param account The device's account of the epoch.
    /// @param maskKey Its key for masks, as on the roster.
    /// @param channelKey Its key for what is sealed to it, as on the roster.
    /// @param position Its place on the roster.
    /// @param rosterPath Siblings of the roster's tree, from the bottom up.
    /// @param plan What names the cohort's plan when hashed: round and hospital are in it.
    /// @param attempt The plan's attempt.
    /// @param deposited Names who deposited shares.
    /// @param masked Names the device's masked input.
    /// @param signature The account's signature over plan, attempt, deposited and masked.
    struct Opening {
        Leaf leaf;
        Node[] siblings;
        bytes32 opener;
        address account;
        bytes32 maskKey;
        bytes32 channelKey;
        uint256 position;
        bytes32[] rosterPath;
        bytes plan;
        uint32 attempt;
        bytes32 deposited;
        bytes32 masked;
        bytes signature;
    }

    /// @notice An entry was challenged; the bond lies here.
    event Challenged(
        uint256 indexed challengeId,
        uint256 indexed caseId,
        uint64 indexed round,
        uint16 hospital,
        address challenger,
        bytes32 evidenceHash
    );
    /// @notice The case is open until `deadline`, with these electors.
    event CaseOpened(uint256 indexed caseId, uint64 deadline, uint256 electors);
    /// @notice A hospital voted to void.
    event Voted(uint256 indexed caseId, uint16 indexed hospital);
    /// @notice A case ended.
    event CaseEnded(uint256 indexed caseId, uint64 indexed round, uint16 indexed hospital, Outcome outcome);
    /// @notice A challenge's bond was paid out.
    event BondSettled(uint256 indexed challengeId, address indexed recipient, uint256 amount);
    /// @notice A fault was proved. `voided`: before claims opened, so the entry pays nobody; `slashed`: what was taken.
    event Convicted(uint64 indexed round, uint16 indexed hospital, Fault fault, bool voided, uint256 slashed);
    /// @notice The consortium could not slash; the fault can be proved again once it can.
    event SlashFailed(uint64 indexed round, uint16 indexed hospital);
    /// @notice A challenge demands that leaves of an entry be opened; the block after `anchorBlock` draws them. `by`: the
    /// hospital that demands, 0 for anybody else.
    event Demanded(
        uint256 indexed challengeId, uint64 indexed round, uint16 indexed hospital, uint16 by, uint64 anchorBlock
    );
    /// @notice The block that was to draw is forgotten: the one after `anchorBlock` draws instead.
    event Reanchored(uint256 indexed challengeId, uint64 anchorBlock);
    /// @notice The leaves are drawn, to be opened until `deadline`.
    event Drawn(uint256 indexed challengeId, bytes32 beacon, uint64 deadline);
    /// @notice A drawn leaf was opened.
    event Opened(uint256 indexed challengeId, uint256 index, uint32 slot, address account);

    /// @notice The ledger given to the constructor is zero.
    error ZeroAddress();
    /// @notice A constructor parameter is out of range.
    error InvalidParameter(string name);
    /// @notice The court is not, or no longer, the consortium's.
    error NotInOffice();
    /// @notice A hospital does not challenge itself.
    error OwnEntry(uint16 hospital);
    /// @notice There is no case of that id.
    error UnknownCase(uint256 caseId);
    /// @notice There is no challenge of that id.
    error UnknownChallenge(uint256 challengeId);
    /// @notice The case has ended.
    error CaseOver(uint256 caseId);
    /// @notice The case's deadline has passed: it has to be concluded.
    error CaseDeadlinePassed(uint256 caseId, uint64 deadline);
    /// @notice The case runs until `deadline`.
    error CaseRunning(uint256 caseId, uint64 deadline);
    /// @notice The caller acts for no active hospital that votes on the case.
    error NotElector(uint256 caseId, address caller);
    /// @notice The hospital has voted.
    error AlreadyVoted(uint256 caseId, uint16 hospital);
    /// @notice The bond was paid out.
    error AlreadySettled(uint256 challengeId);
    /// @notice The settlement token moved another amount than was asked for.
    error TransferNotExact(uint256 asked, uint256 received);
    /// @notice The hospital has no entry in the round.
    error NoSuchEntry(uint64 round, uint16 hospital);
    /// @notice The leaf and its siblings do not lead to the entry's root.
    error NotInTree(uint64 round, uint16 hospital);
    /// @notice What was shown is in order.
    error NoFault();
    /// @notice The hospital was convicted over this entry before.
    error AlreadyConvicted(uint64 round, uint16 hospital);
    /// @notice The receipt was not signed by an account that the hospital had at some time in the round.
    error NotSignedByHospital(uint16 hospital, address signer);
    /// @notice Leaves of this entry are demanded, or were drawn, already by the same hospital, or (`by` 0) by somebody who is
    /// none.
    error AlreadyDemanded(uint64 round, uint16 hospital, uint16 by);
    /// @notice No leaf of the entry has weight, volume or compute.
    error NothingToOpen(uint64 round, uint16 hospital);
    /// @notice The ledger takes entries in clear, whose one salt binds no leaf to a device: nothing can be opened.
    error OpeningsUnavailable();
    /// @notice The challenge demands no leaves, or they are drawn already.
    error NothingToDraw(uint256 challengeId);
    /// @notice The block that draws is not known yet; `draw` works from block `fromBlock` on.
    error DrawNotReady(uint256 fromBlock);
    /// @notice No such leaf waits to be opened.
    error NotAsked(uint256 challengeId, uint256 index);
    /// @notice The leaf does not cover the drawn point; in its lane `before` lies to its left, and it has `size`.
    error WrongLeaf(uint256 point, uint256 before, uint256 size);
    /// @notice The leaf's salt is not the hash of account and opener.
    error NotBound(address account);
    /// @notice The account was shown for another slot of this entry.
    error AccountReused(address account, uint32 slot);
    /// @notice The account with these keys is not on the roster that the hospital registered.
    error NotOnRoster(address account);
    /// @notice The plan is not one of this round and hospital.
    error WrongPlan();
    /// @notice The account did not sign this.
    error NotSignedByDevice(address account, address signer);

    /// @notice Challenge an entry, from its submission until claims open. Takes the bond, which the caller has approved.
    /// A challenge of an entry whose case is open joins it: the deadline starts anew.
    /// @param round The round.
    /// @param hospital The hospital whose entry it is.
    /// @param evidenceHash Hash of what is held against it.
    /// @return challengeId The challenge.
    function challenge(uint64 round, uint16 hospital, bytes32 evidenceHash) external returns (uint256 challengeId);

    /// @notice Challenge an entry and demand that `openings` random leaves of it be opened. Each hospital has one draw of
    /// an entry, and all others together have one: no friend of the accused uses up anybody else's, and the accused opens
    /// as many times `openings` leaves at most as there are hospitals. Not where the ledger takes entries in clear.
    /// @param round The round.
    /// @param hospital The hospital.
    /// @return challengeId The challenge.
    function demand(uint64 round, uint16 hospital) external returns (uint256 challengeId);

    /// @notice Draw the demanded leaves, once the block is known: anyone, within `caseSeconds` of the case's last challenge.
    /// The case's deadline starts anew. More than 256 blocks late, a later block is taken instead.
    /// @param challengeId The challenge that demands them.
    function draw(uint256 challengeId) external;

    /// @notice Open a drawn leaf: anyone, before the case's deadline.
    /// @param challengeId The challenge that demands it.
    /// @param index Which of the drawn ones.
    /// @param opening What shows it.
    function answer(uint256 challengeId, uint256 index, Opening calldata opening) external;

    /// @notice Vote to void; the second third of the electors to do so voids.
    /// @param caseId The case.
    function vote(uint256 caseId) external;

    /// @notice End a case after its deadline: void if leaves drawn in it were not all opened, else released. Anyone.
    /// @param caseId The case.
    function conclude(uint256 caseId) external;

    /// @notice Pay out the bond of a challenge whose case ended: to the accused if it was upheld, else back. Anyone.
    /// @param challengeId The challenge.
    function settle(uint256 challengeId) external;

    /// @notice Prove a fault of a leaf: void if claims are not open yet, and slash. Anyone, at any time, without a bond.
    /// @param round The round.
    /// @param hospital The hospital.
    /// @param words The leaf's seven fields as hashed, whatever they hold.
    /// @param slot Where it lies.
    /// @param lanes Its lanes in the tree.
    /// @param siblings Its siblings from the bottom of the tree to the root's children.
    /// @return fault What is wrong.
    function proveLeaf(
        uint64 round,
        uint16 hospital,
        uint256[7] calldata words,
        uint256 slot,
        uint256 lanes,
        Node[] calldata siblings
    ) external returns (Fault fault);

    /// @notice Prove that a hospital signed receipts for another root than it submitted; otherwise as `proveLeaf`.
    /// @param round The round.
    /// @param hospital The hospital.
    /// @param signedRoot The root of its receipts.
    /// @param signature Its signature over round, hospital and that root.
    function proveReceipt(uint64 round, uint16 hospital, bytes32 signedRoot, bytes calldata signature) external;

    /// @notice Prove that a hospital's entry has more devices than its roster of the epoch; otherwise as `proveLeaf`.
    /// @param round The round.
    /// @param hospital The hospital.
    function proveCount(uint64 round, uint16 hospital) external;

    /// @notice The ledger whose entries are disputed.
    function ledger() external view returns (IContributionLedger);
    /// @notice What bonds are posted in.
    function settlement() external view returns (IERC20);
    /// @notice The bond of a challenge.
    function challengeBond() external view returns (uint256);
    /// @notice What a conviction takes from the hospital's bond.
    function slashAmount() external view returns (uint256);
    /// @notice How long a case is open from its last challenge, or draw.
    function caseSeconds() external view returns (uint64);
    /// @notice How many leaves a demand draws.
    function openings() external view returns (uint256);
    /// @notice How many challenges there were; ids are 1..count.
    function challengeCount() external view returns (uint256);
    /// @notice How many cases there were; ids are 1..count.
    function caseCount() external view returns (uint256);
    /// @notice The open case about an entry; 0 without one.
    /// @param round The round.
    /// @param hospital The hospital.
    function openCaseOf(uint64 round, uint16 hospital) external view returns (uint256);
    /// @notice A case.
    /// @param caseId Its id.
    function caseOf(uint256 caseId) external view returns (CaseView memory);
    /// @notice A challenge: its case, who made it, and whether its bond was paid out.
    /// @param challengeId Its id.
    function challengeOf(uint256 challengeId)
        external
        view
        returns (uint256 caseId, address challenger, bool settled);
    /// @notice A demand.
    /// @param challengeId The challenge that it is.
    function demandOf(uint256 challengeId) external view returns (DemandView memory);
    /// @notice The point that a drawn leaf covers, and over what it was drawn: weight, volume and compute take turns, and
    /// one in which the entry has nothing leaves its turn to the next.
    /// @param challengeId The challenge that demands it.
    /// @param index Which of the drawn ones.
    /// @return lane Over what.
    /// @return point Below the entry's total in that lane.
    function pointOf(uint256 challengeId, uint256 index) external view returns (Lane lane, uint256 point);
    /// @notice Whether a hospital was convicted, and slashed, over an entry.
    /// @param round The round.
    /// @param hospital The hospital.
    function isConvicted(uint64 round, uint16 hospital) external view returns (bool);
    /// @notice What a hospital signs for its receipts of a round, as an EIP-712 digest.
    /// @param round The round.
    /// @param hospital The hospital.
    /// @param root The root of its tree.
    function receiptDigest(uint64 round, uint16 hospital, bytes32 root) external view returns (bytes32);
}
