"""What each custom error of the contracts means, and what to do: one line each, by the error's signature.

Placeholders are the error's parameters in snake_case; `:phase`, `:hospital_status`, `:order_status`,
`:proposal_state`, `:rule_field`, `:time` and `:tokens` say how a value is shown.
"""

from __future__ import annotations

CONSORTIUM_TEXTS = {
    "ZeroAddress()": "an address is zero: give the address that is meant",
    "InvalidCapacity(uint16)": "capacity {capacity_bps} is not 1..10000 basis points: give one that is",
    "TooManyHospitals(uint256)": "all {maximum} hospital ids are taken: nobody else can be admitted",
    "AccountInUse(address,uint16)": (
        "{account} acts or once acted for hospital {hospital}: use an account that never acted"
    ),
    "NotHospital(address)": "{caller} acts for no hospital: send with an admitted hospital's key",
    "UnknownHospital(uint16)": "there is no hospital {hospital}: list them with `fediomt ledger hospital`",
    "WrongStatus(uint16,uint8)": (
        "hospital {hospital} is {actual:hospital_status}, which does not allow this: bring it "
        "into the right status first (admitted hospitals post their bond)"
    ),
    "BondLocked(uint16,uint64)": (
        "the bond of hospital {hospital} is locked (released {release_at:time}): leave the "
        "consortium and wait until then"
    ),
    "NoBond(uint16)": "hospital {hospital} has no bond left: there is nothing to withdraw",
    "NotPendingAccount(uint16,address)": (
        "hospital {hospital} did not propose {caller} as its next account: have its present account propose it"
    ),
    "BondComplete(uint16)": "the bond of hospital {hospital} is whole: there is nothing to top up",
    "BondShort(uint16,uint256)": (
        "the bond of hospital {hospital} is {missing:tokens} short: it tops up first, `fediomt consortium bond`"
    ),
    "LastActiveHospital(uint16)": (
        "hospital {hospital} is the last active one, without which nobody could govern: reinstate another first"
    ),
    "TransferNotExact(uint256,uint256)": (
        "the settlement token moved {received} of {asked} smallest units: tokens that charge on transfer are refused"
    ),
    "NoSlashRecipient()": (
        "where slashed bonds go is not fixed yet: governance fixes it with setSlashRecipient"
    ),
    "InvalidSlashRecipient(address)": (
        "slashed bonds cannot go to {recipient}: give the reserve from which tokens are cashed out"
    ),
    "SlashRecipientFixed(address)": "slashed bonds go to {recipient}, which is fixed for good",
    "NotGuardian(address)": "{caller} is not the guardian: only the guardian pauses claims",
    "PauseCoolingDown(uint64)": "claims cannot be paused again before {until:time}: wait for the cool-down",
    "NotPaused()": "claims are not paused: there is nothing to lift",
    "ZeroDuration()": "a duration is zero, which only local chains (31337, 1337) allow: give real durations",
}

COUNCIL_TEXTS = {
    "NoContract(address)": "there is no contract at {target}: propose a call of one of the deployed contracts",
    "InvalidCallLength(uint256,uint256)": (
        "a call of {length} bytes cannot be proposed: it takes a selector, and {maximum} bytes at most"
    ),
    "UnknownProposal(uint256)": ("there is no proposal {proposal}: list them with `fediomt consortium list`"),
    "NotInElectorate(uint256,uint16)": (
        "hospital {hospital} was not active when proposal {proposal} was made: it votes on later ones"
    ),
    "VoteUnchanged(uint256,uint16,bool)": (
        "the vote of hospital {hospital} on proposal {proposal} is that already: there is nothing to change"
    ),
    "VotingOver(uint256,uint64)": (
        "votes for proposal {proposal} were taken until {ended_at:time}: propose it again"
    ),
    "WrongState(uint256,uint8)": (
        "proposal {proposal} is {actual:proposal_state}, which does not allow this: see `fediomt consortium show`"
    ),
    "QueuedByAnother(uint256,bytes32)": (
        "the same call is queued by another proposal: have that executed, then queue proposal {proposal}"
    ),
    "NotProposer(uint256,address)": (
        "{caller} does not act for the hospital that made proposal {proposal}: only that one cancels it"
    ),
}

LEDGER_TEXTS = {
    "InvalidParameter(string)": "deployment parameter {name} is out of range: correct it and deploy again",
    "RuleFieldTooLarge(uint256,uint256,uint256)": (
        "the reward rule's {field:rule_field} is {value}: give at most {maximum}"
    ),
    "WeightsMustSumTo10000(uint256)": "the reward rule's three weights sum to {sum}: they must sum to 10000",
    "SharesMustSumTo10000(uint256)": "the reward rule's two shares sum to {sum}: they must sum to 10000",
    "UnknownRule(uint16)": "there is no reward rule {rule_id}",
    "NotCoordinator(address)": (
        "{caller} is not the coordinator of the round: send with the coordinator's key"
    ),
    "HospitalNotActive(uint16)": "hospital {hospital} is not active: post its bond, or have it reinstated",
    "NotInRound(uint64,uint16)": (
        "hospital {hospital} was not active when round {round} opened: wait for the next round"
    ),
    "UnexpectedRound(uint64,uint64)": "round {round} cannot be opened: the next one is {expected}",
    "PreviousRoundOpen(uint64)": "round {round} is still open: close it first",
    "IdlePeriodRunning(uint64)": (
        "until {until:time} only the coordinator may open a round: wait or ask it to"
    ),
    "NoActiveHospitals()": "no hospital is active: admit hospitals and post their bonds first",
    "InvalidProfile(uint8)": "there is no profile {profile}: use 0 accountable, 1 hospital or 2 private",
    "RhoAboveCap(uint64,uint64)": (
        "declared rho of {rho_micro} millionths is above the cap of {cap_micro}: add noise or "
        "train fewer rounds"
    ),
    "ZeroDigest()": "a digest is zero: give the hash that is meant",
    "EmptyRoster()": "the roster is empty: enrol devices first",
    "EpochNotRegistered(uint16,uint64)": (
        "hospital {hospital} has not registered for epoch {epoch}: call registerEpoch first"
    ),
    "EpochAlreadyRegistered(uint16,uint64)": (
        "hospital {hospital} has registered for epoch {epoch} already: go on with what it registered"
    ),
    "EpochPassed(uint64,uint64)": "epoch {epoch} is over, the present one is {current}: register for that",
    "WrongPhase(uint64,uint8,uint8)": (
        "round {round} is in its {actual:phase} phase, this belongs to the {expected:phase} "
        "phase: act in the order of the round"
    ),
    "NotAdvanceable(uint64,uint8)": (
        "round {round} is in its {actual:phase} phase, which `advance` does not end: fix the "
        "beacon, or close the round"
    ),
    "AlreadyActed(uint64,uint8,uint16)": (
        "hospital {hospital} has already acted in the {phase:phase} phase of round {round}: "
        "nothing is left to do in it"
    ),
    "DeadlineNotReached(uint64,uint64)": (
        "not everybody has acted in round {round}, and its deadline is {deadline:time}: wait until then"
    ),
    "BeaconNotReady(uint64,uint256)": (
        "the beacon of round {round} is known from block {from_block} on: wait for that block"
    ),
    "NotCommitted(uint64,uint16)": (
        "hospital {hospital} has not committed scores in round {round}: there is nothing that it could reveal"
    ),
    "CommitmentMismatch(uint64,uint16)": (
        "what hospital {hospital} reveals in round {round} is not what it committed to: reveal "
        "the same scores, model score, digest and salt"
    ),
    "WrongScoreWords(uint256,uint256)": (
        "{given} words of scores where {expected} are needed: pack the scores for the hospitals of the round"
    ),
    "InvalidScores(uint256,uint256)": (
        "word {index} of the packed scores has a score above 10000 or for nobody: score the other "
        "hospitals of the round with 0..10000, nobody else"
    ),
    "SelfScored(uint16,uint256)": (
        "hospital {hospital} gives itself a score of {score}: leave its own score out"
    ),
    "InvalidModelScore(uint16)": "model score {score} is above 10000",
    "NotReady(uint64,uint16)": (
        "hospital {hospital} submitted no ready list in round {round}: it takes part again in the next round"
    ),
    "DisclosureOff()": (
        "this consortium did not choose at deployment that devices' scores may be disclosed: submit a "
        "plain entry"
    ),
    "TooFewDevices(uint256,uint256)": (
        "the entry sums {n} devices, the minimum is {k_min}: more devices must take part"
    ),
    "ImplausibleSums(uint256)": "the entry's sums cannot come from that many devices: rebuild the tree",
    "NotDisputeCourt(address)": (
        "{caller} is not the dispute court: only the court freezes and voids entries, and slashes bonds"
    ),
    "NoEntry(uint64,uint16)": "hospital {hospital} has no entry in round {round}",
    "AlreadyHeld(uint64,uint16)": (
        "the entry of hospital {hospital} in round {round} is frozen or voided already"
    ),
    "NotFrozen(uint64,uint16)": (
        "the entry of hospital {hospital} in round {round} is not frozen: freeze it first"
    ),
    "ChallengeWindowOver(uint64,uint64)": (
        "the challenge window of round {round} ended {ended_at:time}: its entries stand"
    ),
    "FreezeRunning(uint64,uint16,uint64)": (
        "the entry of hospital {hospital} in round {round} is frozen until {until:time}: only the"
        " court releases it before"
    ),
}

DISCLOSED_TEXTS = {
    "InvalidDisclosedDevices()": (
        "the disclosed devices are none, malformed, or above the caps of their class: "
        "pack them with incentives.pack_devices"
    ),
    "InvalidDisclosedPayees()": (
        "the disclosed payees are malformed, zero, out of order, or of devices that take no part: pack them with "
        "incentives.pack_payees"
    ),
}

DISTRIBUTOR_TEXTS = {
    "ClaimsPaused()": "claims are paused by the guardian: try again when the pause is over (7 days at most)",
    "NotClosed(uint64)": "round {round} is not closed: nothing can be claimed yet",
    "NotPaid(uint64)": "round {round} closed without a quorum: it pays nothing, its emission rolls over",
    "WindowOpen(uint64,uint64)": (
        "round {round} can be claimed from {claimable_at:time} on: wait for the challenge window"
    ),
    "InvalidProof(uint64,uint16,uint32)": (
        "the leaf at slot {slot} does not prove against the entry of hospital {hospital} in round"
        " {round}: check the receipt, or ask the hospital for a correct one"
    ),
    "AlreadyClaimed(uint64,uint16,uint32)": (
        "slot {slot} of hospital {hospital} was paid for round {round} already: leave that round out"
    ),
    "TreasuryAlreadyClaimed(uint64,uint16)": (
        "the treasury of hospital {hospital} was paid for round {round} already: leave that round out"
    ),
    "NotPayee(address,address)": (
        "the leaf pays {payee}, not {expected}: claim with the payee's key, or with its consent"
    ),
    "NotHospitalAccount(uint16,address)": (
        "{caller} does not act for hospital {hospital}: claim with the hospital's key"
    ),
    "OddSlot(uint32)": "slot {slot} is odd and holds a dummy, which is never paid: claim a real leaf",
    "LeafAboveCap(uint32,uint256,uint256)": (
        "the leaf at slot {slot} has a score of {score}, the cap is {cap}: the hospital's entry "
        "is wrong, report it"
    ),
    "UnknownDeviceClass(uint8)": "there is no device class {device_class}: use 0..3",
    "ConsentExpired(uint256)": "the consent expired {deadline:time}: ask the payee for a new one",
    "BadConsent(address)": (
        "the consent was not signed by {payee}: ask the payee to sign exactly what is sent"
    ),
    "NotRelayer(address,address)": (
        "the consent names {relayer} as relayer, not {caller}: send with that key"
    ),
    "RoundNotConsented(uint64,uint64,uint64)": (
        "the consent covers rounds {from_round} to {to_round}, not {round}: leave the round out "
        "or ask for a new consent"
    ),
}

TOKEN_TEXTS = {
    "NotMinter(address)": "{caller} may not mint: only the distributor mints, against claims",
    "SupplyCapExceeded(uint256,uint256,uint256)": (
        "minting {amount:tokens} on top of {minted:tokens} would exceed the maximum supply of "
        "{maximum:tokens}"
    ),
    "InvalidConstruction()": "the token's minter or maximum supply is zero: correct the deployment",
    "ERC20InsufficientBalance(address,uint256,uint256)": (
        "{sender} holds {balance:tokens}, {needed:tokens} are needed: earn or receive tokens first"
    ),
    "ERC20InsufficientAllowance(address,uint256,uint256)": (
        "{spender} may spend {allowance:tokens}, {needed:tokens} are needed: approve that amount first"
    ),
    "ERC20InvalidApprover(address)": "{approver} cannot approve",
    "ERC20InvalidReceiver(address)": "{receiver} cannot receive tokens: give another address",
    "ERC20InvalidSender(address)": "{sender} cannot send tokens",
    "ERC20InvalidSpender(address)": "{spender} cannot be approved: give another address",
    "ERC2612ExpiredSignature(uint256)": "the permit expired {deadline:time}: sign a new one",
    "ERC2612InvalidSigner(address,address)": (
        "the permit was signed by {signer}, not by {owner}: sign it with the owner's key"
    ),
    "InvalidAccountNonce(address,uint256)": (
        "the permit of {account} was used already, its next nonce is {current_nonce}: sign a new one"
    ),
    "SafeERC20FailedOperation(address)": "token {token} refused a transfer: check balance and allowance",
}

DESK_TEXTS = {
    "NotActiveHospital(address)": (
        "{caller} acts for no active hospital: send with an active hospital's key"
    ),
    "InvalidPrice(uint256)": (
        "a price of {price} is zero or too large: give one in the token's smallest unit"
    ),
    "ZeroHash()": "a hash is zero: give the hash of the request, deliverable, reason or description",
    "DurationOutOfBounds(uint64,uint64,uint64)": (
        "a duration of {given} s is outside {minimum}..{maximum} s: give one within"
    ),
    "UnknownService(uint32)": "there is no service {service_id}: choose one of those listed",
    "ServiceNotOffered(uint32)": "service {service_id} takes no new orders: choose another",
    "NotProvider(uint16,address)": (
        "{caller} does not act for hospital {provider}, which provides the service: send with its key"
    ),
    "NotBuyer(address,address)": "{caller} is not the buyer {buyer} of the order: send with the buyer's key",
    "WrongStatus(uint256,uint8)": "order {order_id} is {actual:order_status}, which does not allow this",
    "DeadlinePassed(uint256,uint64)": (
        "the deadline of order {order_id} was {deadline:time}: it can only be refunded or settled now"
    ),
    "DeadlineNotReached(uint256,uint64)": (
        "the deadline of order {order_id} is {deadline:time}: wait until then"
    ),
}

COURT_TEXTS = {
    "NotInOffice()": "this court is not the consortium's any more: use the one that `fediomt deploy` recorded",
    "OwnEntry(uint16)": "hospital {hospital} cannot challenge its own entry: send with another key",
    "UnknownCase(uint256)": "there is no case {case_id}: list them with `fediomt dispute list`",
    "UnknownChallenge(uint256)": "there is no challenge {challenge_id}: list them with `fediomt dispute list`",
    "CaseOver(uint256)": "case {case_id} has ended: look at it with `fediomt dispute show`",
    "CaseDeadlinePassed(uint256,uint64)": (
        "the deadline of case {case_id} was {deadline:time}: end it with `fediomt dispute conclude`"
    ),
    "CaseRunning(uint256,uint64)": "case {case_id} is open until {deadline:time}: wait until then",
    "NotElector(uint256,address)": (
        "{caller} does not vote on case {case_id}: hospitals active at the challenge do, but for accused and challenger"
    ),
    "AlreadyVoted(uint256,uint16)": "hospital {hospital} has voted on case {case_id}: once is enough",
    "AlreadySettled(uint256)": "the bond of challenge {challenge_id} was paid out already",
    "NoSuchEntry(uint64,uint16)": "hospital {hospital} has no entry in round {round}: there is nothing to dispute",
    "NotInTree(uint64,uint16)": (
        "what was shown does not lead to the root of hospital {hospital} in round {round}: take leaf, lanes and "
        "siblings from its own tree"
    ),
    "NoFault()": "what was shown is in order: there is no fault to prove",
    "AlreadyConvicted(uint64,uint16)": (
        "hospital {hospital} was convicted over round {round} already: an entry is slashed once"
    ),
    "NotSignedByHospital(uint16,address)": (
        "the receipt is signed by {signer}, which was not the account of hospital {hospital} in that round"
    ),
    "AlreadyDemanded(uint64,uint16)": (
        "leaves of hospital {hospital} in round {round} are demanded or drawn already: see `fediomt dispute show`"
    ),
    "NothingToOpen(uint64,uint16)": (
        "no leaf of hospital {hospital} in round {round} has weight, volume or compute: there is nothing to open"
    ),
    "OpeningsUnavailable()": (
        "this consortium takes entries in clear, whose leaves are bound to no device: open a dispute instead "
        "(`fediomt dispute open`)"
    ),
    "NothingToDraw(uint64,uint16)": (
        "no demand on hospital {hospital} in round {round} waits to be drawn: demand first"
    ),
    "DrawNotReady(uint256)": "leaves can be drawn from block {from_block} on: wait for it",
    "NotAsked(uint64,uint16,uint256)": (
        "leaf {index} of hospital {hospital} in round {round} is not asked for: see `fediomt dispute show`"
    ),
    "WrongLeaf(uint256,uint256,uint256)": (
        "the drawn point {point} is not on this leaf, which covers {size} from {before} on: open the one that has it"
    ),
    "NotBound(address)": "the leaf was not made for {account}: open it with the account that its salt names",
    "AccountReused(address,uint32)": "{account} was shown for slot {slot} already: a device stands for one leaf",
    "NotOnRoster(address)": "{account} is not on the roster that the hospital registered with these keys and path",
    "WrongPlan()": "the plan is of another round or hospital: take the cohort's own",
    "NotSignedByDevice(address,address)": "{signer} signed this, not {account}: take the device's own signature",
}

CASH_OUT_TEXTS = {
    "SettlementIsToken()": "the settlement token is the participation token: deploy with another one",
    "InvalidPriceCap(uint256)": "a price cap of {price_cap} is zero or too large: correct the deployment",
    "SupplyTooLarge(uint256)": (
        "a maximum supply of {max_supply} does not fit the desk's books: deploy a smaller one"
    ),
    "InvalidCashOut(uint256)": "an amount of {amount} is zero or too large: sell what you hold",
    "ZeroMinOut()": "the least to be paid is zero: ask for at least the settlement token's smallest unit",
    "MinOutAboveCap(uint256,uint256)": (
        "at least {min_out} is asked for, the price cap pays {most} at most: ask for less"
    ),
    "UnknownRequest(uint256)": (
        "there is no cash-out request {request_id}: `fediomt tokens sell list` shows all of them"
    ),
    "RequestOver(uint256)": "cash-out request {request_id} was cancelled, paid or returned already",
    "NotRequester(address,address)": (
        "{caller} did not make the request, {requester} did: send with that key"
    ),
    "CashOutEpochRunning(uint64,uint64)": (
        "cash-out epoch {epoch} runs until {ends_at:time}: wait until then"
    ),
    "CashOutEpochOver(uint64,uint64)": (
        "cash-out epoch {epoch} ended {ended_at:time}: collect the request instead"
    ),
    "NothingToSettle(uint64)": (
        "cash-out epoch {epoch} is settled, or nothing was asked in it: collect the requests"
    ),
    "InvalidFunding(uint256)": "an amount of {amount} is zero or more than the desk's books can hold",
    "FundingNotExact(uint256,uint256)": (
        "the settlement token moved {received} instead of {asked}: a token that charges for transfers cannot "
        "fund the reserve"
    ),
    "NoSurplus()": "the desk holds no settlement tokens beyond its books: fund the reserve instead",
    "ReentrancyGuardReentrantCall()": (
        "a token called back into the desk, which refuses that: use a plain ERC-20"
    ),
}

LIBRARY_TEXTS = {
    "AccessManagedUnauthorized(address)": "{caller} may not do this: governance has not given it the role",
    "AccessManagedRequiredDelay(address,uint32)": (
        "{caller} must schedule this {delay} s ahead with the access manager"
    ),
    "AccessManagedInvalidAuthority(address)": (
        "{authority} is not a contract: give the access manager's address"
    ),
    "AccessManagerAlreadyScheduled(bytes32)": "the operation is scheduled already: wait, then execute it",
    "AccessManagerNotScheduled(bytes32)": "the operation is not scheduled: schedule it first",
    "AccessManagerNotReady(bytes32)": "the operation's delay is still running: execute it later",
    "AccessManagerExpired(bytes32)": "the scheduled operation expired: schedule it again",
    "AccessManagerLockedRole(uint64)": "role {role_id} cannot be changed",
    "AccessManagerLockedFunction(bytes4)": "this function's role cannot be changed",
    "AccessManagerBadConfirmation()": (
        "a role is renounced by its holder only: give the caller's own address"
    ),
    "AccessManagerUnauthorizedAccount(address,uint64)": (
        "{msgsender} lacks role {role_id}: governance must grant it"
    ),
    "AccessManagerUnauthorizedCall(address,address,bytes4)": (
        "{caller} may not call {target}: governance must grant the role"
    ),
    "AccessManagerUnauthorizedConsume(address)": "{target} did not ask for this operation to be consumed",
    "AccessManagerUnauthorizedCancel(address,address,address,bytes4)": (
        "{msgsender} may not cancel an operation of {caller}"
    ),
    "AccessManagerInvalidInitialAdmin(address)": (
        "{initial_admin} cannot be the first administrator: give an account of yours"
    ),
    "AddressEmptyCode(address)": "{target} is not a contract: check the address",
    "FailedCall()": "a call to another contract failed without a reason: check the contracts' addresses",
    "InsufficientBalance(uint256,uint256)": "a contract holds {balance} wei, {needed} are needed",
    "ECDSAInvalidSignature()": "the signature is malformed: sign again",
    "ECDSAInvalidSignatureLength(uint256)": "the signature has {length} bytes: it must have 65",
    "ECDSAInvalidSignatureS(bytes32)": "the signature is not canonical (its s is too large): sign again",
    "InvalidShortString()": "a name of the contract is malformed: deploy again",
    "StringTooLong(string)": "{str} is too long for a name",
    "SafeCastOverflowedUintDowncast(uint8,uint256)": (
        "{value} does not fit {bits} bits: give a smaller value"
    ),
    "LaneOverflow()": ("the sums of the tree overflow: rebuild the tree with scores of 0..10000"),
    "InvalidDepth(uint256,uint256)": (
        "a proof of {depth} levels does not fit slot {slot}: use the whole path from the receipt"
    ),
    "NotALocalChain(uint256)": (
        "chain {chain_id} is not a local one: deploy with a settlement token of its own"
    ),
    "NoValues()": "there is nothing to take a median of",
}

ERROR_TEXTS: dict[str, str] = {
    **CONSORTIUM_TEXTS,
    **COUNCIL_TEXTS,
    **LEDGER_TEXTS,
    **DISCLOSED_TEXTS,
    **DISTRIBUTOR_TEXTS,
    **TOKEN_TEXTS,
    **DESK_TEXTS,
    **COURT_TEXTS,
    **CASH_OUT_TEXTS,
    **LIBRARY_TEXTS,
}
"""All of them."""
