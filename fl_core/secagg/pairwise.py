"""What two devices share in one attempt: the seed of their mask, two share boxes, and a MAC key each way."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from fl_core.secagg.errors import SecAggError
from fl_core.secagg.kdf import expand
from fl_core.secagg.shamir import ELEMENT_BYTES, decode_element, encode_element

SEED_BYTES = 32
MAC_BYTES = 16
SEALED_SHARES_BYTES = 2 * ELEMENT_BYTES + 16
_KEY_BYTES = 32
_NONCE = bytes(12)
_COUNTER = bytes(16)


@dataclass(frozen=True)
class PairSecrets:
    """One device's half of a pair in one attempt. Keys are used once: each box and each MAC has its own.

    Attributes:
        seed: of the mask that the pair shares, 32 bytes.
    """

    seed: bytes = field(repr=False)
    _box_out: bytes = field(repr=False)
    _box_in: bytes = field(repr=False)
    _mac_out: bytes = field(repr=False)
    _mac_in: bytes = field(repr=False)

    @classmethod
    def derive(cls, pair_key: bytes, attempt: bytes, own: int, peer: int) -> PairSecrets:
        """Derive from the round's pair key.

        Args:
            pair_key: this round's key of the pair, 32 bytes.
            attempt: the attempt's hash, which covers plan, roster and both nonces.
            own: this device's index.
            peer: the other's.
        """
        keys = expand(pair_key, b"attempt", attempt, length=SEED_BYTES + 4 * _KEY_BYTES)
        seed, box_up, box_down, mac_up, mac_down = (
            keys[start : start + _KEY_BYTES] for start in range(0, len(keys), _KEY_BYTES)
        )
        if own < peer:
            return cls(seed, box_up, box_down, mac_up, mac_down)
        return cls(seed, box_down, box_up, mac_down, mac_up)

    def seal_shares(self, attempt: bytes, own: int, peer: int, shares: tuple[int, ...]) -> bytes:
        """Encrypt this device's share of a and b to the peer, 80 bytes. Once: the key's nonce is constant."""
        plaintext = b"".join(map(encode_element, shares))
        return AESGCM(self._box_out).encrypt(_NONCE, plaintext, _associated(attempt, own, peer))

    def open_shares(self, attempt: bytes, own: int, peer: int, sealed: bytes) -> tuple[int, int]:
        """Decrypt the peer's shares of its a and b.

        Raises:
            SecAggError: not from this peer, not for this device, not of this attempt, or altered.
        """
        try:
            plaintext = AESGCM(self._box_in).decrypt(_NONCE, sealed, _associated(attempt, peer, own))
        except InvalidTag:
            raise SecAggError(f"shares said to come from member {peer} are not authentic") from None
        return decode_element(plaintext[:ELEMENT_BYTES]), decode_element(plaintext[ELEMENT_BYTES:])

    def mac(self, statement: bytes) -> bytes:
        """MAC for the peer over a hash, 16 bytes (one block of HKDF-Expand is HMAC-SHA256)."""
        return expand(self._mac_out, b"agree", statement, length=MAC_BYTES)

    def check_mac(self, statement: bytes, mac: bytes) -> bool:
        """Whether the peer made this MAC for this device over this hash."""
        return hmac.compare_digest(expand(self._mac_in, b"agree", statement, length=MAC_BYTES), mac)


def crypt_table(table_secret: int, attempt: bytes, table: bytes) -> bytes:
    """Encrypt or decrypt a device's table of seeds under its secret a. AES-256-CTR; a is never used again.

    The table carries no tag: each seed is held to the check value that *both* devices of the pair deposited.
    """
    key = expand(encode_element(table_secret), b"table", attempt)
    return Cipher(AES256(key), CTR(_COUNTER)).encryptor().update(table)


def _associated(attempt: bytes, sender: int, receiver: int) -> bytes:
    return attempt + sender.to_bytes(2, "big") + receiver.to_bytes(2, "big")
