"""`fediomt chain init` writes a network's files, tells what it wrote, and shows no key."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import Outcome, assert_one_line_error, fediomt

OPERATOR = "registry=0x" + "ab" * 20


def init(folder: Path, *arguments: str) -> Outcome:
    return fediomt("chain", "init", "--validators", "4", *arguments, cwd=folder)


def keys_below(folder: Path) -> list[str]:
    return [path.read_text().strip().removeprefix("0x") for path in sorted(folder.rglob("key"))]


def test_files_are_written_and_told_without_any_key(tmp_path: Path):
    outcome = init(tmp_path, "--directory", "net", "--operator", OPERATOR, "--json")
    assert outcome.code == 0, outcome
    told = json.loads(outcome.out)
    assert told["written"] is True
    assert told["tolerated_faults"] == 1
    written = {
        str(path.relative_to(tmp_path / "net")) for path in (tmp_path / "net").rglob("*") if path.is_file()
    }
    assert {file["path"] for file in told["files"]} == written
    assert {file["mode"] for file in told["files"] if file["path"].endswith("/key")} == {"600"}
    network = json.loads((tmp_path / "net" / "network.json").read_text())
    assert told["validators"] == [node["address"] for node in network["validators"]]
    again = init(tmp_path, "--directory", "other")
    assert again.code == 0, again
    keys = keys_below(tmp_path)
    assert len(set(keys)) == 8
    assert not any(key in outcome.out + outcome.err + again.out + again.err for key in keys)


def test_a_dry_run_writes_nothing_and_names_no_address(tmp_path: Path):
    outcome = init(tmp_path, "--dry-run", "--json")
    told = json.loads(outcome.out)
    assert told["written"] is False
    assert told["validators"] is None
    assert "validator-4/config.toml" in {file["path"] for file in told["files"]}
    assert list(tmp_path.iterdir()) == []
    shown = init(tmp_path, "--dry-run")
    assert "would be written to besu-network" in shown.out
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_there_is_kept_unless_it_is_put_aside(tmp_path: Path):
    assert init(tmp_path).code == 0
    first = keys_below(tmp_path / "besu-network")
    assert_one_line_error(init(tmp_path), "besu-network is there already", "--replace")
    assert keys_below(tmp_path / "besu-network") == first
    assert init(tmp_path, "--replace").code == 0
    assert keys_below(tmp_path / "besu-network.replaced-1") == first


def test_too_few_validators_are_refused_unless_asked_for(tmp_path: Path):
    few = ("chain", "init", "--validators", "3")
    assert_one_line_error(fediomt(*few, cwd=tmp_path), "bear no fault", "--allow-few")
    assert list(tmp_path.iterdir()) == []
    allowed = fediomt(*few, "--allow-few", cwd=tmp_path)
    assert allowed.code == 0
    assert "of which 0 may fail at once" in allowed.out


def test_wrong_settings_give_one_line(tmp_path: Path):
    assert_one_line_error(init(tmp_path, "--operator", "registry"), "write NAME=ADDRESS")
    assert_one_line_error(init(tmp_path, "--host", "10.0.0.1"), "1 hosts for 4 validators")
    assert_one_line_error(init(tmp_path, "--chain-id", "31337"), "for local chains")
    assert fediomt("chain", "init", cwd=tmp_path).code == 2
    assert init(tmp_path, "--consensus", "clique").code == 2
    assert list(tmp_path.iterdir()) == []
