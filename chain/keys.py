"""Keys of hospitals, devices and operators, and which of them may be used where."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from coincurve import PrivateKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.connect import LOCAL_CHAIN_IDS, is_local, to_address
from chain.errors import BadKey, DevelopmentKeyRefused
from chain.rpc import batch, unwrap

if TYPE_CHECKING:
    from web3 import Web3

DEVELOPMENT_MNEMONIC = "test test test test test test test test test test test junk"
_KNOWN_DEVELOPMENT_KEYS = 20  # what Anvil and Hardhat fund and print at their start

GAS_MONEY_WEI = 10**19
"""What an account is given for gas on a local chain: ten of the chain's own coins."""


class Key:
    """A secp256k1 private key. Its text forms never show the secret.

    Args:
        private: 32 bytes.

    Raises:
        BadKey: not a private key.
    """

    __slots__ = ("_address", "_key")

    def __init__(self, private: bytes) -> None:
        if len(private) != 32:
            raise BadKey(f"a private key has 32 bytes, this one {len(private)}")
        try:
            self._key = PrivateKey(private)
        except ValueError as error:
            raise BadKey("the 32 bytes are not a secp256k1 private key") from error
        self._address = keccak(self.public)[-20:]

    @classmethod
    def random(cls) -> Key:
        """A new key from the operating system's generator."""
        while True:
            private = secrets.token_bytes(32)
            try:
                return cls(private)
            except BadKey:  # zero, or above the group order: probability 2^-128
                continue

    @property
    def address(self) -> str:
        """Checksum address."""
        return str(to_checksum_address(self._address))

    @property
    def address_bytes(self) -> bytes:
        """The address, 20 bytes."""
        return self._address

    @property
    def private(self) -> bytes:
        """The secret, 32 bytes."""
        return self._key.secret

    @property
    def public(self) -> bytes:
        """The public point, x and y, 64 bytes."""
        return self._key.public_key.format(compressed=False)[1:]

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes: r, s and v (27 or 28), 65 bytes, deterministic, low s."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._address == other._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"


class DevelopmentKey(Key):
    """A key that everybody knows: derived from the mnemonic that development nodes publish."""

    __slots__ = ()


@cache
def development_key(index: int) -> DevelopmentKey:
    """The `index`-th account of the public development mnemonic, m/44'/60'/0'/0/index."""
    if index < 0:
        raise BadKey(f"development key {index}: count from 0")
    from eth_account import Account  # noqa: PLC0415 - slow to import, and only development needs it

    Account.enable_unaudited_hdwallet_features()
    account = Account.from_mnemonic(DEVELOPMENT_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return DevelopmentKey(bytes(account.key))


def development_keys(count: int, *, start: int = 0) -> tuple[DevelopmentKey, ...]:
    """`count` accounts of the public development mnemonic, from `start` on."""
    return tuple(development_key(index) for index in range(start, start + count))


def require_allowed(key: Key, chain_id: int) -> None:
    """Refuse a publicly known key off the local chains, however it was loaded.

    Raises:
        DevelopmentKeyRefused: the key is a development key and `chain_id` is not local.
    """
    if chain_id in LOCAL_CHAIN_IDS:
        return
    if isinstance(key, DevelopmentKey) or key in development_keys(_KNOWN_DEVELOPMENT_KEYS):
        local = " and ".join(str(item) for item in sorted(LOCAL_CHAIN_IDS))
        raise DevelopmentKeyRefused(
            f"{key.address} is a development key that everybody knows, refused on chain {chain_id} "
            f"(allowed on {local}): use a key of your own from a keystore"
        )


def fund(w3: Web3, addresses: Sequence[str | bytes], amount_wei: int = GAS_MONEY_WEI) -> None:
    """Set balances of accounts on a local node, without a transaction.

    Args:
        w3: connection to a local development node.
        addresses: who gets it.
        amount_wei: the balance that each has afterwards.

    Raises:
        BadKey: not a local chain; there, accounts are funded by transfers (`Sender.transfer`).
        RpcError: the node cannot set balances.
    """
    if not is_local(w3):
        raise BadKey("balances can be set on a local chain only: fund accounts by transfers")
    calls = [("hardhat_setBalance", [to_address(address), hex(amount_wei)]) for address in addresses]
    for result in batch(w3, calls):
        unwrap(result)
