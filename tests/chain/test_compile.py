"""The packaged artifacts are what the sources compile to, whoever compiles them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from chain.compile import (
    SETTINGS,
    SOLC_VERSION,
    artifact_names,
    collect_sources,
    compile_sources,
    load_artifact,
    stale_artifacts,
)
from chain.errors import CompileError

ROOT = Path(__file__).resolve().parents[2]
SIZE_LIMIT = 24_576

pytestmark = pytest.mark.skipif(
    not (ROOT / "node_modules" / "solc").is_dir(),
    reason="npm packages are not installed: npm ci --ignore-scripts",
)


@pytest.fixture(scope="module")
def sources():
    return collect_sources()


@pytest.fixture(scope="module")
def compiled(sources):
    return {artifact["contractName"]: artifact for artifact in compile_sources(sources)}


def test_the_packaged_artifacts_are_what_the_sources_compile_to(sources, compiled):
    assert stale_artifacts(sources) == []
    for name in artifact_names():
        packaged = load_artifact(name)
        for field in ("abi", "bytecode", "deployedBytecode", "immutableReferences", "sourceHash"):
            assert packaged[field] == compiled[name][field], (name, field)


def test_a_changed_source_makes_artifacts_stale(sources):
    name = "contracts/ParticipationToken.sol"
    assert stale_artifacts({**sources, name: sources[name] + "\n// changed\n"})


def test_every_contract_fits_a_plain_evm_chain():
    for name in artifact_names():
        assert len(load_artifact(name)["deployedBytecode"]) // 2 - 1 <= SIZE_LIMIT, name


def test_a_source_that_does_not_compile_gives_one_line_that_says_where():
    broken = {"contracts/Broken.sol": "pragma solidity 0.8.36;\ncontract Broken { function f( }\n"}
    with pytest.raises(CompileError, match=r"Broken\.sol") as caught:
        compile_sources(broken)
    assert "\n" not in str(caught.value)


def test_an_unknown_artifact_is_named():
    with pytest.raises(CompileError, match="Nowhere"):
        load_artifact("Nowhere")


def test_forge_is_told_the_same_settings():
    text = (ROOT / "foundry.toml").read_text()
    assert f'evm_version = "{SETTINGS["evmVersion"]}"' in text
    assert f"optimizer_runs = {SETTINGS['optimizer']['runs']}" in text
    assert 'bytecode_hash = "none"' in text


def test_hardhat_compiles_the_same_sources_offline_to_the_same_code(tmp_path):
    hardhat = ROOT / "node_modules" / "hardhat" / "internal" / "cli" / "bootstrap.js"
    if not hardhat.is_file():
        pytest.skip("hardhat is not installed: npm ci --ignore-scripts")
    done = subprocess.run(
        [str(shutil.which("node")), str(hardhat), "compile"],
        cwd=ROOT,
        env={
            **os.environ,
            "FEDIOMT_HARDHAT_OUT": str(tmp_path),
            "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true",
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    compared = 0
    for name in artifact_names():
        packaged = load_artifact(name)
        if not packaged["sourceName"].startswith("contracts/"):
            continue
        built = json.loads((tmp_path / packaged["sourceName"] / f"{name}.json").read_text())
        assert built["bytecode"] == packaged["bytecode"], name
        assert built["abi"] == packaged["abi"], name
        compared += 1
    assert compared >= 6
    assert SOLC_VERSION in (ROOT / "hardhat.config.js").read_text()
