"""A journal in an append-only file: one record a claim, written and synchronised before the claim counts.

A record is its length (2 bytes), the same inverted (2 bytes), its body, and the first 16 bytes of a SHA-256 over the
chain value before it and the body; the chain starts at the file's magic. A record cut short at the end of the file, or
a tail of zeros, is a claim that never returned: it is cut off. Anything else that does not fit is damage, and the
journal refuses to open, because a lost claim could be claimed again.

One object in one process writes: the file is locked while it is open, a claim is refused in a process that was forked
from the one that opened it, and before and after each record the file must be exactly as long as this object's claims.
Of two copies of a process, each of which believes the file to be its own, at most one gets a claim through.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from fl_core.durable import sync_folder
from fl_core.secagg.codec import Reader
from fl_core.secagg.errors import SecAggAbort, SecAggError
from fl_core.secagg.journal import MemoryJournal, OpeningClaim
from fl_core.secagg.kdf import HASH_BYTES
from fl_core.secagg.plan import SESSION_BYTES

_MAGIC = b"FedIoMT.Journal\x01"
_HEAD_BYTES = 4
_CHAIN_BYTES = 16
_ROUND, _OPENINGS = b"\x01", b"\x02"


class FileJournal:
    """A device's journal on disk. One process at a time; close it, or use it as a context manager."""

    def __init__(self, path: Path | str) -> None:
        """Open or create a journal.

        Raises:
            SecAggError: it is in use, damaged, or cannot be read or written.
        """
        self._path = Path(path)
        self._claims = MemoryJournal()
        self._chain = _MAGIC
        self._opener, self._end = os.getpid(), 0
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise SecAggError(f"journal {self._path} cannot be opened: {error.strerror}") from error
        self._usable = True
        try:
            self._lock()
            self._replay()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> FileJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        """A copy would not know what the other one claims.

        Raises:
            SecAggError: always.
        """
        raise SecAggError(
            f"journal {self._path} is not copied or sent to another process: close it here and open it there"
        )

    def close(self) -> None:
        """Release the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._usable = -1, False

    def last_round(self, session: bytes) -> int | None:
        """The last round claimed in a session, None where there is none."""
        return self._claims.last_round(session)

    def to_bytes(self) -> bytes:
        """The last claim of every session; see `Journal`."""
        return self._claims.to_bytes()

    def restore(self, data: bytes) -> None:
        """Make sure that no claim of a checkpoint is missing here; nothing is set back. See `Journal`."""
        checkpoint = MemoryJournal()
        checkpoint.restore(data)
        if not self._claims.covers(checkpoint):
            raise SecAggError(
                f"journal {self._path} lacks a claim that the checkpoint has: it was set back or is another device's. "
                "Give the device its own journal, or let it take part again with the keys of a new epoch"
            )

    def claim_round(self, session: bytes, round_number: int, attempt: bytes) -> None:
        """Claim the masked input of a round; see `Journal`."""
        self._claims.check_round(session, round_number)
        self._append(_ROUND + _fixed(session, round_number, attempt))
        self._claims.claim_round(session, round_number, attempt)

    def claim_openings(self, claim: OpeningClaim) -> None:
        """Claim the answer to an attempt's list of survivors; see `Journal`."""
        self._claims.check_openings(claim)
        bitmaps = b"".join(len(b).to_bytes(2, "big") + b for b in (claim.survivors, claim.dropped))
        self._append(_OPENINGS + _fixed(claim.session, claim.round_number, claim.attempt) + bitmaps)
        self._claims.claim_openings(claim)

    def _append(self, body: bytes) -> None:
        if not self._usable:
            raise SecAggError(f"journal {self._path} is closed or failed before: open it again")
        if os.getpid() != self._opener:
            raise SecAggError(
                f"journal {self._path} belongs to process {self._opener}, from which this one was forked: claim there, "
                "or close it there and open it here"
            )
        self._check_end()
        chain = _next_chain(self._chain, body)
        record = _record_head(len(body)) + body + chain
        self._usable = False  # until the record is safe: after a failed write its end is unknown
        self._write(record)
        self._end += len(record)
        self._check_end()
        self._chain, self._usable = chain, True

    def _check_end(self) -> None:
        """Nobody else has written: a copy of this process or its machine holds the same lock."""
        found = os.fstat(self._file).st_size
        if found != self._end:
            self._usable = False
            raise SecAggError(
                f"journal {self._path} is {found} bytes long where {self._end} were written here: another copy of this "
                "process uses it, or it was cut. End all of them and open it again"
            )

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            raise SecAggError(f"journal {self._path} cannot be written: {error.strerror}") from error

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SecAggError(f"journal {self._path} is in use by another process") from error

    def _replay(self) -> None:
        data = self._read()
        if len(data) < len(_MAGIC) and _MAGIC.startswith(data):
            os.ftruncate(self._file, 0)
            self._write(_MAGIC)
            self._end = len(_MAGIC)
            sync_folder(self._path.parent)
            return
        if not data.startswith(_MAGIC):
            raise SecAggError(f"{self._path} is not a journal of this version")
        whole, last = len(_MAGIC), len(data.rstrip(b"\0"))
        while whole < last and (end := self._record_end(data, whole)) is not None:
            body, chain = data[whole + _HEAD_BYTES : end - _CHAIN_BYTES], data[end - _CHAIN_BYTES : end]
            if chain != _next_chain(self._chain, body):
                raise SecAggError(
                    f"journal {self._path} is damaged at byte {whole}: restore the device's keys anew"
                )
            self._apply(body)
            self._chain, whole = chain, end
        os.ftruncate(self._file, whole)
        self._end = whole

    def _read(self) -> bytes:
        with open(self._file, "rb", closefd=False) as file:
            return file.read()

    def _record_end(self, data: bytes, start: int) -> int | None:
        """Where the record that begins here ends; None where the file ends within it."""
        head = data[start : start + _HEAD_BYTES]
        if len(head) < _HEAD_BYTES:
            return None
        length = int.from_bytes(head[: _HEAD_BYTES // 2], "big")
        if head != _record_head(length):
            raise SecAggError(self._damage(start))
        end = start + _HEAD_BYTES + length + _CHAIN_BYTES
        return end if end <= len(data) else None

    def _damage(self, start: int) -> str:
        return (
            f"journal {self._path} is damaged at byte {start}: take part again with the keys of a new epoch"
        )

    def _apply(self, body: bytes) -> None:
        reader = Reader(body)
        kind, session = reader.take(1), reader.take(SESSION_BYTES)
        round_number, attempt = reader.unsigned(8), reader.take(HASH_BYTES)
        try:
            if kind == _ROUND:
                self._claims.claim_round(session, round_number, attempt)
            elif kind == _OPENINGS:
                survivors, dropped = reader.take(reader.unsigned(2)), reader.take(reader.unsigned(2))
                self._claims.claim_openings(OpeningClaim(session, round_number, attempt, survivors, dropped))
            else:
                raise SecAggError(f"unknown record {kind.hex()}")
            reader.finish()
        except SecAggAbort as error:
            raise SecAggError(f"journal {self._path} contradicts itself: {error}") from error


def _fixed(session: bytes, round_number: int, attempt: bytes) -> bytes:
    return session + round_number.to_bytes(8, "big") + attempt


def _record_head(length: int) -> bytes:
    return length.to_bytes(_HEAD_BYTES // 2, "big") + (length ^ 0xFFFF).to_bytes(_HEAD_BYTES // 2, "big")


def _next_chain(chain: bytes, body: bytes) -> bytes:
    return hashlib.sha256(chain + body).digest()[:_CHAIN_BYTES]
