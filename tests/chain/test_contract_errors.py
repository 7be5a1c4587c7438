"""Every custom error of every contract has a readable line, and its placeholders are the error's own."""

from __future__ import annotations

import string

import pytest
from eth_abi.abi import encode

from chain import contract_errors
from chain.abi import abi_of
from chain.compile import artifact_names
from chain.contract_errors import ContractError, error_class, error_text
from chain.error_texts import ERROR_TEXTS
from chain.errors import InsufficientFunds, OutOfGas, TransactionFailed
from chain.reverts import CONTRACTS, explain, explain_revert
from chain.rpc import RpcError

ERRORS = {member.signature: member for name in artifact_names() for member in abi_of(name).errors.values()}
SAMPLES = {"bool": True, "address": "0x" + "11" * 20, "string": "name", "bytes": b"x"}


def sample(kind: str):
    if kind.startswith("bytes") and kind != "bytes":
        return b"\1" * int(kind[5:])
    return SAMPLES.get(kind, 2)


def test_all_contracts_are_searched_for_an_error():
    assert sorted(CONTRACTS) == artifact_names()


def test_the_table_has_exactly_the_errors_of_the_contracts():
    assert set(ERROR_TEXTS) == set(ERRORS)


@pytest.mark.parametrize("signature", sorted(ERRORS))
def test_each_error_becomes_its_exception_with_one_line(signature: str):
    member = ERRORS[signature]
    parameters = {item.name for item in member.inputs}
    used = {name for _, name, _, _ in string.Formatter().parse(ERROR_TEXTS[signature]) if name is not None}
    assert used <= parameters
    arguments = [sample(item.type) for item in member.inputs]
    data = member.id + encode([item.type for item in member.inputs], arguments)
    error = explain_revert(data, label=f"{member.contract}.call", transaction="0x12")
    assert type(error) is error_class(member.name) is getattr(contract_errors, member.name)
    assert isinstance(error, ContractError)
    assert (error.name, error.signature, error.transaction) == (member.name, signature, "0x12")
    assert set(error.values) == parameters
    text = str(error)
    assert text == f"{error.text} ({member.name})"
    assert "\n" not in text
    assert "{" not in text


def test_values_out_of_an_enumeration_and_far_times_are_still_shown():
    wrong = ERRORS["WrongPhase(uint64,uint8,uint8)"]
    assert "its 99 phase" in error_text(wrong, {"round": 1, "actual": 99, "expected": 1})
    window = ERRORS["WindowOpen(uint64,uint64)"]
    assert "second 18446744073709551615" in error_text(window, {"round": 1, "claimable_at": 2**64 - 1})


def test_no_class_for_what_is_no_error_of_the_contracts():
    with pytest.raises(AttributeError, match="no custom error"):
        contract_errors.NoSuchError  # noqa: B018


def test_other_reverts_are_readable():
    reason = bytes.fromhex("08c379a0") + encode(["string"], ["not today"])
    assert str(explain_revert(reason, label="A.b")) == "A.b was refused: not today"
    panic = bytes.fromhex("4e487b71") + encode(["uint256"], [0x11])
    assert str(explain_revert(panic, label="A.b")) == "A.b failed in the contract: arithmetic overflow"
    assert "unknown error 0x01020304" in str(explain_revert(b"\1\2\3\4", label="A.b"))
    cut = ERRORS["WindowOpen(uint64,uint64)"].id + b"\0" * 5
    assert "cannot be read" in str(explain_revert(cut, label="A.b"))
    broken = bytes.fromhex("08c379a0") + b"\xff" * 40
    assert "unreadable reason" in str(explain_revert(broken, label="A.b"))


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("intrinsic gas too low", OutOfGas),
        ("gas required exceeds allowance (100)", OutOfGas),
        ("Insufficient funds for gas * price + value", InsufficientFunds),
        ("sender doesn't have enough funds: insufficient balance", InsufficientFunds),
        ("execution reverted", TransactionFailed),
        ("the pool is full", TransactionFailed),
    ],
)
def test_refusals_of_the_node_are_readable(message: str, kind: type[TransactionFailed]):
    error = explain(RpcError("eth_sendRawTransaction", -32000, message, None), label="A.b", sender="0x1")
    assert type(error) is kind
    assert str(error).startswith("A.b")
    assert "\n" not in str(error)
