"""Transactions that were signed and are not settled, on disk, so that a killed command pays once when run again.

Each is written before it is sent, in a file of its own under `<folder>/<chain id>-<genesis>/<account>/`, and goes when
its receipt is known. A signed transaction is what the whole network sees: there is no secret in these files. One
lock an account lets several processes send with one key.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from chain.errors import ChainError
from chain.files import write_atomically
from chain.processes import fingerprint
from chain.receipts import Call

_KEPT_S = 86_400.0
"""How long a transaction of a command that died is taken for one that is sent again."""


@dataclass(frozen=True)
class Sent:
    """A signed transaction. `price` and `tip` in wei; `tip` None on chains without EIP-1559.

    Attributes:
        account: who sends it.
        nonce: its nonce.
        hash: its hash, 0x-hex.
        raw: the signed bytes, 0x-hex.
        label: `Contract.function`.
        call: digest of what it calls, see `call_digest`.
        gas_limit: its gas limit.
        price: most that it pays for a unit of gas.
        tip: what of that goes to the block's maker.
        process: id of the process that wrote it.
        started: that process's fingerprint, for ids are used again.
        at: unix seconds.
    """

    account: str
    nonce: int
    hash: str
    raw: str
    label: str
    call: str
    gas_limit: int
    price: int
    tip: int | None
    process: int
    started: str
    at: float

    @property
    def owned(self) -> bool:
        """Whether the process that wrote it still runs."""
        return bool(self.started) and fingerprint(self.process) == self.started

    @property
    def recent(self) -> bool:
        """Whether it is young enough to be what a command that is run again means."""
        return time.time() - self.at < _KEPT_S


@dataclass(frozen=True)
class Outbox:
    """The unsettled transactions of one chain.

    Attributes:
        folder: where they are kept, for all chains.
    """

    folder: Path

    def account(self, chain_id: int, genesis: bytes, address: str) -> AccountOutbox:
        """Those of one account on one chain."""
        return AccountOutbox(self._chain(chain_id, genesis) / address)

    def accounts(self, chain_id: int, genesis: bytes) -> list[AccountOutbox]:
        """Those of every account that sent on a chain."""
        folder = self._chain(chain_id, genesis)
        return [AccountOutbox(path) for path in sorted(folder.glob("0x*"))] if folder.is_dir() else []

    def _chain(self, chain_id: int, genesis: bytes) -> Path:
        return self.folder / f"{chain_id}-{genesis.hex()[:16]}"


@dataclass(frozen=True)
class AccountOutbox:
    """The unsettled transactions of one account."""

    folder: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the account's lock against other processes.

        Raises:
            ChainError: the folder cannot be used.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = (self.folder / "lock").open("w")
        except OSError as error:
            raise self._unusable(error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def write(self, sent: Sent) -> None:
        """Keep a transaction; it may be sent afterwards.

        Raises:
            ChainError: it cannot be written; it must not be sent.
        """
        try:
            write_atomically(self._path(sent), json.dumps(asdict(sent)).encode(), mode=0o600)
        except OSError as error:
            raise self._unusable(error) from error

    def forget(self, *sent: Sent) -> None:
        """Drop transactions that are settled."""
        for item in sent:
            self._path(item).unlink(missing_ok=True)

    def entries(self) -> list[Sent]:
        """What is unsettled, by nonce, older ones first.

        Raises:
            ChainError: a file is damaged.
        """
        found = []
        for path in self.folder.glob("*.json"):
            try:
                found.append(Sent(**json.loads(path.read_text(encoding="utf-8"))))
            except FileNotFoundError:  # another process settled it
                continue
            except (OSError, ValueError, TypeError) as error:
                raise ChainError(
                    f"{path} is no kept transaction: look on chain whether it was sent, then delete the file"
                ) from error
        return sorted(found, key=lambda item: (item.nonce, item.at))

    def _path(self, sent: Sent) -> Path:
        return self.folder / f"{sent.nonce:012d}-{sent.hash[2:18]}.json"

    def _unusable(self, error: OSError) -> ChainError:
        return ChainError(
            f"cannot keep transactions under {self.folder} ({error.strerror or error}), so none was sent: "
            "make room or correct the folder, and run this again"
        )


def call_digest(call: Call) -> str:
    """What tells two calls apart: receiver, data and value."""
    content = json.dumps([call.to, call.data.hex(), call.value])
    return hashlib.sha256(content.encode()).hexdigest()


def stamp() -> tuple[int, str, float]:
    """This process's id and fingerprint and the time, as `Sent` keeps them."""
    return os.getpid(), _fingerprint_of(os.getpid()), time.time()


@cache
def _fingerprint_of(process: int) -> str:
    return fingerprint(process) or ""
