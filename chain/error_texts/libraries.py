"""What the errors of libraries, ours and OpenZeppelin's mean, and what to do."""

from __future__ import annotations

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
