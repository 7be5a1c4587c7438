"""A secure sum's transcript, sealed to the auditor that the round's spec names.

An auditor who opens it learns the sum before global noise, which the edge knows anyway, and to that end the seed of the
hospital's noise, whose digest is committed to. Only the hash of the sealed bytes is in the bundle.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fl_core.secagg import seal
from fl_core.secagg.codec import Reader
from fl_core.secagg.errors import SecAggError
from fl_core.secagg.sealed import open_sealed
from fl_core.tiers.hospital_keys import NOISE_SEED_BYTES

AUDITOR_KEY_BYTES = 32
_TAG = b"FedIoMT.Transcript.v1"
_VERSION = 1


@dataclass(frozen=True)
class TranscriptPlace:
    """Which sum a transcript is of: what the sealed bytes are bound to.

    Attributes:
        session: 32 bytes that name the run.
        round_number: the round.
        hospital: the hospital's id; 0 for the sum over hospitals.
        cohort: index of the cohort in the draw.
    """

    session: bytes
    round_number: int
    hospital: int
    cohort: int

    @property
    def context(self) -> bytes:
        """The place as bytes."""
        numbers = (self.round_number, self.hospital, self.cohort)
        return _TAG + self.session + b"".join(number.to_bytes(8, "big") for number in numbers)


@dataclass(frozen=True, repr=False)
class OpenedTranscript:
    """What an auditor has opened.

    Attributes:
        evidence: the encoded `SumTranscript`.
        noise_seed: seed of the hospital's noise in this epoch, 32 bytes; empty where it adds none to this sum.
    """

    evidence: bytes
    noise_seed: bytes = b""

    def seal(self, auditor: bytes, place: TranscriptPlace) -> bytes:
        """Encrypt it to an auditor.

        Args:
            auditor: X25519 public key, 32 bytes.
            place: which sum it is of.

        Raises:
            SecAggError: the key is malformed.
        """
        seed = len(self.noise_seed).to_bytes(1, "big") + self.noise_seed
        return seal(auditor, _VERSION.to_bytes(1, "big") + seed + self.evidence, place.context)

    @classmethod
    def open(cls, key: X25519PrivateKey, sealed: bytes, place: TranscriptPlace) -> OpenedTranscript:
        """Decrypt what `seal` gave.

        Raises:
            SecAggError: it is malformed, altered, of another sum, or sealed to another auditor.
        """
        reader = Reader(open_sealed(key, sealed, place.context))
        version, length = reader.unsigned(1), reader.unsigned(1)
        if version != _VERSION or length not in (0, NOISE_SEED_BYTES):
            raise SecAggError(f"transcript of version {version} with a noise seed of {length} bytes")
        seed = reader.take(length)
        return cls(reader.take(reader.remaining), seed)
