"""EIP-712 signatures for typed messages of any package.

`fl_core` defines its messages by shape; this module takes anything of that shape. Messages are flat
structs, so the hash is a handful of 32-byte words; eth_account's general encoder takes a millisecond for
what is 0.1 ms here, and the tests hold the two equal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from coincurve import PublicKey
from eth_utils.crypto import keccak

from chain.errors import ChainError, SignatureError
from chain.keys import Key
from chain.shapes import FieldValue, TypedMessageLike

SIGNATURE_BYTES = 65
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_SIZED = re.compile(r"(uint|int|bytes)(\d+)")


@dataclass(frozen=True)
class Domain:
    """An EIP-712 domain of a contract.

    Attributes:
        name: protocol name.
        version: protocol version.
        chain_id: EVM chain id.
        verifying_contract: 20-byte address.
        salt: 32 bytes, where a protocol uses one.
    """

    name: str
    version: str
    chain_id: int | None = None
    verifying_contract: bytes | None = None
    salt: bytes | None = None


@dataclass(frozen=True)
class TypedMessage:
    """A flat typed struct: (name, Solidity type, value) triples under a domain."""

    domain: Domain
    primary_type: str
    fields: tuple[tuple[str, str, FieldValue], ...]


def typed_digest(message: TypedMessageLike) -> bytes:
    """The 32 bytes that EIP-712 has signed for a message.

    Raises:
        SignatureError: a value does not fit its type, or a type is not a plain one.
    """
    domain = message.domain
    separator = _separator(
        domain.name, domain.version, domain.chain_id, domain.verifying_contract, domain.salt
    )
    return keccak(b"\x19\x01" + separator + _struct_hash(message.primary_type, tuple(message.fields)))


class EthereumSigner:
    """Signs typed messages with one key.

    Args:
        key: the key, or its 32 secret bytes.
    """

    def __init__(self, key: Key | bytes) -> None:
        self._key = key if isinstance(key, Key) else Key(key)

    @property
    def address(self) -> bytes:
        """The account's address, 20 bytes."""
        return self._key.address_bytes

    def sign(self, message: TypedMessageLike) -> bytes:
        """r, s, v (27 or 28): 65 bytes.

        Raises:
            SignatureError: the message cannot be encoded.
        """
        return self._key.sign_digest(typed_digest(message))


class EthereumVerifier:
    """Recovers who signed a typed message.

    Args:
        error: the exception class to raise, for callers whose protocol code expects a kind of its own.
    """

    def __init__(self, error: type[Exception] = SignatureError) -> None:
        self._error = error

    def recover(self, message: TypedMessageLike, signature: bytes) -> bytes:
        """The signer's 20-byte address.

        Raises:
            SignatureError: (or the class given) not 65 bytes, not a canonical signature, or unrecoverable.
        """
        try:
            return recover_digest(typed_digest(message), signature)
        except ChainError as error:
            raise self._error(str(error)) from error


def recover_digest(digest: bytes, signature: bytes) -> bytes:
    """The 20-byte address whose key signed a digest.

    High-s signatures are refused as OpenZeppelin's ECDSA does: what verifies here verifies on chain.

    Raises:
        SignatureError: malformed or unrecoverable.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError(f"a signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}")
    if signature[64] not in {27, 28}:
        raise SignatureError(f"signature ends with v = {signature[64]}: expected 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise SignatureError("signature with a high s value: not canonical")
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        public = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except Exception as error:  # coincurve raises bare Exception for points off the curve
        raise SignatureError("signature is not one that any key could have made") from error
    return keccak(public.format(compressed=False)[1:])[-20:]


@lru_cache(maxsize=256)
def _separator(
    name: str, version: str, chain_id: int | None, verifying_contract: bytes | None, salt: bytes | None
) -> bytes:
    fields: list[tuple[str, str, FieldValue]] = [("name", "string", name), ("version", "string", version)]
    if chain_id is not None:
        fields.append(("chainId", "uint256", chain_id))
    if verifying_contract is not None:
        fields.append(("verifyingContract", "address", verifying_contract))
    if salt is not None:
        fields.append(("salt", "bytes32", salt))
    return _struct_hash("EIP712Domain", tuple(fields))


@lru_cache(maxsize=256)
def _type_hash(primary_type: str, members: tuple[tuple[str, str], ...]) -> bytes:
    return keccak(text=f"{primary_type}({','.join(f'{kind} {name}' for name, kind in members)})")


def _struct_hash(primary_type: str, fields: Sequence[tuple[str, str, FieldValue]]) -> bytes:
    words = [_type_hash(primary_type, tuple((name, kind) for name, kind, _ in fields))]
    words += [_word(name, kind, value) for name, kind, value in fields]
    return keccak(b"".join(words))


def _word(name: str, kind: str, value: FieldValue) -> bytes:
    if kind == "string" and isinstance(value, str):
        return keccak(text=value)
    if kind == "bytes" and isinstance(value, bytes):
        return keccak(value)
    if kind == "bool" and isinstance(value, bool):
        return int(value).to_bytes(32, "big")
    if kind == "address" and isinstance(value, bytes) and len(value) == 20:
        return value.rjust(32, b"\x00")
    sized = _SIZED.fullmatch(kind)
    if sized is not None:
        family, size = sized[1], int(sized[2])
        if family == "bytes" and isinstance(value, bytes) and len(value) == size <= 32:
            return value.ljust(32, b"\x00")
        if family != "bytes" and isinstance(value, int) and not isinstance(value, bool) and size <= 256:
            low, high = (0, 1 << size) if family == "uint" else (-(1 << (size - 1)), 1 << (size - 1))
            if low <= value < high:
                return (value % (1 << 256)).to_bytes(32, "big")
    raise SignatureError(f"{name} = {value!r} cannot be signed as {kind}")
