"""Encrypted key files in the Ethereum keystore format (scrypt), for keys that last."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from chain.connect import to_address
from chain.errors import BadKey, BadPassword
from chain.files import write_atomically
from chain.keys import Key

_SCRYPT_N = 1 << 18
_SCRYPT_N_LIGHT = 1 << 10


def save_key(path: Path, key: Key, password: str, *, light: bool = False) -> Path:
    """Write a key encrypted, readable by the owner only, whole or not at all.

    Args:
        path: the file; must not exist.
        key: what to keep.
        password: must not be empty.
        light: a cheap key derivation, for tests.

    Raises:
        BadKey: the file exists or cannot be written.
        BadPassword: the password is empty.
    """
    if not password:
        raise BadPassword(f"no key is written to {path} without a password")
    if path.exists():
        raise BadKey(f"{path} exists: give another name, keys are never overwritten")
    from eth_account import Account  # noqa: PLC0415 - slow to import, and most commands read no keystore

    content = Account.encrypt(
        key.private, password, kdf="scrypt", iterations=_SCRYPT_N_LIGHT if light else _SCRYPT_N
    )
    try:
        write_atomically(path, json.dumps(content).encode(), mode=0o600)
    except OSError as error:
        raise BadKey(f"cannot write {path}: {error.strerror or error}") from error
    return path


def load_key(path: Path, password: str) -> Key:
    """Decrypt a key file.

    Raises:
        BadKey: missing, unreadable, or not a key file.
        BadPassword: the password does not open it.
    """
    from eth_account import Account  # noqa: PLC0415 - slow to import, and most commands read no keystore

    content = _read(path)
    try:
        private = bytes(Account.decrypt(content, password))
    except ValueError as error:
        if "MAC" in str(error):
            raise BadPassword(f"the password does not open {path}") from error
        raise BadKey(f"{path} is not an Ethereum keystore: {error}") from error
    except (KeyError, TypeError, NotImplementedError) as error:
        raise BadKey(f"{path} is not an Ethereum keystore that can be read") from error
    key = Key(private)
    claimed = str(content.get("address", "")).lower().removeprefix("0x")
    if claimed and claimed != key.address_bytes.hex():
        raise BadKey(f"{path} names 0x{claimed} but holds the key of {key.address}")
    return key


def keystore_address(path: Path) -> str:
    """The address that a key file names, without its password (checked when the key is loaded).

    Raises:
        BadKey: missing, unreadable, or not a key file.
    """
    return to_address("0x" + str(_read(path).get("address", "")).removeprefix("0x"))


def read_password(
    *, file: Path | None = None, env: str | None = None, prompt: Callable[[], str] | None = None
) -> str:
    """A password from the first source given: a file's first line, an environment variable, a prompt.

    Raises:
        BadPassword: no source, or the source is missing or empty.
    """
    if file is not None:
        try:
            password = file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise BadPassword(f"cannot read the password file {file}") from error
        source = str(file)
    elif env is not None:
        password, source = os.environ.get(env, ""), f"environment variable {env}"
    elif prompt is not None:
        password, source = prompt(), "prompt"
    else:
        raise BadPassword("a password is needed: give a file, an environment variable or a terminal")
    if not password:
        raise BadPassword(f"the password from {source} is empty")
    return password


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadKey(f"no key file at {path}") from error
    except (OSError, ValueError) as error:
        raise BadKey(f"{path} cannot be read as a key file") from error
    if not isinstance(content, dict):
        raise BadKey(f"{path} is not an Ethereum keystore")
    return content
