// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

// Parameters are named for what they are, as the views beside them; an interface has no bodies to confuse them in.
// slither-disable-start shadowing-local

/// @title IConsortium
/// @notice Who takes part: hospitals with an account, a voted capacity and a bond, and the few named roles.
/// @dev Governance is whoever the AccessManager lets through the `restricted` functions: the Council, once the deployer
/// has handed over.
/// Known weaknesses: a hospital that loses its account's key cannot act again, since nobody else may name its account;
/// whoever holds the key of a former account can sign as if in its time, so courts should look at when acts were due.
interface IConsortium {
    /// @notice Where a hospital stands. `Admitted` has no bond yet; of `BondDue` a part was slashed, and it may act again
    /// once it has topped up; `Suspended` is governance's decision; `Left` is final.
    enum Status {
        None,
        Admitted,
        Active,
        BondDue,
        Suspended,
        Left
    }

    /// @notice A hospital as outsiders see it.
    /// @param account The account that acts for the hospital now.
    /// @param capacityBps Largest share of a round's budget, in basis points; voted at joining and immutable.
    /// @param status Where the hospital stands.
    /// @param bond Bond held here, in units of the settlement token.
    /// @param bondReleaseAt From when the bond may be withdrawn (unix seconds); 0 unless the hospital has left.
    struct HospitalView {
        address account;
        uint16 capacityBps;
        Status status;
        uint256 bond;
        uint64 bondReleaseAt;
    }

    /// @notice A hospital was admitted and may post its bond.
    event HospitalAdmitted(uint16 indexed hospital, address indexed account, uint16 capacityBps);
    /// @notice A hospital posted its bond and is active.
    event BondPosted(uint16 indexed hospital, uint256 amount);
    /// @notice The dispute court took from a hospital's bond; if it was active, it is suspended until it tops up.
    event BondSlashed(uint16 indexed hospital, address indexed recipient, uint256 amount, uint256 left);
    /// @notice A hospital's bond is whole again; unless governance suspended it, it is active again.
    event BondToppedUp(uint16 indexed hospital, uint256 amount);
    /// @notice Governance suspended a hospital; it can no longer act.
    event HospitalSuspended(uint16 indexed hospital);
    /// @notice Governance lifted a suspension.
    event HospitalReinstated(uint16 indexed hospital);
    /// @notice A hospital left for good; its bond is released later.
    event HospitalLeft(uint16 indexed hospital, uint64 bondReleaseAt);
    /// @notice A hospital that left took its bond back.
    event BondWithdrawn(uint16 indexed hospital, address indexed account, uint256 amount);
    /// @notice A hospital named the account that it wants to act through; zero takes the proposal back.
    event AccountProposed(uint16 indexed hospital, address indexed next);
    /// @notice A hospital acts through another account from now on, which accepted.
    event AccountRotated(uint16 indexed hospital, address indexed previous, address indexed next);
    /// @notice The coordinator changed.
    event CoordinatorSet(address indexed coordinator);
    /// @notice The guardian changed.
    event GuardianSet(address indexed guardian);
    /// @notice The dispute court changed.
    event DisputeCourtSet(address indexed court);
    /// @notice Where slashed bonds go was fixed.
    event SlashRecipientSet(address indexed recipient);

    /// @notice An address argument is zero where that makes no sense.
    error ZeroAddress();
    /// @notice The capacity is zero or above 10,000 basis points.
    error InvalidCapacity(uint16 capacityBps);
    /// @notice All hospital ids are taken.
    error TooManyHospitals(uint256 maximum);
    /// @notice The account acts for a hospital, or once did.
    error AccountInUse(address account, uint16 hospital);
    /// @notice The hospital has had `MAX_ACCOUNTS` accounts: it keeps the last of them.
    error TooManyAccounts(uint16 hospital);
    /// @notice The caller acts for no hospital.
    error NotHospital(address caller);
    /// @notice There is no hospital of that id.
    error UnknownHospital(uint16 hospital);
    /// @notice The hospital's status does not allow the call.
    error WrongStatus(uint16 hospital, Status actual);
    /// @notice The bond is not released yet, or the hospital has not left.
    error BondLocked(uint16 hospital, uint64 releaseAt);
    /// @notice The hospital's bond was withdrawn, or slashed to nothing.
    error NoBond(uint16 hospital);
    /// @notice The caller is not the account that the hospital proposed.
    error NotPendingAccount(uint16 hospital, address caller);
    /// @notice The hospital's bond is whole.
    error BondComplete(uint16 hospital);
    /// @notice The hospital has to top up its bond first.
    error BondShort(uint16 hospital, uint256 missing);
    /// @notice Without any active hospital nobody could govern.
    error LastActiveHospital(uint16 hospital);
    /// @notice The settlement token moved another amount than was asked for.
    error TransferNotExact(uint256 asked, uint256 received);
    /// @notice Only the court over the hospital may do this.
    error NotDisputeCourt(address caller);
    /// @notice Governance has not fixed yet where slashed bonds go.
    error NoSlashRecipient();
    /// @notice Slashed bonds can go neither to nobody nor to this contract.
    error InvalidSlashRecipient(address recipient);
    /// @notice Where slashed bonds go is fixed once.
    error SlashRecipientFixed(address recipient);
    /// @notice A duration is zero, which only local chains (ids 31337 and 1337) allow.
    error ZeroDuration();
    /// @notice A duration is outside its bounds.
    error DurationOutOfBounds(uint64 given, uint64 minimum, uint64 maximum);

    /// @notice Admit a hospital. Restricted to governance.
    /// @param account The account that will act for it; must never have acted for a hospital.
    /// @param capacityBps Its capacity, 1..10,000; immutable from here on.
    /// @return hospital The new id, 1..64.
    function admit(address account, uint16 capacityBps) external returns (uint16 hospital);

    /// @notice Post the bond and become active. Called by the admitted hospital, which has approved `bondAmount`.
    function postBond() external;

    /// @notice Bring a slashed bond back to `bondAmount`, and be active again unless governance suspended the hospital.
    /// Called by the hospital, which has approved what is missing.
    function topUpBond() external;

    /// @notice Take from a hospital's bond, as long as it lies here, and send it to `slashRecipient`. Called by
    /// `courtOver(hospital)`.
    /// @param hospital Its id.
    /// @param amount What to take; if the bond is smaller, all of it is taken.
    /// @return slashed What was taken.
    function slash(uint16 hospital, uint256 amount) external returns (uint256 slashed);

    /// @notice Suspend an active hospital, or one whose bond is due, but not the last active one. Restricted to governance.
    /// @param hospital Its id.
    function suspend(uint16 hospital) external;

    /// @notice Make a suspended hospital active again; its bond must be whole. Restricted to governance.
    /// @param hospital Its id.
    function reinstate(uint16 hospital) external;

    /// @notice Leave for good, from any status but `None` and `Left`. The bond is released `exitSeconds` later; until then
    /// the court that is in office now can slash it, and no other.
    function resign() external;

    /// @notice Send a departed hospital its bond, to the account it has now. Anyone may call it.
    /// @param hospital Its id.
    function withdrawBond(uint16 hospital) external;

    /// @notice Name the account to act through from now on, which then has to accept. Called by the hospital's present
    /// account, which goes on acting until then.
    /// @param next The new account, which must never have acted for a hospital; zero takes the proposal back.
    function proposeAccount(address next) external;

    /// @notice Become the account of a hospital. Called by the account that the hospital proposed, so that neither a typo
    /// locks a hospital out nor an account can be taken that its owner does not give.
    /// @param hospital The hospital's id.
    function acceptAccount(uint16 hospital) external;

    /// @notice Name the coordinator. Restricted to governance. Zero leaves rounds to the hospitals.
    /// @param coordinator_ The new coordinator.
    function setCoordinator(address coordinator_) external;

    /// @notice Name the guardian, who may pause claims (IRewardDistributor). Restricted to governance. A running pause and
    /// its cool-down are not touched.
    /// @param guardian_ The new guardian; zero for none.
    function setGuardian(address guardian_) external;

    /// @notice Name the dispute court. Restricted to governance.
    /// @param court The new court; zero for none.
    function setDisputeCourt(address court) external;

    /// @notice Fix where slashed bonds go, once and for all. Restricted to governance.
    /// @param recipient The recipient: the reserve from which participation tokens are cashed out.
    function setSlashRecipient(address recipient) external;

    /// @notice Most hospitals there can ever be.
    function MAX_HOSPITALS() external view returns (uint256);
    /// @notice Longest `exitSeconds`, in seconds.
    function MAX_EXIT_SECONDS() external view returns (uint64);
    /// @notice The token in which bonds are posted.
    function settlement() external view returns (IERC20);
    /// @notice The bond a hospital posts.
    function bondAmount() external view returns (uint256);
    /// @notice Seconds between leaving and the release of the bond.
    function exitSeconds() external view returns (uint64);
    /// @notice Who opens rounds and publishes models.
    function coordinator() external view returns (address);
    /// @notice Who may pause claims.
    function guardian() external view returns (address);
    /// @notice Who may freeze, release and void entries, and slash bonds of hospitals that have not left.
    function disputeCourt() external view returns (address);
    /// @notice Who may slash a hospital's bond: the dispute court, or of one that has left the court of that time, the last
    /// one where the office was empty. So whoever leaves before governance replaces the court is never judged by the next.
    /// @param hospital Its id.
    function courtOver(uint16 hospital) external view returns (address);
    /// @notice Where slashed bonds go; zero until it is fixed.
    function slashRecipient() external view returns (address);
    /// @notice Bitmap of the active hospitals; bit `id` stands for hospital `id`.
    function activeSet() external view returns (uint256);
    /// @notice How many hospitals were ever admitted; ids are 1..count.
    function hospitalCount() external view returns (uint16);
    /// @notice What opening a round needs, in one read.
    /// @return coordinator_ The coordinator.
    /// @return activeSet_ The active hospitals; bit `id` stands for hospital `id`.
    /// @return hospitalCount_ Hospitals ever admitted.
    function roster() external view returns (address coordinator_, uint256 activeSet_, uint16 hospitalCount_);
    /// @notice The hospital that an account acts for; 0 for none.
    /// @param account The account.
    function hospitalIdOf(address account) external view returns (uint16);
    /// @notice The active hospital that an account acts for; 0 if it acts for none, or for one that is not active.
    /// @param account The account.
    function activeHospitalOf(address account) external view returns (uint16);
    /// @notice The hospital that an account acted for at a time; 0 for none. The seconds of a change belong to both.
    /// @param account The account.
    /// @param time The time (unix seconds).
    function wasAccountOf(address account, uint64 time) external view returns (uint16);
    /// @notice For whom an account acts or acted, and when.
    /// @param account The account.
    /// @return hospital The hospital; 0 if it never acted for any.
    /// @return from From when (unix seconds).
    /// @return until Until when (unix seconds); 0 while it does.
    function tenureOf(address account) external view returns (uint16 hospital, uint64 from, uint64 until);
    /// @notice Most accounts that a hospital ever has, one after the other: whoever judges a round reads all of them.
    function MAX_ACCOUNTS() external view returns (uint256);
    /// @notice Every account that acts or acted for a hospital, in order; `tenureOf` says when.
    /// @param hospital Its id.
    function accountsOf(uint16 hospital) external view returns (address[] memory);
    /// @notice The account that a hospital proposed and that has not accepted yet; zero for none.
    /// @param hospital The hospital.
    function pendingAccount(uint16 hospital) external view returns (address);
    /// @notice A hospital's account, capacity, status and bond.
    /// @param id Its id.
    function hospital(uint16 id) external view returns (HospitalView memory);
    /// @notice All capacities, 16 bits each, hospital `id` in word `(id - 1) / 16` at bit `16 * ((id - 1) % 16)`.
    function capacityWords() external view returns (uint256[4] memory);
}

// slither-disable-end shadowing-local
