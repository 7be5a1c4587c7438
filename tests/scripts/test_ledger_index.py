"""Ledger queries start without the training stack, and find their index without a secret on the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import ROOT

from chain.deployments import CONTRACT_FIELDS, Deployment
from scripts.console.errors import CommandError
from scripts.console.index import INDEX_VARIABLE, index_target

HEAVY = ("torch", "sklearn", "pandas", "web3", "eth_account", "sqlalchemy", "matplotlib")


def contracts():
    address = "0x" + "ab" * 20
    places = dict.fromkeys(CONTRACT_FIELDS, address)
    return SimpleNamespace(deployment=Deployment(31337, "0x" + "cd" * 32, 1, address, **places))


def test_ledger_commands_start_without_torch_and_web3():
    code = f"import sys, scripts.ledger; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_index_is_a_file_of_the_deployment_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(INDEX_VARIABLE, raising=False)
    default = index_target(contracts(), tmp_path, None)
    assert default == tmp_path / "index" / "31337-cdcdcdcd-abababab.sqlite"
    monkeypatch.setenv(INDEX_VARIABLE, "postgresql://me:secret@host/db")  # the environment may hold one
    assert index_target(contracts(), tmp_path, None) == "postgresql://me:secret@host/db"
    assert index_target(contracts(), tmp_path, "other.sqlite") == "other.sqlite"


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/db", "postgresql://host/db?password=secret"])
def test_password_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path, url: str):
    with pytest.raises(CommandError, match=r"~/\.pgpass, PGPASSWORD") as refused:
        index_target(contracts(), tmp_path, url)
    assert "secret" not in str(refused.value)
