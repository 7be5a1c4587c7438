"""A device's own keys of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from fl_core.canonical import digest_json
from fl_core.secagg import sealed as box
from fl_core.secagg.advertisement import Advertisement, Roster, advertisement_message
from fl_core.secagg.codec import Reader
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.kdf import HASH_BYTES, extract
from fl_core.secagg.plan import ROUNDS_PER_EPOCH_LOG2
from fl_core.secagg.ratchet import Ratchet
from fl_core.signing import Domain, Signer

_MAGIC = b"FedIoMT.Identity\x01"
_PRIVATE_KEY_BYTES = 32
_UNMET, _MET = b"\x00", b"\x01"


@dataclass(frozen=True, eq=False)
class PairKeys:
    """What a device shares with the peers that it has met: a key with each, and the root of their roster."""

    ratchet: Ratchet
    roster_root: bytes


class EpochIdentity:
    """Two X25519 key pairs of one device for one epoch, and the pair keys agreed with its peers.

    The mask key exists between `generate` and `meet`; from then on only ratcheted pair keys do. Both the masks and the
    channel between two devices come from the pair key, so that a device taken over later opens no passed round.
    """

    def __init__(
        self,
        advertisement: Advertisement,
        domain: Domain,
        mask_private: X25519PrivateKey | None,
        channel_private: X25519PrivateKey,
    ) -> None:
        """Hold keys; use `generate` or `from_bytes`."""
        self._advertisement = advertisement
        self._domain = domain
        self._mask_private = mask_private
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

    def to_bytes(self) -> bytes:
        """The keys as they stand, private ones included: for a store that is as secret as they are.

        What a device keeps on disk is this sealed and bound to its journal: `fl_core.checkpoint.seal_identity`.
        """
        if self._mask_private is not None:
            state = (_UNMET, self._mask_private.private_bytes_raw())
        else:
            state = (_MET, self.roster_root + self._met().to_bytes())
        advertisement = self._advertisement.encode()
        return b"".join(
            (
                _MAGIC,
                _domain_digest(self._domain),
                len(advertisement).to_bytes(2, "big"),
                advertisement,
                self._channel_private.private_bytes_raw(),
                *state,
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes, domain: Domain) -> EpochIdentity:
        """Read what `to_bytes` wrote.

        Args:
            data: the image.
            domain: EIP-712 domain of the run.

        Raises:
            SecAggError: malformed, of another version or domain, or keys that are not the advertised ones.
        """
        reader = Reader(data)
        if reader.take(len(_MAGIC)) != _MAGIC:
            raise SecAggError("not an image of a device's keys that this version reads")
        if reader.take(HASH_BYTES) != _domain_digest(domain):
            raise SecAggError("these keys were made for another run or ledger: draw new ones")
        advertisement = Advertisement.decode(reader.take(reader.unsigned(2)))
        channel_private = _private_key(reader, advertisement.channel_public)
        state = reader.take(len(_MET))
        if state == _UNMET:
            mask_private = _private_key(reader, advertisement.mask_public)
            reader.finish()
            return cls(advertisement, domain, mask_private, channel_private)
        if state != _MET:
            raise SecAggError("image of a device's keys in an unknown state")
        identity = cls(advertisement, domain, None, channel_private)
        identity._roster_root = reader.take(HASH_BYTES)
        identity._ratchet = Ratchet.from_bytes(reader.take(reader.remaining))
        if identity._ratchet.epoch != advertisement.epoch:
            raise SecAggError(
                f"pair keys of epoch {identity._ratchet.epoch} with an advertisement of {advertisement.epoch}"
            )
        return identity

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
    def channel_private(self) -> bytes:
        """The private half of the channel key, 32 bytes: what is sealed to the device opens with it."""
        return self._channel_private.private_bytes_raw()

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

    @property
    def pairs(self) -> PairKeys:
        """The pair keys as they stand, for the process that this one was forked from.

        Raises:
            SecAggError: none was met yet.
        """
        return PairKeys(self._met(), self.roster_root)

    def take_pairs(self, pairs: PairKeys) -> None:
        """Stand as after what happened to the same keys in a forked process; the mask key is erased.

        Raises:
            SecAggError: other keys than these at the same time or later: of another epoch, roster or device, or of
                before a round that has passed here.
        """
        if pairs.ratchet.epoch != self.epoch or pairs.ratchet.knows(self.address):
            raise SecAggError(
                f"pair keys of epoch {pairs.ratchet.epoch} offered to keys of epoch {self.epoch}, or those of another "
                "device: give a device back what its own process returned"
            )
        if self._ratchet is not None and not (
            pairs.roster_root == self._roster_root and pairs.ratchet.follows(self._ratchet)
        ):
            raise SecAggError(
                "pair keys of another roster, or of before a round that has passed here: a device's keys are never set "
                "back. Play the round in one process only, or pass it over"
            )
        self._ratchet, self._roster_root, self._mask_private = pairs.ratchet, pairs.roster_root, None

    def rejoin(self, roster: Roster) -> None:
        """Check that a roster is the one that was met, for keys that were read from an image.

        Raises:
            SecAggError: it is another one, or none was met yet.
        """
        if roster.root != self.roster_root:
            raise SecAggError("roster is not the one that this device has met")

    def pair_keys(self, round_number: int, peers: Sequence[bytes]) -> list[bytes]:
        """This round's key with each peer, 32 bytes each. Name every peer that may use its own key with this device.

        Of rounds that were sat out since the last one that was used or closed, the keys with all peers are erased.

        Raises:
            SecAggError: no roster met, the round passed or of another epoch, or an unknown peer.
        """
        return self._met().keys(round_number, peers)

    def close_round(self, round_number: int, peers: Sequence[bytes] = ()) -> None:
        """Erase the pair keys of a round: no further attempt of it can be joined.

        Args:
            round_number: the round; nothing happens where it has passed.
            peers: who may have used its key with this device, besides those that `pair_keys` was asked for. Where
                nobody was named to either, the keys with all peers are erased.

        Raises:
            SecAggError: no roster met, a round of another epoch, or an unknown peer.
        """
        self._met().close(round_number, peers)

    def pass_rounds(self, last: int) -> None:
        """Erase the pair keys of a round and of all before it, with every peer; earlier epochs' rounds need nothing.

        For keys that were read from an image: what they were used for since is known to the journal alone. And for a
        device that learns that rounds have passed without it.

        Raises:
            SecAggError: the keys have met no roster yet, so that they would give every round's keys once they do.
        """
        if last >> ROUNDS_PER_EPOCH_LOG2 < self.epoch:
            return
        if self._ratchet is None:
            raise SecAggError(
                f"keys of epoch {self.epoch} as they were before the roster was met, and round {last} has passed: "
                "they would give its pair keys again. Take part with the keys of a new epoch"
            )
        self._ratchet.pass_over(min(last, ((self.epoch + 1) << ROUNDS_PER_EPOCH_LOG2) - 1))

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


def _private_key(reader: Reader, public: bytes) -> X25519PrivateKey:
    key = X25519PrivateKey.from_private_bytes(reader.take(_PRIVATE_KEY_BYTES))
    if key.public_key().public_bytes_raw() != public:
        raise SecAggError("image of a device's keys: a private key is not that of the advertised one")
    return key


def _pair_root(private: X25519PrivateKey, own: Advertisement, peer: Advertisement, domain: bytes) -> bytes:
    shared = private.exchange(X25519PublicKey.from_public_bytes(peer.mask_public))
    low, high = sorted((own, peer), key=lambda a: a.address)
    epoch = own.epoch.to_bytes(8, "big")
    return extract(
        shared, b"pair", domain, epoch, low.address, high.address, low.mask_public, high.mask_public
    )


@lru_cache(maxsize=16)
def _domain_digest(domain: Domain) -> bytes:
    def text(value: bytes | None) -> str | None:
        return None if value is None else value.hex()

    chain_id = None if domain.chain_id is None else str(domain.chain_id)
    return digest_json(
        [domain.name, domain.version, chain_id, text(domain.verifying_contract), text(domain.salt)]
    )
