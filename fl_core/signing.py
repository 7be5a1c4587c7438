"""What a device signs, and with what: typed messages in the manner of EIP-712, and the signer's interface.

The chain package brings Ethereum accounts. `LocalSigner` serves runs without a chain: Ed25519, its address the last 20
bytes of the SHA-256 of the public key, the signature carrying that key, so that both kinds *recover* an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fl_core.canonical import digest_json, sha256
from fl_core.errors import SignatureError

ADDRESS_BYTES = 20
_PUBLIC_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_SEED_BYTES = 32

FieldValue = int | bytes | str | bool


@dataclass(frozen=True)
class Domain:
    """An EIP-712 domain: the ledger on its chain, or (without a chain) a salt that names the run.

    Attributes:
        name: protocol name.
        version: protocol version.
        chain_id: EVM chain id, or None without a chain.
        verifying_contract: 20-byte ledger address, or None without a chain.
        salt: 32 bytes that name the run, or None on a chain.
    """

    name: str
    version: str
    chain_id: int | None = None
    verifying_contract: bytes | None = None
    salt: bytes | None = None

    @classmethod
    def of_run(cls, run_id: str) -> Domain:
        """The domain of a run without a chain."""
        return cls(name="FedIoMT", version="1", salt=sha256(b"FedIoMT run\x00" + run_id.encode()))


@dataclass(frozen=True)
class TypedMessage:
    """A structured message to be signed: (name, Solidity type, value) triples under a domain.

    `bytes32` and `address` values are raw bytes, integers are `int`, `string` is `str`.
    """

    domain: Domain
    primary_type: str
    fields: tuple[tuple[str, str, FieldValue], ...]


class Signer(Protocol):
    """Holds one signing key."""

    @property
    def address(self) -> bytes:
        """The 20-byte address that `Verifier.recover` returns for this key's signatures."""

    def sign(self, message: TypedMessage) -> bytes:
        """Sign a typed message."""


class Verifier(Protocol):
    """Recovers who signed."""

    def recover(self, message: TypedMessage, signature: bytes) -> bytes:
        """The 20-byte address that signed `message`.

        Raises:
            SignatureError: the signature is malformed or not over this message.
        """


@lru_cache(maxsize=256)
def _digest(message: TypedMessage) -> bytes:
    """What is signed, 32 bytes; kept, since in a simulation signer and verifiers are one process."""

    def plain(value: FieldValue | None) -> str | bool | None:
        if isinstance(value, bytes):
            return value.hex()
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    domain = message.domain
    return digest_json(
        {
            "domain": [
                domain.name,
                domain.version,
                plain(domain.chain_id),
                plain(domain.verifying_contract),
                plain(domain.salt),
            ],
            "type": message.primary_type,
            "fields": [[name, kind, plain(value)] for name, kind, value in message.fields],
        }
    )


class LocalSigner:
    """An Ed25519 signer for runs without a chain."""

    def __init__(self, seed: bytes | None = None) -> None:
        """Make a key.

        Args:
            seed: the private key, 32 secret bytes; None draws it from the operating system.

        Raises:
            SignatureError: a seed of another length.
        """
        if seed is not None and len(seed) != _SEED_BYTES:
            raise SignatureError(f"seed of {len(seed)} bytes for a signing key: {_SEED_BYTES} are needed")
        self._key = (
            Ed25519PrivateKey.generate() if seed is None else Ed25519PrivateKey.from_private_bytes(seed)
        )
        self._public = self._key.public_key().public_bytes_raw()

    @property
    def address(self) -> bytes:
        """Last 20 bytes of SHA-256 of the public key."""
        return sha256(self._public)[-ADDRESS_BYTES:]

    def sign(self, message: TypedMessage) -> bytes:
        """Public key (32 bytes) followed by the Ed25519 signature (64 bytes) over the message's digest."""
        return self._public + self._key.sign(_digest(message))


@dataclass(frozen=True)
class LocalVerifier:
    """Recovers the address of a `LocalSigner`."""

    def recover(self, message: TypedMessage, signature: bytes) -> bytes:
        """The signer's address.

        Raises:
            SignatureError: wrong length, or not a signature over this message.
        """
        if len(signature) != _PUBLIC_KEY_BYTES + _SIGNATURE_BYTES:
            raise SignatureError(
                f"signature of {len(signature)} bytes: expected {_PUBLIC_KEY_BYTES + _SIGNATURE_BYTES}"
            )
        public = signature[:_PUBLIC_KEY_BYTES]
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature[_PUBLIC_KEY_BYTES:], _digest(message))
        except (InvalidSignature, ValueError) as error:
            raise SignatureError(
                f"signature does not match the {message.primary_type} it came with"
            ) from error
        return sha256(public)[-ADDRESS_BYTES:]
