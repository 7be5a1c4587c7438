"""In which rounds hospitals have signed, on disk before they do: so that nobody signs two versions of one round.

A second root that a hospital signed for a round convicts it (`DisputeCourt.proveReceipt`), and a second part of a
bundle has its entry voided. Neither may come of a process that was killed or a ledger that was set back, so that a
round is done twice under one number: whoever had begun to sign in the first attempt sits out the second, and forfeits
its pay. The second attempt may be another run's, so the journal is the user's and not a run's. Each ledger has a file,
`<folder>/<chain id>-<genesis>/<ledger>.json`; a ledger that is deployed anew begins an empty one.
"""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from fl_core.bundle import write_atomic
from fl_core.canonical import canonical_json, parse_json
from fl_core.durable import reason, sync_folder
from fl_core.errors import BundleError, SpecError
from scripts.console.errors import CommandError

SIGNED_FOLDER = "signed"
"""Name of the folder of journals, among what is a user's."""


class SigningJournal:
    """The rounds of one ledger in which hospitals have signed, whichever run it was for."""

    def __init__(self, folder: Path, *, chain_id: int, genesis: bytes, ledger: bytes) -> None:
        """Keep the journal of one ledger (20 bytes) of one chain.

        Args:
            folder: journals of all ledgers; every run on the ledger must be given the same.
            chain_id: id of the chain.
            genesis: hash of its block 0, 32 bytes: local chains share an id.
            ledger: address of the ledger.
        """
        self._path = folder / f"{chain_id}-{genesis.hex()[:16]}" / f"0x{ledger.hex()}.json"

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self._path

    def begin(self, round_number: int, hospitals: Collection[int]) -> frozenset[int]:
        """Those of the hospitals that have signed nothing of this round before; that they do now is on disk already.

        Of several processes that ask for one hospital, one gets it.

        Raises:
            BundleError: the disk refuses; nobody may sign.
            CommandError: the journal is there and cannot be read: nobody knows then what was signed.
        """
        with self._locked():
            rounds = self._read()
            signed = frozenset(rounds.get(str(round_number), ()))
            free = frozenset(hospitals) - signed
            if free:
                rounds[str(round_number)] = sorted(signed | free)
                write_atomic(self._path, canonical_json(rounds))
            return free

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the journal against other processes, and other threads of this one."""
        lock = self._path.with_suffix(".lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in tuple(lock.parents)[1:3]:
                sync_folder(folder)  # a power cut must not take a new journal's folder away
            file = lock.open("w")
        except OSError as error:
            raise BundleError(f"cannot write {lock}: {reason(error)}") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _read(self) -> dict[str, list[int]]:
        try:
            value = parse_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, SpecError) as error:
            raise self._unreadable(error) from error
        if not _is_rounds(value):
            raise self._unreadable("it holds something else")
        rounds: dict[str, list[int]] = value
        return rounds

    def _unreadable(self, why: object) -> CommandError:
        return CommandError(
            f"{self._path} cannot be read ({why}): nobody knows what the hospitals have signed, so start a new run "
            "after `fediomt deploy --fresh`"
        )


def _is_rounds(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(signed, list) and all(type(hospital) is int for hospital in signed)
        for signed in value.values()
    )
