"""A run without a chain: beacons come from its seed, accounts from one secret, so that one secret restores them."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from fl_core.errors import SpecError
from fl_core.signing import LocalSigner
from incentives import DEFAULT_RULE
from scripts.federation.book import OfflineBook
from scripts.federation.population import NoiseSources
from scripts.federation.run import Run
from scripts.federation.settings import RunSettings

SECRET_BYTES = 32
_LABEL = b"FedIoMT offline account\x00"


@dataclass(frozen=True)
class OfflineAccounts:
    """Ed25519 accounts that live as long as the run; each key is HMAC-SHA256(secret, whose).

    Attributes:
        secret: 32 bytes from the operating system; a seeded one is for tests.
    """

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(SECRET_BYTES), repr=False)

    def __post_init__(self) -> None:
        """Check the secret.

        Raises:
            SpecError: it has another length.
        """
        if len(self.secret) != SECRET_BYTES:
            raise SpecError(f"secret of {len(self.secret)} bytes for accounts: {SECRET_BYTES} are needed")

    def device(self, hospital: int, index: int, epoch: int) -> LocalSigner:
        """A device's account of an epoch."""
        return self._signer(hospital, index, epoch)

    def hospital(self, hospital: int) -> LocalSigner:
        """A hospital's account."""
        return self._signer(hospital)

    def _signer(self, *who: int) -> LocalSigner:
        name = b"".join(part.to_bytes(8, "big") for part in who)
        return LocalSigner(hmac.digest(self.secret, _LABEL + name, "sha256"))


def offline_run(
    settings: RunSettings,
    run_id: str,
    folder: Path,
    *,
    accounts: OfflineAccounts | None = None,
    rounds_done: int = 0,
    noise: NoiseSources | None = None,
) -> Run:
    """A run without a chain.

    Args:
        settings: what the user chose.
        run_id: the run's id.
        folder: the run's folder.
        accounts: None draws new ones.
        rounds_done: number of the last round done or abandoned.
        noise: where devices' noise comes from; None for the operating system, anything else is for tests.

    Raises:
        DataError: the data cannot be used or split.
        SpecError: settings that cannot work.
    """
    accounts = accounts or OfflineAccounts()
    return Run(
        settings,
        run_id=run_id,
        folder=folder,
        book=OfflineBook(seed=settings.seed, rule=DEFAULT_RULE, rounds_done=rounds_done),
        accounts=accounts.device,
        hospital_accounts=accounts.hospital,
        account_secret=accounts.secret,
        deployment=None,
        noise=noise,
    )
