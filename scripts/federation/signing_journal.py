"""In which rounds hospitals have signed, on disk before they do: so that nobody signs two versions of one round.

A second root that a hospital signed for a round convicts it (`DisputeCourt.proveReceipt`), and a second part of a
bundle has its entry voided. Neither may come of a process that was killed and a ledger that was set back, so that a
round is done twice under one number: whoever had begun to sign in the first attempt sits out the second, and forfeits
its pay.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fl_core.bundle import write_atomic
from fl_core.canonical import canonical_json, parse_json
from fl_core.errors import SpecError
from scripts.console.errors import CommandError

JOURNAL_FILE = "signed-rounds.json"


class SigningJournal:
    """The rounds of one ledger in which hospitals of a run have signed."""

    def __init__(self, folder: Path, *, chain_id: int, ledger: bytes) -> None:
        """Keep the journal in the folder of a run; it holds for one ledger (20 bytes) of one chain."""
        self._path = folder / JOURNAL_FILE
        self._ledger = f"{chain_id}:{ledger.hex()}"

    def begin(self, round_number: int, hospitals: Collection[int]) -> frozenset[int]:
        """Those of the hospitals that have signed nothing of this round before; that they do now is on disk already.

        Raises:
            BundleError: the disk refuses; nobody may sign.
            CommandError: the journal is there and cannot be read: nobody knows then what was signed.
        """
        whole = self._read()
        rounds = whole.setdefault(self._ledger, {})
        signed = frozenset(rounds.get(str(round_number), ()))
        free = frozenset(hospitals) - signed
        if free:
            rounds[str(round_number)] = sorted(signed | free)
            write_atomic(self._path, canonical_json(whole))
        return free

    def _read(self) -> dict[str, dict[str, list[int]]]:
        try:
            value = parse_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, SpecError) as error:
            raise self._unreadable(error) from error
        if not isinstance(value, dict) or not all(_is_rounds(rounds) for rounds in value.values()):
            raise self._unreadable("it holds something else")
        return value

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
