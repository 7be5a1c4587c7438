"""What a device publishes once an epoch: two X25519 keys signed by its account, and the roster that lists them.

The roster's root is the Merkle tree hash of RFC 6962 (leaf prefix 0, node prefix 1, largest power of two to the
left) over the advertisements in the order of their addresses, without their signatures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse

from fl_core.errors import FlError
from fl_core.secagg.codec import Reader
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.merkle import leaf_hash, tree_hash
from fl_core.signing import ADDRESS_BYTES, Domain, TypedMessage, Verifier

VERSION = 1
PUBLIC_KEY_BYTES = 32
MAX_SIGNATURE_BYTES = 512

# Points whose order divides 8: agreement with them gives zero whatever the private key (RFC 7748, section 6.1).
_P = 2**255 - 19
_LOW_ORDER = frozenset(
    (
        0,
        1,
        _P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    )
)


@dataclass(frozen=True)
class Advertisement:
    """A device's public keys of one epoch.

    Attributes:
        epoch: the epoch, 0..2^64-1.
        address: the device's account, 20 bytes.
        mask_public: X25519 key for pairwise keys, 32 bytes; its private half is erased once all pairs have met.
        channel_public: X25519 key for what is sealed to the device, 32 bytes.
        signature: the account's signature over the other fields.

    Raises:
        SecAggError: a field has the wrong length, or a key is of low order.
    """

    epoch: int
    address: bytes
    mask_public: bytes
    channel_public: bytes
    signature: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.epoch < 1 << 64:
            raise SecAggError(f"epoch {self.epoch}: choose 0..2^64-1")
        if len(self.address) != ADDRESS_BYTES:
            raise SecAggError(f"address of {len(self.address)} bytes: expected {ADDRESS_BYTES}")
        for key in (self.mask_public, self.channel_public):
            if len(key) != PUBLIC_KEY_BYTES:
                raise SecAggError(f"public key of {len(key)} bytes: expected {PUBLIC_KEY_BYTES}")
            check_public_key(key)
        if not 1 <= len(self.signature) <= MAX_SIGNATURE_BYTES:
            raise SecAggError(f"signature of {len(self.signature)} bytes: expected 1..{MAX_SIGNATURE_BYTES}")

    def encode(self) -> bytes:
        """Wire form: version, fields, signature with its length."""
        return b"".join(
            (
                VERSION.to_bytes(1, "big"),
                self._body(),
                len(self.signature).to_bytes(2, "big"),
                self.signature,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Advertisement:
        """Read the wire form.

        Raises:
            SecAggError: malformed, of another version, or with trailing bytes.
        """
        reader = Reader(data)
        version = reader.unsigned(1)
        if version != VERSION:
            raise SecAggError(f"advertisement of version {version}: this code reads version {VERSION}")
        epoch, address = reader.unsigned(8), reader.take(ADDRESS_BYTES)
        mask_public, channel_public = reader.take(PUBLIC_KEY_BYTES), reader.take(PUBLIC_KEY_BYTES)
        signature = reader.take(reader.unsigned(2))
        reader.finish()
        return cls(epoch, address, mask_public, channel_public, signature)

    def signed_message(self, domain: Domain) -> TypedMessage:
        """What the account signs."""
        return advertisement_message(domain, self.epoch, self.address, self.mask_public, self.channel_public)

    @property
    def leaf(self) -> bytes:
        """Hash of this advertisement in the roster's tree, 32 bytes."""
        return leaf_hash(self._body())

    def _body(self) -> bytes:
        return self.epoch.to_bytes(8, "big") + self.address + self.mask_public + self.channel_public


def advertisement_message(
    domain: Domain, epoch: int, address: bytes, mask_public: bytes, channel_public: bytes
) -> TypedMessage:
    """The EIP-712 message by which an account vouches for its keys of an epoch."""
    return TypedMessage(
        domain,
        "EpochKeys",
        (
            ("epoch", "uint64", epoch),
            ("device", "address", address),
            ("maskKey", "bytes32", mask_public),
            ("channelKey", "bytes32", channel_public),
        ),
    )


class Roster(Mapping[bytes, Advertisement]):
    """The verified advertisements of an epoch by address, in the order of addresses.

    Made by `verify_advertisements`; read-only.
    """

    def __init__(self, epoch: int, advertisements: Sequence[Advertisement]) -> None:
        self._epoch = epoch
        self._by_address = {a.address: a for a in sorted(advertisements, key=lambda a: a.address)}
        self._root = tree_hash([a.leaf for a in self._by_address.values()])

    @property
    def epoch(self) -> int:
        """The epoch that the keys serve."""
        return self._epoch

    @property
    def root(self) -> bytes:
        """Merkle tree hash over the advertisements, 32 bytes."""
        return self._root

    @property
    def size(self) -> int:
        """Number of devices."""
        return len(self._by_address)

    def check_members(self, members: Iterable[bytes]) -> None:
        """Refuse members that did not advertise keys.

        Raises:
            SecAggError: one that is not listed.
        """
        stranger = next(filterfalse(self._by_address.__contains__, members), None)
        if stranger is not None:
            raise SecAggError(f"member {stranger.hex()} is not on the roster of epoch {self._epoch}")

    def __getitem__(self, address: bytes) -> Advertisement:
        return self._by_address[address]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._by_address)

    def __len__(self) -> int:
        return len(self._by_address)


def verify_advertisements(
    advertisements: Iterable[Advertisement], epoch: int, domain: Domain, verifier: Verifier
) -> Roster:
    """Check every advertisement of an epoch once.

    Args:
        advertisements: in any order.
        epoch: the epoch they must be for.
        domain: EIP-712 domain of the run.
        verifier: recovers signers.

    Raises:
        SecAggError: none given, another epoch, an address twice, or a signature that is not the device's.
    """
    verified: dict[bytes, Advertisement] = {}
    for advertisement in advertisements:
        name = advertisement.address.hex()
        if advertisement.epoch != epoch:
            raise SecAggError(f"{name} advertised keys of epoch {advertisement.epoch}, not of epoch {epoch}")
        if advertisement.address in verified:
            raise SecAggError(f"{name} is on the roster twice: keep one advertisement a device")
        try:
            signer = verifier.recover(advertisement.signed_message(domain), advertisement.signature)
        except FlError as error:
            raise SecAggError(f"keys advertised for {name} carry a bad signature: {error}") from error
        if signer != advertisement.address:
            raise SecAggError(f"keys advertised for {name} are signed by {signer.hex()}")
        verified[advertisement.address] = advertisement
    if not verified:
        raise SecAggError(f"epoch {epoch} has no advertisements: enrol devices first")
    return Roster(epoch, tuple(verified.values()))


def check_public_key(public: bytes) -> None:
    """Refuse X25519 keys of low order, which would make every peer's agreement the same.

    Raises:
        SecAggError: the key is one of them, in any encoding.
    """
    u = (int.from_bytes(public, "little") & ((1 << 255) - 1)) % _P
    if u in _LOW_ORDER:
        raise SecAggError("public key of low order: the device must generate its keys anew")
