"""What a hospital draws for itself each epoch: keys for sums over hospitals, and the seed of its global noise.

Both are committed to on the ledger before any beacon of the epoch is known, in one hash: the hospital can then choose
neither its noise nor its keys any more. The seed itself stays with the hospital: whoever knows it can take the global
noise off what was released, so that it is for auditors only, who are entitled to the sums without it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from fl_core.canonical import sha256
from fl_core.errors import SpecError
from fl_core.secagg import Advertisement, EpochIdentity
from fl_core.signing import Domain, Signer

NOISE_SEED_BYTES = 32
_SEED_TAG = b"FedIoMT.NoiseSeed.v1"
_COMMITMENT_TAG = b"FedIoMT.EpochCommitment.v1"


def fresh_noise_seed() -> bytes:
    """A noise seed from the operating system, 32 bytes."""
    return secrets.token_bytes(NOISE_SEED_BYTES)


@dataclass(frozen=True, repr=False)
class HospitalKeys:
    """A hospital's own keys of an epoch.

    Attributes:
        identity: its keys as a member of sums over hospitals.
        noise_seed: seed of its global noise, 32 bytes, secret.
    """

    identity: EpochIdentity
    noise_seed: bytes

    @classmethod
    def draw(cls, account: Signer, domain: Domain, epoch: int, noise_seed: bytes) -> HospitalKeys:
        """Draw keys, and sign them with the hospital's account.

        Raises:
            SpecError: a noise seed of another length.
        """
        if len(noise_seed) != NOISE_SEED_BYTES:
            raise SpecError(f"noise seed of {len(noise_seed)} bytes: expected {NOISE_SEED_BYTES}")
        return cls(EpochIdentity.generate(account, domain, epoch), noise_seed)

    @property
    def advertisement(self) -> Advertisement:
        """The public keys, signed."""
        return self.identity.advertisement

    @property
    def seed_digest(self) -> bytes:
        """What the bundle says of the noise seed, 32 bytes."""
        return seed_digest(self.noise_seed)

    @property
    def commitment(self) -> bytes:
        """What goes on the ledger, 32 bytes."""
        return epoch_commitment(self.seed_digest, self.advertisement)


def seed_digest(noise_seed: bytes) -> bytes:
    """The digest of a noise seed, 32 bytes."""
    return sha256(_SEED_TAG + noise_seed)


def epoch_commitment(digest: bytes, advertisement: Advertisement) -> bytes:
    """The commitment to a noise seed (by its digest) and a hospital's own keys, 32 bytes."""
    return sha256(_COMMITMENT_TAG + digest + advertisement.leaf)
