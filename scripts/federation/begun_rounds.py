"""Which round a run has begun, on disk before any device trains: so that no round is done twice with other noise.

A run without a chain has nothing else that would know. Whoever releases a round a second time with fresh noise gives
away two views of the same updates, and would have charged for one.
"""

from __future__ import annotations

from pathlib import Path

from fl_core.bundle import write_atomic
from fl_core.canonical import canonical_json, parse_json
from fl_core.checkpoint import CheckpointError
from fl_core.errors import SpecError

BEGUN_FILE = "begun.json"


def note_begun(folder: Path, round_number: int) -> None:
    """Write down for good, in the folder of a run's checkpoints, that a round begins.

    Raises:
        BundleError: the disk refuses; the round must not begin.
    """
    write_atomic(folder / BEGUN_FILE, canonical_json({"round": round_number}))


def last_begun(folder: Path) -> int:
    """The last round that was begun, by the folder of a run's checkpoints; 0 where none was.

    Raises:
        CheckpointError: the record is there and cannot be read: nobody knows then what was released.
    """
    path = folder / BEGUN_FILE
    try:
        value = parse_json(path.read_bytes())
    except FileNotFoundError:
        return 0
    except (OSError, SpecError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}): start a new run") from error
    number = value.get("round") if isinstance(value, dict) else None
    if type(number) is not int or number < 1:
        raise CheckpointError(f"{path} names no round: start a new run")
    return number
