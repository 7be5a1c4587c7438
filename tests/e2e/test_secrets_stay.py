"""Keys and passwords are in keystores alone: in no answer, no report, no log and no other file of a recorded run."""

from __future__ import annotations

import base64
from pathlib import Path
from unittest import mock

import pytest
from command_line import fediomt

from chain import keystore
from chain.errors import EngineMissing
from chain.node import AnvilNode

pytestmark = pytest.mark.node

PASSWORD = "a phrase that is nowhere else"
KEYS = ("--keystore", "keys")
STORY = (
    ("deploy", "--hospitals", "3", "--k-min", "3", *KEYS),
    (
        "train",
        "--hospitals",
        "3",
        "--devices",
        "4",
        "--cohort-size",
        "4",
        "--k-min",
        "3",
        "--rounds",
        "1",
        *KEYS,
    ),
    ("claim", *KEYS),
    ("audit",),
    ("ledger", "rounds"),
    ("consortium", "propose", "suspend", "3", "--hospital", "1", *KEYS),
)


def written_forms(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)]


def test_no_key_is_in_an_answer_or_in_a_file_but_its_keystore(tmp_path: Path):
    said = b""
    with mock.patch.object(keystore, "_SCRYPT_N", keystore._SCRYPT_N_LIGHT):
        try:
            with AnvilNode() as node:
                for command in STORY:
                    outcome = fediomt(
                        *command, "--json", "--url", node.url, cwd=tmp_path, FEDIOMT_PASSWORD=PASSWORD
                    )
                    assert outcome.code == 0, outcome
                    said += outcome.out.encode() + outcome.err.encode()
        except EngineMissing as error:
            pytest.skip(str(error))
    stores = list((tmp_path / "keys").iterdir())
    names = {path.name.rsplit("-", 2)[0] if "device" in path.name else path.stem for path in stores}
    assert {"operator", "coordinator", "hospital-1", "hospital-2", "hospital-3", "device-1"} <= names
    assert all(path.stat().st_mode & 0o077 == 0 for path in stores)
    secrets = [PASSWORD.encode()]
    for path in stores:
        secrets += written_forms(keystore.load_key(path, PASSWORD).private)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(path.suffix == ".sqlite" for path in files)
    for secret in secrets:
        assert secret not in said
        assert [path for path, content in files.items() if secret in content] == []
