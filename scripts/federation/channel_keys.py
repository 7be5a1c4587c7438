"""The channel keys of simulated devices, kept in the run's folder so that they can open their receipts later.

A real device keeps its own; here one owner plays them all, and the files are for that owner alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fl_core.canonical import canonical_json, parse_json
from fl_core.errors import SpecError
from scripts.console.errors import CommandError

CHANNEL_KEYS = "channel-keys"


def write_channel_keys(folder: Path, epoch: int, keys: Mapping[bytes, bytes]) -> None:
    """Write an epoch's channel keys, whole or not at all.

    Args:
        folder: the run's folder.
        epoch: the epoch.
        keys: private keys (32 bytes) by device account.

    Raises:
        CommandError: the disk refuses.
    """
    path = _path(folder, epoch)
    staging = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(canonical_json({account.hex(): key.hex() for account, key in keys.items()}))
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error


def read_channel_key(folder: Path, epoch: int, account: bytes) -> X25519PrivateKey:
    """A device's channel key of an epoch.

    Raises:
        CommandError: the run's folder does not have it, or the file is malformed.
    """
    path = _path(folder, epoch)
    try:
        keys = parse_json(path.read_bytes())
        return X25519PrivateKey.from_private_bytes(bytes.fromhex(keys[account.hex()]))
    except (OSError, KeyError) as error:
        raise CommandError(
            f"no channel key of 0x{account.hex()} under {path.parent}: only who has it can open its receipts"
        ) from error
    except (SpecError, ValueError, TypeError) as error:
        raise CommandError(f"{path} is malformed: {error}") from error


def _path(folder: Path, epoch: int) -> Path:
    return folder / CHANNEL_KEYS / f"epoch-{epoch}.json"
