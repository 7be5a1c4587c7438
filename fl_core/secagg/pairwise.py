"""What two devices share in one attempt: the seed of their mask, a key for two share boxes, and a key for MACs."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from fl_core.secagg.errors import SecAggError
from fl_core.secagg.kdf import expand
from fl_core.secagg.shamir import ELEMENT_BYTES, check_elements, encode_element

SEED_BYTES = 32
MAC_BYTES = 16
SEALED_SHARES_BYTES = 2 * ELEMENT_BYTES + 16
_KEY_BYTES = 16
_UPWARD, _DOWNWARD = bytes(12), bytes(11) + b"\x01"  # nonces of the box to the higher and to the lower index
_COUNTER = bytes(16)


class PairSecrets:
    """One device's half of a pair in one attempt. The box key serves two boxes, one each way with a nonce of its own.

    Attributes:
        seed: of the mask that the pair shares, 32 bytes.
    """

    __slots__ = ("_box", "_mac_key", "_upward", "seed")

    def __init__(self, seed: bytes, box_key: bytes, mac_key: bytes, upward: bool) -> None:
        """Hold derived keys; use `derive`. `upward`: whether the peer has the higher index."""
        self.seed = seed
        self._box = AESGCM(box_key)
        self._mac_key = mac_key
        self._upward = upward

    @classmethod
    def derive(cls, pair_key: bytes, attempt: bytes, own: int, peer: int) -> PairSecrets:
        """Derive from the round's pair key.

        Args:
            pair_key: this round's key of the pair, 32 bytes.
            attempt: the attempt's hash, which covers plan, roster and both nonces.
            own: this device's index.
            peer: the other's.
        """
        keys = expand(pair_key, b"attempt", attempt, length=SEED_BYTES + 2 * _KEY_BYTES)
        return cls(
            keys[:SEED_BYTES],
            keys[SEED_BYTES : SEED_BYTES + _KEY_BYTES],
            keys[SEED_BYTES + _KEY_BYTES :],
            own < peer,
        )

    def seal_shares(self, attempt: bytes, own: int, peer: int, shares: bytes) -> bytes:
        """Encrypt this device's share of a and b, 64 bytes, to the peer: 80 bytes. Once: the nonce is constant."""
        nonce = _UPWARD if self._upward else _DOWNWARD
        return self._box.encrypt(nonce, shares, _associated(attempt, own, peer))

    def open_shares(self, attempt: bytes, own: int, peer: int, sealed: bytes) -> bytes:
        """Decrypt the peer's shares of its a and b, 64 bytes.

        Raises:
            SecAggError: not from this peer, not for this device, not of this attempt, or altered; or no field elements.
        """
        nonce = _DOWNWARD if self._upward else _UPWARD
        try:
            shares = self._box.decrypt(nonce, sealed, _associated(attempt, peer, own))
        except InvalidTag:
            raise SecAggError(f"shares said to come from member {peer} are not authentic") from None
        check_elements((shares[:ELEMENT_BYTES], shares[ELEMENT_BYTES:]))
        return shares

    def macs(self, label: bytes, statement: bytes) -> tuple[bytes, bytes]:
        """MACs over a hash, 16 bytes each: the one for the peer, and the one that the peer must have made.

        They are the halves of one block of HKDF-Expand, which is HMAC-SHA256; each direction has its own half.
        """
        both = expand(self._mac_key, label, statement)
        upward, downward = both[:MAC_BYTES], both[MAC_BYTES:]
        return (upward, downward) if self._upward else (downward, upward)


def crypt_table(table_secret: int, attempt: bytes, table: bytes) -> bytes:
    """Encrypt or decrypt a device's table of seeds under its secret a. AES-256-CTR; a is never used again.

    The table carries no tag: each seed is held to the check value that *both* devices of the pair deposited.
    """
    key = expand(encode_element(table_secret), b"table", attempt)
    return Cipher(AES256(key), CTR(_COUNTER)).encryptor().update(table)


def _associated(attempt: bytes, sender: int, receiver: int) -> bytes:
    return attempt + sender.to_bytes(2, "big") + receiver.to_bytes(2, "big")
