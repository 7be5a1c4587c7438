"""A device's own keys of an epoch."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from fl_core.canonical import digest_json
from fl_core.secagg import sealed as box
from fl_core.secagg.advertisement import Advertisement, Roster, advertisement_message
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.kdf import extract
from fl_core.secagg.ratchet import Ratchet
from fl_core.signing import Domain, Signer


class EpochIdentity:
    """Two X25519 key pairs of one device for one epoch, and the pair keys agreed with its peers.

    The mask key exists between `generate` and `meet`; from then on only ratcheted pair keys do. Both the masks and the
    channel between two devices come from the pair key, so that a device taken over later opens no passed round.
    """

    def __init__(
        self,
        advertisement: Advertisement,
        domain: Domain,
        mask_private: X25519PrivateKey,
        channel_private: X25519PrivateKey,
    ) -> None:
        """Hold generated keys; use `generate`."""
        self._advertisement = advertisement
        self._domain = domain
        self._mask_private: X25519PrivateKey | None = mask_private
        self._channel_private = channel_private
        self._ratchet: Ratchet | None = None
        self._roster_root: bytes | None = None

    @classmethod
    def generate(cls, signer: Signer, domain: Domain, epoch: int) -> EpochIdentity:
        """Draw both keys from the operating system and sign them with the device's account.

        Args:
            signer: the account.
            domain: EIP-712 domain of the run.
            epoch: the epoch that the keys will serve.
        """
        mask_private, channel_private = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        mask_public = mask_private.public_key().public_bytes_raw()
        channel_public = channel_private.public_key().public_bytes_raw()
        message = advertisement_message(domain, epoch, signer.address, mask_public, channel_public)
        advertisement = Advertisement(
            epoch, signer.address, mask_public, channel_public, signer.sign(message)
        )
        return cls(advertisement, domain, mask_private, channel_private)

    @property
    def address(self) -> bytes:
        """The device's account, 20 bytes."""
        return self._advertisement.address

    @property
    def epoch(self) -> int:
        """The epoch that the keys serve."""
        return self._advertisement.epoch

    @property
    def advertisement(self) -> Advertisement:
        """The public keys, signed."""
        return self._advertisement

    @property
    def domain(self) -> Domain:
        """EIP-712 domain under which the keys were advertised."""
        return self._domain

    @property
    def roster_root(self) -> bytes:
        """Root of the roster that was met, 32 bytes.

        Raises:
            SecAggError: none was met yet.
        """
        if self._roster_root is None:
            raise SecAggError("device has met no roster of this epoch yet: call meet() first")
        return self._roster_root

    def meet(self, roster: Roster) -> None:
        """Agree on a key with every peer of the roster, then erase the mask key. Once an epoch.

        Raises:
            SecAggError: another epoch, a roster that lacks this device or shows other keys for it, or a second call.
        """
        if self._mask_private is None:
            raise SecAggError(
                f"device has met the roster of epoch {self.epoch} already: its mask key is erased"
            )
        if roster.epoch != self.epoch:
            raise SecAggError(f"roster of epoch {roster.epoch} offered to keys of epoch {self.epoch}")
        if roster.get(self.address) != self._advertisement:
            raise SecAggError("roster does not show this device's own keys: do not take part in this epoch")
        private, domain = self._mask_private, _domain_digest(self._domain)
        roots = {
            address: _pair_root(private, self._advertisement, peer, domain)
            for address, peer in roster.items()
            if address != self.address
        }
        self._ratchet, self._roster_root = Ratchet(self.epoch, roots), roster.root
        self._mask_private = None

    def pair_keys(self, round_number: int, peers: Sequence[bytes]) -> list[bytes]:
        """This round's key with each peer, 32 bytes each.

        Raises:
            SecAggError: no roster met, the round passed or of another epoch, or an unknown peer.
        """
        return self._met().keys(round_number, peers)

    def close_round(self, round_number: int) -> None:
        """Erase the pair keys of a round: no further attempt of it can be joined."""
        self._met().close(round_number)

    def open_sealed(self, sealed: bytes, context: bytes) -> bytes:
        """Open a box that was sealed to this device's channel key.

        Raises:
            SecAggError: malformed, sealed to another key or context, or altered.
        """
        return box.open_sealed(self._channel_private, sealed, context)

    def _met(self) -> Ratchet:
        if self._ratchet is None:
            raise SecAggError("device has met no roster of this epoch yet: call meet() first")
        return self._ratchet


def _pair_root(private: X25519PrivateKey, own: Advertisement, peer: Advertisement, domain: bytes) -> bytes:
    shared = private.exchange(X25519PublicKey.from_public_bytes(peer.mask_public))
    low, high = sorted((own, peer), key=lambda a: a.address)
    epoch = own.epoch.to_bytes(8, "big")
    return extract(
        shared, b"pair", domain, epoch, low.address, high.address, low.mask_public, high.mask_public
    )


def _domain_digest(domain: Domain) -> bytes:
    def text(value: bytes | None) -> str | None:
        return None if value is None else value.hex()

    chain_id = None if domain.chain_id is None else str(domain.chain_id)
    return digest_json(
        [domain.name, domain.version, chain_id, text(domain.verifying_contract), text(domain.salt)]
    )
