"""From what a node says about a failed call to one readable exception."""

from __future__ import annotations

from functools import cache

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from chain.abi import Member, abi_of
from chain.contract_errors import error_class, error_text
from chain.errors import InsufficientFunds, OutOfGas, RecordError, TransactionFailed
from chain.rpc import RpcError

CONTRACTS = (
    "AccessManager",
    "LocalSettlementToken",
    "Consortium",
    "Council",
    "ContributionLedger",
    "DisclosedTree",
    "ParticipationToken",
    "RewardDistributor",
    "RedemptionDesk",
    "DisputeCourt",
)
"""The compiled contracts whose errors can come back from a call."""

_REASON = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")
_PANICS = {
    0x01: "an assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "a value outside an enumeration",
    0x31: "pop of an empty list",
    0x32: "list index out of range",
    0x41: "out of memory",
}
_GAS_WORDS = (
    "out of gas",
    "outofgas",
    "intrinsic gas",
    "gas required exceeds",
    "exceeds block gas limit",
    "gas limit",
)
_FUNDS_WORDS = ("insufficient funds", "insufficient balance", "upfront cost exceeds")


def explain(
    error: RpcError, *, label: str, sender: str = "", transaction: str | None = None
) -> TransactionFailed:
    """The exception for a node's answer to a call, an estimate or a transaction."""
    if error.data is not None and len(error.data) >= 10:
        return explain_revert(bytes.fromhex(error.data[2:]), label=label, transaction=transaction)
    message = error.message.lower()
    if any(words in message for words in _FUNDS_WORDS):
        return InsufficientFunds(
            f"{label}: account {sender} cannot pay for the transaction: fund it with the chain's currency",
            label=label,
            transaction=transaction,
        )
    if any(words in message for words in _GAS_WORDS):
        return OutOfGas(
            f"{label}: the node refused the gas limit ({error.message}): give one between what the call "
            "needs and the block's limit, or split the call",
            label=label,
            transaction=transaction,
        )
    if "revert" in message:
        return TransactionFailed(
            f"{label} was refused without a reason: check the arguments and the contract's address",
            label=label,
            transaction=transaction,
        )
    return TransactionFailed(
        f"{label}: the node refused it: {error.message}", label=label, transaction=transaction
    )


def explain_revert(data: bytes, *, label: str, transaction: str | None = None) -> TransactionFailed:
    """The exception for a contract's revert data (selector and arguments)."""
    selector, payload = data[:4], data[4:]
    if selector == _REASON:
        return TransactionFailed(
            f"{label} was refused: {_reason(payload)}", label=label, transaction=transaction
        )
    if selector == _PANIC:
        code = int.from_bytes(payload[:32], "big")
        what = _PANICS.get(code, f"panic {code:#x}")
        return TransactionFailed(
            f"{label} failed in the contract: {what}", label=label, transaction=transaction
        )
    member = _known_errors(label.split(".", 1)[0]).get(selector)
    if member is None:
        return TransactionFailed(
            f"{label} was refused with the unknown error 0x{selector.hex()}: the contract is another version",
            label=label,
            transaction=transaction,
        )
    try:
        values = member.decode_input(payload)
    except RecordError:
        return TransactionFailed(
            f"{label} was refused with {member.name}, which cannot be read: the contract is another version",
            label=label,
            transaction=transaction,
        )
    return error_class(member.name)(
        member.signature, values, text=error_text(member, values), label=label, transaction=transaction
    )


@cache
def _known_errors(contract: str) -> dict[bytes, Member]:
    known: dict[bytes, Member] = {}
    for name in sorted(
        CONTRACTS, key=lambda name: name == contract
    ):  # the called contract's own last: it wins
        known.update(abi_of(name).errors)
    return known


def _reason(payload: bytes) -> str:
    try:
        return str(abi_decode(["string"], payload)[0])
    except (DecodingError, UnicodeDecodeError, ValueError):
        return "unreadable reason"
