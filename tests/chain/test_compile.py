"""The packaged artifacts are what the sources compile to, whoever compiles them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from chain import compile as chain_compile
from chain.compile import (
    SETTINGS,
    SOLC_VERSION,
    TEST_ARTIFACTS,
    artifact_names,
    collect_sources,
    compile_sources,
    load_artifact,
    load_test_artifact,
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
    harnesses = sorted(path.stem for path in TEST_ARTIFACTS.glob("*.json"))
    assert sorted(compiled) == sorted([*artifact_names(), *harnesses])
    for name, built in compiled.items():
        packaged = load_test_artifact(name) if name in harnesses else load_artifact(name)
        assert packaged == built, name


def test_harnesses_are_not_package_data():
    assert not any(name.endswith("Harness") for name in artifact_names())


def test_a_changed_source_makes_artifacts_stale(sources, monkeypatch, capsys):
    assert chain_compile.main(["--check"]) == 0
    name = "contracts/ParticipationToken.sol"
    changed = {**sources, name: sources[name] + "\n// changed\n"}
    monkeypatch.setattr(chain_compile, "collect_sources", lambda: changed)
    assert chain_compile.main(["--check"]) == 1
    assert "ParticipationToken.json" in capsys.readouterr().out


def test_a_missing_import_is_named(tmp_path):
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    (contracts / "Lost.sol").write_text('import {Nothing} from "./Nothing.sol";\n')
    with pytest.raises(CompileError, match=r"contracts/Nothing\.sol is missing"):
        collect_sources(tmp_path)
    with pytest.raises(CompileError, match="no contracts folder"):
        collect_sources(contracts)


def test_a_compiler_that_does_not_run_gives_one_line(sources, tmp_path):
    with pytest.raises(CompileError, match="does not run") as caught:
        compile_sources(sources, compiler=tmp_path / "solc")
    assert "\n" not in str(caught.value)


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


def run_wrapper(*arguments):
    wrapper = ROOT / "chain" / "solc" / "solc"
    return subprocess.run(
        [str(wrapper), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_compiler_wrapper_speaks_like_solc():
    version = run_wrapper("--version")
    assert f"Version: {SOLC_VERSION}+commit." in version.stdout
    name = "contracts/local/LocalSettlementToken.sol"
    done = run_wrapper("--optimize", "--via-ir", "--combined-json", "abi,bin", "--base-path", ".", name)
    assert done.returncode == 0, done.stderr
    contract = json.loads(done.stdout)["contracts"][f"{name}:LocalSettlementToken"]
    assert contract["bin"]
    assert contract["abi"] == load_artifact("LocalSettlementToken")["abi"]


@pytest.mark.parametrize(
    ("argument", "text"), [("--nonsense", "unrecognised option"), ("file", "nothing to do")]
)
def test_the_compiler_wrapper_refuses_what_it_does_not_know(argument, text):
    done = run_wrapper(argument)
    assert done.returncode == 1
    assert text in done.stderr
    assert done.stdout == ""


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
    for name in artifact_names():
        packaged = load_artifact(name)
        built = json.loads((tmp_path / packaged["sourceName"] / f"{name}.json").read_text())
        assert built["bytecode"] == packaged["bytecode"], name
        assert built["abi"] == packaged["abi"], name
    assert SOLC_VERSION in (ROOT / "hardhat.config.js").read_text()
