"""Keys stay secret, development keys stay local, key files are whole, private and encrypted."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from web3 import Web3

from chain.errors import BadKey, BadPassword, DevelopmentKeyRefused
from chain.keys import DevelopmentKey, Key, development_key, development_keys, fund, require_allowed
from chain.keystore import keystore_address, load_key, read_password, save_key


def test_development_keys_are_the_well_known_ones():
    first, second = development_keys(2)
    assert first.address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert second.address == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    assert isinstance(first, DevelopmentKey)


@pytest.mark.parametrize("chain_id", [1, 11155111, 2018])
def test_development_keys_are_refused_off_local_chains_however_loaded(chain_id: int):
    for key in (development_key(3), Key(development_key(3).private), development_key(40)):
        with pytest.raises(DevelopmentKeyRefused, match=f"refused on chain {chain_id}"):
            require_allowed(key, chain_id)
        require_allowed(key, 31337)
        require_allowed(key, 1337)
    require_allowed(Key.random(), chain_id)


def test_keys_do_not_show_their_secret():
    key = Key.random()
    assert key.private.hex() not in repr(key)
    assert key.private.hex() not in str(key)
    assert key.address in repr(key)
    assert key == Key(key.private)
    assert len({key, Key(key.private)}) == 1


@pytest.mark.parametrize("private", [b"", b"\0" * 32, b"\xff" * 32, b"\1" * 31])
def test_bytes_that_are_no_key_are_refused(private: bytes):
    with pytest.raises(BadKey):
        Key(private)
    with pytest.raises(BadKey, match="count from 0"):
        development_key(-1)


def test_key_files_are_private_and_come_back(tmp_path: Path):
    key, path = Key.random(), tmp_path / "keys" / "hospital.json"
    assert save_key(path, key, "correct horse", light=True) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.private.hex() not in path.read_text()
    assert load_key(path, "correct horse") == key
    assert keystore_address(path) == key.address
    assert [item.name for item in path.parent.iterdir()] == ["hospital.json"]
    with pytest.raises(BadPassword, match="does not open"):
        load_key(path, "wrong")
    with pytest.raises(BadKey, match="never overwritten"):
        save_key(path, key, "again", light=True)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"address": "00", "crypto": {}, "version": 3}',
        '{"version": 9, "crypto": {}}',
    ],
)
def test_files_that_are_no_keystore_are_named(tmp_path: Path, content: str):
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(BadKey, match=r"key\.json"):
        load_key(path, "x")


def test_key_file_that_names_another_address_is_refused(tmp_path: Path):
    path = tmp_path / "key.json"
    save_key(path, Key.random(), "pw", light=True)
    content = json.loads(path.read_text())
    content["address"] = "11" * 20
    path.write_text(json.dumps(content))
    with pytest.raises(BadKey, match="holds the key of"):
        load_key(path, "pw")
    with pytest.raises(BadKey, match="no key file"):
        load_key(tmp_path / "other.json", "pw")


def test_failed_write_leaves_nothing_behind(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(BadKey, match="cannot write"):
        save_key(blocked / "key.json", Key.random(), "pw", light=True)
    with pytest.raises(BadPassword, match="without a password"):
        save_key(tmp_path / "key.json", Key.random(), "", light=True)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_passwords_come_from_a_file_a_variable_or_a_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "password"
    file.write_text("from file\r\nsecond line\n")
    monkeypatch.setenv("HOSPITAL_PASSWORD", "from env")
    assert read_password(file=file) == "from file"
    assert read_password(env="HOSPITAL_PASSWORD") == "from env"
    assert read_password(prompt=lambda: "from prompt") == "from prompt"
    for source in ({}, {"env": "NOT_SET"}, {"file": tmp_path / "missing"}, {"prompt": lambda: ""}):
        with pytest.raises(BadPassword):
            read_password(**source)


@pytest.mark.node
def test_simulated_devices_are_funded_on_a_local_chain(w3: Web3):
    keys = [Key.random() for _ in range(3)]
    fund(w3, [key.address for key in keys], 5)
    assert [w3.eth.get_balance(key.address) for key in keys] == [5, 5, 5]
