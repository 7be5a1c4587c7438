"""Who signs with which key: development keys on local chains, encrypted keystores everywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from chain.keys import Key, development_key, require_allowed
from chain.keystore import load_key, save_key
from scripts.console.errors import CommandError

_COORDINATOR, _FIRST_HOSPITAL, _FIRST_DEVICE = 1, 10, 1_000
_HOSPITALS, _DEVICES = 64, 4_096


class Keyring(Protocol):
    """The keys of a simulated consortium."""

    def operator(self) -> Key:
        """Who deploys and governs."""

    def coordinator(self) -> Key:
        """Who drives rounds."""

    def hospital(self, hospital: int) -> Key:
        """A hospital's account, which is also its treasury."""

    def device(self, hospital: int, index: int, epoch: int) -> Key:
        """A device's account of an epoch."""


class DevelopmentKeyring:
    """Public development keys: for local chain ids only, and refused anywhere else."""

    def __init__(self, chain_id: int) -> None:
        """Check that the chain is a local one.

        Raises:
            DevelopmentKeyRefused: it is not.
        """
        require_allowed(development_key(0), chain_id)

    def operator(self) -> Key:
        """The first development account."""
        return development_key(0)

    def coordinator(self) -> Key:
        """The second one."""
        return development_key(_COORDINATOR)

    def hospital(self, hospital: int) -> Key:
        """Accounts from index 10."""
        return development_key(_FIRST_HOSPITAL + hospital)

    def device(self, hospital: int, index: int, epoch: int) -> Key:
        """Accounts from index 1,000, anew each epoch."""
        return development_key(_FIRST_DEVICE + (epoch * _HOSPITALS + hospital) * _DEVICES + index)


class KeystoreKeyring:
    """Keys from the operating system's randomness, kept in encrypted keystores of one folder."""

    def __init__(self, folder: Path, password: str, *, creates: frozenset[str] = frozenset()) -> None:
        """Use the keystores of a folder.

        Args:
            folder: where keystores lie.
            password: what they are encrypted with.
            creates: kinds of keys (operator, coordinator, hospital, device) that are created where they are missing;
                any other missing key is an error, so that a wrong folder is not filled with keys of no use.
        """
        self._creates = creates
        self._folder = folder
        self._password = password
        self._loaded: dict[str, Key] = {}

    def operator(self) -> Key:
        """Keystore `operator.json`."""
        return self._key("operator")

    def coordinator(self) -> Key:
        """Keystore `coordinator.json`."""
        return self._key("coordinator")

    def hospital(self, hospital: int) -> Key:
        """Keystore `hospital-<id>.json`."""
        return self._key(f"hospital-{hospital}")

    def device(self, hospital: int, index: int, epoch: int) -> Key:
        """Keystore `device-<hospital>-<index>-<epoch>.json`."""
        return self._key(f"device-{hospital}-{index}-{epoch}")

    def _key(self, name: str) -> Key:
        if name not in self._loaded:
            path = self._folder / f"{name}.json"
            if path.exists():
                self._loaded[name] = load_key(path, self._password)
            elif name.split("-", maxsplit=1)[0] not in self._creates:
                raise CommandError(f"no keystore {path}: name the folder that `fediomt deploy` wrote them to")
            else:
                self._loaded[name] = Key.random()
                save_key(path, self._loaded[name], self._password)
        return self._loaded[name]
