from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.errors import SignatureError
from fl_core.signing import ADDRESS_BYTES, Domain, LocalSigner, LocalVerifier, TypedMessage

SIGNER = LocalSigner()
DOMAIN = Domain.of_run("one")
MESSAGE = TypedMessage(
    DOMAIN,
    "Statement",
    (
        ("round", "uint64", 3),
        ("digest", "bytes32", bytes(range(32))),
        ("note", "string", "n"),
        ("ok", "bool", True),
    ),
)
SIGNATURE = SIGNER.sign(MESSAGE)


def test_a_signature_gives_back_the_signers_address():
    assert len(SIGNER.address) == ADDRESS_BYTES
    assert LocalVerifier().recover(MESSAGE, SIGNATURE) == SIGNER.address


def test_signers_are_distinct():
    assert LocalSigner().address != LocalSigner().address


@pytest.mark.parametrize(
    "other",
    [
        replace(MESSAGE, domain=Domain.of_run("two")),
        replace(MESSAGE, domain=replace(DOMAIN, chain_id=1)),
        replace(MESSAGE, domain=replace(DOMAIN, verifying_contract=bytes(20))),
        replace(MESSAGE, domain=replace(DOMAIN, version="2")),
        replace(MESSAGE, primary_type="Other"),
        replace(MESSAGE, fields=MESSAGE.fields[:-1]),
        replace(MESSAGE, fields=tuple(reversed(MESSAGE.fields))),
        replace(MESSAGE, fields=(("round", "uint64", 4), *MESSAGE.fields[1:])),
        replace(MESSAGE, fields=(("round", "string", "3"), *MESSAGE.fields[1:])),
        replace(MESSAGE, fields=(*MESSAGE.fields[:3], ("ok", "bool", False))),
    ],
)
def test_a_signature_fits_no_other_message_and_no_other_domain(other):
    with pytest.raises(SignatureError, match="does not match"):
        LocalVerifier().recover(other, SIGNATURE)


@given(st.integers(0, len(SIGNATURE) - 1), st.integers(1, 255))
def test_a_changed_signature_never_gives_the_signers_address(position, flip):
    forged = bytearray(SIGNATURE)
    forged[position] ^= flip
    with pytest.raises(SignatureError):
        LocalVerifier().recover(MESSAGE, bytes(forged))


@pytest.mark.parametrize("signature", [b"", SIGNATURE[:-1], SIGNATURE + b"\x00", SIGNATURE[32:]], ids=len)
def test_a_signature_of_another_length_is_refused(signature):
    with pytest.raises(SignatureError, match="expected 96"):
        LocalVerifier().recover(MESSAGE, signature)


def test_the_domain_of_a_run_is_its_own():
    assert Domain.of_run("one") == DOMAIN != Domain.of_run("two")
    assert DOMAIN.salt is not None
    assert len(DOMAIN.salt) == 32
