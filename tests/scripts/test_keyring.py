"""Development keys stay on local chains; keystores are made only by the commands that should make them."""

from __future__ import annotations

import pytest

from chain import keystore
from chain.errors import DevelopmentKeyRefused
from scripts.console.errors import CommandError
from scripts.federation import keyring
from scripts.federation.keyring import DevelopmentKeyring, KeystoreKeyring


@pytest.fixture(autouse=True)
def light_encryption(monkeypatch):
    monkeypatch.setattr(
        keyring, "save_key", lambda path, key, password: keystore.save_key(path, key, password, light=True)
    )


def test_development_keys_are_refused_off_local_chains():
    with pytest.raises(DevelopmentKeyRefused):
        DevelopmentKeyring(1)


def test_no_two_parties_share_a_development_key():
    ring = DevelopmentKeyring(31337)
    keys = [ring.operator(), ring.coordinator(), *(ring.hospital(h) for h in (1, 2, 64))]
    keys += [ring.device(h, i, epoch) for h in (1, 64) for i in (0, 4_095) for epoch in (0, 1)]
    assert len({key.address for key in keys}) == len(keys)


def test_a_keystore_that_is_not_there_is_named_and_not_made(tmp_path):
    with pytest.raises(CommandError, match=r"hospital-3\.json"):
        KeystoreKeyring(tmp_path, "secret words").hospital(3)
    assert list(tmp_path.iterdir()) == []


def test_keys_that_a_command_makes_are_the_same_the_next_time_and_lie_encrypted(tmp_path):
    made = KeystoreKeyring(tmp_path, "secret words", creates=frozenset({"hospital"})).hospital(3)
    found = KeystoreKeyring(tmp_path, "secret words").hospital(3)
    assert found.address == made.address
    (path,) = tmp_path.iterdir()
    assert made.private.hex() not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
