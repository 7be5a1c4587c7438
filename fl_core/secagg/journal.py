"""The write-ahead record of a device: what it must never do twice is on disk before it is done.

Two claims are recorded. A *round claim* precedes the only masked input of a round, whatever the cohort or attempt.
An *opening claim* precedes the only answer about the peers of that attempt, and says which of the two secrets of each
peer is opened. A device that comes back finds both and stays silent where it has already spoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fl_core.secagg.codec import Reader
from fl_core.secagg.errors import SecAggAbort, SecAggError
from fl_core.secagg.kdf import HASH_BYTES
from fl_core.secagg.plan import SESSION_BYTES

_CLAIM_BYTES = SESSION_BYTES + 8 + HASH_BYTES + 1


class Journal(Protocol):
    """Durable memory of what a device has claimed. Each claim is durable before its call returns."""

    def claim_round(self, session: bytes, round_number: int, attempt: bytes) -> None:
        """Claim the masked input of a round for one attempt.

        Args:
            session: 32 bytes that name the run.
            round_number: the round; claims within a session only go up.
            attempt: hash of the attempt, 32 bytes.

        Raises:
            SecAggAbort: this or a later round is claimed already.
            SecAggError: the claim could not be made durable.
        """

    def claim_openings(self, claim: OpeningClaim) -> None:
        """Claim the answer to an attempt's list of survivors.

        Raises:
            SecAggAbort: the attempt is not the one that was masked last, or it was answered already.
            SecAggError: the claim could not be made durable.
        """

    def last_round(self, session: bytes) -> int | None:
        """The last round claimed in a session, None where there is none."""

    def to_bytes(self) -> bytes:
        """The last claim of every session, in their order: what a simulation's checkpoint keeps."""

    def restore(self, data: bytes) -> None:
        """Have at least the claims that `to_bytes` gave when a checkpoint was written.

        A journal in memory that has none takes them over. One on disk is its own record: it keeps its claims as they
        are, and makes sure that none of those in `data` is missing.

        Raises:
            SecAggError: this journal would be set back, lacks a claim that `data` has, or `data` is malformed.
        """


@dataclass(frozen=True)
class OpeningClaim:
    """The one-of-two choice a peer: `b` is opened of survivors, `a` of dropped, never both.

    Attributes:
        session: 32 bytes that name the run.
        round_number: the round.
        attempt: hash of the attempt, 32 bytes.
        survivors: bitmap over the plan's members.
        dropped: bitmap over the plan's members, disjoint from `survivors`.
    """

    session: bytes
    round_number: int
    attempt: bytes
    survivors: bytes
    dropped: bytes

    def __post_init__(self) -> None:
        if len(self.survivors) != len(self.dropped):
            raise SecAggError("opening claim with bitmaps of different lengths")
        if any(one & other for one, other in zip(self.survivors, self.dropped, strict=True)):
            raise SecAggAbort("both secrets of one device would be opened: refused")


@dataclass(frozen=True)
class RoundClaim:
    """The round that a session last masked an input in, and whether its survivors' list was answered."""

    round_number: int
    attempt: bytes
    answered: bool = False


class MemoryJournal:
    """A journal for simulations: it lasts as long as the object."""

    def __init__(self) -> None:
        self._claims: dict[bytes, RoundClaim] = {}

    def to_bytes(self) -> bytes:
        """The last claim of every session; see `Journal`."""
        return b"".join(
            session + claim.round_number.to_bytes(8, "big") + claim.attempt + bytes([claim.answered])
            for session, claim in sorted(self._claims.items())
        )

    def restore(self, data: bytes) -> None:
        """Take over claims; see `Journal`."""
        if self._claims:
            raise SecAggError("a journal that has claims is not set back to others: restore into a new one")
        restored = MemoryJournal()
        restored._claims = _read_claims(data)
        if restored.to_bytes() != data:
            raise SecAggError("claims that are not in the form in which a journal writes them")
        self._claims = restored._claims

    def covers(self, other: MemoryJournal) -> bool:
        """Whether every claim of the other one is made here too, or was followed by a later one of its session."""
        return all(
            session in self._claims and _covers(self._claims[session], claim)
            for session, claim in other._claims.items()
        )

    def last_round(self, session: bytes) -> int | None:
        """The last round claimed in a session, None where there is none."""
        claim = self._claims.get(session)
        return None if claim is None else claim.round_number

    def claim_round(self, session: bytes, round_number: int, attempt: bytes) -> None:
        """Claim the masked input of a round; see `Journal`."""
        self.check_round(session, round_number)
        self._claims[session] = RoundClaim(round_number, attempt)

    def claim_openings(self, claim: OpeningClaim) -> None:
        """Claim the answer to an attempt's list of survivors; see `Journal`."""
        self.check_openings(claim)
        self._claims[claim.session] = RoundClaim(claim.round_number, claim.attempt, answered=True)

    def check_round(self, session: bytes, round_number: int) -> None:
        """Refuse what `claim_round` would refuse, without claiming.

        Raises:
            SecAggAbort: this or a later round is claimed already.
        """
        last = self.last_round(session)
        if last is not None and round_number <= last:
            raise SecAggAbort(
                f"round {round_number}: a masked input was already made for round {last}, and there is one a round"
            )

    def check_openings(self, claim: OpeningClaim) -> None:
        """Refuse what `claim_openings` would refuse, without claiming.

        Raises:
            SecAggAbort: the attempt is not the one that was masked last, or it was answered already.
        """
        last = self._claims.get(claim.session)
        if last is None or (last.round_number, last.attempt) != (claim.round_number, claim.attempt):
            raise SecAggAbort(
                f"round {claim.round_number}: asked to open an attempt that is not the one masked last"
            )
        if last.answered:
            raise SecAggAbort(f"round {claim.round_number}: asked to open a second time")


def _read_claims(data: bytes) -> dict[bytes, RoundClaim]:
    reader, claims = Reader(data), {}
    for _ in range(len(data) // _CLAIM_BYTES):
        session = reader.take(SESSION_BYTES)
        claims[session] = RoundClaim(
            round_number=reader.unsigned(8),
            attempt=reader.take(HASH_BYTES),
            answered=reader.unsigned(1) == 1,
        )
    reader.finish()
    return claims


def _covers(ours: RoundClaim, theirs: RoundClaim) -> bool:
    if ours.round_number != theirs.round_number:
        return ours.round_number > theirs.round_number
    return ours.attempt == theirs.attempt and ours.answered >= theirs.answered
