"""Typed signatures agree with eth_account, recover their signer, and refuse what is malformed."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.errors import SignatureError
from chain.keys import Key
from chain.signing import Domain, EthereumSigner, EthereumVerifier, TypedMessage, recover_digest, typed_digest

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
VALUES = {
    "uint256": st.integers(0, 2**256 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "uint8": st.integers(0, 255),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes4": st.binary(min_size=4, max_size=4),
    "bytes": st.binary(max_size=80),
    "address": st.binary(min_size=20, max_size=20),
    "string": st.text(max_size=40),
    "bool": st.booleans(),
}


@st.composite
def messages(draw) -> TypedMessage:
    domain = Domain(
        name=draw(st.text(max_size=20)),
        version="1",
        chain_id=draw(st.none() | VALUES["uint64"]),
        verifying_contract=draw(st.none() | VALUES["address"]),
        salt=draw(st.none() | VALUES["bytes32"]),
    )
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=6))
    fields = tuple((f"field{i}", kind, draw(VALUES[kind])) for i, kind in enumerate(kinds))
    return TypedMessage(domain, "Message", fields)


def by_eth_account(message: TypedMessage) -> dict:
    domain = {"name": message.domain.name, "version": message.domain.version}
    kinds = [("name", "string"), ("version", "string")]
    for name, kind, value in (
        ("chainId", "uint256", message.domain.chain_id),
        ("verifyingContract", "address", message.domain.verifying_contract),
        ("salt", "bytes32", message.domain.salt),
    ):
        if value is not None:
            domain[name] = value
            kinds.append((name, kind))
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in kinds],
            message.primary_type: [{"name": name, "type": kind} for name, kind, _ in message.fields],
        },
        "primaryType": message.primary_type,
        "domain": domain,
        "message": {name: value for name, _, value in message.fields},
    }


@settings(max_examples=50, deadline=None)
@given(messages())
def test_digest_and_signature_are_those_of_eth_account(message: TypedMessage):
    private = b"\7" * 32
    signable = encode_typed_data(full_message=by_eth_account(message))
    theirs = Account.sign_message(signable, private)
    assert typed_digest(message) == bytes(theirs.message_hash)
    signer = EthereumSigner(private)
    assert signer.sign(message) == bytes(theirs.signature)
    assert signer.address.hex() == Account.from_key(private).address[2:].lower()
    assert EthereumVerifier().recover(message, signer.sign(message)) == signer.address


def message_of(text: str) -> TypedMessage:
    return TypedMessage(Domain("FedIoMT", "1", 31337, b"\1" * 20), "Note", (("text", "string", text),))


def test_another_message_or_domain_recovers_somebody_else():
    signer = EthereumSigner(Key.random())
    signature = signer.sign(message_of("a"))
    assert EthereumVerifier().recover(message_of("b"), signature) != signer.address
    other = TypedMessage(Domain("FedIoMT", "1", 1, b"\1" * 20), "Note", message_of("a").fields)
    assert EthereumVerifier().recover(other, signature) != signer.address


class OtherError(Exception):
    """What another package would raise."""


@pytest.mark.parametrize(
    ("mangle", "text"),
    [
        (lambda s: s[:-1], "65 bytes, this one 64"),
        (lambda s: s[:64] + b"\5", "v = 5"),
        (lambda s: b"\0" * 64 + s[64:], "not one that any key could have made"),
        (
            lambda s: (
                s[:32] + (ORDER - int.from_bytes(s[32:64], "big")).to_bytes(32, "big") + bytes([55 - s[64]])
            ),
            "high s value",
        ),
    ],
)
def test_malformed_signatures_are_refused(mangle, text):
    signature = mangle(EthereumSigner(b"\7" * 32).sign(message_of("a")))
    with pytest.raises(SignatureError, match=text):
        EthereumVerifier().recover(message_of("a"), signature)
    with pytest.raises(OtherError, match=text):
        EthereumVerifier(error=OtherError).recover(message_of("a"), signature)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("int8", 128),
        ("bytes32", b"short"),
        ("address", "0x" + "11" * 20),
        ("bool", 1),
        ("uint8", True),
        ("string", b"bytes"),
        ("uint8[]", 1),
        ("bytes33", b"\0" * 33),
    ],
)
def test_values_that_do_not_fit_their_type_are_not_signed(kind, value):
    message = TypedMessage(Domain("FedIoMT", "1"), "Note", (("x", kind, value),))
    with pytest.raises(SignatureError, match=r"x = .* cannot be signed as"):
        EthereumSigner(b"\7" * 32).sign(message)


def test_digest_of_somebody_is_not_recovered_from_noise():
    with pytest.raises(SignatureError):
        recover_digest(b"\1" * 32, b"\xff" * 32 + b"\1" * 32 + b"\x1b")
